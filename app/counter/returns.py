"""Undoing: what was booked by mistake, and what comes back, wholly or line by line.

A sale is undone by the version of the rules that it was booked by, in every unit that it moved.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.counter import moves, offering, paying
from app.counter.moves import Actor, Done, Shop
from app.earning import budgets, versions
from app.errors import Conflict, Forbidden
from app.ledger import held, reversals
from app.ledger import service as ledger
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Entry
from app.ledger.reversals import OnDeficit, Returned
from app.offers import service as offers
from app.rewards import service as rewards
from app.stamps import booking as stamps
from app.tiers import service as tiers
from app.value import bearer
from app.value import service as value

UNDO_WINDOW = timedelta(minutes=10)
WHOLE = Returned()
STAMP_UNITS = ("stamp:", "voucher:")


def reverse(
    session: Session,
    entry_id: str,
    *,
    reason: str,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    returned: Returned = WHOLE,
) -> Done:
    """Undo a transaction, or what came back of a sale, by counter-entries; what it used can be used again.

    Points that were spent meanwhile become a deficit, unless the rules of the sale say otherwise.

    Raises: NotFound `unknown_transaction`; Conflict `already_reversed` or `not_reversible`; Unprocessable
    `exceeds_original`, `unknown_line`, or `insufficient`, if the rules refuse a deficit.
    """
    original = ledger.by_id(session, entry_id)
    if original.kind == "merge":  # half of a pair: alone it would make units, or lose them
        raise Conflict("not_reversible", "Two cards were joined here; part the cards instead.")
    if value.is_payment(original):  # it may have to go to the card that replaced this one
        return paying.refund(session, entry_id, returned.amount_minor, by=by, now=now, store=store, reason=reason)
    card = held.by_id(session, original.card_id)
    if original.kind in ("earn", "offer") and original.part_of_id is not None:
        raise Conflict("not_reversible", "This is a part of a sale; undo the sale.")
    told = moves.circumstance(card, by, now, store=store, note=reason)
    on_deficit = _on_deficit(session, original)
    if original.kind == "load":
        booked = value.undo_load(session, card, original, by=told)
    elif original.unit.startswith(STAMP_UNITS):
        booked = stamps.undo(session, card, original, by=told, returned=returned, on_deficit=on_deficit)
    else:
        booked = reversals.reverse(session, card, original, by=told, returned=returned, on_deficit=on_deficit)
    after = booked.card
    if original.kind == "earn" and not original.unit.startswith(STAMP_UNITS):
        back = _Back(sale=original, booked=booked, told=told, returned=returned, on_deficit=on_deficit)
        after = _without_parts(session, after, back)
        after = offering.without_sale(session, after, original, told.part_of(booked.entry.id))
        after = _without_spend(session, after, original, booked, now)
        bearer.give_back(session, card, original, booked.entry.id)
    rewards.give_back(session, original.id, now)
    if original.kind == "offer":
        offers.give_back(session, original.id, now=now)
    return moves.done(session, after, booked, now)


def undo_at_till(
    session: Session, entry_id: str, *, by: Actor, is_manager: bool, store: Shop | None, now: datetime
) -> Done:
    """Undo by the cashier who did it, at the same store, within ten minutes; a manager may do it later.

    Raises: Forbidden `needs_manager`, and as `reverse`.
    """
    original = ledger.by_id(session, entry_id)
    own = original.actor == by.name and original.store_id == (store.id if store else None)
    if not is_manager and not (own and now - original.recorded_at <= UNDO_WINDOW):
        raise Forbidden("needs_manager", "Only a manager can undo this: it is older than ten minutes, or not yours.")
    return reverse(session, entry_id, reason="undone at the till", by=by, now=now, store=store)


def _on_deficit(session: Session, original: Entry) -> OnDeficit:
    if original.rule_version_id is None or original.currency is None:
        return OnDeficit.ALLOW_DEBT
    return OnDeficit(versions.by_id(session, original.rule_version_id, original.currency).rules.on_deficit)


@dataclass(frozen=True, kw_only=True)
class _Back:
    """What comes back of a sale: the counter-entry of its points, and how its other units are to follow."""

    sale: Entry
    booked: Booked
    told: Circumstance
    returned: Returned
    on_deficit: OnDeficit


def _without_parts(session: Session, card: Held, back: _Back) -> Held:
    """Take back what the sale gave in other units, in the same measure."""
    by = back.told.part_of(back.booked.entry.id)
    for part in reversals.parts(session, back.sale.id):
        if part.unit.startswith("bonus:") and not _gave_nothing(part, back.returned):
            card = _without_bonus(session, card, part, back, by)
        elif part.unit.startswith(STAMP_UNITS):
            undone = stamps.undo(session, card, part, by=by, returned=back.returned, on_deficit=back.on_deficit)
            card = undone.card
    return card


def _without_bonus(session: Session, card: Held, part: Entry, back: _Back, by: Circumstance) -> Held:
    """Bonus money goes back by line; of a sale without lines, by its share of the amount."""
    returned = back.returned
    if not part.lines:
        returned = Returned(amount_minor=-(back.booked.entry.amount_minor or 0))
    return reversals.reverse(session, card, part, by=by, returned=returned, on_deficit=back.on_deficit).card


def _gave_nothing(part: Entry, returned: Returned) -> bool:
    """Whether none of the lines that come back gave anything of this part of the sale."""
    pieces = returned.pieces
    return pieces is not None and not any(line.points for line in part.lines if line.line_no in pieces)


def _without_spend(session: Session, card: Held, original: Entry, booked: Booked, now: datetime) -> Held:
    """The card as if that much had not been bought, and the points back in the budgets that gave them."""
    back_minor = -(booked.entry.amount_minor or 0)
    budgets.give_back(session, card.programme_id, original.id, booked.entry.id, -booked.entry.points)
    _times, _points, amount_minor = reversals.reversed_so_far(session, original.id)
    whole_minor = original.amount_minor or 0
    base = _base_points(original) if whole_minor else 0  # an event has no amount, and counts for no tier
    before_minor = amount_minor - back_minor
    earned_back = base * amount_minor // whole_minor - base * before_minor // whole_minor if base else 0
    after = tiers.after_sale(
        session, card, spend_minor=-back_minor, earned=-earned_back,
        visits=-1 if amount_minor >= whole_minor > 0 else 0, at=original.occurred_at, now=now,
    )  # fmt: skip
    return replace(after, spent_minor=max(0, after.spent_minor - back_minor))


def _base_points(original: Entry) -> int:
    """The points of a sale that counted for a tier; a sale of an earlier release counts with all it earned."""
    said = [one for one in original.reasons if isinstance(one, dict) and one["code"] == "base"]
    return said[0].get("points", 0) if said else original.points
