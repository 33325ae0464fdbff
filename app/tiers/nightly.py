"""What time and changed rules do to tiers: renewed, in grace, lost; and what no longer counts is taken off the metric.

Each piece is a chunk of cards in a transaction of its own. Who has waited for a card's lock reads it anew, so that two
processes, a second run or one that is ten days late come to the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.db import table_of
from app.outbox import service as outbox
from app.outbox.service import Lane
from app.tiers import ladder as ladders
from app.tiers import standings
from app.tiers.ladder import Ladder, Record
from app.tiers.models import CardStanding, TierPolicy
from app.webhooks import kinds
from app.webhooks import service as webhooks
from app.world import World

CHUNK = 200
CHUNKS_AT_ONCE = 600  # a run ends some time, and the next one goes on

SECOND = timedelta(seconds=1)

Judge = Callable[[Ladder, Record], Record]
_CARD = table_of(Card)
_STAND = (
    update(_CARD)
    .where(_CARD.c.id == bindparam("one"))
    .values(
        tier_id=bindparam("new_tier_id"),
        qualifying_minor=bindparam("new_metric"),
        version=bindparam("new_version"),
        modified_at=bindparam("new_modified_at"),
    )
)


def work(world: World, *, chunk: int = CHUNK) -> int:
    """Bring every card up to its programme's day; how many were looked at."""
    with world.database.reading() as session:
        programmes = list(session.scalars(select(Programme.id).order_by(Programme.id)))
    return sum(_work_on(world, one, chunk) for one in programmes)


def recalculate(session: Session, programme_id: int, *, now: datetime, chunk: int = CHUNK) -> int:
    """Judge the next cards anew under rules that were changed; 0 when all are, or somebody else is at it.

    Chunk and cursor commit together: a crash repeats nothing and skips nothing.
    """
    mine = select(TierPolicy).where(TierPolicy.programme_id == programme_id, TierPolicy.recalculated_to.is_not(None))
    policy = session.scalars(
        mine.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    ).one_or_none()
    if policy is None:
        return 0
    following = select(Card.id).where(Card.programme_id == programme_id, Card.id > policy.recalculated_to)
    ids = list(session.scalars(following.order_by(Card.id).limit(chunk)))
    policy.recalculated_to = ids[-1] if ids else None
    ladder = standings.ladder_of(session, programme_id)
    today = ladder.today(now)
    _judge(session, ladder, ids, lambda ladder, record: ladders.under_new_rules(ladder, record, today), now=now)
    return len(ids)


def follow_time(session: Session, programme_id: int, *, now: datetime, chunk: int = CHUNK) -> int:
    """Judge the next cards of which time has changed something; how many they were."""
    ladder = standings.ladder_of(session, programme_id)
    today = ladder.today(now)
    due = select(CardStanding.card_id).where(CardStanding.programme_id == programme_id, CardStanding.due_on <= today)
    ids = list(session.scalars(due.order_by(CardStanding.due_on, CardStanding.card_id).limit(chunk)))
    if ids:
        _judge(session, ladder, ids, lambda ladder, record: ladders.settled(ladder, record, today), now=now)
    return len(ids)


def _work_on(world: World, programme_id: int, chunk: int) -> int:
    done = 0
    for step in (recalculate, follow_time):
        for _time in range(CHUNKS_AT_ONCE):
            looked_at = world.database.transact(
                partial(step, programme_id=programme_id, now=world.clock(), chunk=chunk)
            )
            if not looked_at:
                break
            done += looked_at
    return done


def _judge(session: Session, ladder: Ladder, ids: Sequence[int], judge: Judge, *, now: datetime) -> None:
    """Lock the cards, read where they stand, and write and tell what is different."""
    query = select(Card).where(Card.id.in_(ids)).order_by(Card.id)
    held = {
        card.id: card
        for card in session.scalars(query.with_for_update(of=Card).execution_options(populate_existing=True))
    }
    before = standings.of_cards(session, ladder, list(held))
    after = {one: judge(ladder, record) for one, record in before.items()}
    changed = {one for one in held if after[one].differs(before[one])}
    if changed:
        programme_id = next(iter(held.values())).programme_id
        standings.write(session, ladder, programme_id, [(one, after[one]) for one in changed])
    today = ladder.today(now)
    faces = {one: _Face.of(ladder, record, today) for one, record in after.items()}
    differing = [card for one, card in held.items() if one in changed or not faces[one].stands_on(card)]
    _show(session, differing, faces, now=now)


@dataclass(frozen=True, kw_only=True)
class _Face:
    """What a card's own row says of its tier."""

    tier_id: int | None
    metric: int

    @classmethod
    def of(cls, ladder: Ladder, record: Record, today: date) -> "_Face":
        tier = ladders.shown(ladder, record, today)
        return cls(tier_id=tier.id if tier else None, metric=ladders.metric_of(ladder, record, today))

    def stands_on(self, card: Card) -> bool:
        return self == _Face(tier_id=card.tier_id, metric=card.qualifying_minor)


def _show(session: Session, differing: Sequence[Card], faces: Mapping[int, _Face], *, now: datetime) -> None:
    """Bring cards' own rows, and their phones, to what is true now. No phone is told of a card that is void.

    Whoever has another tier is told soon, and so are those who listen for it; the rest at the pace of bulk changes.
    """
    moved = {card.id for card in differing if card.tier_id != faces[card.id].tier_id}
    told = [card for card in differing if card.status == "active"]
    second = now.replace(microsecond=0)
    rows = [
        {
            "one": card.id,
            "new_tier_id": faces[card.id].tier_id,
            "new_metric": faces[card.id].metric,
            "new_version": card.version + (card in told),
            "new_modified_at": max(second, card.modified_at + SECOND) if card in told else card.modified_at,
        }
        for card in differing
    ]
    if rows:
        session.execute(_STAND, rows)
    for lane, mine in ((Lane.NORMAL, True), (Lane.BULK, False)):
        versions = [(card.id, card.version + 1) for card in told if (card.id in moved) is mine]
        outbox.raise_wants(session, versions, lane=lane, now_ms=milliseconds(now))
    if moved and webhooks.listens(session, kinds.CARD_UPDATED, differing[0].programme_id):
        for card in told:
            if card.id in moved:
                session.refresh(card)
                webhooks.announce(
                    session, programme_id=card.programme_id, kind=kinds.CARD_UPDATED, data={"status": card.status},
                    card=card, now=now,
                )  # fmt: skip
