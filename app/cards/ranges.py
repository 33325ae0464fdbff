"""A range of a programme's cards, and how all of them are changed in two statements."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, TableClause, column, or_, select, table, update
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.cards.service import next_modified
from app.clock import milliseconds
from app.db import rows_changed, table_of
from app.outbox import service as outbox
from app.outbox.models import Target
from app.outbox.service import Lane

Columns = Any  # the columns of `card`, as this room or the outbox knows them


# rooms above this one, known by their columns alone
SEGMENT_MEMBER = table("segment_member", column("segment_id"), column("card_id"))
OFFER_GRANT = table("offer_grant", column("offer_id"), column("card_id"))


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Valid cards of a programme: of all `tiers` or some; those in a segment; those that an offer was granted to."""

    programme_id: int
    tiers: tuple[int, ...] = ()
    segment_id: int | None = None
    granted_offer_id: int | None = None

    @property
    def listed(self) -> tuple[TableClause, ColumnElement[bool]] | None:
        """The table whose rows name the cards one by one, and which rows; None: all of the programme are meant."""
        if self.granted_offer_id is not None:
            return OFFER_GRANT, OFFER_GRANT.c.offer_id == self.granted_offer_id
        if self.segment_id is not None:
            return SEGMENT_MEMBER, SEGMENT_MEMBER.c.segment_id == self.segment_id
        return None


@dataclass(frozen=True, kw_only=True)
class CardRange:
    """Cards of an audience with ids after `after_id` and up to `up_to_id`.

    With `all_up_to`, of the cards beyond that id only those that changed or reached a phone since `changed_since`.
    """

    audience: Audience
    after_id: int
    up_to_id: int
    all_up_to: int | None = None
    changed_since: datetime | None = None


def audience(whom: Audience) -> list[ColumnElement[bool]]:
    """The conditions by which a card belongs to an audience; an index holds all of their columns."""
    return [*_of(table_of(Card).c, whom), *_named(table_of(Card).c.id, whom)]


def members(cards: CardRange) -> list[ColumnElement[bool]]:
    """The conditions by which a card belongs to the range, apart from what changed since."""
    return _members(cards, table_of(Card).c)


def first(cards: CardRange, *, limit: int) -> Select[int]:
    """The ids of the first cards in the range, in their order, found without looking at many others."""
    card = table_of(Card).c
    listed = cards.audience.listed
    if listed is None:
        return select(card.id).where(*members(cards)).order_by(card.id).limit(limit)
    source, rows = listed
    joined = select(source.c.card_id).join(table_of(Card), card.id == source.c.card_id)
    mine = joined.where(rows, source.c.card_id > cards.after_id, source.c.card_id <= cards.up_to_id)
    return mine.where(*_of(card, cards.audience)).order_by(source.c.card_id).limit(limit)


def end_of(whom: Audience, end: Callable[[Any], Any], *, after: ColumnElement[int] | None = None) -> Select[int | None]:
    """The least or the greatest id (*end*: func.min, func.max) of an audience, of those from *after* on if given."""
    card = table_of(Card).c
    if whom.listed is None:
        id: ColumnElement[int] = card.id
        found = select(end(id))
    else:
        source, rows = whom.listed
        id = source.c.card_id
        found = select(end(id)).join_from(source, table_of(Card), card.id == id).where(rows)
    found = found.where(*_of(card, whom))
    return found if after is None else found.where(id >= after)


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
        _members(cards, outbox.CARD.c),
        lane=Lane.BULK,
        now_ms=milliseconds(now),
        unaltered=unaltered,
        window_ms=window_ms,
    )
    return touched


def _members(cards: CardRange, card: Columns) -> list[ColumnElement[bool]]:
    within = (card.id > cards.after_id, card.id <= cards.up_to_id)
    named = _named(card.id, cards.audience, cards)
    return [*_of(card, cards.audience), *(named or within)]


def _of(card: Columns, whom: Audience) -> list[ColumnElement[bool]]:
    """A list of cards is one of a single programme: asked for both, a plan might walk the whole programme for it."""
    found: list[ColumnElement[bool]] = [card.status == "active"]
    if whom.listed is None:
        found.append(card.programme_id == whom.programme_id)
    if len(whom.tiers) == 1:
        found.append(card.tier_id == whom.tiers[0])
    elif whom.tiers:
        found.append(card.tier_id.in_(whom.tiers))
    return found


def _named(card_id: ColumnElement[int], whom: Audience, within: CardRange | None = None) -> list[ColumnElement[bool]]:
    """The cards that are listed, of a range if one is given; the bounds stand where the list is read."""
    if whom.listed is None:
        return []
    source, rows = whom.listed
    listed = select(source.c.card_id).where(rows)
    if within is not None:
        listed = listed.where(source.c.card_id > within.after_id, source.c.card_id <= within.up_to_id)
    return [card_id.in_(listed)]


def _news(cards: CardRange) -> list[ColumnElement[bool]]:
    if cards.all_up_to is None or cards.changed_since is None:
        return []
    since_ms = milliseconds(cards.changed_since)
    handed_out = select(Target.id).where(
        Target.card_id == Card.id, or_(Target.fetched_at >= since_ms, Target.told_at >= since_ms)
    )
    changed = Card.modified_at >= cards.changed_since.replace(microsecond=0)
    return [or_(Card.id <= cards.all_up_to, changed, handed_out.exists())]
