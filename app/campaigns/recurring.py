"""Campaigns that come again: on which local dates. An instant is found for each date; none is ever counted on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count, islice
from typing import Any

from app import localtime
from app.campaigns import timing
from app.earning.windows import WEEKDAYS
from app.errors import Sentence

PERIODS = ("day", "week", "month", "year")
MOST_TIMES = 1000
LONGEST_INTERVAL = 366
FURTHEST_YEARS = 20


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Every `interval`-th day, week, month or year from a first date on.

    `weekdays` (1 is Monday): of weeks; none: that of the first date. `day`: of months; 31 is the last day, None that of
    the first date. `until` is included; `times`: how often in all.
    """

    every: str
    interval: int = 1
    weekdays: frozenset[int] = frozenset()
    day: int | None = None
    until: date | None = None
    times: int | None = None


def parse(raw: Mapping[str, Any], errors: dict[str, str]) -> Rule | None:
    """A rule from JSON: {every, interval, weekdays, day, until, count}; what is wrong comes into *errors*."""
    before = len(errors)
    for name in set(raw) - {"every", "interval", "weekdays", "day", "until", "count"}:
        errors[f"recurrence.{str(name)[:40]}"] = "A recurrence has every, interval, weekdays, day, until and count."
    if raw.get("every") not in PERIODS:
        errors["recurrence.every"] = "Say what it comes every: day, week, month or year."
    interval = _whole(raw, "interval", 1, LONGEST_INTERVAL, errors)
    day = _whole(raw, "day", 1, 31, errors)
    times = _whole(raw, "count", 1, MOST_TIMES, errors)
    days = raw.get("weekdays") or []
    if not isinstance(days, list | tuple) or any(type(one) is not int or one not in WEEKDAYS for one in days):
        errors["recurrence.weekdays"] = "Weekdays are numbers from 1 (Monday) to 7 (Sunday), at least one."
        days = []
    until = _until(raw.get("until"), errors)
    if len(errors) > before:
        return None
    return Rule(
        every=str(raw["every"]), interval=interval or 1, weekdays=frozenset(days), day=day, until=until, times=times
    )


def as_json(rule: Rule) -> dict[str, Any]:
    """What `parse` reads."""
    written: dict[str, Any] = {"every": rule.every, "interval": rule.interval}
    if rule.weekdays:
        written["weekdays"] = sorted(rule.weekdays)
    if rule.day:
        written["day"] = rule.day
    if rule.until:
        written["until"] = rule.until.isoformat()
    if rule.times:
        written["count"] = rule.times
    return written


def dates(rule: Rule, first: date) -> Iterator[date]:
    """The local dates of a rule from *first* on, each once, in order; at most for twenty years."""
    last = rule.until or date.max
    for day in islice(_dates(rule, first), rule.times):
        if day > last or day.year > first.year + FURTHEST_YEARS:
            return
        yield day


def occurrences(rule: Rule, first: str) -> Iterator[str]:
    """The local times that a rule means, such as "2026-12-24T10:00"; *first* says the first date and the hour."""
    start = timing.read_local(first)
    for day in dates(rule, start.date()):
        yield timing.as_text(datetime.combine(day, start.time()))


def exists(local: str, zone: str) -> bool:
    """Whether the date of a local time is a day at all in a zone: one that crosses the date line skips a whole day."""
    day = timing.read_local(local).date()
    return localtime.wall_clock(localtime.start_of_day(day, zone), zone).date() == day


def _dates(rule: Rule, first: date) -> Iterator[date]:
    try:
        if rule.every == "day":
            yield from (first + timedelta(days=step) for step in count(0, rule.interval))
        elif rule.every == "week":
            yield from _weeks(rule, first)
        else:
            yield from _months(rule, first)
    except (OverflowError, ValueError):  # the calendar's last year
        return


def _weeks(rule: Rule, first: date) -> Iterator[date]:
    monday = first - timedelta(days=first.weekday())
    weekdays = sorted(rule.weekdays or {first.isoweekday()})
    for step in count(0, rule.interval):
        week = monday + timedelta(weeks=step)
        yield from (day for one in weekdays if (day := week + timedelta(days=one - 1)) >= first)


def _months(rule: Rule, first: date) -> Iterator[date]:
    step = rule.interval * (12 if rule.every == "year" else 1)
    wanted = rule.day or first.day
    for month in count(first.year * 12 + first.month - 1, step):
        day = _in_month(month // 12, month % 12 + 1, wanted)
        if day >= first:
            yield day


def _in_month(year: int, month: int, day: int) -> date:
    """That day of a month, or its last where it has fewer."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day - 1), following - timedelta(days=1))


def _whole(raw: Mapping[str, Any], name: str, least: int, most: int, errors: dict[str, str]) -> int | None:
    value = raw.get(name)
    if value is None:
        return None
    if type(value) is not int or not least <= value <= most:
        errors[f"recurrence.{name}"] = Sentence(
            "This is a whole number from %(least)s to %(most)s.", least=least, most=most
        )
        return None
    return value


def _until(raw: Any, errors: dict[str, str]) -> date | None:
    try:
        return None if raw is None else date.fromisoformat(str(raw))
    except ValueError:
        errors["recurrence.until"] = Sentence("%(raw)s is no date; write one such as 2026-12-31.", raw=str(raw)[:40])
        return None
