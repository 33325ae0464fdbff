"""What webhooks say of a movement at the counter, in the movement's own transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import money
from app.cards.models import Store
from app.ledger.booking import Booked
from app.ledger.held import Held
from app.ledger.models import Entry
from app.offers.models import Offer
from app.webhooks import kinds, service


def moved(session: Session, card: Held, booked: Booked, *, now: datetime) -> None:
    """A card has a new version, and a transaction stands behind it."""
    service.announce(
        session, programme_id=card.programme_id, kind=kinds.CARD_UPDATED, data={"status": card.status}, card=card,
        now=now,
    )  # fmt: skip
    booked_too(session, card, booked, now=now)


def booked_too(session: Session, card: Held, booked: Booked, *, now: datetime) -> None:
    """One more transaction stands behind a card's new version."""
    if service.listens(session, kinds.TRANSACTION_CREATED, card.programme_id):
        data = {
            "transaction": _transaction(session, booked.entry),
            "balance": booked.balance,
            "tier": card.tier.name if card.tier else None,
        }
        service.announce(
            session, programme_id=card.programme_id, kind=kinds.TRANSACTION_CREATED, data=data, card=card, now=now
        )


def redeemed(session: Session, card: Held, offer: Offer, booked: Booked, *, now: datetime) -> None:
    """An offer was used with a card."""
    data = {"offer": offer.public_id, "transaction": booked.entry.id}
    service.announce(session, programme_id=card.programme_id, kind=kinds.OFFER_REDEEMED, data=data, card=card, now=now)


def _transaction(session: Session, entry: Entry) -> dict[str, Any]:
    amount = None
    if entry.amount_minor is not None and entry.currency is not None:
        amount = money.decimal_text(entry.amount_minor, entry.currency)
    store = None
    if entry.store_id is not None:
        store = session.scalar(select(Store.public_id).where(Store.id == entry.store_id))
    return {
        "id": entry.id,
        "kind": entry.kind,
        "points": entry.points,
        "amount": amount,
        "currency": entry.currency,
        "store": store,
        "receipt": entry.receipt,
        "reverses": entry.reverses_id,
    }
