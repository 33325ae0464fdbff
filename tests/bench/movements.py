"""Millions of entries on cards that are there already, as the counter would have written them: chained, with lots.

Time goes round: each card has its first movement before any has its second, so that the rows of one card lie as far
apart as in life. The database's triggers are off meanwhile; what is written verifies.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.clock import milliseconds
from app.db import Database
from app.ledger import chain
from app.ledger.models import Account, Entry, EntryLine, Lot, LotUse, Posting
from app.ledger.service import POINTS
from tests.bench.seed import analyze, quickly

BATCH = 20_000
SEED = 5
TRIGGERED = ("entry", "posting", "lot", "lot_use", "entry_line")
_COLUMNS = {
    Entry: (*chain.FACTS, "trace", "hash"),
    Posting: ("entry_id", "account_id", "amount"),
    EntryLine: ("entry_id", "line_no", "product", "category", "quantity", "amount_minor", "points"),
    Lot: ("id", "entry_id", "account_id", "original", "remaining", "earned_at", "expires_at"),
    LotUse: ("entry_id", "lot_id", "amount"),
}


@dataclass(slots=True)
class _Shopper:
    """A card as its last movement left it; `lots` are [lot, remaining], the one that is spent first at the front."""

    card_id: int
    account_id: int
    version: int
    seq: int = 0
    hash: str = chain.GENESIS
    balance: int = 0
    lots: list[list[Any]] = field(default_factory=list)
    store_id: int | None = None


class _Times(NamedTuple):
    """When movements happen, and where."""

    began_ms: int
    step_ms: int
    stores: Sequence[int | None]


@dataclass(frozen=True, kw_only=True)
class _Till:
    """Where all the movements happen."""

    programme_id: int
    issue: int
    redeem: int


class _Rows:
    """Rows that wait to be written together."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: dict[type[Any], list[Sequence[Any]]] = {table: [] for table in _COLUMNS}

    def add(self, table: type[Any], *row: Any) -> None:
        waiting = self._waiting[table]
        waiting.append(row)
        if len(waiting) >= BATCH:
            self._write(table)

    def flush(self) -> None:
        for table in _COLUMNS:
            self._write(table)

    def _write(self, table: type[Any]) -> None:
        rows, self._waiting[table] = self._waiting[table], []
        name, columns = table.__tablename__, _COLUMNS[table]
        driver: Any = self._session.connection().connection.driver_connection
        if self._session.get_bind().dialect.name == "sqlite":
            marks = ", ".join("?" * len(columns))
            driver.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)
            return
        with driver.cursor() as cursor, cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


def write(
    database: Database, programme_id: int, *, entries: int, now: datetime, step_ms: int = 1, stores: Sequence[int] = ()
) -> None:
    """Let the members of a programme, who never moved a point, do *entries* movements in turn, the last just now.

    One every *step_ms*, at one of the *stores* after the other.
    """
    if database.is_sqlite:
        quickly(database)
    with database.unit_of_work() as session:
        if not database.is_sqlite:
            session.execute(text("SET LOCAL statement_timeout = 0"))
        triggers = _without_triggers(session)
        _move(session, programme_id, entries, _Times(milliseconds(now) - entries * step_ms, step_ms, stores or (None,)))
        for statement in triggers:
            session.execute(text(statement.replace(":", r"\:")))
    database.close()
    analyze(database)


def _without_triggers(session: Session) -> list[str]:
    """Take them off; what puts them back."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL session_replication_role = replica"))
        return []
    query = f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN {TRIGGERED}"
    found = session.execute(text(query)).all()
    for name, _sql in found:
        session.execute(text(f"DROP TRIGGER {name}"))
    return [sql for _name, sql in found]


def _move(session: Session, programme_id: int, entries: int, times: _Times) -> None:
    shoppers = list(_shoppers(session, programme_id))
    till = _till(session, programme_id)
    rows, dice = _Rows(session), random.Random(SEED)
    lot_id = session.scalar(text("SELECT coalesce(max(id), 0) FROM lot")) or 0
    kept: list[list[Any]] = []
    for number in range(entries):
        shopper = shoppers[number % len(shoppers)]
        at, points = times.began_ms + number * times.step_ms, dice.randint(1, 60)
        shopper.store_id = times.stores[number % len(times.stores)]
        if shopper.balance >= points and dice.random() < 0.25:
            _spend(rows, till, shopper, points, at)
        else:
            lot_id += 1
            kept.append(_earn(rows, till, shopper, points, at, lot_id))
    for lot in kept:
        rows.add(Lot, *lot)
    rows.flush()
    _settle(session, shoppers)


def _earn(rows: _Rows, till: _Till, shopper: _Shopper, points: int, at: int, lot_id: int) -> list[Any]:
    lines = [(1, "sku-1", "food", 1, points * 1_000, points)] if lot_id % 4 == 0 else []
    entry_id = _write(
        rows, till, shopper, "earn", points, at, [(till.issue, -points), (shopper.account_id, points)], lines
    )
    expires_at = at + int(timedelta(days=365).total_seconds() * 1000)
    lot = [lot_id, entry_id, shopper.account_id, points, points, at, expires_at]
    shopper.lots.append(lot)
    return lot


def _spend(rows: _Rows, till: _Till, shopper: _Shopper, points: int, at: int) -> None:
    legs = [(shopper.account_id, -points), (till.redeem, points)]
    entry_id = _write(rows, till, shopper, "spend", -points, at, legs, [])
    while points:
        lot = shopper.lots[0]
        taken = min(points, lot[4])
        rows.add(LotUse, entry_id, lot[0], taken)
        lot[4] -= taken
        points -= taken
        if not lot[4]:
            shopper.lots.pop(0)


def _write(
    rows: _Rows,
    till: _Till,
    shopper: _Shopper,
    kind: str,
    points: int,
    at: int,
    legs: list[tuple[int, int]],
    lines: Any,
) -> str:
    entry_id = f"txn_{at:012x}{shopper.card_id:08x}{shopper.seq:04x}"
    shopper.seq += 1
    shopper.version += 1
    shopper.balance += points
    amount = points * 1_000 if kind == "earn" else None
    stored = (
        entry_id, till.programme_id, shopper.card_id, kind, POINTS, points, amount, "TRY" if amount else None,
        shopper.store_id, "staff:stf_bench", "till", None, None, None, None, None, None, None, "", '["base"]',
        shopper.version, at, at, shopper.seq,
    )  # fmt: skip
    shopper.hash = chain.digest_of(shopper.hash, stored, legs, lines)
    for account, moved in legs:
        rows.add(Posting, entry_id, account, moved)
    for line in lines:
        rows.add(EntryLine, entry_id, *line)
    rows.add(Entry, *stored, "", shopper.hash)
    return entry_id


def _shoppers(session: Session, programme_id: int) -> Iterator[_Shopper]:
    query = (
        select(Card.id, Account.id, Card.version)
        .join(Account, Account.member_id == Card.member_id)
        .where(Card.programme_id == programme_id, Card.seq == 0, Account.role == "avail", Account.unit == POINTS)
        .order_by(Card.id)
    )
    for card_id, account_id, version in session.execute(query):
        yield _Shopper(card_id=card_id, account_id=account_id, version=version)


def _till(session: Session, programme_id: int) -> _Till:
    ids = {}
    for role in ("issue", "redeem"):
        known = select(Account.id).where(
            Account.programme_id == programme_id,
            Account.member_id.is_(None),
            Account.role == role,
            Account.unit == POINTS,
        )
        if session.scalar(known) is None:
            session.add(Account(programme_id=programme_id, role=role, unit=POINTS))
            session.flush()
        ids[role] = session.execute(known).scalar_one()
    return _Till(programme_id=programme_id, **ids)


def _settle(session: Session, shoppers: Sequence[_Shopper]) -> None:
    """What cards and accounts say after it."""
    cards = [{"id": one.card_id, "seq": one.seq, "hash": one.hash, "version": one.version} for one in shoppers]
    session.execute(text("UPDATE card SET seq = :seq, hash = :hash, version = :version WHERE id = :id"), cards)
    balances = [{"id": one.account_id, "balance": one.balance} for one in shoppers]
    session.execute(text("UPDATE account SET balance = :balance WHERE id = :id"), balances)
    if session.get_bind().dialect.name == "postgresql":
        for name in ("posting", "lot", "lot_use", "account"):
            session.execute(text(f"SELECT setval('{name}_id_seq', coalesce((SELECT max(id) FROM {name}), 1))"))
