"""The days of a month or a week, as a calendar's rows: weeks begin on Monday."""

from dataclasses import dataclass
from datetime import date, timedelta

VIEWS = ("month", "week")
WEEK = 7
FIRST_YEAR, LAST_YEAR = 2000, 2199


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one page of the calendar shows: whole weeks around a day, and where the pages before and after begin."""

    view: str
    anchor: date
    weeks: tuple[tuple[date, ...], ...]
    before: date
    after: date

    @property
    def first(self) -> date:
        return self.weeks[0][0]

    @property
    def last(self) -> date:
        return self.weeks[-1][-1]

    def is_outside(self, day: date) -> bool:
        """Whether a day belongs to the month before or after."""
        return self.view == "month" and (day.year, day.month) != (self.anchor.year, self.anchor.month)


def page_of(view: str, anchor: date) -> Page:
    """The month or the week that a day is in."""
    return _week(anchor) if view == "week" else _month(anchor)


def read_day(text: str, otherwise: date) -> date:
    """A day such as 2026-12-24, within the years that a calendar turns to; anything else is *otherwise*."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return otherwise
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else otherwise


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _week(anchor: date) -> Page:
    monday = monday_of(anchor)
    return Page(
        view="week",
        anchor=anchor,
        weeks=(_seven(monday),),
        before=monday - timedelta(days=WEEK),
        after=monday + timedelta(days=WEEK),
    )


def _month(anchor: date) -> Page:
    first = anchor.replace(day=1)
    after = (first + timedelta(days=31)).replace(day=1)
    monday, weeks = monday_of(first), []
    while monday < after:
        weeks.append(_seven(monday))
        monday += timedelta(days=WEEK)
    before = (first - timedelta(days=1)).replace(day=1)
    return Page(view="month", anchor=anchor, weeks=tuple(weeks), before=before, after=after)


def _seven(monday: date) -> tuple[date, ...]:
    return tuple(monday + timedelta(days=number) for number in range(WEEK))
