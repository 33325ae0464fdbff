"""The books of the former release come through: chained, in lots, adding up, and open for more."""

import itertools
import multiprocessing
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.db import Database
from app.ledger import held, reversals, service, verify
from app.ledger.booking import Circumstance
from app.ledger.models import Account, Entry, Lot
from app.ledger.service import Earning
from app.migrations import run as migrations
from app.vault import Vault
from tests import factories
from tests.app.migrations.test_migrations import empty, upgrade
from tests.conftest import SECRET

__all__ = ["empty"]
pytestmark = pytest.mark.filterwarnings("ignore:.*reflection of expression-based index")

FORMER = "0002"
NOW_MS = int(factories.NOW.timestamp() * 1000)


class OldBooks:
    """Rows as the former release wrote them: postings first, then their entry."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.tables = sa.MetaData()
        self.tables.reflect(connection)
        self.numbers = itertools.count(1)

    def add(self, table: str, **values: Any) -> None:
        """A row; what must not be empty and is not named is nothing, or something of its own where it is unique."""
        unnamed = [one for one in self.tables.tables[table].columns if one.name not in values and not one.nullable]
        for column in unnamed:
            if column.server_default is None and not (column.name == "id" and column.autoincrement is True):
                values[column.name] = self._something(column)
        self.connection.execute(self.tables.tables[table].insert(), values)

    def move(self, card: int, kind: str, points: int, unit: str, legs: dict[int, int], **values: Any) -> str:
        number = next(self.numbers)
        entry_id = f"txn_{number:08d}"
        for account, amount in legs.items():
            self.connection.execute(
                text("INSERT INTO posting (entry_id, account_id, amount) VALUES (:e, :a, :m)"),
                {"e": entry_id, "a": account, "m": amount},
            )
        at = NOW_MS + number
        values |= {"occurred_at": at, "recorded_at": at, "programme_id": 1, "card_id": card, "reasons": '["base"]'}
        row = {"id": entry_id, "kind": kind, "points": points, "unit": unit, "actor": "staff:x", "channel": "till"}
        names = {**row, **values, "note": "çay", "card_version": number, "trace": ""}
        marks = ", ".join(f":{name}" for name in names)
        self.connection.execute(text(f"INSERT INTO entry ({', '.join(names)}) VALUES ({marks})"), names)
        return entry_id

    def _something(self, column: sa.Column[Any]) -> Any:
        if isinstance(column.type, sa.Boolean):
            return False
        if isinstance(column.type, sa.JSON):
            return {}
        if isinstance(column.type, sa.Integer):
            return 0
        return f"{column.name}-{next(self.numbers)}"


def fill(database: Database) -> None:
    """Two members: one with every kind of entry, a debt filled in part and points left; one who never bought."""
    with database.engine.begin() as connection:
        old = OldBooks(connection)
        old.add(
            "programme", id=1, slug="kahve", currency="TRY", timezone="Europe/Istanbul", language="tr", earn_points=1,
            earn_per_minor=1000, status="live", created_at=NOW_MS,
        )  # fmt: skip
        for one in (1, 2):
            old.add("member", id=one, programme_id=1, language="tr", status="active", created_at=NOW_MS)
            old.add("card", id=one, programme_id=1, member_id=one, status="active", version=1, modified_at=NOW_MS)
        books = (
            (1, None, "issue", "points", None), (2, None, "redeem", "points", None), (3, None, "issue", "uses", None),
            (4, None, "redeem", "uses", None), (5, 1, "avail", "points", 25), (6, 1, "debt", "points", 0),
            (7, 2, "avail", "points", 0),
        )  # fmt: skip
        for one, member, role, unit, balance in books:
            old.add("account", id=one, programme_id=1, member_id=member, role=role, unit=unit, balance=balance)
        sale = old.move(1, "earn", 50, "points", {1: -50, 5: 50}, amount_minor=50_000, currency="TRY", receipt="R1")
        old.move(1, "spend", -40, "points", {5: -40, 2: 40})
        old.move(1, "offer", 0, "uses", {3: -1, 4: 1})
        old.move(
            1, "reverse", -50, "points", {5: -10, 6: -40, 1: 50}, reverses_id=sale, amount_minor=-50_000, currency="TRY"
        )
        old.move(1, "earn", 65, "points", {1: -65, 6: 40, 5: 25}, amount_minor=65_000, currency="TRY", receipt="R2")
        old.move(1, "earn", 0, "uses", {3: -1, 4: 1}, amount_minor=100, currency="TRY", receipt="R3")
        if database.is_sqlite:
            return
        for table in ("programme", "member", "card", "account"):
            connection.execute(text(f"SELECT setval('{table}_id_seq', 100)"))


@pytest.fixture
def filled(empty: Database) -> Database:
    upgrade(empty, FORMER)
    fill(empty)
    return empty


def test_old_entries_are_chained_and_old_balances_become_a_lot_that_never_expires(filled: Database) -> None:
    migrations.migrate(filled)

    with Session(filled.engine) as session:
        assert verify.differences(session) == []
        entries = session.scalars(select(Entry).where(Entry.card_id == 1).order_by(Entry.seq)).all()
        assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
        card = session.get_one(Card, 1)
        assert (card.seq, card.hash) == (6, entries[-1].hash)
        lots = session.execute(select(Lot.account_id, Lot.remaining, Lot.expires_at)).all()
        assert [tuple(lot) for lot in lots] == [(5, 25, None)]
        assert entries[3].reversal_no == 1
        assert (session.get_one(Card, 2).seq, session.get_one(Card, 2).hash) == (0, "")


def test_old_books_go_on(filled: Database) -> None:
    migrations.migrate(filled)
    database = Database(filled.url, info={"vault": Vault(SECRET)})

    with database.unit_of_work() as session:
        card = held.by_id(session, 1)
        by = Circumstance(actor="staff:x", channel="till", now=factories.NOW, version=card.version + 1)
        card = service.earn(session, card, Earning(points=5, amount_minor=5_000, currency="TRY"), by=by).card
        card = service.spend(session, card, 28, by=by).card
        sale = session.scalars(select(Entry).where(Entry.receipt == "R2")).one()
        card = reversals.reverse(session, card, sale, by=by).card
        session.execute(
            text("UPDATE card SET seq = :seq, hash = :hash WHERE id = 1"), {"seq": card.seq, "hash": card.hash}
        )

    with database.reading() as session:
        assert verify.differences(session) == []
        query = select(Account.role, Account.balance).where(Account.member_id == 1).order_by(Account.role)
        assert [tuple(row) for row in session.execute(query)] == [("avail", 0), ("debt", -63)]
    database.close()


def test_what_was_written_by_the_former_release_cannot_be_changed_either(filled: Database) -> None:
    migrations.migrate(filled)

    for statement in ("UPDATE entry SET note = 'x'", "DELETE FROM posting", "DELETE FROM lot"):
        with pytest.raises(sa.exc.DBAPIError, match="never"), filled.engine.begin() as connection:
            connection.execute(text(statement))


def _migrate(url: str, begin: Any) -> None:
    database = Database(url)
    begin.wait()
    migrations.migrate(database)
    database.close()


def test_two_processes_that_migrate_at_once_come_to_the_same(filled: Database) -> None:
    spawn = multiprocessing.get_context("spawn")
    begin = spawn.Barrier(2)
    processes = [spawn.Process(target=_migrate, args=(filled.url, begin)) for _ in range(2)]

    for one in processes:
        one.start()
    for one in processes:
        one.join(120)

    assert [one.exitcode for one in processes] == [0, 0]
    assert migrations.is_current(filled)
    with Session(filled.engine) as session:
        assert verify.differences(session) == []
