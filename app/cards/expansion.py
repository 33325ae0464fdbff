"""Touching many cards: resumable, in small chunks, so that no till waits behind a campaign."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import service
from app.cards.models import Card, Expansion

CHUNK_SQLITE = 200
CHUNK_POSTGRES = 1000


def start(
    session: Session,
    *,
    programme_id: int,
    reason: str,
    now: datetime,
    tier_id: int | None = None,
    offer_id: int | None = None,
) -> Expansion:
    """Begin a bulk change of a programme's cards (of one tier, if given); `step` does the work."""
    expansion = Expansion(
        programme_id=programme_id, tier_id=tier_id, reason=reason, offer_id=offer_id, created_at=now, status="running"
    )
    session.add(expansion)
    session.flush()
    return expansion


def step(session: Session, *, now: datetime) -> bool:
    """Touch the next chunk of the oldest running expansion; False when there is none.

    Chunk and cursor commit together: a crash repeats nothing and skips nothing.
    """
    query = select(Expansion).where(Expansion.status == "running").order_by(Expansion.id).limit(1)
    expansion = session.scalars(query.with_for_update(skip_locked=True)).one_or_none()
    if expansion is None:
        return False
    last = _last_of_chunk(session, expansion)
    if last is None:
        expansion.status = "done"
        expansion.finished_at = now
        return True
    expansion.touched += service.touch_range(
        session,
        programme_id=expansion.programme_id,
        tier_id=expansion.tier_id,
        after_id=expansion.cursor_card_id,
        up_to_id=last,
        now=now,
    )
    expansion.cursor_card_id = last
    return True


def _last_of_chunk(session: Session, expansion: Expansion) -> int | None:
    size = CHUNK_POSTGRES if session.get_bind().dialect.name == "postgresql" else CHUNK_SQLITE
    chunk = (
        select(Card.id)
        .where(Card.programme_id == expansion.programme_id, Card.id > expansion.cursor_card_id)
        .order_by(Card.id)
        .limit(size)
    )
    found = session.scalars(chunk).all()
    return found[-1] if found else None
