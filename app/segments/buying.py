"""How questions about what a member bought, did and was given are answered."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, cast, func, literal, not_, or_, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from app.cards.models import Card, Store
from app.clock import milliseconds
from app.habits.models import CardDay, Habit, LastTime
from app.habits.windows import ACTIVE_DAYS
from app.segments.asking import (
    Asking,
    Condition,
    compare,
    days_ago,
    habit_s,
    holds,
    matched,
    number_of,
    some,
)
from app.segments.outside import (
    CAMPAIGN,
    CAMPAIGN_RUN,
    CLUB,
    CLUB_MEMBERSHIP,
    OFFER,
    RECIPIENT,
    REDEMPTION,
    REWARD,
    TAKING,
)
from app.segments.rules import Leaf

DAY_MS = 86_400_000
YEAR_DAYS = 365


def visits(leaf: Leaf, asking: Asking) -> Condition:
    return _summed(CardDay.visits, Habit.visits, Habit.visits_365, leaf, asking)


def own_visits(leaf: Leaf, asking: Asking) -> ColumnElement[Any]:
    return _own_sum(CardDay.visits, Habit.visits, leaf, asking)


def spend(leaf: Leaf, asking: Asking) -> Condition:
    return _summed(CardDay.spend_minor, Habit.spend_minor, Habit.spend_365_minor, leaf, asking)


def own_spend(leaf: Leaf, asking: Asking) -> ColumnElement[Any]:
    return _own_sum(CardDay.spend_minor, Habit.spend_minor, leaf, asking)


def _summed(
    column: InstrumentedAttribute[int], ever: InstrumentedAttribute[int], year: InstrumentedAttribute[int],
    leaf: Leaf, asking: Asking,
) -> Condition:  # fmt: skip
    """The sum of the last days. Who bought nothing since then is told by one look at the habit, without their days."""
    if not leaf.days:
        return number_of(asking.habit_has, ever, leaf)
    if asking.session.get_bind().dialect.name == "postgresql":
        return _in_groups(column, leaf, asking)
    bought = asking.habit_has(Habit.last_at >= asking.since(leaf.days))
    fits = compare(_own_sum(column, ever, leaf, asking), leaf)
    enough = (
        [asking.habit_has(year >= leaf.number)] if leaf.op in {"at_least", "is"} and leaf.days <= YEAR_DAYS - 1 else []
    )
    if holds(leaf.op, 0, leaf.number):
        return or_(~bought, fits)
    return and_(bought, *enough, fits)


def _in_groups(column: InstrumentedAttribute[int], leaf: Leaf, asking: Asking) -> Condition:
    """The same by the sums of all cards, which PostgreSQL joins at once; one by one, a million took it too long."""
    zero_fits = holds(leaf.op, 0, leaf.number)
    fits = compare(func.sum(column), leaf)
    sums = (
        select(CardDay.card_id)
        .where(CardDay.programme_id == asking.programme_id, CardDay.day >= asking.first_day(leaf.days))
        .group_by(CardDay.card_id)
        .having(not_(fits) if zero_fits else fits)
        .subquery()
    )
    found = some(select(1).select_from(sums).where(sums.c.card_id == Card.id))
    return not_(found) if zero_fits else found


def _own_sum(
    column: InstrumentedAttribute[int], ever: InstrumentedAttribute[int], leaf: Leaf, asking: Asking
) -> ColumnElement[Any]:
    if not leaf.days:
        return func.coalesce(habit_s(ever), 0)
    total = select(func.sum(column)).where(CardDay.card_id == Card.id, CardDay.day >= asking.first_day(leaf.days))
    return func.coalesce(total.correlate(Card).scalar_subquery(), 0)


def last_visit(leaf: Leaf, asking: Asking) -> Condition:
    return asking.habit_has(days_ago(Habit.last_at, leaf, asking))


def own_last_visit(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return habit_s(Habit.last_at)


def first_purchase(leaf: Leaf, asking: Asking) -> Condition:
    return asking.habit_has(days_ago(Habit.first_at, leaf, asking))


def own_first_purchase(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return habit_s(Habit.first_at)


def active(leaf: Leaf, asking: Asking) -> Condition:
    return matched(leaf, asking.habit_has(Habit.last_at >= asking.since(ACTIVE_DAYS)))


def lapsed(leaf: Leaf, asking: Asking) -> Condition:
    """Bought, and for twice their usual gap no more; without a usual gap, for longer than an active member does."""
    two_gaps_ms = cast(Habit.median_gap_days, BigInteger) * literal(2 * DAY_MS, BigInteger)
    usual_ms = func.coalesce(two_gaps_ms, ACTIVE_DAYS * DAY_MS)
    last_ms = type_coerce(Habit.last_at, BigInteger)
    over = last_ms + usual_ms < literal(milliseconds(asking.now), BigInteger)
    return matched(leaf, asking.habit_has(over))


def score(column: InstrumentedAttribute[int | None]) -> Any:
    """A question about one of the three scores; who bought nothing in a year has none, and fits no number."""

    def condition(leaf: Leaf, asking: Asking) -> Condition:
        return asking.habit_has(compare(column, leaf))

    return condition


def habitual(column: InstrumentedAttribute[str]) -> Any:
    """A question about the product or the category that is bought most often."""

    def condition(leaf: Leaf, asking: Asking) -> Condition:
        return matched(leaf, asking.habit_has(column.in_(leaf.values)))

    return condition


def own_habit(column: Any) -> Any:
    """The habit's column as it is."""

    def own(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
        return habit_s(column)

    return own


def last_time(sort: str) -> Any:
    """Whether a product, something of a category or an event came up in the last days."""

    def condition(leaf: Leaf, asking: Asking) -> Condition:
        found = _last_time(sort, leaf, asking)
        if leaf.days:
            found = found.where(LastTime.last_on >= asking.first_day(leaf.days))
        return matched(leaf, some(found))

    return condition


def own_last_time(sort: str) -> Any:
    """The day on which it came up last."""

    def own(leaf: Leaf, asking: Asking) -> ColumnElement[Any]:
        query: Select[Any] = _last_time(sort, leaf, asking).with_only_columns(LastTime.last_on)
        return query.correlate(Card).scalar_subquery()

    return own


def _last_time(sort: str, leaf: Leaf, asking: Asking) -> Select[Any]:
    return select(LastTime.card_id).where(
        LastTime.programme_id == asking.programme_id, LastTime.sort == sort, LastTime.name == leaf.value,
        LastTime.card_id == Card.id,
    )  # fmt: skip


def favourite_store(leaf: Leaf, asking: Asking) -> Condition:
    stores = select(Store.id).where(Store.public_id.in_(leaf.values))
    return matched(leaf, asking.habit_has(Habit.store_id.in_(stores)))


def own_favourite_store(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return habit_s(select(Store.public_id).where(Store.id == Habit.store_id).scalar_subquery())


def store_used(leaf: Leaf, asking: Asking) -> Condition:
    store = select(Store.id).where(Store.public_id == leaf.value).scalar_subquery()
    used = select(1).where(CardDay.card_id == Card.id, CardDay.store_id == store, CardDay.visits > 0)
    return matched(leaf, some(used.where(CardDay.day >= asking.first_day(leaf.days)) if leaf.days else used))


def offer_used(leaf: Leaf, asking: Asking) -> Condition:
    used = select(1).select_from(REDEMPTION).where(
        REDEMPTION.c.card_id == Card.id, REDEMPTION.c.reversed_at.is_(None)
    )  # fmt: skip
    if leaf.value:
        offer = select(OFFER.c.id).where(OFFER.c.public_id == leaf.value).scalar_subquery()
        used = used.where(REDEMPTION.c.offer_id == offer)
    return matched(leaf, some(used.where(REDEMPTION.c.at >= asking.since(leaf.days)) if leaf.days else used))


def reward_taken(leaf: Leaf, asking: Asking) -> Condition:
    taken = select(1).select_from(TAKING).where(TAKING.c.card_id == Card.id, TAKING.c.state.in_(("taken", "waiting")))
    if leaf.value:
        reward = select(REWARD.c.id).where(REWARD.c.public_id == leaf.value).scalar_subquery()
        taken = taken.where(TAKING.c.reward_id == reward)
    return matched(leaf, some(taken.where(TAKING.c.created_at >= asking.since(leaf.days)) if leaf.days else taken))


def campaign(leaf: Leaf, asking: Asking) -> Condition:
    """Whether one was sent to the card."""
    told = select(1).select_from(RECIPIENT).where(RECIPIENT.c.card_id == Card.id, RECIPIENT.c.state == "sent")
    if leaf.value:
        runs = (
            select(CAMPAIGN_RUN.c.id)
            .join(CAMPAIGN, CAMPAIGN.c.id == CAMPAIGN_RUN.c.campaign_id)
            .where(CAMPAIGN.c.public_id == leaf.value)
        )
        told = told.where(RECIPIENT.c.run_id.in_(runs))
    return matched(leaf, some(told.where(RECIPIENT.c.at >= asking.since(leaf.days)) if leaf.days else told))


def club(leaf: Leaf, asking: Asking) -> Condition:
    which = select(CLUB.c.id).where(CLUB.c.programme_id == asking.programme_id, CLUB.c.slug == leaf.value)
    running = select(1).select_from(CLUB_MEMBERSHIP).where(
        CLUB_MEMBERSHIP.c.member_id == Card.member_id, CLUB_MEMBERSHIP.c.club_id == which.scalar_subquery(),
        CLUB_MEMBERSHIP.c.starts_at <= asking.now, CLUB_MEMBERSHIP.c.ends_at > asking.now,
    )  # fmt: skip
    return matched(leaf, some(running))
