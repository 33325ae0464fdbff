"""What the personal fields of a message say for each card: read for many at once, and only the fields that are used."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n, localtime, money
from app.campaigns import bulk, texts
from app.cards import people
from app.cards.models import Card, Member, Programme, Store, Tier
from app.db import table_of
from app.habits.models import Habit
from app.ledger import expiry
from app.ledger.models import Account
from app.rewards import catalogue
from app.tiers import ladder as ladders
from app.tiers import standings
from app.tiers.rules import Metric

Numbers = dict[int, dict[str, Any]]
NEED_BALANCE = frozenset({"points", "points_to_reward", "reward"})
NEED_LOTS = frozenset({"expiring_points", "expires_on"})
NEED_HABIT = frozenset({"visits", "store"})
NEED_STANDING = frozenset({"to_keep_tier", "tier_until"})


def numbers(
    session: Session, programme: Programme, card_ids: Sequence[int], fields: Collection[str], *, now: datetime
) -> Numbers:
    """The values of these fields by card; one that says nothing for a card is not there.

    A first name is among them to be looked at, and is not to be kept (`kept`): cards draw it from the person.
    """
    found: Numbers = {one: {} for one in card_ids}
    wanted = frozenset(fields)
    if not wanted or not card_ids:
        return found
    facts = session.execute(_facts(session, card_ids)).all()
    _names(session, facts, wanted, found)
    _tiers(session, facts, wanted, found)
    _balances(session, programme, facts, wanted, found, now)
    if wanted & NEED_LOTS:
        _lots(session, programme, card_ids, found)
    if wanted & NEED_HABIT:
        _habits(session, card_ids, found)
    if wanted & NEED_STANDING:
        _standings(session, programme, facts, found, now)
    return {card: {name: value for name, value in own.items() if name in wanted} for card, own in found.items()}


def kept(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of a card's values is frozen with its message: nothing that names a person."""
    return {name: value for name, value in values.items() if name != texts.FIRST_NAME}


def _facts(session: Session, card_ids: Sequence[int]) -> Any:
    return (
        select(Card.id, Card.member_id, Card.tier_id, Member.sealed, Member.language)
        .join(Member, Member.id == Card.member_id)
        .where(Card.id.in_(bulk.these(session, card_ids)))
    )


def _names(session: Session, facts: Sequence[Any], wanted: frozenset[str], found: Numbers) -> None:
    if texts.FIRST_NAME in wanted:
        vault = session.info["vault"]
        for row in facts:
            if name := texts.first_name(people.opened(vault, row.sealed).name):
                found[row.id][texts.FIRST_NAME] = name


def _tiers(session: Session, facts: Sequence[Any], wanted: frozenset[str], found: Numbers) -> None:
    if "tier" not in wanted:
        return
    tiers = {tier.id: tier for tier in session.scalars(select(Tier).where(Tier.id.in_({row.tier_id for row in facts})))}
    for row in facts:
        if (tier := tiers.get(row.tier_id)) is not None:
            found[row.id]["tier"] = tier.texts.get(i18n.nearest(row.language)) or tier.name


def _balances(
    session: Session,
    programme: Programme,
    facts: Sequence[Any],
    wanted: frozenset[str],
    found: Numbers,
    now: datetime,
) -> None:
    """Points, and the cheapest reward that they do not buy yet."""
    if not wanted & NEED_BALANCE:
        return
    query = select(Account.member_id, Account.balance).where(
        Account.member_id.in_(bulk.these(session, [row.member_id for row in facts])),
        Account.role == "avail",
        Account.unit == "points",
    )
    points: dict[int | None, int] = {row.member_id: row.balance or 0 for row in session.execute(query)}
    rewards = [one for one in catalogue.for_points(session, programme.id) if one.ends_at is None or one.ends_at > now]
    for row in facts:
        has = points.get(row.member_id, 0)
        found[row.id]["points"] = has
        following = next((one for one in rewards if one.points > has), None)
        if following is not None:
            found[row.id]["points_to_reward"] = following.points - has
            found[row.id]["reward"] = catalogue.name_in(following, row.language)


def _lots(session: Session, programme: Programme, card_ids: Sequence[int], found: Numbers) -> None:
    """The points that end first, and the last local day on which they can be used."""
    query = (
        select(Card.id, expiry.soonest(table_of(Account).c.id).label("soonest"))
        .join(Account, (Account.member_id == Card.member_id) & (Account.role == "avail") & (Account.unit == "points"))
        .where(Card.id.in_(bulk.these(session, card_ids)))
    )
    for card_id, told in session.execute(query):
        step = expiry.from_text(told)
        if step is not None:
            last = localtime.wall_clock(step.at - timedelta(milliseconds=1), programme.timezone).date()
            found[card_id] |= {"expiring_points": step.units, "expires_on": last.isoformat()}


def _habits(session: Session, card_ids: Sequence[int], found: Numbers) -> None:
    query = (
        select(Habit.card_id, Habit.visits, Store.name)
        .outerjoin(Store, Store.id == Habit.store_id)
        .where(Habit.card_id.in_(bulk.these(session, card_ids)))
    )
    for card_id, visits, store in session.execute(query):
        found[card_id]["visits"] = visits
        if store:
            found[card_id]["store"] = store


def _standings(session: Session, programme: Programme, facts: Sequence[Any], found: Numbers, now: datetime) -> None:
    """What is missing to keep the tier, and the last day for it; nothing, where nothing is missing."""
    ladder = standings.ladder_of(session, programme.id)
    today = ladder.today(now)
    records = standings.of_cards(session, ladder, [row.id for row in facts])
    for row in facts:
        missing = ladders.projected(ladder, ladders.settled(ladder, records[row.id], today), today)
        if missing.to_keep and missing.keep_by is not None:
            is_money = ladder.policy.metric is Metric.SPEND
            amount = money.shown(missing.to_keep, programme.currency, i18n.nearest(row.language))
            found[row.id]["to_keep_tier"] = amount if is_money else missing.to_keep
            found[row.id]["tier_until"] = missing.keep_by.isoformat()
