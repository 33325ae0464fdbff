"""How much discount a card without a person may still give this year."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import localtime
from app.ledger import reversals
from app.ledger.held import Held
from app.ledger.models import Entry
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
    """Count the discount of a sale."""
    if card.kind != "bearer" or not discount_minor:
        return
    session.add(BearerDiscount(entry_id=entry_id, card_id=card.id, year=_year(card, at), minor=discount_minor))
    session.flush()


def give_back(session: Session, card: Held, sale: Entry, reversal_id: str) -> None:
    """Let the discount of what came back of a sale be given again in its year; all returns together give back all."""
    given = session.get(BearerDiscount, sale.id)
    if given is None or not sale.amount_minor:
        return
    _times, _points, back_minor = reversals.reversed_so_far(session, sale.id)
    before = select(func.coalesce(func.sum(BearerDiscount.minor), 0)).where(
        BearerDiscount.entry_id.in_(select(Entry.id).where(Entry.reverses_id == sale.id))
    )
    minor = given.minor * back_minor // sale.amount_minor + int(session.scalar(before) or 0)
    if minor:
        session.add(BearerDiscount(entry_id=reversal_id, card_id=card.id, year=given.year, minor=-minor))
        session.flush()


def _year(card: Held, at: datetime) -> int:
    return localtime.wall_clock(at, card.timezone).year
