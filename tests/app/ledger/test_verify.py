"""Verification finds and names each fault that somebody with the database in hand can plant."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.db import Database
from app.ledger import chain, links, seals, verify
from app.ledger.models import Entry, EntryLine, Posting
from app.ledger.reversals import Returned
from app.world import World
from tests import factories
from tests.app.ledger.shelf import Shelf
from tests.bench import movements, seed
from tests.conftest import MovableClock, open_test_world, postgres_database, settings_for

FIRST = "(SELECT min(id) FROM card)"
"""The card with a life of its own; the other one earned once."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Two cards and everything that can happen to units, sealed; each test changes it in a transaction of its own."""
    folder = tmp_path_factory.mktemp("books")
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "tessera.db")
            url = f"sqlite:///{folder}/tessera.db"
        else:
            url = stack.enter_context(postgres_database(request.getfixturevalue("postgres")))
        world = open_test_world(settings_for(url, folder), MovableClock(factories.NOW))
        _live(world)
        yield world.database
        world.database.close()


def _live(world: World) -> None:
    shelf = Shelf(world)
    sale = shelf.earn(30, lines=[(1, "sku-1", "food", 3, 3_000, 10), (2, "sku-2", "food", 1, 7_000, 20)])
    shelf.earn(100)
    shelf.reverse(sale, Returned(pieces={1: 1}))
    shelf.spend(20)
    shelf.capture(shelf.hold(50), 40)
    shelf.hold(10)
    shelf.earn(15, pending_until=shelf.now + timedelta(days=14))
    voucher = shelf.credit(5, unit="voucher:a")
    shelf.spend(5, unit="voucher:a")
    shelf.reverse(voucher)
    with world.database.unit_of_work() as session:
        first = session.get_one(Card, shelf.card.id)
        shelf.card = factories.card(session, first.programme, name="Budi")
    shelf.earn(7)
    with world.database.unit_of_work() as session:
        assert seals.seal(session, now=shelf.now + timedelta(hours=1))


@pytest.fixture
def session(books: Database) -> Iterator[Session]:
    """The books, open for tampering: no trigger and no check is in the way, and nothing is kept."""
    with Session(books.engine, info=dict(books.info)) as opened:
        if books.is_sqlite:
            opened.execute(text("PRAGMA ignore_check_constraints=ON"))
            for name in opened.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                opened.execute(text(f"DROP TRIGGER {name}"))
            opened.execute(text("PRAGMA defer_foreign_keys=ON"))
        else:
            opened.execute(text("SET LOCAL session_replication_role = replica"))
            for name in ("never_negative", "debt_never_positive"):
                opened.execute(text(f"ALTER TABLE account DROP CONSTRAINT ck_account_{name}"))
        yield opened
        opened.rollback()
        if books.is_sqlite:
            opened.execute(text("PRAGMA ignore_check_constraints=OFF"))


MEMBER_S = f"member_id = (SELECT member_id FROM card WHERE id = {FIRST})"
A_SALE = f"(SELECT id FROM entry WHERE card_id = {FIRST} AND seq = 1)"
THE_LAST = f"(SELECT id FROM entry WHERE card_id = {FIRST} ORDER BY seq DESC LIMIT 1)"
FAULTS = {
    "a balance": (
        f"UPDATE account SET balance = balance + 1 WHERE {MEMBER_S} AND role = 'avail' AND unit = 'points'",
        "(avail of points) says",
    ),
    "a balance below zero": (
        f"UPDATE account SET balance = -1 WHERE {MEMBER_S} AND role = 'hold'",
        "on the wrong side of zero",
    ),
    "a debt above zero": (
        f"UPDATE account SET balance = 1 WHERE {MEMBER_S} AND role = 'debt'",
        "on the wrong side of zero",
    ),
    "a debt beside a balance": (
        f"UPDATE account SET balance = 4 WHERE {MEMBER_S} AND role = 'avail' AND unit = 'voucher:a'",
        "owes 5 at the same time",
    ),
    "a posting's amount": (
        f"UPDATE posting SET amount = amount + 1 WHERE entry_id = {A_SALE} AND amount > 0",
        "sum to 1, not to zero",
    ),
    "a posting's amount, by its entry": (
        f"UPDATE posting SET amount = amount + 1 WHERE entry_id = {A_SALE} AND amount > 0",
        "postings that sum to 1",
    ),
    "both postings' amounts": (
        f"UPDATE posting SET amount = amount * 2 WHERE entry_id = {A_SALE}",
        "is not what was written",
    ),
    "a posting that is gone": (f"DELETE FROM posting WHERE entry_id = {A_SALE} AND amount > 0", "has 1 postings"),
    "a posting of another account": (
        f"UPDATE posting SET account_id = (SELECT max(id) FROM account) WHERE entry_id = {A_SALE} AND amount > 0",
        "is not what was written",
    ),
    "an account's unit": (
        "UPDATE account SET unit = 'bonus:TRY' WHERE member_id IS NULL AND role = 'redeem' AND unit = 'points'",
        "its account",
    ),
    "what remains of a lot": ("UPDATE lot SET remaining = remaining - 1 WHERE remaining > 1", "its lots have"),
    "a lot's size": ("UPDATE lot SET original = original + 1", "remain and"),
    "a lot on another account": (
        f"UPDATE lot SET account_id = (SELECT id FROM account WHERE {MEMBER_S} AND role = 'hold') WHERE remaining > 0",
        "has 0, its lots have",
    ),
    "a lot's use": ("UPDATE lot_use SET amount = amount + 1", "were used"),
    "a lot's use that is gone": ("DELETE FROM lot_use", "were used"),
    "a note": (f"UPDATE entry SET note = 'x' WHERE id = {A_SALE}", "is not what was written"),
    "an actor": (f"UPDATE entry SET actor = 'x' WHERE id = {A_SALE}", "is not what was written"),
    "a day": (f"UPDATE entry SET occurred_at = occurred_at - 1 WHERE id = {A_SALE}", "is not what was written"),
    "the reasons": (f"UPDATE entry SET reasons = '[\"x\"]' WHERE id = {A_SALE}", "is not what was written"),
    "a line": (f"UPDATE entry_line SET points = points + 1 WHERE entry_id = {A_SALE}", "is not what was written"),
    "a line that is gone": (
        f"DELETE FROM entry_line WHERE entry_id = {A_SALE} AND line_no = 2",
        "is not what was written",
    ),
    "an entry's place": (f"UPDATE entry SET seq = 99 WHERE id = {THE_LAST}", "is missing"),
    "an entry that is gone": (f"DELETE FROM entry WHERE card_id = {FIRST} AND seq = 3", "number 3 is missing"),
    "the last entry that is gone": (f"DELETE FROM entry WHERE id = {THE_LAST}", "its chain ends with number"),
    "all entries of a card": (f"DELETE FROM entry WHERE card_id <> {FIRST}", "none is there"),
    "a card's place in its chain": (f"UPDATE card SET seq = seq + 1 WHERE id = {FIRST}", "its chain ends with number"),
    "a card's digest": (f"UPDATE card SET hash = 'x' WHERE id = {FIRST}", "with another digest"),
    "more reversed than moved": ("UPDATE entry SET points = -999 WHERE kind = 'reverse'", "were reversed"),
    "more returned than sold": ("UPDATE entry_line SET quantity = 9 WHERE points < 0", "came back"),
    "a part of nothing": (
        "UPDATE entry SET part_of_id = 'x' WHERE kind = 'capture'",
        "is part of x (which is not there)",
    ),
    "a part of another kind": (
        f"UPDATE entry SET part_of_id = {A_SALE} WHERE kind = 'release'",
        "(release) says that it is part of",
    ),
    "a part of what came later": (
        f"UPDATE entry SET part_of_id = {THE_LAST} WHERE id = {A_SALE}",
        "(earn) says that it is part of",
    ),
    "a hold that is open again": ("UPDATE hold SET state = 'open', ended_at = NULL, captured = 0", "entries end it"),
    "a hold's amount": ("UPDATE hold SET amount = amount + 1 WHERE state = 'open'", "its entry reserved 10"),
    "what was captured of a hold": ("UPDATE hold SET captured = 41 WHERE state = 'captured'", "with 41 captured"),
    "a hold that is gone": ("DELETE FROM hold WHERE state = 'open'", "its open holds have 0"),
    "what waits": ("UPDATE pending SET units = units + 1", "what waits for it is 16"),
    "what waits no longer": ("UPDATE pending SET state = 'active'", "what waits for it is 0"),
    "what waits for no account": (
        "UPDATE account SET unit = 'stamp:x' WHERE role = 'pend'",
        "there is no account (pend) for them",
    ),
    "a seal": ("UPDATE seal SET hash = 'x'", "is another one"),
    "a seal's number": ("UPDATE seal SET entries = entries + 1", "entries up to"),
}


def test_what_happened_at_the_counter_is_clean(session: Session) -> None:
    gone_through: list[int] = []

    assert list(verify.each_difference(session, checked=gone_through.append)) == []
    assert sum(gone_through) == len(session.scalars(select(Entry.id)).all()) > 12


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_named(session: Session, fault: str) -> None:
    statement, named = FAULTS[fault]
    assert session.connection().execute(text(statement)).rowcount > 0

    found = verify.differences(session)

    assert any(named in line for line in found), found


def test_a_chain_that_was_forged_from_the_first_link_to_the_last_is_found_by_its_seal(session: Session) -> None:
    session.execute(text(f"UPDATE entry SET note = 'forged' WHERE id = {A_SALE}"))
    card = session.scalars(select(Card).order_by(Card.id).limit(1)).one()
    before = chain.GENESIS
    for entry in session.scalars(select(Entry).where(Entry.card_id == card.id).order_by(Entry.seq)).all():
        before = _forged(session, entry, before)
    session.execute(text("UPDATE card SET hash = :hash WHERE id = :id"), {"hash": before, "id": card.id})

    found = verify.differences(session)

    assert len(found) == 1
    assert "is another one" in found[0]


def _forged(session: Session, entry: Entry, before: str) -> str:
    postings = session.execute(select(Posting.account_id, Posting.amount).where(Posting.entry_id == entry.id))
    columns: Any = (EntryLine.line_no, EntryLine.product, EntryLine.category, EntryLine.quantity)
    lines = session.execute(
        select(*columns, EntryLine.amount_minor, EntryLine.points).where(EntryLine.entry_id == entry.id)
    )
    facts = {name: getattr(entry, name) for name in chain.FACTS}
    digest = chain.digest(before, facts, [tuple(one) for one in postings], [tuple(one) for one in lines])
    session.execute(text("UPDATE entry SET hash = :hash WHERE id = :id"), {"hash": digest, "id": entry.id})
    return digest


def test_more_entries_than_are_read_at_once_verify(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session).id
    seed.seed(any_world.database, seed.Crowd(programme_id=programme, cards=3), now=factories.NOW)
    movements.write(any_world.database, programme, entries=links.AT_ONCE * 2 + 10, now=factories.NOW)
    gone_through: list[int] = []

    with any_world.database.reading() as session:
        assert list(verify.each_difference(session, checked=gone_through.append)) == []

    assert gone_through == [links.AT_ONCE, links.AT_ONCE, 10]
    with pytest.raises(DBAPIError, match="never changed or deleted"), any_world.database.unit_of_work() as session:
        session.execute(text("DELETE FROM entry"))


def test_the_digest_of_an_entry_is_what_it_was() -> None:
    """Written down once: another form of the digest would make every ledger that exists look forged."""
    facts: dict[str, Any] = dict.fromkeys(chain.FACTS)
    facts |= {"id": "txn_1", "programme_id": 1, "card_id": 2, "kind": "earn", "unit": "points", "points": 7}
    facts |= {
        "note": "çay ☕",
        "reasons": ["base", {"x": "½"}],
        "occurred_at": factories.NOW,
        "recorded_at": factories.NOW,
    }

    digest = chain.digest("abc", facts, [(9, 7), (3, -7)], [(1, "sku", "food", 1, 100, 7)])

    assert digest == "4431c3e8a106dbacaf2be94bd5d92131f69adfac2f2a1a4859baffa43ba6a439"
