"""As of when a rule is asked, of which programme; and how an answer is compared."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, not_, select, true
from sqlalchemy.orm import Session, aliased

from app import localtime
from app.cards.models import Card, Member, Programme
from app.habits.models import Habit
from app.ledger.models import Account
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
    is_joined: bool = False

    @classmethod
    def of(cls, session: Session, programme_id: int, now: datetime, *, is_joined: bool = False) -> "Asking":
        """As of *now*; *is_joined*: by a query to which `joined` was given its tables."""
        row = session.execute(select(Programme.timezone, Programme.currency).where(Programme.id == programme_id)).one()
        return cls(
            session=session, programme_id=programme_id, timezone=row.timezone, currency=row.currency, now=now,
            is_joined=is_joined,
        )  # fmt: skip

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

    def member_has(self, *conditions: Condition) -> Condition:
        """Whether the card's member fulfils this; NULL is no."""
        return self._has(Member, Member.id == Card.member_id, conditions)

    def habit_has(self, *conditions: Condition) -> Condition:
        """Whether the card's habit fulfils this; a card that never bought has none."""
        return self._has(Habit, Habit.card_id == Card.id, conditions)

    def points_have(self, *conditions: Condition) -> Condition:
        """Whether the card's account of points fulfils this; a card that never had any may have none."""
        return self._has(POINTS, _OF_POINTS, conditions)

    def _has(self, table: Any, its_own: Condition, conditions: tuple[Condition, ...]) -> Condition:
        if self.is_joined:
            return and_(*conditions).is_(true())  # without a row there all of it is NULL
        return exists(select(1).select_from(table).where(its_own, *conditions).correlate(Card))


POINTS = aliased(Account, name="points")
_OF_POINTS = and_(POINTS.member_id == Card.member_id, POINTS.role == "avail", POINTS.unit == "points")


def joined(query: Select[Any]) -> Select[Any]:
    """A query of cards with the tables joined of which each card has one row at most.

    For counting: PostgreSQL asked them for each card anew where a question stands beside others in an "or" (a dozen
    questions about a million cards: 5 s instead of 2), and both leave out by themselves what no question is about.
    """
    return (
        query.outerjoin(Member, Member.id == Card.member_id)
        .outerjoin(Habit, Habit.card_id == Card.id)
        .outerjoin(POINTS, _OF_POINTS)
    )


def number_of(has: Callable[..., Condition], column: Any, leaf: Leaf) -> Condition:
    """A number that is 0 where there is no row."""
    if holds(leaf.op, 0, leaf.number):
        return not_(has(not_(compare(column, leaf))))
    return has(compare(column, leaf))


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


def member_s(column: Any) -> ColumnElement[Any]:
    """A column of the card's member, for showing it."""
    return select(column).where(Member.id == Card.member_id).correlate(Card).scalar_subquery()


def habit_s(column: Any) -> ColumnElement[Any]:
    """A column of the card's habit, for showing it."""
    return select(column).where(Habit.card_id == Card.id).correlate(Card).scalar_subquery()


def days_ago(column: Any, leaf: Leaf, asking: Asking) -> Condition:
    """An instant so many days ago, by the calendar; not for who has none. NULL where the column is."""
    after_start: Condition = column >= asking.start_of(leaf.number)
    before_end: Condition = column < asking.start_of(leaf.number - 1)
    if leaf.op == "at_least":
        return before_end
    if leaf.op == "at_most":
        return after_start
    on_the_day = and_(after_start, before_end)
    return on_the_day if leaf.op == "is" else not_(on_the_day)


def some(query: Select[Any]) -> Condition:
    """Whether a query that speaks of the card finds anything."""
    return exists(query.correlate(Card))
