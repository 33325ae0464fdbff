"""When an offer holds at a store: its dates, its weekly hours, and the minutes of grace after its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from app import localtime
from app.earning import windows
from app.earning.windows import Window
from app.errors import Sentence
from app.offers.models import Offer

WINDOWS_MAX = 20
LOOKS_AHEAD = timedelta(days=14)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)


@dataclass(frozen=True, kw_only=True)
class Times:
    """From when until when an offer is taken at one store; `closes_at` is its end and the grace."""

    starts_at: datetime
    ends_at: datetime
    closes_at: datetime


def at_store(offer: Offer, zone: str) -> Times:
    """What its dates mean by the clock of a store: instants of their own, where each store's clock counts."""
    starts, ends = offer.starts_at, offer.ends_at
    if offer.by_store and offer.starts_local:
        starts, ends = (localtime.instant_of(key, zone) for key in (offer.starts_local, offer.ends_local))
    return Times(starts_at=starts, ends_at=ends, closes_at=ends + timedelta(minutes=offer.grace_min))


def is_open(raw: Sequence[Any], at: datetime, zone: str) -> bool:
    """Whether one of these weekly hours holds by that clock; without any, always."""
    return not raw or any(window.holds(at, zone) for window in kept(raw))


def is_taken(offer: Offer, at: datetime, zone: str) -> bool:
    """Whether its weekly hours hold, or ended within the grace."""
    if is_open(offer.windows, at, zone):
        return True
    return any(is_open(offer.windows, at - timedelta(minutes=back), zone) for back in range(1, offer.grace_min + 1))


def kept(raw: Sequence[Any]) -> list[Window]:
    """Weekly hours of a kept offer, which were found right when it was saved."""
    found = [windows.parse(one, "", {}) for one in raw]
    return [one for one in found if one is not None]


def read(raw: object, errors: dict[str, str]) -> list[Window]:
    """Weekly hours as they were sent; faults are collected under `windows.…`."""
    if not isinstance(raw, list | tuple) or len(raw) > WINDOWS_MAX:
        errors["windows"] = Sentence("This is a list of at most %(most)s windows.", most=WINDOWS_MAX)
        return []
    found = [windows.parse(one, f"windows.{at}", errors) for at, one in enumerate(raw)]
    for at, window in enumerate(found):
        for name in ("first_on", "last_on"):
            day = getattr(window, name, None)
            if day is not None and not FIRST_DAY <= day <= LAST_DAY:
                errors[f"windows.{at}.{name}"] = "This day lies outside of the years 2000 to 2199."
    return [one for one in found if one is not None]


def closed(found: Sequence[Window], starts: datetime, ends: datetime, *, now: datetime) -> dict[str, str]:
    """What is wrong with the weekly hours of an offer between two local times: they never hold, or do not any more."""
    errors: dict[str, str] = {}
    for at, one in enumerate(found):
        if never_opens(one, starts, ends):
            errors[f"windows.{at}"] = "These hours have no minute between the start and the end of the offer."
    if found and not errors and all(never_opens(one, max(starts, now), ends) for one in found):
        errors["windows.0"] = "These hours are over already; choose hours that are still to come."
    return errors


def never_opens(window: Window, starts: datetime, ends: datetime) -> bool:
    """Whether a window has no minute between two local times: it would be an offer that nobody can use."""
    first, last = max(starts.date() - timedelta(days=1), window.first_on or date.min), ends.date()
    last = min(last, window.last_on or date.max)
    days = ((first + timedelta(days=at)) for at in range(min(9, max(0, (last - first).days + 1))))
    return not any(_meets(window, day, starts, ends) for day in days if window.opens_on(day))


def hours_of(window: Window) -> str:
    """`15–17 h`, or with minutes where there are any."""
    if window.start == window.end:
        return "00–24 h"
    if not (window.start.minute or window.end.minute):
        return f"{window.start:%H}–{window.end:%H} h"
    return f"{window.start:%H:%M}–{window.end:%H:%M}"


def outside(offer: Offer, at: datetime, zone: str) -> str:
    """Why its hours refuse it now: today's hours, or the next day before its end that has some."""
    today, found = localtime.wall_clock(at, zone).date(), kept(offer.windows)
    ends = localtime.wall_clock(at_store(offer, zone).ends_at, zone)
    for ahead in range(min(LOOKS_AHEAD.days, (ends.date() - today).days + 1)):
        day = today + timedelta(days=ahead)
        opening = [one for one in found if one.opens_on(day) and datetime.combine(day, one.start) < ends]
        hours = ", ".join(hours_of(one) for one in opening)
        if hours and not ahead:
            return Sentence("Valid %(hours)s.", hours=hours)
        if hours:
            return Sentence("Valid again on %(day)s, %(hours)s.", day=day.isoformat(), hours=hours)
    if ends.date() - today < LOOKS_AHEAD:
        return Sentence("The hours of this offer are over; it is not valid again before its end.")
    return Sentence("This offer is not valid on this day.")


def _meets(window: Window, day: date, starts: datetime, ends: datetime) -> bool:
    opens = datetime.combine(day, window.start)
    closes = datetime.combine(day, window.end)
    if window.end <= window.start:
        closes += timedelta(days=1)
    return opens < ends and closes > starts
