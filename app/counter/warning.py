"""Warnings that points expire: 30 days and 7 days before, cards are told anew, by day in the programme's own time.

The words stand in what the card shows at any moment, so they go by themselves when the points are spent. Only that
phones come for them is done here.
"""

import logging
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import localtime
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.db import is_lock_timeout
from app.errors import Busy
from app.gate import Priority
from app.ledger import expiry
from app.outbox.service import Lane
from app.world import World

LOGGER = logging.getLogger(__name__)

CARDS_AT_ONCE = 1_000
FIRST_HOUR, LAST_HOUR = 9, 20


def warn(world: World) -> int:
    """Bring cards up to date whose points have come near their end; how many. Again, or late, comes to the same."""
    now = world.clock()
    with world.database.reading() as session:
        programmes = session.execute(select(Programme.id, Programme.timezone)).all()
    awake = [one for one, zone in programmes if FIRST_HOUR <= localtime.wall_clock(now, zone).hour <= LAST_HOUR]
    return sum(_warn(world, programme, now) for programme in awake)


def _warn(world: World, programme_id: int, now: datetime) -> int:
    after, told = -1, 0
    while True:
        with world.database.reading() as session:
            found = expiry.cards_to_warn(session, programme_id, now=now, after=after, limit=CARDS_AT_ONCE)
        if not found:
            return told
        told += sum(_tell(world, card, now) for card in found)
        after = found[-1]


def _tell(world: World, card_id: int, now: datetime) -> bool:
    try:
        return world.database.transact(lambda session: _touched(session, card_id, now), priority=Priority.BULK)
    except (Busy, OperationalError) as trouble:
        if isinstance(trouble, OperationalError) and not is_lock_timeout(trouble):
            raise
        LOGGER.info("a card is in use; it is warned at the next run", extra={"card": card_id})
        return False


def _touched(session: Session, card_id: int, now: datetime) -> bool:
    free = select(Card).where(Card.id == card_id, Card.status == "active")
    card = session.scalars(free.with_for_update(of=Card, skip_locked=True)).one_or_none()
    if card is None:
        return False
    cards.touch(session, card, lane=Lane.NORMAL, now=now)
    return True
