"""Saying that a card came onto its first phone, or left its last one."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.webhooks import kinds
from app.webhooks import service as webhooks


def is_of_interest(session: Session) -> bool:
    """Whether anybody may want to know, for callers who would have to look who holds a card."""
    return webhooks.anybody_listens(session, (kinds.CARD_INSTALLED, kinds.CARD_UNINSTALLED))


def installed(session: Session, card_id: int, *, wallet: str, now: datetime) -> None:
    """A card that was in no such wallet is in one now. *wallet*: apple or google."""
    _say(session, kinds.CARD_INSTALLED, card_id, wallet, now)


def uninstalled(session: Session, card_id: int, *, wallet: str, now: datetime) -> None:
    """A card has left the last such wallet that held it."""
    _say(session, kinds.CARD_UNINSTALLED, card_id, wallet, now)


def _say(session: Session, kind: str, card_id: int, wallet: str, now: datetime) -> None:
    card = session.execute(
        select(Card.number, Card.serial, Card.version, Card.programme_id).where(Card.id == card_id)
    ).one()
    webhooks.announce(session, programme_id=card.programme_id, kind=kind, data={"wallet": wallet}, card=card, now=now)
