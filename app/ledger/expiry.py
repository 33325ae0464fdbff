"""What time does to units: lots expire, waiting points become spendable, holds run out, old debts are written off.

Each function does one bounded piece of work for one card in the caller's transaction. Doing it twice, or ten days late,
comes to the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    and_,
    cast,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.db import rows_changed, table_of
from app.ledger import movements
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import POINTS, Held
from app.ledger.models import Account, Entry, Hold, Lot, LotUse, Pending, Posting

OLD_DEBT = timedelta(days=365)
LOTS_AT_ONCE = 200
LENGTHENED_AT_ONCE = 500
WARN_BEFORE = (timedelta(days=30), timedelta(days=7))
FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """Units that are gone at `at`."""

    at: datetime
    units: int


def cards_with_expired(session: Session, *, now: datetime, after: int, limit: int) -> list[int]:
    """Cards, by rising id from the one after *after* on, of which some lot has expired and still has units."""
    due = (
        select(Account.member_id)
        .join(Lot, Lot.account_id == Account.id)
        .where(Lot.remaining > 0, Lot.expires_at <= now)
    )
    return _cards(session, Card.member_id.in_(due), after, limit)


def expire(session: Session, card: Held, *, now: datetime, by: Circumstance) -> list[Booked]:
    """Expire the lots of a held card whose time is over, one entry each, at most `LOTS_AT_ONCE`."""
    accounts = {account.id: account.unit for account in card.accounts.values() if account.role == "avail"}
    query = (
        select(Lot)
        .where(Lot.account_id.in_(accounts), Lot.remaining > 0, Lot.expires_at <= now)
        .order_by(Lot.expires_at, Lot.earned_at, Lot.id)
        .limit(LOTS_AT_ONCE)
    )
    done = []
    for lot in session.scalars(query).all():
        booked = movements.take(
            session, card, accounts[lot.account_id], lot.remaining, sink="expire",
            by=replace(by, note=f"expire:{lot.id}"), only_lot=lot.id, kind="expire",
        )  # fmt: skip
        card = booked.card
        done.append(booked)
    return done


def cards_with_due_pending(session: Session, *, now: datetime, after: int, limit: int) -> list[int]:
    """Cards, as above, with waiting units whose day has come; nothing comes to an account that is closed."""
    due = (
        select(Pending.card_id)
        .join(Card, Card.id == Pending.card_id)
        .join(Account, and_(Account.member_id == Card.member_id, Account.unit == Pending.unit, Account.role == "pend"))
        .where(Pending.state == "waiting", Pending.due_at <= now, Account.closed.is_(False))
    )
    return _cards(session, Card.id.in_(due), after, limit)


def due_pending(session: Session, *, now: datetime, limit: int, card_id: int | None = None) -> list[Pending]:
    """Waiting units whose day has come, of one card if it is named."""
    query = select(Pending).where(Pending.state == "waiting", Pending.due_at <= now)
    if card_id is not None:
        query = query.where(Pending.card_id == card_id)
    fresh = query.order_by(Pending.due_at, Pending.entry_id).limit(limit).execution_options(populate_existing=True)
    return list(session.scalars(fresh))


def activate(session: Session, card: Held, pending: Pending, *, by: Circumstance) -> Booked | None:
    """Let the points of one sale be spent; None if another process did it, or they were returned."""
    taken = (
        update(Pending)
        .where(Pending.entry_id == pending.entry_id, Pending.state == "waiting", Pending.units == pending.units)
        .values(state="active", units=0)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(session, taken) != 1:
        return None
    earned_at = session.get_one(Entry, pending.entry_id).occurred_at  # a late job makes nothing younger
    return movements.activate(
        session, card, pending.unit, pending.units, earned_at=earned_at, expires_at=pending.expires_at,
        by=by.part_of(pending.entry_id),
    )  # fmt: skip


def cards_with_old_debt(session: Session, *, now: datetime, after: int, limit: int) -> list[int]:
    """Cards, as above, whose member owes units and took the last of them a year ago or longer."""
    return _cards(session, Card.member_id.in_(_old_debts(now, Account.member_id)), after, limit)


def forgive_old(session: Session, card: Held, *, now: datetime, by: Circumstance) -> list[Booked]:
    """Write off what the member of a held card has owed for a year or longer, unit by unit."""
    old = _old_debts(now, Account.unit).where(Account.member_id == card.member_id)
    return forgive(session, card, by=by, units=sorted(session.scalars(old)))


def forgive(session: Session, card: Held, *, by: Circumstance, units: Sequence[str] | None = None) -> list[Booked]:
    """Write off everything that the member of a held card owes; of these *units* alone, if they are named."""
    done = []
    for unit in sorted({unit for unit, role in card.accounts if role == "debt"}) if units is None else units:
        if card.owed(unit):
            booked = movements.forgive(session, card, unit, card.owed(unit), by=by)
            card = booked.card
            done.append(booked)
    return done


def _old_debts(now: datetime, what: Any) -> Select[Any]:
    """*what* of accounts on which something is owed, the last of it taken a year ago or longer."""
    return (
        select(what)
        .join(Posting, Posting.account_id == Account.id)
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Account.role == "debt", Account.balance < 0, Posting.amount < 0)
        .group_by(Account.id, what)
        .having(func.max(Entry.recorded_at) <= now - OLD_DEBT)
    )


def _cards(session: Session, due: ColumnElement[bool], after: int, limit: int) -> list[int]:
    return list(session.scalars(select(Card.id).where(due, Card.id > after).order_by(Card.id).limit(limit)))


def ladder(session: Session, member_id: int, unit: str) -> list[tuple[datetime | None, int]]:
    """What expires when, soonest first; None, at the end, is what never does."""
    query = (
        select(Lot.expires_at, Lot.remaining)
        .join(Account, Account.id == Lot.account_id)
        .where(Account.member_id == member_id, Account.unit == unit, Lot.remaining > 0)
    )
    found: dict[datetime | None, int] = {}
    for at, remaining in session.execute(query):
        found[at] = found.get(at, 0) + remaining
    return sorted(found.items(), key=lambda step: (step[0] is None, step[0] or FAR))


def lengthen(session: Session, lots_of: Sequence[int], until: datetime) -> int:
    """Let lots live longer; those that would live shorter are left alone. How many were changed."""
    changed = 0
    for first in range(0, len(lots_of), LENGTHENED_AT_ONCE):
        some = Lot.id.in_(lots_of[first : first + LENGTHENED_AT_ONCE])
        longer = update(Lot).where(some, Lot.expires_at < until).values(expires_at=until)
        changed += rows_changed(session, longer.execution_options(synchronize_session=False))
    return changed


def alive(session: Session, card: Held, unit: str, *, at: datetime, until: datetime) -> list[int]:
    """Lots of a held card that live at *at*, reserved ones too, and will have expired at *until*."""
    account = card.accounts.get((unit, "avail"))
    if account is None:
        return []
    reserved = select(LotUse.lot_id).join(Hold, Hold.entry_id == LotUse.entry_id)
    reserved = reserved.where(Hold.card_id == card.id, Hold.state == "open")
    query = select(Lot.id).where(
        Lot.account_id == account.id,
        Lot.expires_at > at,
        Lot.expires_at < until,
        or_(Lot.remaining > 0, Lot.id.in_(reserved)),
    )
    return list(session.scalars(query))


def cards_to_warn(session: Session, programme_id: int, *, now: datetime, after: int, limit: int) -> list[int]:
    """Cards of a programme, as above, on which the words about what expires should be others than when they were last
    told: a lot has come within 30 days of its end since, or within 7."""
    modified = type_coerce(Card.modified_at, BigInteger)
    ends = type_coerce(Lot.expires_at, BigInteger)
    entered = [
        and_(Lot.expires_at <= now + before, modified < ends - before // timedelta(milliseconds=1))
        for before in WARN_BEFORE
    ]
    due = (
        select(Card.id)
        .join(Account, Account.member_id == Card.member_id)
        .join(Lot, Lot.account_id == Account.id)
        .where(
            Card.programme_id == programme_id,
            Card.status == "active",
            Account.unit == POINTS,
            Lot.remaining > 0,
            Lot.expires_at > now,
            Lot.expires_at <= now + WARN_BEFORE[0],
            or_(*entered),
        )
    )
    return _cards(session, Card.id.in_(due), after, limit)


def soonest(account_id: ColumnElement[int]) -> ScalarSelect[str | None]:
    """What of an account expires next, as a text that `from_text` reads: a column of another statement."""
    lot = table_of(Lot).c
    at = type_coerce(lot.expires_at, BigInteger)
    none_left: ColumnElement[int] = literal_column(
        "0"
    )  # written out: the index holds lots with something left, and a value might be any
    return (
        select(cast(at, Text) + ":" + cast(func.sum(lot.remaining), Text))
        .where(lot.account_id == account_id, lot.remaining > none_left, lot.expires_at.is_not(None))
        .group_by(lot.expires_at)
        .order_by(lot.expires_at)
        .limit(1)
        .scalar_subquery()
    )


def from_text(told: str | None) -> Step | None:
    """What `soonest` says."""
    if told is None:
        return None
    at, units = told.split(":")
    return Step(datetime.fromtimestamp(int(at) / 1000, UTC), int(units))


def ending(
    session: Session, programme_id: int, unit: str, *, now: datetime, by: datetime, before: datetime, limit: int
) -> list[int]:
    """Lots of a programme that live now and end at *by* or earlier, and before *before*; the soonest first."""
    query = (
        select(Lot.id)
        .join(Account, Account.id == Lot.account_id)
        .where(
            Account.programme_id == programme_id,
            Account.unit == unit,
            Lot.remaining > 0,
            Lot.expires_at > now,
            Lot.expires_at <= by,
            Lot.expires_at < before,
        )
    )
    return list(session.scalars(query.order_by(Lot.expires_at, Lot.id).limit(limit)))


def ahead(session: Session, programme_id: int, unit: str, *, now: datetime, limit: int) -> list[tuple[datetime, int]]:
    """How much of a programme's units expires when, the soonest first."""
    query = (
        select(Lot.expires_at, func.sum(Lot.remaining))
        .join(Account, Account.id == Lot.account_id)
        .where(Account.programme_id == programme_id, Account.unit == unit, Lot.remaining > 0, Lot.expires_at > now)
        .group_by(Lot.expires_at)
        .order_by(Lot.expires_at)
        .limit(limit)
    )
    return [(at, int(units)) for at, units in session.execute(query) if at is not None]
