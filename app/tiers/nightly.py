"""What time and changed rules do to tiers: renewed, in grace, lost; and what no longer counts is taken off the metric.

Each piece is a chunk of cards in a transaction of its own. Who has waited for a card's lock reads it anew, so that two
processes, a second run or one that is ten days late come to the same.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card, Programme
from app.outbox.service import Lane
from app.tiers import ladder as ladders
from app.tiers import standings
from app.tiers.ladder import Ladder, Record
from app.tiers.models import CardStanding, TierPolicy
from app.world import World

CHUNK = 200
CHUNKS_AT_ONCE = 600  # a run ends some time, and the next one goes on

Judge = Callable[[Ladder, Record], Record]


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
    changed = [one for one in held if after[one].differs(before[one])]
    for one, card in held.items():
        _show(session, ladder, card, after[one], told=one in changed, now=now)
    if changed:
        standings.write(session, ladder, next(iter(held.values())).programme_id, [(one, after[one]) for one in changed])


def _show(session: Session, ladder: Ladder, card: Card, record: Record, *, told: bool, now: datetime) -> None:
    """Bring a card's own row, and its phones, to what the record says. Nobody is told of a card that is void."""
    today = ladder.today(now)
    tier = ladders.shown(ladder, record, today)
    tier_id, metric = tier.id if tier else None, ladders.metric_of(ladder, record, today)
    moved = tier_id != card.tier_id
    if moved or metric != card.qualifying_minor:
        told = True
        session.execute(
            update(Card)
            .where(Card.id == card.id)
            .values(tier_id=tier_id, qualifying_minor=metric)
            .execution_options(synchronize_session=False)
        )
    if told and card.status == "active":
        cards.touch(session, card, lane=Lane.NORMAL if moved else Lane.BULK, now=now)
