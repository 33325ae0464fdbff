"""What collecting comes to: little is missing to a reward, and a certain visit."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session, aliased

from app.campaigns.occasions import told
from app.campaigns.occasions.due import Asked, Due, Found
from app.cards.models import Card, Tier
from app.habits.models import CardDay, Habit
from app.ledger.held import POINTS
from app.ledger.models import Account, Entry
from app.likelihood import seldom
from app.rewards import catalogue
from app.rewards.models import Goal, Reward, Taking
from app.stamps import service as stamps
from app.stamps.models import StampCard

MILESTONE_WITHIN_DAYS = 3


class Target(NamedTuple):
    """Something to be reached: from `least` to `most` of `unit` little is missing. `tier_ids` None: for everybody.

    `goal`: for those alone who save for it.
    """

    key: str
    unit: str
    least: int
    most: int
    tier_ids: frozenset[int | None] | None = None
    goal: int | None = None


def milestone(session: Session, asked: Asked) -> Found:
    """Cards that have come to their Nth visit in the last days, once for ever. A return undoes a visit, not what was
    said about it; who was past it when the campaign began is told nothing."""
    visits = asked.trigger.whole("visits")
    first = max(asked.today - timedelta(days=MILESTONE_WITHIN_DAYS), asked.day_of(asked.since))
    recent = (
        select(func.coalesce(func.sum(CardDay.visits), 0))
        .where(CardDay.card_id == Habit.card_id, CardDay.day >= first)
        .scalar_subquery()
    )
    query = (
        select(Card.id)
        .join(Habit, Habit.card_id == Card.id)
        .where(
            *asked.cards,
            Habit.programme_id == asked.programme_id,
            Habit.last_at >= asked.midnight((asked.today - first).days),
            Habit.visits >= visits,
            Habit.visits - recent < visits,
            told.never(asked, f"visits:{visits}"),
        )
    )
    cards = list(session.scalars(query.order_by(Card.id).limit(asked.limit)))
    local = asked.local(asked.today)
    return asked.found([Due(card_id=one, occasion=f"visits:{visits}", local=local) for one in cards], cards)


def near_reward(session: Session, asked: Asked) -> Found:
    """Cards to which little is missing: to the stamp card's last stamp, to the reward they save for, or else to the
    next one that they can have. Each time anew, once the reward was taken."""
    targets = list(_targets(session, asked))
    if not targets:
        return Found(due=[])
    account = aliased(Account)
    query = (
        select(Card.id, account.unit, account.balance, Goal.reward_id, Card.tier_id)
        .join(account, and_(account.member_id == Card.member_id, account.role == "avail"))
        .outerjoin(Goal, Goal.card_id == Card.id)
        .where(*asked.audience, or_(*(_meets(one, account) for one in targets)))
    )
    some = select(query.where(Card.id > asked.after).subquery().c.id).distinct()
    cards = sorted(session.scalars(some.order_by("id").limit(asked.limit)))
    rows = session.execute(query.where(Card.id.in_(cards)).order_by(Card.id, account.unit)).all() if cards else []
    first: dict[int, Target] = {}
    for row in rows:
        first.setdefault(row.id, next(one for one in targets if _is_met(one, row)))
    rounds = _rounds(session, list(first.items()))
    said = told.of_cards(session, [asked.campaign_id], cards)
    due = []
    for card, target in first.items():
        occasion = f"near:{target.key}:{rounds.get((card, target.key), 0)}"
        if all(occasion != before for before, _at in said.get(card, ())):
            due.append(Due(card_id=card, occasion=occasion, local=asked.local(asked.today)))
    return asked.found(due, cards)


def _targets(session: Session, asked: Asked) -> Iterator[Target]:
    missing, percent = asked.trigger.whole("stamps"), asked.trigger.whole("percent")
    for card in stamps.of_programme(session, asked.programme_id):
        if stamps.is_live(card, asked.now):
            yield Target(key=card.public_id, unit=card.unit, least=max(1, card.size - missing), most=card.size - 1)
    rewards = [one for one in catalogue.for_points(session, asked.programme_id) if _can_be_had(one, asked)]
    for one in rewards:
        yield Target(one.public_id, POINTS, one.points - one.points * percent // 100, one.points - 1, goal=one.id)
    tiers = [None, *session.scalars(select(Tier.id).where(Tier.programme_id == asked.programme_id))]
    for tier_id in tiers:
        before = 0
        for one in (each for each in rewards if not each.tiers or tier_id in each.tiers):
            least = max(before, one.points - one.points * percent // 100)
            yield Target(one.public_id, POINTS, least, one.points - 1, tier_ids=frozenset({tier_id}))
            before = one.points


def _can_be_had(reward: Reward, asked: Asked) -> bool:
    return (
        not reward.flexible
        and reward.points > 0
        and reward.unit == POINTS
        and (reward.stock is None or reward.stock > 0)
        and (reward.starts_at is None or reward.starts_at <= asked.now)
        and (reward.ends_at is None or reward.ends_at > asked.now)
    )


def _meets(target: Target, account: type[Account]) -> ColumnElement[bool]:
    wanted = [account.unit == target.unit, account.balance >= target.least, account.balance <= target.most]
    if target.goal is not None:
        wanted.append(Goal.reward_id == target.goal)
    elif target.tier_ids is not None:
        ids = [one for one in target.tier_ids if one is not None]
        wanted.append(Goal.reward_id.is_(None))
        wanted.append(Card.tier_id.in_(ids) if ids else Card.tier_id.is_(None))
    return and_(*wanted)


def _is_met(target: Target, row: Any) -> bool:
    unit, balance, goal = row.unit, row.balance, row.reward_id
    if unit != target.unit or not target.least <= balance <= target.most:
        return False
    if target.goal is not None:
        return bool(goal == target.goal)
    return target.tier_ids is None or (goal is None and row.tier_id in target.tier_ids)


def _rounds(session: Session, found: Sequence[tuple[int, Target]]) -> dict[tuple[int, str], int]:
    """How often each card has had what it is near to, not counting what was undone."""
    counted: dict[tuple[int, str], int] = {}
    of_points = [card for card, target in found if target.unit == POINTS]
    of_stamps = [card for card, target in found if target.unit != POINTS]
    taken = (
        select(Taking.card_id, Reward.public_id, func.count())
        .join(Reward, Reward.id == Taking.reward_id)
        .where(Taking.card_id.in_(of_points), Taking.state.in_(("held", "taken", "waiting")))
        .group_by(Taking.card_id, Reward.public_id)
    )
    undone = aliased(Entry)
    filled = (
        select(Entry.card_id, StampCard.public_id, func.count())
        .join(StampCard, Entry.unit == "voucher:" + StampCard.public_id)
        .where(
            Entry.card_id.in_(of_stamps), Entry.points > 0, Entry.reverses_id.is_(None),
            ~exists(literal_column("1")).where(seldom(undone.reverses_id == Entry.id)),
        )
        .group_by(Entry.card_id, StampCard.public_id)
    )  # fmt: skip
    for some, query in ((of_points, taken), (of_stamps, filled)):
        for card, key, number in session.execute(query) if some else ():
            counted[card, key] = number
    return counted
