"""Undoing: what was booked by mistake, and what comes back."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.counter import moves
from app.counter.moves import Actor, Done, Shop
from app.errors import Forbidden
from app.ledger import held, reversals
from app.ledger import service as ledger
from app.offers import service as offers

UNDO_WINDOW = timedelta(minutes=10)


def reverse(
    session: Session, entry_id: str, *, reason: str, by: Actor, now: datetime, store: Shop | None = None
) -> Done:
    """Undo a transaction by a counter-entry; an offer that it used can be used again.

    Raises: NotFound `unknown_transaction`; Conflict `already_reversed` or `not_reversible`.
    """
    original = ledger.by_id(session, entry_id)
    card = held.by_id(session, original.card_id)
    told = moves.circumstance(card, by, now, store=store, note=reason)
    booked = reversals.reverse(session, card, original, by=told)
    taken_back = -(booked.entry.amount_minor or 0) if original.kind == "earn" else 0
    after = replace(booked.card, qualifying_minor=max(0, card.qualifying_minor - taken_back))
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
