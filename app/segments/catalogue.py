"""Every question with how it is answered: one condition on cards, and the card's own value for saying why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_, true

from app.habits.models import Habit
from app.segments import buying, people
from app.segments.asking import Asking, Condition
from app.segments.rules import Leaf, Not, Rule

Own = Callable[[Leaf, Asking], ColumnElement[Any]]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """`condition` is never NULL. Without `own`, all there is to say of a card is whether it holds."""

    condition: Callable[[Leaf, Asking], Condition]
    own: Own | None = None


FACTS: Mapping[str, Fact] = {
    "visits": Fact(condition=buying.visits, own=buying.own_visits),
    "spend": Fact(condition=buying.spend, own=buying.own_spend),
    "last_visit": Fact(condition=buying.last_visit, own=buying.own_last_visit),
    "first_purchase": Fact(condition=buying.first_purchase, own=buying.own_first_purchase),
    "active": Fact(condition=buying.active, own=buying.own_last_visit),
    "lapsed": Fact(condition=buying.lapsed, own=buying.own_last_visit),
    "recency": Fact(condition=buying.score(Habit.recency), own=buying.own_habit(Habit.recency)),
    "frequency": Fact(condition=buying.score(Habit.frequency), own=buying.own_habit(Habit.frequency)),
    "monetary": Fact(condition=buying.score(Habit.monetary), own=buying.own_habit(Habit.monetary)),
    "favourite_product": Fact(condition=buying.habitual(Habit.product), own=buying.own_habit(Habit.product)),
    "favourite_category": Fact(condition=buying.habitual(Habit.category), own=buying.own_habit(Habit.category)),
    "bought_product": Fact(condition=buying.last_time("product"), own=buying.own_last_time("product")),
    "bought_category": Fact(condition=buying.last_time("category"), own=buying.own_last_time("category")),
    "event": Fact(condition=buying.last_time("event"), own=buying.own_last_time("event")),
    "favourite_store": Fact(condition=buying.favourite_store, own=buying.own_favourite_store),
    "store_used": Fact(condition=buying.store_used),
    "home_store": Fact(condition=people.home_store, own=people.own_home_store),
    "region": Fact(condition=people.region, own=people.own_region),
    "tier": Fact(condition=people.tier, own=people.own_tier),
    "balance": Fact(condition=people.balance, own=people.own_balance),
    "points_expiring": Fact(condition=people.points_expiring, own=people.own_points_expiring),
    "stamps": Fact(condition=people.stamps, own=people.own_stamps),
    "wallet": Fact(condition=people.wallet, own=people.own_wallet),
    "offer_used": Fact(condition=buying.offer_used),
    "reward_taken": Fact(condition=buying.reward_taken),
    "campaign": Fact(condition=buying.campaign),
    "club": Fact(condition=buying.club),
    "language": Fact(condition=people.language, own=people.own_language),
    "joined": Fact(condition=people.joined, own=people.own_joined),
    "member_for": Fact(condition=people.member_for, own=people.own_joined),
    "source": Fact(condition=people.source, own=people.own_source),
    "birthday": Fact(condition=people.birthday),
    "consent": Fact(condition=people.consent),
    "attribute": Fact(condition=people.attribute, own=people.own_attribute),
    "survey": Fact(condition=people.survey, own=people.own_survey),
}


def condition(rule: Rule, asking: Asking) -> Condition:
    """A rule as one condition on `Card`, with its values bound; never NULL."""
    if isinstance(rule, Leaf):
        return FACTS[rule.fact].condition(rule, asking)
    if isinstance(rule, Not):
        return _opposite(rule.part, asking)
    parts = [condition(part, asking) for part in rule.parts]
    if not parts:
        return true()
    return and_(*parts) if rule.how == "all" else or_(*parts)


def _opposite(rule: Rule, asking: Asking) -> Condition:
    """What a "not" is before: part by part, since PostgreSQL joins what is absent only where it stands by itself."""
    if isinstance(rule, Not):
        return condition(rule.part, asking)
    if isinstance(rule, Leaf) or not rule.parts:
        return not_(condition(rule, asking))
    parts = [_opposite(part, asking) for part in rule.parts]
    return or_(*parts) if rule.how == "all" else and_(*parts)


def own(leaf: Leaf, asking: Asking) -> ColumnElement[Any] | None:
    """What a card itself has to say to a question, as a column."""
    answer = FACTS[leaf.fact].own
    return answer(leaf, asking) if answer is not None else None
