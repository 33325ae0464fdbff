"""Who would move under other tiers: members are counted by the database in groups that move alike.

Card by card, a hundred thousand members took five seconds of processor; nearly all of them stand on one of a few dozen
combinations of tier, end, and place that the metric reaches.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Date, Integer, Select, Subquery, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.db import table_of
from app.earning.expiring import end_of_month
from app.tiers import ladder as ladders
from app.tiers import rules, standings
from app.tiers.ladder import METRICS, Ladder
from app.tiers.models import CardStanding, MetricMonth

CARD, STANDING, MONTH = table_of(Card), table_of(CardStanding), table_of(MetricMonth)
COLUMNS = (MONTH.c.spend_minor, MONTH.c.earned, MONTH.c.visits)
AT_ONCE = 2_000

Movers = Counter[tuple[int | None, int | None]]


def movers(session: Session, programme_id: int, ladder: Ladder, today: date) -> tuple[int, Movers]:
    """How many valid cards there are, and how many of them would go from which tier to which, by id."""
    members, moved = 0, Movers()
    places = _places(session, programme_id, ladder, today)
    columns = [column for column in places.c if column.name != "card_id"]
    for row in session.execute(select(*columns, func.count().label("cards")).group_by(*columns)):
        members += row.cards
        if (to := _after(ladder, row, today)) != row.shown:
            moved[row.shown, to] += row.cards
    late = _overdue(programme_id, today)
    last = 0
    while ids := session.execute(late.where(CARD.c.id > last).limit(AT_ONCE)).all():
        records = standings.of_cards(session, ladder, [row.id for row in ids])
        for row in ids:
            tier = ladders.shown(ladder, ladders.under_new_rules(ladder, records[row.id], today), today)
            if (to := tier.id if tier else None) != row.tier_id:
                moved[row.tier_id, to] += 1
        members, last = members + len(ids), ids[-1].id
    return members, moved


def _after(ladder: Ladder, row: Any, today: date) -> int | None:
    record = standings.record(ladder, row if row.stored else None, ())
    standing = ladders.judged_by_places(ladder, record.standing, row.reached, row.deserved, today)
    tier = ladder.tier(rules.shown(standing, record.grant, today))
    return tier.id if tier else None


def _places(session: Session, programme_id: int, ladder: Ladder, today: date) -> Subquery:
    """Each valid card whose tier has not ended, with the places that its metric reaches and speaks for."""
    policy, value = ladder.policy, COLUMNS[METRICS.index(ladder.policy.metric)]
    reached = _sum_between(value, *policy.months_of(today))
    deserved = reached
    if policy.strict:
        ends = session.scalars(
            select(STANDING.c.valid_to)
            .where(STANDING.c.programme_id == programme_id, STANDING.c.valid_to.is_not(None))
            .distinct()
        ).all()
        deserved = _best(reached, [(end, _sum_between(value, *_months_of_end(ladder, end))) for end in ends])
    stood = (
        STANDING.c.tier_id, STANDING.c.valid_to, STANDING.c.grace_to, STANDING.c.granted_tier_id, STANDING.c.granted_to,
    )  # fmt: skip
    return (
        select(
            CARD.c.id.label("card_id"), CARD.c.tier_id.label("shown"), STANDING.c.card_id.is_not(None).label("stored"),
            *stood, literal(None, Date()).label("due_on"), _place(ladder.thresholds, reached).label("reached"),
            _place(ladder.thresholds, deserved).label("deserved"),
        )
        .select_from(
            CARD.outerjoin(STANDING, STANDING.c.card_id == CARD.c.id).outerjoin(MONTH, MONTH.c.card_id == CARD.c.id)
        )
        .where(CARD.c.programme_id == programme_id, CARD.c.status == "active", ~_is_overdue(today))
        .group_by(CARD.c.id, CARD.c.tier_id, STANDING.c.card_id, *stood)
        .subquery()
    )  # fmt: skip


def _months_of_end(ladder: Ladder, end: date) -> tuple[date, date]:
    return ladder.policy.months_of(end_of_month(end, -ladder.policy.validity_months))


def _sum_between(value: Any, first: date, last: date) -> Any:
    inside = case((and_(MONTH.c.month >= first, MONTH.c.month <= last), value), else_=0)
    return func.coalesce(func.sum(inside), 0)


def _best(reached: Any, by_end: Sequence[tuple[date, Any]]) -> Any:
    """The greater of today's metric and that of the month which gave a card's tier its end."""
    if not by_end:
        return reached
    at_end = case(*((STANDING.c.valid_to == end, summed) for end, summed in by_end), else_=reached)
    return case((at_end > reached, at_end), else_=reached)


def _place(thresholds: Sequence[int], metric: Any) -> Any:
    """The place of a metric, which is never below zero, among the thresholds."""
    steps = [(metric >= threshold, literal(place, Integer)) for place, threshold in enumerate(thresholds) if threshold]
    everybody = sum(1 for threshold in thresholds if threshold == 0) - 1
    return case(*reversed(steps), else_=literal(everybody, Integer)) if steps else literal(everybody, Integer)


def _is_overdue(today: date) -> Any:
    """The tier has ended, or its grace, and the job has not come by yet; such cards are judged one by one."""
    return func.coalesce(or_(STANDING.c.grace_to < today, STANDING.c.valid_to < today), False)


def _overdue(programme_id: int, today: date) -> Select[Any]:
    return (
        select(CARD.c.id, CARD.c.tier_id)
        .select_from(CARD.join(STANDING, STANDING.c.card_id == CARD.c.id))
        .where(CARD.c.programme_id == programme_id, CARD.c.status == "active", _is_overdue(today))
        .order_by(CARD.c.id)
    )
