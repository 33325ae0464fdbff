"""The days that a report is about, by the calendar of the programme."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app import localtime
from app.errors import Sentence, Unprocessable

YEARS_MOST = 5
BY_DAY_UP_TO, BY_WEEK_UP_TO = 45, 190
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
DAY = timedelta(days=1)
WEEK = 7
Step = Callable[[date], date]


@dataclass(frozen=True, kw_only=True, order=True)
class Period:
    """Whole days, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """As many days, just before."""
        return Period(first=self.first - timedelta(days=self.days), last=self.first - DAY)

    def days_until(self, today: date) -> int:
        """How many of its days have come; 0 before it begins."""
        return max((min(self.last, today) - self.first).days + 1, 0)

    def buckets(self) -> list["Period"]:
        """Parts of which a plot shows one each: days, weeks from Monday on, or months."""
        step = _next_day if self.days <= BY_DAY_UP_TO else _next_week if self.days <= BY_WEEK_UP_TO else next_month
        return self._parts(step)

    def months(self) -> list["Period"]:
        return self._parts(next_month)

    def _parts(self, step: Step) -> list["Period"]:
        found, first = [], self.first
        while first <= self.last:
            following = step(first)
            found.append(Period(first=first, last=min(following - DAY, self.last)))
            first = following
        return found


def read(first: str | None, last: str | None, *, today: date) -> Period:
    """The days that somebody asked for; the last 30 up to today unless they said.

    Raises: Unprocessable `invalid_period`.
    """
    until = _day(last, "to") if last else None
    since = _day(first, "from") if first else None
    until = until or max(today, since or today)
    since = since or max(until - 29 * DAY, EARLIEST)
    if until < since:
        raise _wrong("to", Sentence("The last day is before the first one; swap them."))
    if since < years_before(until):
        told = Sentence("A report covers at most %(years)s years; choose a later first day.", years=YEARS_MOST)
        raise _wrong("from", told)
    return Period(first=since, last=until)


def years_before(last: date) -> date:
    """The first day of the longest period that ends then."""
    following = last + DAY
    year = following.year - YEARS_MOST
    return (
        following.replace(year=year, day=28)
        if (following.month, following.day) == (2, 29)
        else following.replace(year=year)
    )


def day_of(at: datetime, zone: str) -> date:
    """The day on the programme's calendar."""
    return localtime.wall_clock(at, zone).date()


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def every_day(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def every_month(first: date, last: date) -> Iterator[date]:
    """The first days of all months from one day to another."""
    month = month_of(first)
    while month <= last:
        yield month
        month = next_month(month)


def _next_day(day: date) -> date:
    return day + DAY


def _next_week(day: date) -> date:
    return day + timedelta(days=WEEK - day.weekday())


def _day(text: str, field: str) -> date:
    try:
        found = date.fromisoformat(text) if len(text) == len("2026-11-20") else None
    except ValueError:
        found = None
    if found is None or not EARLIEST <= found <= LATEST:
        raise _wrong(field, Sentence("Write the day as 2026-11-20, in the years 2000 to 2199."))
    return found


def _wrong(field: str, text: str) -> Unprocessable:
    return Unprocessable("invalid_period", text, errors={field: text})
