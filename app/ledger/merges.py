"""Two cards of one person become one: the units move with their dates, and can be moved back.

Between the two stands the programme's account `transfer`, which sums to zero: each card keeps a chain of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.ledger import booking, movements, service
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.lots import Fresh
from app.ledger.models import Account, Entry, Lot, LotUse
from app.ledger.reversals import OnDeficit

BETWEEN = "transfer"


@dataclass(frozen=True, kw_only=True)
class Leg:
    """The two entries of one unit that moved: what left the source, and what arrived on the target."""

    left_id: str
    arrived_id: str


@dataclass(frozen=True, kw_only=True)
class Merged:
    """Both cards after it, and the entries: those of the source in `left`, those of the target in `arrived`."""

    source: Held
    target: Held
    left: list[Booked]
    arrived: list[Booked]


def merge(session: Session, source: Held, target: Held, *, by_source: Circumstance, by_target: Circumstance) -> Merged:
    """Move everything that can be spent from *source* to *target*; both are held. What is owed moves as well, and is
    filled by what the target has. What is reserved or waits stays where it is.
    """
    left, arrived = [], []
    for unit in sorted({unit for unit, _role in source.accounts}):
        units, owed = source.in_unit(unit), source.owed(unit)
        facts: dict[str, Any] = {"kind": "merge"}
        if units:
            out = movements.take(session, source, unit, units, sink=BETWEEN, by=by_source, **facts)
            dated = _dated(session, out)
            into = movements.give(session, target, unit, units, source=BETWEEN, by=by_target, fresh=dated, **facts)
        elif owed:
            out = movements.give(session, source, unit, owed, source=BETWEEN, by=by_source, **facts)
            into = movements.take_back(session, target, unit, owed, sink=BETWEEN, lots_of="", by=by_target, **facts)
        else:
            continue
        source, target = out.card, into.card
        left.append(out)
        arrived.append(into)
    return Merged(source=source, target=target, left=left, arrived=arrived)


def part(
    session: Session, source: Held, target: Held, legs: Sequence[Leg], *, by_source: Circumstance,
    by_target: Circumstance, on_deficit: OnDeficit = OnDeficit.ALLOW_DEBT,
) -> Merged:  # fmt: skip
    """Move back what *legs* brought, the last one first. What has expired meanwhile stays expired.

    What the target has spent meanwhile it owes, or it is written off, or refuses the parting: *on_deficit*. Of stored
    value only what is still there goes back: money is never owed.

    Raises: Unprocessable `insufficient`.
    """
    left, arrived = [], []
    for leg in reversed(legs):
        gone, came = session.get_one(Entry, leg.left_id), session.get_one(Entry, leg.arrived_id)
        told = by_source, by_target
        if gone.points < 0:
            done = _bring_back(session, source, target, (gone, came), told, on_deficit)
        else:
            done = _owe_again(session, source, target, (gone, came), told)
        if done is None:
            continue
        source, target = done.source, done.target
        left += done.left
        arrived += done.arrived
    return Merged(source=source, target=target, left=left, arrived=arrived)


def _bring_back(
    session: Session, source: Held, target: Held, pair: tuple[Entry, Entry], told: tuple[Circumstance, Circumstance],
    on_deficit: OnDeficit,
) -> Merged | None:  # fmt: skip
    gone, came = pair
    units, has = came.points - _expired(session, came), target.in_unit(came.unit)
    if service.is_money(came.unit):
        units = min(units, has)
    missing = max(0, units - has)
    if missing and on_deficit is OnDeficit.REFUSE:
        raise booking.insufficient(has, units)
    if not units:
        return None
    out = movements.take_back(
        session, target, came.unit, units, sink=BETWEEN, lots_of=came.id, by=told[1], **_undoing(came, 1)
    )
    after = out.card
    if missing and on_deficit is OnDeficit.CLAMP:
        after = movements.forgive(session, after, came.unit, missing, by=told[1].part_of(out.entry.id)).card
    into = movements.give_back(
        session, source, gone.unit, units, source=BETWEEN, used_by=[gone.id], by=told[0], grace=timedelta(0),
        **_undoing(gone, 1),
    )  # fmt: skip
    return Merged(source=into.card, target=after, left=[into], arrived=[out])


def _owe_again(
    session: Session, source: Held, target: Held, pair: tuple[Entry, Entry], told: tuple[Circumstance, Circumstance]
) -> Merged:
    """The debt goes back to the source; what the target paid of it from its lots goes back into them."""
    gone, came = pair
    owed, unit = gone.points, gone.unit
    into = movements.take_back(session, source, unit, owed, sink=BETWEEN, lots_of="", by=told[0], **_undoing(gone, 1))
    from_lots = session.scalar(select(func.coalesce(func.sum(LotUse.amount), 0)).where(LotUse.entry_id == came.id))
    paid = int(from_lots or 0)
    back: list[Booked] = []
    if owed > paid:
        later = movements.give(session, target, unit, owed - paid, source=BETWEEN, by=told[1], **_undoing(came, 1))
        back.append(later)
        target = later.card
    if paid:
        restored = movements.give_back(
            session, target, unit, paid, source=BETWEEN, used_by=[came.id], by=told[1], grace=timedelta(0),
            **_undoing(came, len(back) + 1),
        )  # fmt: skip
        back.append(restored)
        target = restored.card
    return Merged(source=into.card, target=target, left=[into], arrived=back)


def _undoing(entry: Entry, number: int) -> dict[str, Any]:
    return {"kind": "reverse", "reverses_id": entry.id, "reversal_no": number, "taken": _parted()}


def _parted() -> Conflict:
    return Conflict("already_undone", "These cards were parted already.")


def _expired(session: Session, came: Entry) -> int:
    """How much of what arrived has expired since."""
    expired = (
        select(func.coalesce(func.sum(LotUse.amount), 0))
        .join(Lot, Lot.id == LotUse.lot_id)
        .join(Entry, Entry.id == LotUse.entry_id)
        .where(Lot.entry_id == came.id, Entry.kind == "expire")
    )
    return int(session.scalar(expired) or 0)


def _dated(session: Session, out: Booked) -> list[Fresh]:
    """The lots that left, as they will arrive."""
    query: Any = (
        select(LotUse.amount, Lot.earned_at, Lot.expires_at)
        .join(Lot, Lot.id == LotUse.lot_id)
        .join(Account, Account.id == Lot.account_id)
        .where(LotUse.entry_id == out.entry.id)
        .order_by(LotUse.id)
    )
    return [
        Fresh(original=amount, earned_at=earned, expires_at=expires)
        for amount, earned, expires in session.execute(query)
    ]
