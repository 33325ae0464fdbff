"""Undoing: whole entries, and parts of a sale by line, by quantity or by amount.

Nothing is edited, and what was reversed of an entry never exceeds it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.errors import Conflict, Unprocessable
from app.ledger import booking, movements, service
from app.ledger.booking import Booked, Circumstance
from app.ledger.chain import Line
from app.ledger.held import POINTS, Held
from app.ledger.models import Entry, EntryLine, Hold, Pending

# where the units of an entry came from or went to, by its kind
_OTHER_SIDE = {
    "earn": "issue", "spend": "redeem", "capture": "redeem", "adjust": "adjust", "expire": "expire",
    "merge": "transfer", "load": "funding", "pay": "sales",
}  # fmt: skip


class OnDeficit(Enum):
    """What happens to units that are taken back and were spent already."""

    ALLOW_DEBT = "allow_debt"
    CLAMP = "clamp"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What comes back of a sale: pieces by line number, or an amount of a sale without lines; all of it if neither."""

    pieces: Mapping[int, int] | None = None
    amount_minor: int | None = None


@dataclass(frozen=True, kw_only=True)
class _Undoing:
    """How much of an entry a reversal takes."""

    number: int
    points: int
    amount_minor: int | None
    lines: Sequence[Line]
    is_last: bool


def reverse(
    session: Session,
    card: Held,
    original: Entry,
    *,
    by: Circumstance,
    returned: Returned = Returned(),  # frozen
    on_deficit: OnDeficit = OnDeficit.ALLOW_DEBT,
    kind: str = "reverse",
) -> Booked:
    """Undo an entry of a held card, or a part of it, by a counter-entry.

    Points that were spent meanwhile become a deficit, are written off at once, or refuse the reversal: *on_deficit*.

    Raises: Conflict `already_reversed` or `not_reversible`; Unprocessable `exceeds_original`, `unknown_line` or
    `insufficient`.
    """
    if original.kind not in _OTHER_SIDE and original.kind != "offer":
        raise Conflict("not_reversible", "This entry undoes or completes another one; book the sale again instead.")
    undoing = _undoing(session, original, returned)
    facts: dict[str, Any] = {
        "kind": kind,
        "amount_minor": -undoing.amount_minor if undoing.amount_minor else None,
        "currency": original.currency,
        "reverses_id": original.id,
        "reversal_no": undoing.number,
        "rule_version_id": original.rule_version_id,
        "lines": undoing.lines,
        "taken": _undone(),
    }
    if undoing.is_last and original.carry_before is not None:
        facts |= _carry(card, original)
    booked = _counter(session, card, original, undoing, facts, by=by, on_deficit=on_deficit)
    return _carried_on(session, booked, facts)


def would_take(session: Session, original: Entry, returned: Returned = Returned()) -> int:
    """How many units undoing this much of an entry would move, without a sign.

    Raises: as `reverse`, but for `insufficient`.
    """
    return _undoing(session, original, returned).points


def reckoned(session: Session, original: Entry, returned: Returned = Returned()) -> tuple[int, int | None]:  # frozen
    """The units and the amount (minor units) that undoing would take back, without undoing anything.

    Raises: as `reverse`.
    """
    undoing = _undoing(session, original, returned)
    return undoing.points, undoing.amount_minor


def parts(session: Session, entry_id: str) -> list[Entry]:
    """The other entries of a sale: what it moved in other units."""
    query = select(Entry).where(Entry.part_of_id == entry_id, Entry.reverses_id.is_(None))
    return list(session.scalars(query.order_by(Entry.seq)))


def reversed_so_far(session: Session, entry_id: str) -> tuple[int, int, int]:
    """How often an entry was reversed, and the points and the amount (minor units) that were taken back, positive."""
    query = select(
        func.count(), func.coalesce(func.sum(Entry.points), 0), func.coalesce(func.sum(Entry.amount_minor), 0)
    ).where(Entry.reverses_id == entry_id)
    times, points, amount = session.execute(query).one()
    return times, abs(int(points or 0)), abs(int(amount or 0))  # PostgreSQL sums whole numbers to decimals


def is_back(session: Session, original: Entry) -> bool:
    """Whether all of a sale has come back, in one piece or in several."""
    times, _points, amount_minor = reversed_so_far(session, original.id)
    pieces = select(func.coalesce(func.sum(EntryLine.quantity), 0))
    sold = session.scalar(pieces.where(EntryLine.entry_id == original.id)) or 0
    if not sold:
        return times > 0 and amount_minor >= (original.amount_minor or 0)
    undoing = select(Entry.id).where(Entry.reverses_id == original.id)
    return int(session.scalar(pieces.where(EntryLine.entry_id.in_(undoing))) or 0) >= int(sold)


def _undone() -> Conflict:
    return Conflict("already_reversed", "This was undone already.")


def _undoing(session: Session, original: Entry, returned: Returned) -> _Undoing:
    times, points_before, amount_before = reversed_so_far(session, original.id)
    whole = _moved(session, original)
    lines = list(
        session.scalars(select(EntryLine).where(EntryLine.entry_id == original.id).order_by(EntryLine.line_no))
    )
    if lines:
        return _by_lines(session, original, lines, returned, times)
    amount_whole = original.amount_minor
    if times and points_before >= whole and amount_before >= (amount_whole or 0):
        raise _undone()  # before the balance is looked at, which the first undoing has changed
    left = None if amount_whole is None else amount_whole - amount_before
    amount = left if returned.amount_minor is None else returned.amount_minor
    if returned.pieces is not None:
        raise Unprocessable("unknown_line", "This sale was booked without lines; return it whole, or an amount of it.")
    if amount is None or amount_whole is None or amount == left:
        return _Undoing(number=times + 1, points=whole - points_before, amount_minor=left, lines=(), is_last=True)
    if not 0 < amount <= (left or 0):
        raise _exceeds()
    # rounded down over all returns together, so that the last one makes the sum exact
    points = whole * (amount_before + amount) // amount_whole - points_before
    return _Undoing(number=times + 1, points=points, amount_minor=amount, lines=(), is_last=False)


def _moved(session: Session, original: Entry) -> int:
    """How many units an entry moved, without a sign."""
    if original.kind == "capture":
        captured = select(Hold.captured).where(Hold.entry_id == original.part_of_id)
        return session.execute(captured).scalar_one()
    return abs(original.points)


@dataclass(frozen=True, slots=True)
class _Taken:
    quantity: int
    amount_minor: int
    points: int


def _taken_lines(session: Session, original: Entry) -> dict[int, _Taken]:
    query = (
        select(
            EntryLine.line_no,
            func.sum(EntryLine.quantity),
            func.sum(EntryLine.amount_minor),
            -func.sum(EntryLine.points),
        )
        .join(Entry, Entry.id == EntryLine.entry_id)
        .where(Entry.reverses_id == original.id)
        .group_by(EntryLine.line_no)
    )
    return {number: _Taken(*(int(one) for one in sums)) for number, *sums in session.execute(query)}


def _by_lines(
    session: Session, original: Entry, lines: Sequence[EntryLine], returned: Returned, times: int
) -> _Undoing:
    if returned.amount_minor is not None:
        raise Unprocessable("unknown_line", "This sale has lines; say which of them come back, and how many pieces.")
    before = _taken_lines(session, original)
    left = {line.line_no: line.quantity - before.get(line.line_no, _Taken(0, 0, 0)).quantity for line in lines}
    wanted = (
        {number: pieces for number, pieces in left.items() if pieces} if returned.pieces is None else returned.pieces
    )
    if times and not any(left.values()):
        raise _undone()
    unknown = set(wanted) - set(left)
    if unknown:
        text = f"This sale has no line {min(unknown)}."
        raise Unprocessable("unknown_line", text, errors={"lines": text})
    if not wanted or any(not 0 < pieces <= left[number] for number, pieces in wanted.items()):
        raise _exceeds()
    back = [_line_back(line, wanted[line.line_no], before) for line in lines if line.line_no in wanted]
    return _Undoing(
        number=times + 1,
        points=-sum(line[-1] for line in back),
        amount_minor=sum(line[-2] for line in back),
        lines=back,
        is_last=all(left[number] == wanted.get(number, 0) for number in left),
    )


def _line_back(line: EntryLine, pieces: int, before: Mapping[int, _Taken]) -> Line:
    """After k of q pieces are back, floor(points·k/q) of the points are: the steps sum to what was earned."""
    taken = before.get(line.line_no, _Taken(0, 0, 0))
    back = taken.quantity + pieces
    points = line.points * back // line.quantity - taken.points
    amount = line.amount_minor * back // line.quantity - taken.amount_minor
    return (line.line_no, line.product, line.category, pieces, amount, -points)


def _exceeds() -> Unprocessable:
    text = "More comes back than was bought."
    return Unprocessable("exceeds_original", text, errors={"lines": text})


def _counter(
    session: Session, card: Held, original: Entry, undoing: _Undoing, facts: dict[str, Any], *, by: Circumstance,
    on_deficit: OnDeficit,
) -> Booked:  # fmt: skip
    if original.unit == service.USES or not undoing.points:
        legs = service.uses(session, card, -1)
        return booking.book(session, card, legs, by=by, unit=service.USES, points=0, **facts)
    other = _OTHER_SIDE[original.kind]
    if original.points < 0 or original.kind == "capture":
        used_by = _users(session, original)
        return movements.give_back(
            session, card, original.unit, undoing.points, source=other, used_by=used_by, by=by, **facts
        )
    if _still_waits(session, original, undoing.points):
        return movements.unawait(session, card, original.unit, undoing.points, by=by, **facts)
    missing = undoing.points - card.in_unit(original.unit)
    if missing > 0 and on_deficit is OnDeficit.REFUSE:
        raise booking.insufficient(card.in_unit(original.unit), undoing.points)
    booked = movements.take_back(
        session, card, original.unit, undoing.points, sink=other, lots_of=original.id, by=by, **facts
    )
    if missing > 0 and on_deficit is OnDeficit.CLAMP:
        forgiven = movements.forgive(session, booked.card, original.unit, missing, by=by.part_of(booked.entry.id))
        return Booked(entry=booked.entry, card=forgiven.card)
    return booked


def _users(session: Session, original: Entry) -> list[str]:
    """The entry that used the lots, and those that gave some of them back since."""
    used = original.part_of_id if original.kind == "capture" and original.part_of_id else original.id
    released = select(Entry.id).where(Entry.part_of_id == used, Entry.kind == "release")
    undone = select(Entry.id).where(Entry.reverses_id == original.id)
    return [used, *session.scalars(released), *session.scalars(undone)]


def _still_waits(session: Session, original: Entry, points: int) -> bool:
    """Whether the points of this entry cannot be spent yet; if so, they no longer wait either."""
    waiting = (
        update(Pending)
        .where(Pending.entry_id == original.id, Pending.state == "waiting", Pending.units >= points)
        .values(units=Pending.units - points)
        .returning(Pending.units)
    )
    left = session.scalar(waiting)
    if left == 0:
        session.execute(update(Pending).where(Pending.entry_id == original.id).values(state="reversed"))
    return left is not None


def _carry(card: Held, original: Entry) -> dict[str, Any]:
    """The fraction that the sale left is taken back if no other sale has built on it."""
    account = card.accounts.get((POINTS, "avail"))
    now = account.carry if account else "0"
    after = original.carry_before if now == original.carry_after else now
    return {"carry": after, "carry_before": now, "carry_after": after}


def _carried_on(session: Session, booked: Booked, facts: Mapping[str, Any]) -> Booked:
    carry = facts.get("carry")
    account = booked.card.accounts.get((POINTS, "avail"))
    if carry is None or (account is not None and account.carry == carry):
        return booked
    return replace(booked, card=booking.carry_on(session, booked.card, carry))
