"""A range of a programme's cards, and how all of them are changed in two statements."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.cards.service import next_modified
from app.clock import milliseconds
from app.db import rows_changed
from app.outbox import service as outbox
from app.outbox.models import Target
from app.outbox.service import Lane


@dataclass(frozen=True, kw_only=True)
class CardRange:
    """Valid cards of a programme (of one tier, if given) with ids after `after_id` and up to `up_to_id`.

    With `all_up_to`, of the cards beyond that id only those that changed or reached a phone since `changed_since`.
    """

    programme_id: int
    tier_id: int | None
    after_id: int
    up_to_id: int
    all_up_to: int | None = None
    changed_since: datetime | None = None


def audience(programme_id: int, tier_id: int | None) -> list[ColumnElement[bool]]:
    """The conditions by which a card belongs to a programme's audience; an index holds all of their columns."""
    found: list[ColumnElement[bool]] = [Card.programme_id == programme_id, Card.status == "active"]
    return found if tier_id is None else [*found, Card.tier_id == tier_id]


def members(cards: CardRange) -> list[ColumnElement[bool]]:
    """The conditions by which a card belongs to the range, apart from what changed since."""
    return [*audience(cards.programme_id, cards.tier_id), Card.id > cards.after_id, Card.id <= cards.up_to_id]


def touch(
    session: Session,
    cards: CardRange,
    *,
    now: datetime,
    unaltered: Collection[str] = (),
    window_ms: int | None = None,
) -> int:
    """Raise the versions of these cards and what their phones must be brought up to; the number of cards.

    *unaltered*: channels whose copy of a card this change leaves as it is. *window_ms*: instead of the bulk lane's own.
    """
    raised = (
        update(Card)
        .where(*members(cards), *_news(cards))
        .values(version=Card.version + 1, modified_at=next_modified(now))
    )
    touched = rows_changed(session, raised.execution_options(synchronize_session=False))
    outbox.raise_want_range(
        session,
        programme_id=cards.programme_id,
        tier_id=cards.tier_id,
        from_card_id=cards.after_id + 1,
        to_card_id=cards.up_to_id,
        lane=Lane.BULK,
        now_ms=milliseconds(now),
        unaltered=unaltered,
        window_ms=window_ms,
    )
    return touched


def _news(cards: CardRange) -> list[ColumnElement[bool]]:
    if cards.all_up_to is None or cards.changed_since is None:
        return []
    since_ms = milliseconds(cards.changed_since)
    handed_out = select(Target.id).where(
        Target.card_id == Card.id, or_(Target.fetched_at >= since_ms, Target.told_at >= since_ms)
    )
    changed = Card.modified_at >= cards.changed_since.replace(microsecond=0)
    return [or_(Card.id <= cards.all_up_to, changed, handed_out.exists())]
