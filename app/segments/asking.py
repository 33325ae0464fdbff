"""As of when a rule is asked, of which programme; and how an answer is compared."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, literal, not_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import localtime
from app.cards.models import Card, Member, Programme
from app.habits.models import Habit
from app.segments.rules import Leaf

Condition = ColumnElement[bool]
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "at_least": operator.ge, "at_most": operator.le, "is": operator.eq, "is_not": operator.ne,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Asking:
    """The programme and the moment. Days are those of the programme's calendar; the last 30 end with today."""

    session: Session
    programme_id: int
    timezone: str
    currency: str
    now: datetime

    @classmethod
    def of(cls, session: Session, programme_id: int, now: datetime) -> "Asking":
        """As of *now*."""
        row = session.execute(select(Programme.timezone, Programme.currency).where(Programme.id == programme_id)).one()
        return cls(session=session, programme_id=programme_id, timezone=row.timezone, currency=row.currency, now=now)

    @cached_property
    def today(self) -> date:
        """The programme's day."""
        return localtime.wall_clock(self.now, self.timezone).date()

    def first_day(self, days: int) -> date:
        """The first of the last so many days."""
        return self.today - timedelta(days=days - 1)

    def since(self, days: int) -> datetime:
        """When the last so many days began."""
        return localtime.start_of_day(self.first_day(days), self.timezone)

    def start_of(self, days_ago: int) -> datetime:
        """When the day so many days ago began."""
        return localtime.start_of_day(self.today - timedelta(days=days_ago), self.timezone)


def compare(found: Any, leaf: Leaf) -> Condition:
    """A number that is never NULL against the rule's."""
    compared: Condition = _COMPARE[leaf.op](found, leaf.number)
    return compared


def holds(op: str, value: int, number: int) -> bool:
    """Whether a number fits."""
    return bool(_COMPARE[op](value, number))


def matched(leaf: Leaf, found: Condition) -> Condition:
    """A condition that is never NULL, or its opposite where the rule says so."""
    return not_(found) if leaf.op in {"no", "is_not"} else found


def member_has(*conditions: Condition) -> Condition:
    """Whether the card's member fulfils this."""
    return exists(select(1).select_from(Member).where(Member.id == Card.member_id, *conditions).correlate(Card))


def member_s(column: Any) -> ColumnElement[Any]:
    """A column of the card's member, for showing it."""
    return select(column).where(Member.id == Card.member_id).correlate(Card).scalar_subquery()


def habit_has(*conditions: Condition) -> Condition:
    """Whether the card's habit fulfils this; a card that never bought has none."""
    return exists(select(1).select_from(Habit).where(Habit.card_id == Card.id, *conditions).correlate(Card))


def habit_s(column: Any) -> ColumnElement[Any]:
    """A column of the card's habit, for showing it."""
    return select(column).where(Habit.card_id == Card.id).correlate(Card).scalar_subquery()


def habit_number(column: InstrumentedAttribute[Any], leaf: Leaf) -> Condition:
    """A number of the card's habit, which is 0 for a card without one."""
    if holds(leaf.op, 0, leaf.number):
        return not_(habit_has(not_(compare(column, leaf))))
    return habit_has(compare(column, leaf))


def days_ago(column: Any, leaf: Leaf, asking: Asking) -> Condition:
    """An instant so many days ago, by the calendar; not for who has none. NULL where the column is."""
    start, end = asking.start_of(leaf.number), asking.start_of(leaf.number - 1)
    if leaf.op == "at_least":
        return and_(column.is_not(None), column < end)
    if leaf.op == "at_most":
        return and_(column.is_not(None), column >= start)
    on_the_day = and_(column.is_not(None), column >= start, column < end)
    return on_the_day if leaf.op == "is" else and_(column.is_not(None), not_(on_the_day))


def some(query: Select[Any]) -> Condition:
    """Whether a query that speaks of the card finds anything."""
    return exists(query.correlate(Card))


NOTHING: ColumnElement[Any] = literal(None)
