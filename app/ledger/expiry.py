"""What time does to units: lots expire, waiting points become spendable, holds run out, old debts are written off.

Each function does one bounded piece of work for one card in the caller's transaction. Doing it twice, or ten days late,
comes to the same.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db import rows_changed
from app.ledger import movements
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Account, Entry, Lot, Pending, Posting

OLD_DEBT = timedelta(days=365)
FAR = datetime.max.replace(tzinfo=UTC)


def members_with_expired(session: Session, *, now: datetime, limit: int) -> list[int]:
    """Members of whom some lot has expired and still has units."""
    query = (
        select(Account.member_id)
        .join(Lot, Lot.account_id == Account.id)
        .where(Lot.remaining > 0, Lot.expires_at <= now)
        .group_by(Account.member_id)
        .limit(limit)
    )
    return [member for member in session.scalars(query) if member is not None]


def expire(session: Session, card: Held, *, now: datetime, by: Circumstance) -> list[Booked]:
    """Expire every lot of a held card whose time is over, one entry each."""
    accounts = {account.id: account.unit for account in card.accounts.values() if account.role == "avail"}
    query = (
        select(Lot)
        .where(Lot.account_id.in_(accounts), Lot.remaining > 0, Lot.expires_at <= now)
        .order_by(Lot.expires_at, Lot.earned_at, Lot.id)
    )
    done = []
    for lot in session.scalars(query).all():
        booked = movements.take(
            session, card, accounts[lot.account_id], lot.remaining, sink="expire", by=by, only_lot=lot.id, kind="expire"
        )
        card = booked.card
        done.append(booked)
    return done


def due_pending(session: Session, *, now: datetime, limit: int) -> list[Pending]:
    """Waiting points whose day has come."""
    query = select(Pending).where(Pending.state == "waiting", Pending.due_at <= now).order_by(Pending.due_at)
    return list(session.scalars(query.limit(limit)))


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


def members_with_old_debt(session: Session, *, now: datetime, limit: int) -> list[int]:
    """Members who owe units, and took the last of them a year ago or longer."""
    query = (
        select(Account.member_id)
        .join(Posting, Posting.account_id == Account.id)
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Account.role == "debt", Account.balance < 0, Posting.amount < 0)
        .group_by(Account.member_id)
        .having(func.max(Entry.recorded_at) <= now - OLD_DEBT)
        .limit(limit)
    )
    return [member for member in session.scalars(query) if member is not None]


def forgive(session: Session, card: Held, *, by: Circumstance) -> list[Booked]:
    """Write off everything that the member of a held card owes."""
    done = []
    for unit in sorted({unit for unit, role in card.accounts if role == "debt"}):
        if card.owed(unit):
            booked = movements.forgive(session, card, unit, card.owed(unit), by=by)
            card = booked.card
            done.append(booked)
    return done


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
    longer = update(Lot).where(Lot.id.in_(lots_of), Lot.remaining > 0, Lot.expires_at < until).values(expires_at=until)
    return rows_changed(session, longer)
