"""A held card's next version: the quick form of `cards.service.touch`, for who has locked and read the card."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.clock import milliseconds
from app.db import table_of
from app.outbox import service as outbox
from app.outbox.service import Lane

_CARD = table_of(Card)
_MOVE_ON = (
    update(_CARD)
    .where(_CARD.c.id == bindparam("card_id"))
    .values(
        version=bindparam("new_version"),
        modified_at=bindparam("new_modified_at"),
        qualifying_minor=bindparam("new_qualifying_minor"),
        spent_minor=bindparam("new_spent_minor"),
        tier_id=bindparam("new_tier_id"),
        seq=bindparam("new_seq"),
        hash=bindparam("new_hash"),
    )
)


def move_on(
    session: Session,
    *,
    card_id: int,
    version: int,
    modified_at: datetime,
    qualifying_minor: int,
    spent_minor: int,
    tier_id: int | None,
    seq: int,
    hash: str,  # the column's name
    lane: Lane,
    now: datetime,
) -> None:
    """Write what counts and what follows in one statement, and let every phone want *version*.

    *modified_at* is what was read under the lock, *version* what follows it.
    """
    values = {
        "card_id": card_id,
        "new_version": version,
        "new_modified_at": max(now.replace(microsecond=0), modified_at + timedelta(seconds=1)),
        "new_qualifying_minor": qualifying_minor,
        "new_spent_minor": spent_minor,
        "new_tier_id": tier_id,
        "new_seq": seq,
        "new_hash": hash,
    }
    session.execute(_MOVE_ON, values)
    outbox.raise_want(session, card_id=card_id, version=version, lane=lane, now_ms=milliseconds(now))
