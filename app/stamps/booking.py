"""Stamps in the ledger: given, turned into rewards when a card is full, and undone exactly.

A full card is one entry that uses up its stamps, part of the entry that gave the last of them, and one that issues the
reward, part of the former. Undoing turns back only as many rewards as stamps are missing, so that what is left is what
would have been without the undone visit.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session, aliased

from app import localtime
from app.errors import Conflict
from app.ledger import movements, reversals
from app.ledger.booking import Booked, Circumstance
from app.ledger.chain import Line
from app.ledger.held import Held
from app.ledger.models import Entry
from app.ledger.reversals import OnDeficit, Returned
from app.stamps import rules
from app.stamps.models import StampCard, StampedReceipt

WHOLE = Returned()
CONVERSIONS_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Given:
    """The entry of the stamps, the card after everything, and how many rewards it brought."""

    booked: Booked
    rewards: int


def give(
    session: Session, card: Held, stamp_card: StampCard, count: int, *, by: Circumstance, lines: tuple[Line, ...] = ()
) -> Given:
    """Give *count* stamps; every full round becomes a reward. The card is held."""
    zone = stamp_card.programme.timezone
    booked = movements.give(
        session, card, stamp_card.unit, count, source="issue", by=by, kind="earn", lines=lines,
        expires_at=_end(by.now, stamp_card.stamps_live_days, zone),
    )  # fmt: skip
    rewards, _rest = rules.rounds(booked.card.in_unit(stamp_card.unit), stamp_card.size)
    if not rewards:
        return Given(booked=booked, rewards=0)
    part = replace(by.part_of(booked.entry.id), reasons=())
    full = movements.take(
        session, booked.card, stamp_card.unit, rewards * stamp_card.size, sink="redeem", by=part, kind="spend"
    )
    issued = movements.give(
        session, full.card, stamp_card.voucher_unit, rewards, source="issue", by=part.part_of(full.entry.id),
        kind="earn", expires_at=_end(by.now, stamp_card.vouchers_live_days, zone),
    )  # fmt: skip
    return Given(booked=replace(booked, card=issued.card), rewards=rewards)


def undo(
    session: Session,
    card: Held,
    entry: Entry,
    *,
    by: Circumstance,
    returned: Returned = WHOLE,
    on_deficit: OnDeficit = OnDeficit.ALLOW_DEBT,
) -> Booked:
    """Undo an entry of stamps or of a voucher, with everything that followed from it. The card is held.

    Rewards that can still be used are turned back into stamps as far as they are missing; beyond that stamps are owed.
    Of an entry that is part of a sale, *returned* is what comes back of that sale: where none of it gave stamps, the
    entry itself is answered and nothing is booked.

    Raises: Conflict `already_reversed` or `not_reversible`; as `reversals.reverse`.
    """
    kind, _, name = entry.unit.partition(":")
    if entry.kind == ("earn" if kind == "voucher" else "spend"):
        raise Conflict("not_reversible", "A full stamp card became a reward here; undo the stamps instead.")
    if kind == "voucher":
        booked = reversals.reverse(session, card, entry, by=by, on_deficit=on_deficit)
        return replace(booked, card=_unconverted(session, booked.card, name, 0, about=booked.entry, by=by))
    own = _own_part(session, entry, returned, by)
    try:
        taking = reversals.would_take(session, entry, own) if own is not None else 0
    except Conflict:
        if entry.part_of_id is None:
            raise
        own = None  # came back with an earlier return of the sale
    if own is None:
        return Booked(entry=entry, card=card)
    if entry.points > 0:
        card = _unconverted(session, card, name, taking, about=entry, by=by)
    booked = reversals.reverse(session, card, entry, by=by, returned=own, on_deficit=on_deficit)
    if own == WHOLE:
        undone = update(StampedReceipt).where(StampedReceipt.entry_id == entry.id, StampedReceipt.undone_at.is_(None))
        session.execute(undone.values(undone_at=by.now))
    return booked


def _own_part(session: Session, entry: Entry, returned: Returned, by: Circumstance) -> Returned | None:
    """What of a sale's return concerns this part of it; None if nothing does."""
    if entry.part_of_id is None or returned == WHOLE:
        return returned
    lines = {line.line_no for line in entry.lines}
    if returned.pieces is not None:
        pieces = {number: count for number, count in returned.pieces.items() if number in lines}
        return Returned(pieces=pieces) if pieces else None
    sale = session.get_one(Entry, entry.part_of_id)
    _times, _points, back_minor = reversals.reversed_so_far(session, sale.id)
    undoing = session.get(Entry, by.part_of_id) if by.part_of_id else None
    if undoing is None or undoing.reverses_id != sale.id:  # the sale's own counter-entry is still to come
        back_minor += returned.amount_minor or 0
    _times, before, _amount = reversals.reversed_so_far(session, entry.id)
    stamps = entry.points * back_minor // (sale.amount_minor or 1) - before
    return Returned(pieces={0: stamps}) if stamps > 0 and 0 in lines else None


@dataclass(frozen=True, kw_only=True)
class _Round:
    """A conversion: what used up the stamps, what issued the rewards, and how many of them are not turned back yet."""

    full: Entry
    issued: Entry
    left: int

    @property
    def size(self) -> int:
        return -self.full.points // self.issued.points


def _unconverted(session: Session, card: Held, name: str, taking: int, *, about: Entry, by: Circumstance) -> Held:
    """Turn usable rewards back into stamps until *taking* of them are there and nothing is owed."""
    unit, voucher_unit = f"stamp:{name}", f"voucher:{name}"
    by = replace(by.part_of(about.id), receipt=None)
    missing = taking + card.owed(unit) - card.in_unit(unit)
    if missing <= 0 or not card.in_unit(voucher_unit):
        return card
    for one in _rounds(session, card, name, about):
        count = min(-(-missing // one.size), one.left, card.in_unit(voucher_unit))
        if count <= 0:
            break
        card = _turn_back(session, card, one, count, by)
        missing -= count * one.size
    return card


def _turn_back(session: Session, card: Held, one: _Round, count: int, by: Circumstance) -> Held:
    taken = movements.take_back(
        session, card, one.issued.unit, count, sink="issue", lots_of=one.issued.id, by=by,
        **_reversing(session, one.issued),
    )  # fmt: skip
    earlier = session.scalars(select(Entry.id).where(Entry.reverses_id == one.full.id))
    given = movements.give_back(
        session, taken.card, one.full.unit, count * one.size, source="redeem", used_by=[one.full.id, *earlier], by=by,
        **_reversing(session, one.full),
    )  # fmt: skip
    return given.card


def _reversing(session: Session, original: Entry) -> dict[str, Any]:
    times, _points, _amount = reversals.reversed_so_far(session, original.id)
    taken = Conflict("already_reversed", "This was undone already.")
    return {"kind": "reverse", "reverses_id": original.id, "reversal_no": times + 1, "taken": taken}


def _rounds(session: Session, card: Held, name: str, about: Entry) -> list[_Round]:
    """Conversions that can be turned back: first that of the undone entry, then the newest."""
    full, issued = aliased(Entry), aliased(Entry)
    query = (
        select(full, issued)
        .join(issued, issued.part_of_id == full.id)
        .where(
            full.card_id == card.id,
            full.unit == f"stamp:{name}",
            full.kind == "spend",
            issued.unit == f"voucher:{name}",
            issued.kind == "earn",
        )
        .order_by(case((full.part_of_id == about.id, 0), else_=1), full.seq.desc())
        .limit(CONVERSIONS_AT_ONCE)
    )
    found = []
    for used, made in session.execute(query):
        _times, back, _amount = reversals.reversed_so_far(session, made.id)
        if made.points > back:
            found.append(_Round(full=used, issued=made, left=made.points - back))
    return found


def _end(now: datetime, days: int | None, zone: str) -> datetime | None:
    """The end of the local day that is so many days on."""
    if days is None:
        return None
    return localtime.end_of_day(localtime.wall_clock(now, zone).date() + timedelta(days=days), zone)
