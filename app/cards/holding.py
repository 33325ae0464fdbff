"""Saying that a card came onto its first phone, or left its last one, and keeping when."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.cards.models import Card, Installation
from app.db import insert_if_new
from app.webhooks import kinds
from app.webhooks import service as webhooks


def installed(session: Session, card_id: int, *, wallet: str, now: datetime) -> None:
    """A card that was in no such wallet is in one now; said again, its stay goes on. *wallet*: apple or google."""
    programme_id = session.execute(select(Card.programme_id).where(Card.id == card_id)).scalar_one()
    insert_if_new(session, Installation, programme_id=programme_id, card_id=card_id, wallet=wallet, installed_at=now)
    _say(session, kinds.CARD_INSTALLED, card_id, wallet, now)


def uninstalled(session: Session, card_id: int, *, wallet: str, now: datetime) -> None:
    """A card has left the last such wallet that held it; said again, nothing more ends."""
    _end(session, card_id, now, wallet=wallet)
    _say(session, kinds.CARD_UNINSTALLED, card_id, wallet, now)


def forgotten(session: Session, card_id: int, *, now: datetime) -> None:
    """The person of a card was erased: whatever phone still shows it, it is nobody's."""
    _end(session, card_id, now)


def _end(session: Session, card_id: int, now: datetime, *, wallet: str | None = None) -> None:
    ended = update(Installation).where(Installation.card_id == card_id, Installation.gone_at.is_(None))
    if wallet is not None:
        ended = ended.where(Installation.wallet == wallet)
    session.execute(ended.values(gone_at=now).execution_options(synchronize_session=False))


def _say(session: Session, kind: str, card_id: int, wallet: str, now: datetime) -> None:
    if not webhooks.anybody_listens(session, (kind,)):
        return
    card = session.execute(
        select(Card.number, Card.serial, Card.version, Card.programme_id).where(Card.id == card_id)
    ).one()
    webhooks.announce(session, programme_id=card.programme_id, kind=kind, data={"wallet": wallet}, card=card, now=now)
