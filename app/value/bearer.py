"""How much discount a card without a person may still give this year."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import localtime
from app.ledger.held import Held
from app.value import limits
from app.value.models import BearerDiscount


def left_minor(session: Session, card: Held, at: datetime) -> int | None:
    """What is left of the yearly cap of a held bearer card, in minor units; None: as much as the rules give."""
    cap = limits.of(session, card.programme_id, card.currency).bearer_cap_minor
    if card.kind != "bearer" or cap is None:
        return None
    query = select(func.coalesce(func.sum(BearerDiscount.minor), 0)).where(
        BearerDiscount.card_id == card.id, BearerDiscount.year == _year(card, at)
    )
    return max(0, cap - int(session.scalar(query) or 0))


def note(session: Session, card: Held, entry_id: str, discount_minor: int, at: datetime) -> None:
    """Count the discount of a sale, or below zero what a return gives back of it."""
    if card.kind != "bearer" or not discount_minor:
        return
    session.add(BearerDiscount(entry_id=entry_id, card_id=card.id, year=_year(card, at), minor=discount_minor))
    session.flush()


def _year(card: Held, at: datetime) -> int:
    return localtime.wall_clock(at, card.timezone).year
