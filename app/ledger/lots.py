"""Lots: which units expire when, and which of them were used by what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, func, insert, select, update
from sqlalchemy.orm import Session

from app.db import table_of
from app.ledger.models import Lot, LotUse

GIVEN_BACK_FOR = timedelta(days=14)
AT_ONCE = 100
_LOT, _USE = table_of(Lot), table_of(LotUse)
_LATER = _LOT.alias("later")
_OPEN = insert(_LOT).returning(_LOT.c.id)
_NOTE = insert(_USE)
_NEXT = (
    select(_LOT.c.id, _LOT.c.remaining)
    .where(_LOT.c.account_id == bindparam("account_id"), _LOT.c.remaining > 0)
    .order_by(
        case((_LOT.c.entry_id == bindparam("first_of"), 0), else_=1),
        _LOT.c.expires_at.is_(None),
        _LOT.c.expires_at,
        _LOT.c.earned_at,
        _LOT.c.id,
    )
    .limit(AT_ONCE)
)
_TAKE = (
    update(_LOT)
    .where(_LOT.c.id == bindparam("of_lot"), _LOT.c.remaining >= bindparam("units"))
    .values(remaining=_LOT.c.remaining - bindparam("units"))
)
_RENEWED = (
    select(func.coalesce(func.sum(_LATER.c.original), 0))
    .where(_LATER.c.renews_id == _LOT.c.id, _LATER.c.entry_id.in_(bindparam("entry_ids", expanding=True)))
    .scalar_subquery()
)
_USED_BY = (
    select(_LOT.c.id, (func.sum(_USE.c.amount) - _RENEWED).label("used"), _LOT.c.earned_at, _LOT.c.expires_at)
    .join(_LOT, _LOT.c.id == _USE.c.lot_id)
    .where(_USE.c.entry_id.in_(bindparam("entry_ids", expanding=True)), _LOT.c.account_id == bindparam("account_id"))
    .group_by(_LOT.c.id, _LOT.c.earned_at, _LOT.c.expires_at)
    .order_by(func.max(case((_USE.c.amount > 0, _USE.c.id))).desc())
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fresh:
    """A lot to be opened; `filled` of its `original` units went into a debt at once."""

    original: int
    earned_at: datetime
    expires_at: datetime | None
    filled: int = 0
    renews_id: int | None = None


def open_lots(session: Session, entry_id: str, account_id: int, fresh: Sequence[Fresh]) -> None:
    """Write the lots that an entry credited, and as uses what of them filled a debt."""
    for lot in fresh:
        row = {
            "entry_id": entry_id,
            "account_id": account_id,
            "original": lot.original,
            "remaining": lot.original - lot.filled,
            "earned_at": lot.earned_at,
            "expires_at": lot.expires_at,
            "renews_id": lot.renews_id,
        }
        lot_id: int = session.execute(_OPEN, row).scalar_one()
        if lot.filled:
            session.execute(_NOTE, {"entry_id": entry_id, "lot_id": lot_id, "amount": lot.filled})


def take(session: Session, entry_id: str, account_id: int, units: int, *, first_of: str = "") -> None:
    """Use up *units*, from the lot that expires soonest on; before all others from lots of the entry *first_of*."""
    while units:
        open_ones = session.execute(_NEXT, {"account_id": account_id, "first_of": first_of}).all()
        taken = []
        for lot in open_ones:
            amount = min(units, lot.remaining)
            taken.append({"lot_id": lot.id, "amount": amount, "entry_id": entry_id})
            units -= amount
            if not units:
                break
        if not taken:
            raise AssertionError(f"account {account_id} has {units} units more than its lots")
        _note(session, taken)


def take_from(session: Session, entry_id: str, lot_id: int, units: int) -> None:
    """Use up *units* of one lot."""
    _note(session, [{"lot_id": lot_id, "amount": units, "entry_id": entry_id}])


def give_back(
    session: Session,
    entry_id: str,
    account_id: int,
    units: int,
    *,
    used_by: Sequence[str],
    now: datetime,
    grace: timedelta = GIVEN_BACK_FOR,
) -> None:
    """Give *units* back to the lots that they were taken from, the last used first.

    *used_by* are the entry that took them and those that gave some of them back before.
    They keep their expiry. Where it has passed meanwhile, they live for *grace* from now on in a lot of their own; with
    no grace at all they go back into the old lot, and the next sweep expires them.
    """
    restored, late = [], []
    for use in session.execute(_USED_BY, {"entry_ids": list(used_by), "account_id": account_id}):
        amount = min(units, int(use.used))
        if amount <= 0:
            continue
        units -= amount
        if grace and use.expires_at is not None and use.expires_at <= now:
            late.append(Fresh(original=amount, earned_at=use.earned_at, expires_at=now + grace, renews_id=use.id))
        else:
            restored.append({"lot_id": use.id, "amount": -amount, "entry_id": entry_id})
        if not units:
            break
    if restored:
        _note(session, restored)
    open_lots(session, entry_id, account_id, late)
    if units:
        raise AssertionError(f"{units} units were not used by {', '.join(used_by)}")


def _note(session: Session, uses: Sequence[dict[str, Any]]) -> None:
    """Move what remains of each lot, and write down by which entry; one statement each, however many lots."""
    session.execute(_TAKE, [{"of_lot": use["lot_id"], "units": use["amount"]} for use in uses])
    session.execute(_NOTE, list(uses))
