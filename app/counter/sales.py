"""A sale: what it earns, and booking it. Quoting and booking share one path."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves
from app.counter.moves import Actor, Done, Shop
from app.errors import Unprocessable
from app.ledger import held, rules
from app.ledger import service as ledger
from app.ledger.held import Held, HeldTier
from app.ledger.service import Earning

LATEST_ARRIVAL = timedelta(hours=72)
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A purchase. `occurred_at` is the till's own time of it, for sales that arrive late."""

    amount_minor: int
    currency: str
    receipt: str | None = None
    store: Shop | None = None
    occurred_at: datetime | None = None


def earn(session: Session, card: Card | Held, sale: Sale, *, by: Actor, now: datetime) -> Done:
    """Give the points of a sale.

    Raises: Conflict `card_not_active` or `duplicate_receipt`; Unprocessable `currency_mismatch`, `invalid_amount` or
    `wrong_store`.
    """
    card = moves.usable(session, card, sale.store)
    if sale.currency != card.currency:
        text = f"This programme counts {card.currency}; the sale is in {sale.currency}."
        raise Unprocessable("currency_mismatch", text, errors={"currency": text})
    if sale.amount_minor <= 0:
        text = "The amount of a sale is above zero."
        raise Unprocessable("invalid_amount", text, errors={"amount": text})
    quote = rules.quote(card, sale.amount_minor)
    occurred_at, late = _business_time(sale.occurred_at, now)
    reasons = [*quote.reasons, *(["time: server"] if late else [])]
    told = moves.circumstance(
        card, by, now, store=sale.store, receipt=sale.receipt, occurred_at=occurred_at, reasons=reasons
    )
    earning = Earning(points=quote.points, amount_minor=sale.amount_minor, currency=sale.currency)
    booked = ledger.earn(session, card, earning, by=told)
    return moves.done(session, _qualified(session, booked.card, sale.amount_minor), booked, now)


def _qualified(session: Session, card: Held, amount_minor: int) -> Held:
    """Count the spend; a member who reaches a threshold moves up at once (this sale earned at the old tier)."""
    qualifying_minor = card.qualifying_minor + amount_minor
    tier: HeldTier | None = card.tier
    if card.next_threshold_minor is not None and qualifying_minor >= card.next_threshold_minor:
        tier = rules.tier_for(held.tiers(session, card.programme_id), qualifying_minor)
    return replace(card, qualifying_minor=qualifying_minor, tier=tier)


def _business_time(claimed: datetime | None, now: datetime) -> tuple[datetime, bool]:
    if claimed is None:
        return now, False
    if claimed - now > CLOCK_TOLERANCE or now - claimed > LATEST_ARRIVAL:
        return now, True
    return claimed, False
