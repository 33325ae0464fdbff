"""How questions about a member and their card are answered."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, func, not_, or_, select, true
from sqlalchemy.orm import aliased

from app import localtime
from app.cards import birthdays
from app.cards.models import Card, Consent, Installation, Member, Store
from app.habits.models import Habit
from app.ledger.models import Account, Lot
from app.segments.asking import (
    POINTS,
    Asking,
    Condition,
    compare,
    days_ago,
    habit_s,
    matched,
    member_s,
    number_of,
    some,
)
from app.segments.rules import Leaf

NONE = "none"
SURVEY = "survey."


def tier(leaf: Leaf, _asking: Asking) -> Condition:
    ids = [int(value[5:]) for value in leaf.values if value.startswith("tier_") and value[5:].isdigit()]
    found = and_(Card.tier_id.is_not(None), Card.tier_id.in_(ids))
    return matched(leaf, or_(found, Card.tier_id.is_(None)) if NONE in leaf.values else found)


def own_tier(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return case((Card.tier_id.is_(None), NONE), else_="tier_" + cast(Card.tier_id, Text))


def language(leaf: Leaf, asking: Asking) -> Condition:
    spoken = func.lower(func.substr(Member.language, 1, 2)).in_(leaf.values)
    # the plain comparison is there for PostgreSQL's guess of how many it finds
    return matched(leaf, asking.member_has(or_(Member.language.in_(leaf.values), spoken)))


def own_language(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return member_s(Member.language)


def joined(leaf: Leaf, asking: Asking) -> Condition:
    start = localtime.start_of_day(date.fromisoformat(leaf.value), asking.timezone)
    return Card.created_at >= start if leaf.op == "from" else Card.created_at < start


def own_joined(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return Card.created_at  # type: ignore[return-value]  # a column is its own expression


def member_for(leaf: Leaf, asking: Asking) -> Condition:
    return days_ago(Card.created_at, leaf, asking)


def source(leaf: Leaf, asking: Asking) -> Condition:
    kinds = [Member.source.startswith("poster:")] if "poster" in leaf.values else []
    return matched(leaf, asking.member_has(or_(Member.source.in_(leaf.values), *kinds)))


def own_source(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return member_s(Member.source)


def attribute(leaf: Leaf, asking: Asking) -> Condition:
    return _attribute(leaf, asking, leaf.name)


def own_attribute(leaf: Leaf, asking: Asking) -> ColumnElement[Any]:
    return member_s(_said(leaf.name, asking))


def survey(leaf: Leaf, asking: Asking) -> Condition:
    return _attribute(leaf, asking, SURVEY + leaf.name)


def own_survey(leaf: Leaf, asking: Asking) -> ColumnElement[Any]:
    return member_s(_said(SURVEY + leaf.name, asking))


def _attribute(leaf: Leaf, asking: Asking, name: str) -> Condition:
    return matched(leaf, asking.member_has(func.coalesce(_said(name, asking), "").in_(leaf.values)))


def _said(name: str, asking: Asking) -> ColumnElement[Any]:
    """An attribute as text: numbers as they are written, a yes or no as "true" or "false"."""
    text = cast(Member.attributes[name].as_string(), Text)
    if asking.session.get_bind().dialect.name == "postgresql":
        return text
    kind = func.json_type(Member.attributes, f'$."{name}"')  # SQLite takes true and false out as 1 and 0
    return case((kind.in_(("true", "false")), kind), else_=text)


def consent(leaf: Leaf, asking: Asking) -> Condition:
    purpose, _, channel = leaf.value.partition(".")
    if (purpose, channel) == ("marketing", "wallet"):
        return matched(leaf, asking.member_has(Member.marketing_consent == true()))
    newer = aliased(Consent)
    same = (Consent.member_id == Card.member_id, Consent.purpose == purpose, Consent.channel == channel)
    after = select(1).where(
        newer.member_id == Consent.member_id, newer.purpose == purpose, newer.channel == channel,
        newer.id > Consent.id,
    )  # fmt: skip
    newest = select(1).where(*same, Consent.granted.is_(true()), not_(exists(after.correlate(Consent))))
    return matched(leaf, some(newest))


def wallet(leaf: Leaf, _asking: Asking) -> Condition:
    here = select(1).where(Installation.card_id == Card.id, Installation.gone_at.is_(None))
    named = [value for value in leaf.values if value not in ("any", NONE)]
    meant = [some(here.where(Installation.wallet.in_(named)))] if named else []
    meant += [some(here)] if "any" in leaf.values else []
    meant += [not_(some(here))] if NONE in leaf.values else []
    return matched(leaf, or_(*meant))


def own_wallet(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    here = select(func.count()).where(Installation.card_id == Card.id, Installation.gone_at.is_(None))
    first = select(func.min(Installation.wallet)).where(Installation.card_id == Card.id, Installation.gone_at.is_(None))
    held = here.correlate(Card).scalar_subquery()
    return case((held == 0, NONE), (held > 1, "any"), else_=first.correlate(Card).scalar_subquery())


def balance(leaf: Leaf, asking: Asking) -> Condition:
    return number_of(asking.points_have, POINTS.balance, leaf)


def own_balance(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return _own_units("points")


def stamps(leaf: Leaf, _asking: Asking) -> Condition:
    """An account is opened with its first unit: who has none, has 0."""

    def has(*conditions: Condition) -> Condition:
        return some(select(1).select_from(Account).where(*_account(f"stamp:{leaf.name}"), *conditions))

    return number_of(has, Account.balance, leaf)


def own_stamps(leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return _own_units(f"stamp:{leaf.name}")


def _account(unit: str) -> tuple[Condition, ...]:
    return Account.member_id == Card.member_id, Account.role == "avail", Account.unit == unit


def _own_units(unit: str) -> ColumnElement[Any]:
    found = select(Account.balance).where(*_account(unit)).correlate(Card).scalar_subquery()
    return func.coalesce(found, 0)


def points_expiring(leaf: Leaf, asking: Asking) -> Condition:
    return compare(own_points_expiring(leaf, asking), leaf)


def own_points_expiring(leaf: Leaf, asking: Asking) -> ColumnElement[Any]:
    """Points that are gone by the end of the day in so many days."""
    until = asking.start_of(-leaf.days - 1)
    left = (
        select(func.sum(Lot.remaining))
        .select_from(Account)
        .join(Lot, Lot.account_id == Account.id)
        .where(*_account("points"), Lot.remaining > 0, Lot.expires_at.is_not(None), Lot.expires_at <= until)
    )
    return func.coalesce(left.correlate(Card).scalar_subquery(), 0)


def birthday(leaf: Leaf, asking: Asking) -> Condition:
    """Today or within so many days. Days are looked up by their digests; 29 February is kept on the 28th."""
    days = [asking.today + timedelta(days=offset) for offset in range(leaf.days + 1)]
    digests = list(birthdays.digests_of(asking.session, asking.programme_id, days))
    return matched(leaf, asking.member_has(Member.birthday_index.in_(digests)))


def home_store(leaf: Leaf, asking: Asking) -> Condition:
    stores = select(Store.id).where(Store.public_id.in_(leaf.values)).scalar_subquery()
    return matched(leaf, asking.member_has(Member.home_store_id.in_(stores)))


def own_home_store(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    return member_s(select(Store.public_id).where(Store.id == Member.home_store_id).scalar_subquery())


def region(leaf: Leaf, asking: Asking) -> Condition:
    """That of the store used most, or else of the home store."""
    stores = select(Store.id).where(Store.region.in_(leaf.values))
    used = select(1).select_from(Habit).where(Habit.card_id == Card.id, Habit.store_id.is_not(None))
    by_use = some(used.where(Habit.store_id.in_(stores)))
    by_home = asking.member_has(Member.home_store_id.in_(stores))
    return matched(leaf, or_(by_use, and_(not_(some(used)), by_home)))


def own_region(_leaf: Leaf, _asking: Asking) -> ColumnElement[Any]:
    home = member_s(Member.home_store_id)
    return (
        select(Store.region)
        .where(Store.id == func.coalesce(habit_s(Habit.store_id), home))
        .correlate(Card)
        .scalar_subquery()
    )
