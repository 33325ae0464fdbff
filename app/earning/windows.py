"""When a rule holds: weekdays, hours and dates by the store's clock."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from app import localtime
from app.errors import Sentence

WEEKDAYS = range(1, 8)
# no seconds and no offset: a rule holds by the clock on the store's wall
CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", flags=re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Hours of certain weekdays (1 is Monday) within certain dates, all by the store's clock.

    The end is exclusive; hours that run over midnight belong to the day on which they start. `last_on` is included.
    """

    weekdays: frozenset[int] = frozenset(WEEKDAYS)
    start: time = time.min
    end: time = time.min
    first_on: date | None = None
    last_on: date | None = None

    def holds(self, at: datetime, zone: str) -> bool:
        """Whether the store's clock shows a time within this window at *at*."""
        local = localtime.wall_clock(at, zone)
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        if self.start < self.end:
            return self.opens_on(today) and self.start <= local.time() < self.end
        if self.start == self.end:
            return self.opens_on(today)
        return (self.opens_on(today) and local.time() >= self.start) or (
            self.opens_on(yesterday) and local.time() < self.end
        )

    def opens_on(self, day: date) -> bool:
        """Whether its hours begin on this day."""
        first, last = self.first_on or date.min, self.last_on or date.max
        return day.isoweekday() in self.weekdays and first <= day <= last


def parse(raw: Any, where: str, errors: dict[str, str]) -> Window | None:
    """A window from JSON: {weekdays, from, to, first_on, last_on}, each optional."""
    if not isinstance(raw, Mapping):
        errors[where] = "A window is an object with weekdays, from, to, first_on and last_on."
        return None
    unknown = set(raw) - {"weekdays", "from", "to", "first_on", "last_on"}
    for name in unknown:
        errors[f"{where}.{name}"] = "A window has weekdays, from, to, first_on and last_on."
    window = Window(
        weekdays=_weekdays(raw.get("weekdays"), where, errors),
        start=_time(raw.get("from"), f"{where}.from", errors),
        end=_time(raw.get("to"), f"{where}.to", errors),
        first_on=_date(raw.get("first_on"), f"{where}.first_on", errors),
        last_on=_date(raw.get("last_on"), f"{where}.last_on", errors),
    )
    if window.first_on and window.last_on and window.last_on < window.first_on:
        errors[f"{where}.last_on"] = "The last day does not come before the first."
    if window.start == window.end != time.min:
        errors[f"{where}.to"] = "These hours have no minute; leave both times out for the whole day."
    return window


def _weekdays(raw: Any, where: str, errors: dict[str, str]) -> frozenset[int]:
    if raw is None:
        return frozenset(WEEKDAYS)
    days = raw if isinstance(raw, Sequence) and not isinstance(raw, str) else []
    if not days or any(type(day) is not int or day not in WEEKDAYS for day in days):
        errors[f"{where}.weekdays"] = "Weekdays are numbers from 1 (Monday) to 7 (Sunday), at least one."
        return frozenset(WEEKDAYS)
    return frozenset(days)


def _time(raw: Any, where: str, errors: dict[str, str]) -> time:
    if raw is None:
        return time.min
    if isinstance(raw, str) and CLOCK.fullmatch(raw):
        return time.fromisoformat(raw)
    errors[where] = "Write the time as hours and minutes, such as 17:00."
    return time.min


def _date(raw: Any, where: str, errors: dict[str, str]) -> date | None:
    try:
        return None if raw is None else date.fromisoformat(str(raw))
    except ValueError:
        errors[where] = Sentence("%(raw)s is no date; write one such as 2026-12-31.", raw=str(raw)[:40])
        return None
