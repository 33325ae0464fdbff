"""Local times as people write them, resolved to instants by RFC 5545's rules."""

from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo


class Oddity(Enum):
    """What is unusual about a local time on its date: the clocks skip it, or show it twice."""

    NONE = "none"
    SKIPPED = "skipped"
    TWICE = "twice"


def instant(local: datetime, zone: str) -> datetime:
    """The UTC instant of a wall-clock time. A skipped time moves on by the gap; a doubled one means the first."""
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def oddity(local: datetime, zone: str) -> Oddity:
    """Whether the clocks of *zone* skip this time, or show it twice."""
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return Oddity.NONE
    there_and_back = first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return Oddity.TWICE if there_and_back == local else Oddity.SKIPPED


def start_of_day(day: date, zone: str) -> datetime:
    """The first instant of a local date."""
    return instant(datetime.combine(day, time.min), zone)


def end_of_day(day: date, zone: str) -> datetime:
    """The instant at which a local date is over: the first one of the next day."""
    return start_of_day(day + timedelta(days=1), zone)


def wall_clock(at: datetime, zone: str) -> datetime:
    """What the clock on the wall shows, without a zone."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
