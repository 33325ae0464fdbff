"""Using an offer at a till."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves, telling
from app.counter.moves import Actor, Done, Shop
from app.errors import Conflict
from app.ledger import service as ledger
from app.ledger.held import Held
from app.offers import service as offers
from app.offers.models import Offer


def redeem_offer(
    session: Session,
    card: Card | Held,
    offer: Offer,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Done:
    """Use an offer once, at server time.

    Raises: Conflict with the reason as its code: ended, not_started, not_eligible, already_used, limit_reached,
    budget_spent.
    """
    card = moves.usable(session, card, store)
    row = session.get_one(Card, card.id, populate_existing=True)
    reason = offers.refusal(session, offer, row, now=now)
    if reason:
        raise Conflict(reason, offers.REFUSALS[reason])
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=f"offer:{offer.public_id}")
    booked = ledger.record_use(session, card, by=told)
    offers.redeem(session, offer, row, store_id=store.id if store else None, entry_id=booked.entry.id, now=now)
    written = moves.done(session, booked.card, booked, now)
    telling.redeemed(session, written.card, offer, booked, now=now)
    return written
