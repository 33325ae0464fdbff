"""Backup, restore and move, on both databases and from each to the other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from app.backups import copying, service
from app.cards import service as cards
from app.cards.models import Card
from app.counter import leaving, moves, returns, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.db import Database
from app.delivery.models import Node
from app.errors import AppError, Conflict, Unprocessable
from app.ledger import service as ledger
from app.ledger import verify as books
from app.ledger.models import Account, Entry
from app.outbox import service as outbox
from app.outbox.models import Target
from app.staff import audit
from app.vault import Vault
from app.world import World
from tests import factories
from tests.conftest import MovableClock, open_test_world, settings_for

TILL = Actor(name="staff:till", channel="till")
SALES = 12


def quietly(_table: str, _count: int) -> None:
    """Nobody watches the progress."""


def earn(world: World, card: Card, minor: int = 10_000) -> moves.Done:
    sale = Sale(amount_minor=minor, currency="TRY")
    return world.database.transact(lambda s: sales.earn(s, card, sale, by=TILL, now=world.clock()))


def fill(world: World) -> list[Card]:
    """Two members with sales, a return, addresses at both wallets, and events in the audit log."""
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        cards = [factories.card(session, programme, name) for name in ("Ayşe Yılmaz", "Budi Santoso")]
        audit.record(session, actor="staff:1", action="programme.made", subject=programme.slug, now=world.clock())
    for number in range(SALES):
        done = earn(world, cards[number % 2])
    world.database.transact(lambda s: returns.reverse(s, done.entry.id, reason="mistake", by=TILL, now=world.clock()))
    with world.database.unit_of_work() as session:
        for number, card in enumerate(cards):
            for channel in ("apple", "google"):
                sender = outbox.sender_for(session, channel, channel)
                version = session.get_one(Card, card.id).version
                outbox.ensure_target(
                    session, channel=channel, sender_id=sender.id, card_id=card.id, address_id=number + 1,
                    want=version, done=version, now_ms=0,
                )  # fmt: skip
    return cards


def balances(database: Database) -> dict[int, int]:
    with database.reading() as session:
        cards = session.scalars(select(Card)).all()
        return {card.id: ledger.balance_of(session, card.member_id) for card in cards}


@contextmanager
def another_world(url: str, folder: Path, clock: MovableClock) -> Iterator[World]:
    folder.mkdir()
    made = open_test_world(settings_for(url, folder), clock)
    made.settings.var_dir.mkdir()
    yield made
    made.database.close()


@pytest.fixture
def filled(any_world: World) -> World:
    any_world.settings.var_dir.mkdir(exist_ok=True)
    fill(any_world)
    return any_world


def test_a_backup_is_one_whole_file_that_can_be_checked(filled: World, tmp_path: Path) -> None:
    size = service.back_up(filled, tmp_path / "nightly.db", quietly)

    assert size == (tmp_path / "nightly.db").stat().st_size
    found = service.inspect(filled, tmp_path / "nightly.db")
    assert (found.cards, found.entries, found.findings) == (2, SALES + 1, [])
    assert [one.name for one in tmp_path.iterdir() if "nightly" in one.name] == ["nightly.db"]


def test_a_backup_while_tills_work_is_of_one_moment(filled: World, tmp_path: Path) -> None:
    with filled.database.reading() as session:
        card = session.scalars(select(Card)).first()
    assert card is not None
    enough = threading.Event()

    def till() -> None:
        while not enough.is_set():
            earn(filled, card)

    working = threading.Thread(target=till)
    working.start()
    try:
        for number in range(3):
            service.back_up(filled, tmp_path / f"{number}.db", quietly)
    finally:
        enough.set()
        working.join()

    for number in range(3):
        assert service.inspect(filled, tmp_path / f"{number}.db").findings == []


def test_a_restore_brings_back_the_books_of_that_moment(filled: World, tmp_path: Path) -> None:
    before = balances(filled.database)
    service.back_up(filled, tmp_path / "b.db", quietly)
    with filled.database.reading() as session:
        cards = session.scalars(select(Card)).all()
    for card in cards:
        earn(filled, card, 99_000)

    service.restore(filled, tmp_path / "b.db", quietly, replace=True)

    assert balances(filled.database) == before
    with filled.database.reading() as session:
        assert books.differences(session) == []
        assert audit.differences(session) == []
    earn(filled, cards[0])


def test_after_a_restore_every_wallet_is_owed_a_version_that_no_phone_has_seen(
    filled: World, tmp_path: Path, clock: MovableClock
) -> None:
    service.back_up(filled, tmp_path / "b.db", quietly)
    with filled.database.reading() as session:
        cards = {card.id: card for card in session.scalars(select(Card))}
    for card in cards.values():
        for _ in range(5):
            earn(filled, card)
    with filled.database.reading() as session:
        seen = {card.id: card for card in session.scalars(select(Card))}
    clock.advance(seconds=1)

    service.restore(filled, tmp_path / "b.db", quietly, replace=True)

    with filled.database.reading() as session:
        for card in session.scalars(select(Card)):
            assert card.version > seen[card.id].version
            assert card.modified_at > cards[card.id].modified_at
        for target in session.scalars(select(Target)):
            version = session.get_one(Card, target.card_id).version
            assert target.want == version
            assert target.done == (version - 1 if target.channel == "apple" else 0)
            assert (target.lane, target.lease) == (2, None)


def test_a_database_in_use_is_not_overwritten_unasked(filled: World, tmp_path: Path) -> None:
    service.back_up(filled, tmp_path / "b.db", quietly)
    before = balances(filled.database)

    with pytest.raises(Conflict, match="--replace"):
        service.restore(filled, tmp_path / "b.db", quietly)

    assert balances(filled.database) == before


def test_a_file_is_not_overwritten(filled: World, tmp_path: Path) -> None:
    (tmp_path / "b.db").write_text("the only photograph of my grandmother")

    with pytest.raises(Conflict, match="exists already"):
        service.back_up(filled, tmp_path / "b.db", quietly)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("missing", "no file"),
        ("text", "not a backup"),
        ("foreign", "no backup of Tessera"),
        ("truncated", "damaged"),
        ("newer", "newer release"),
        ("books", "postings sum to"),
    ],
)
def test_what_is_no_sound_backup_is_refused_and_nothing_changes(
    filled: World, tmp_path: Path, fault: str, says: str
) -> None:
    file = tmp_path / "b.db"
    spoil(filled, file, fault)
    before = balances(filled.database)

    with pytest.raises(Unprocessable, match=says):
        service.restore(filled, file, quietly, replace=True)

    assert balances(filled.database) == before


def spoil(world: World, file: Path, fault: str) -> None:
    if fault == "missing":
        return
    if fault == "text":
        file.write_text("not a database at all, but long enough to look at. " * 100)
        return
    if fault == "foreign":
        Database(f"sqlite:///{file}").engine.connect().close()
        return
    service.back_up(world, file, quietly)
    if fault == "truncated":
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        return
    copy = Database(f"sqlite:///{file}")
    with copy.engine.begin() as connection:
        if fault == "newer":
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        else:
            connection.exec_driver_sql("UPDATE account SET balance = balance + 1 WHERE role = 'avail'")
    copy.close()


def test_a_backup_of_another_installation_cannot_be_read_with_our_key(filled: World, tmp_path: Path) -> None:
    service.back_up(filled, tmp_path / "b.db", quietly)
    other = replace(filled, vault=Vault("another-secret-of-at-least-32-characters"))

    found = service.inspect(other, tmp_path / "b.db")

    assert any("secret key" in line for line in found.findings)


def test_a_restore_into_the_other_kind_of_database(
    filled: World, postgres_url: str, migrated_sqlite: Path, tmp_path: Path, clock: MovableClock
) -> None:
    service.back_up(filled, tmp_path / "b.db", quietly)
    empty = tmp_path / "empty.db"
    empty.write_bytes(migrated_sqlite.read_bytes())
    url = postgres_url if filled.database.is_sqlite else f"sqlite:///{empty}"

    with another_world(url, tmp_path / "other", clock) as other:
        service.restore(other, tmp_path / "b.db", quietly)

        assert balances(other.database) == balances(filled.database)
        with other.database.reading() as session:
            assert books.differences(session) == []


def test_accounts_of_forgotten_people_arrive_closed_with_all_their_entries(
    filled: World, postgres_url: str, migrated_sqlite: Path, tmp_path: Path, clock: MovableClock
) -> None:
    with filled.database.unit_of_work() as session:
        gone = session.scalars(select(Card)).first()
        assert gone is not None
        leaving.erase(session, cards.lock(session, gone.id), now=clock())
    service.back_up(filled, tmp_path / "b.db", quietly)
    before = balances(filled.database)
    (tmp_path / "empty.db").write_bytes(migrated_sqlite.read_bytes())

    service.restore(filled, tmp_path / "b.db", quietly, replace=True)
    url = postgres_url if filled.database.is_sqlite else f"sqlite:///{tmp_path / 'empty.db'}"
    with another_world(url, tmp_path / "other", clock) as other:
        service.restore(other, tmp_path / "b.db", quietly)

        for world in (filled, other):
            assert balances(world.database) == before
            with world.database.reading() as session:
                accounts = select(Account.closed).where(Account.member_id == gone.member_id)
                assert set(session.scalars(accounts)) == {True}
                assert books.differences(session) == []


def test_moving_from_sqlite_to_postgresql_keeps_every_row_and_every_sum(
    world: World, postgres_url: str, tmp_path: Path, clock: MovableClock
) -> None:
    cards = fill(world)

    with another_world(postgres_url, tmp_path / "other", clock) as other:
        equal = service.move(world.database, other, quietly)

        with world.database.engine.connect() as source:
            assert equal == copying.fingerprint(source)
        assert equal["rows of entry"] == SALES + 1
        assert balances(other.database) == balances(world.database)
        with other.database.reading() as session:
            assert books.differences(session) == []
            assert audit.differences(session) == []
            assert session.scalar(select(func.count()).select_from(Entry)) == SALES + 1
        # numbers go on behind those that were copied, and the guards of the ledger are in place
        earn(other, cards[0])
        with other.database.unit_of_work() as session:
            factories.card(session, session.get_one(Card, cards[0].id).programme, "Deniz Kaya")
        with pytest.raises(Exception, match="never changed"), other.database.unit_of_work() as session:
            session.execute(update(Entry).values(points=1))


def test_a_running_installation_is_not_moved(
    world: World, postgres_url: str, tmp_path: Path, clock: MovableClock
) -> None:
    fill(world)
    with world.database.unit_of_work() as session:
        session.add(Node(name="shop:1", role="delivery", started_at=clock(), beat_at=clock()))

    with another_world(postgres_url, tmp_path / "other", clock) as other:
        with pytest.raises(AppError, match="shop:1 worked a moment ago"):
            service.move(world.database, other, quietly)

        assert balances(other.database) == {}


def test_nothing_is_moved_into_a_database_in_use(
    world: World, postgres_url: str, tmp_path: Path, clock: MovableClock
) -> None:
    fill(world)
    with another_world(postgres_url, tmp_path / "other", clock) as other:
        fill(other)
        before = balances(other.database)

        with pytest.raises(Conflict, match="holds 1 programmes"):
            service.move(world.database, other, quietly)

        assert balances(other.database) == before
