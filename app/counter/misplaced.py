"""A sale that was booked on the wrong card: booked on the right one, and undone where it was, in one transaction."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import returns, sales
from app.counter.moves import Actor, Done, Shop
from app.counter.pricing import Sale
from app.earning.sale import Line
from app.errors import Conflict, Unprocessable
from app.ledger import held
from app.ledger import service as ledger
from app.ledger.models import Entry

MOVED = "moved:"


def move_sale(
    session: Session, entry_id: str, to: Card, *, by: Actor, now: datetime, store: Shop | None = None
) -> Done:
    """Book a sale again on *to*, by what it earns there, and undo it on the card that had it. The new sale is answered.

    Its note names the old one, and the undoing's note names the new one: whoever brings the receipt back is led there.

    Raises: NotFound `unknown_transaction`; Conflict `not_reversible`, `already_reversed` or `discounted`; Unprocessable
    `same_card`; as `sales.earn` and `returns.reverse`.
    """
    original = ledger.by_id(session, entry_id)
    for card_id in sorted({original.card_id, to.id}):  # two who move sales between the same cards wait in one order
        held.by_id(session, card_id)
    _check(session, original, to)
    lines = tuple(
        Line(
            number=line.line_no,
            amount_minor=line.amount_minor,
            product=line.product,
            category=line.category,
            quantity=line.quantity,
        )
        for line in original.lines
    )
    # without its receipt, which has earned once and keeps naming the first booking
    sale = Sale(
        amount_minor=original.amount_minor or 0,
        currency=original.currency or "",
        store=store,
        occurred_at=original.occurred_at,
        lines=lines,
        note=f"{MOVED}{original.id}",
    )
    done = sales.earn(session, to, sale, by=by, now=now)
    returns.reverse(session, original.id, reason=f"{MOVED}{done.entry.id}", by=by, now=now, store=store)
    return done


def now_at(session: Session, entry: Entry) -> Entry:
    """Where a sale stands by now: the entry itself, or the one that it was moved to, and so on."""
    seen = {entry.id}
    while True:
        query = select(Entry.note).where(Entry.reverses_id == entry.id, Entry.note.startswith(MOVED))
        note = session.scalar(query)
        following = session.get(Entry, note.removeprefix(MOVED)) if note else None
        if following is None or following.id in seen:
            return entry
        seen.add(following.id)
        entry = following


def _check(session: Session, original: Entry, to: Card) -> None:
    if original.kind != "earn" or original.currency is None or original.part_of_id is not None:
        raise Conflict("not_reversible", "Only a purchase can be moved to another card.")
    if original.card_id == to.id:
        raise Unprocessable("same_card", "The purchase is on this card already.")
    if session.scalar(select(Entry.id).where(Entry.reverses_id == original.id)) is not None:
        raise Conflict("already_reversed", "This was undone already.")
    if any(isinstance(reason, dict) and reason.get("code") in ("discount", "offer") for reason in original.reasons):
        text = "This purchase had a discount of its card; undo it and book it again."
        raise Conflict("discounted", text)
