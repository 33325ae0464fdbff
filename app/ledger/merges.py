"""Two cards of one person become one: the units move with their dates, and can be moved back.

Between the two stands the programme's account `transfer`, which sums to zero: each card keeps a chain of its own.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.ledger import movements
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.lots import Fresh
from app.ledger.models import Account, Lot, LotUse


@dataclass(frozen=True, kw_only=True)
class Merged:
    """Both cards after it, and the entries, one pair for each unit: first what left, then what arrived."""

    source: Held
    target: Held
    left: list[Booked]
    arrived: list[Booked]


def merge(session: Session, source: Held, target: Held, *, by_source: Circumstance, by_target: Circumstance) -> Merged:
    """Move everything that can be spent from *source* to *target*; both are held. What is owed moves as well."""
    left, arrived = [], []
    for unit in sorted({unit for unit, _role in source.accounts}):
        units = source.in_unit(unit)
        if not units:
            continue
        out = movements.take(session, source, unit, units, sink="transfer", by=by_source, kind="merge")
        source = out.card
        into = movements.give(
            session, target, unit, units, source="transfer", by=by_target, kind="merge", fresh=_dated(session, out),
        )  # fmt: skip
        target = into.card
        left.append(out)
        arrived.append(into)
    return Merged(source=source, target=target, left=left, arrived=arrived)


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
