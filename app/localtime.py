"""Local times as people write them, resolved to instants by RFC 5545's rules."""

import re
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import tzdata  # type: ignore[import-untyped]

SECOND_TIME = " again"


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


def local_key(at: datetime, zone: str) -> str:
    """An instant as the wall clock shows it, in a text that `instant_of` reads: `2026-10-25T02:30:00.000`.

    Where the clock shows the same time twice on that day, the second one is marked.
    """
    shown = at.astimezone(ZoneInfo(zone))
    text = shown.replace(tzinfo=None, fold=0).isoformat(timespec="milliseconds")
    return text + SECOND_TIME if shown.fold else text


def instant_of(key: str, zone: str) -> datetime:
    """The instant of a text made by `local_key`, by the rules of the zone as they are known today."""
    local = datetime.fromisoformat(key.removesuffix(SECOND_TIME))
    if key.endswith(SECOND_TIME) and oddity(local, zone) is Oddity.TWICE:
        return local.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    return instant(local, zone)


def rules_version() -> str:
    """Which edition of the time zones' rules this process uses, such as `2026a`; empty if it cannot be told.

    Python takes the machine's own files where there are any, and the package `tzdata` elsewhere.
    """
    for folder in map(Path, TZPATH):
        if (folder / "UTC").is_file():
            return _edition(folder)
    return str(tzdata.IANA_VERSION)


def _edition(folder: Path) -> str:
    try:
        with (folder / "tzdata.zi").open(encoding="ascii", errors="replace") as lines:
            found = re.fullmatch(r"# version ([0-9]{4}[a-z]+)\S*", lines.readline().strip())
    except OSError:
        return ""
    return found[1] if found else ""
