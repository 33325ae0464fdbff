"""When a message may leave: by whose clock, outside of quiet hours, and only while it is still worth something."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app import localtime
from app.errors import Unprocessable

WORTH_AT_LEAST = timedelta(minutes=60)
LONGEST_WAIT = timedelta(days=2)
LOCAL_ADVICE = "Write the time as the clock on the wall shows it, such as 2026-12-24T10:00, in the years 2000 to 2199."
NOW = "now"
YEARS = range(2000, 2200)  # what is beyond cannot be reckoned with in every zone


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """Local hours in which nobody is told anything; the end is outside. The same time twice: none."""

    start: time
    end: time

    def holds(self, clock: time) -> bool:
        """Whether the wall clock shows a quiet time."""
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """When a message leaves; `is_moved`: quiet hours made it later."""

    at: datetime
    is_moved: bool


def quiet_hours(start: str | None, end: str | None) -> Quiet | None:
    """Quiet hours from two local times such as "21:00"; None where either is missing."""
    if not start or not end:
        return None
    return Quiet(start=time.fromisoformat(start), end=time.fromisoformat(end))


def in_force(programme: Quiet | None, campaign: Quiet | None, member: Quiet | None) -> tuple[Quiet, ...]:
    """Which quiet hours hold: the campaign's instead of the programme's, and the member's own in any case.

    A member's own replace the programme's; what a campaign adds of its own comes on top.
    """
    usual = programme if campaign is None else campaign
    chosen: tuple[Quiet | None, ...] = (usual,) if member is None else (campaign, member)
    return tuple(one for one in chosen if one is not None and one.start != one.end)


def leaving(meant_at: datetime, zone: str, quiet: Sequence[Quiet]) -> Leaving | None:
    """The first instant, not before *meant_at*, at which no quiet hours hold in *zone*.

    None, if quiet hours leave no minute of the day, or none within two days.
    """
    at = meant_at
    while at - meant_at <= LONGEST_WAIT:
        local = localtime.wall_clock(at, zone)
        holding = next((one for one in quiet if one.holds(local.time())), None)
        if holding is None:
            return Leaving(at=at, is_moved=at != meant_at)
        at = _end_after(at, zone, holding)
    return None


def is_worth(leaves_at: datetime, worth_until: datetime | None) -> bool:
    """Whether at least an hour is left of what a message is about when it is delivered."""
    return worth_until is None or worth_until - leaves_at >= WORTH_AT_LEAST


def zone_for(mode: str, *, chosen: str | None, most_used: str | None, home: str | None, fallback: str) -> str:
    """By whose clock somebody is told: their own choice, their most used store, their home store, the programme.

    By the store's clock (mode `store`) their own choice does not count. For mode `fixed` see `meant`.
    """
    own = chosen if mode == "member" else None
    return own or most_used or home or fallback


def meant(local: str, zone: str) -> datetime:
    """The instant that a local time such as "2026-12-24T10:00" means in a zone; skipped and doubled times fire once."""
    return localtime.instant_of(local, zone)


def read_local(text: str) -> datetime:
    """A wall-clock time as people write it, to the minute.

    Raises: Unprocessable `invalid_time`.
    """
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        local = None
    if local is None or local.tzinfo is not None or len(text) < len("2026-12-24T10:00") or local.year not in YEARS:
        raise Unprocessable("invalid_time", LOCAL_ADVICE, errors={"send_at": LOCAL_ADVICE})
    return local.replace(microsecond=0)


def as_text(local: datetime) -> str:
    """How a campaign keeps a wall-clock time."""
    return local.isoformat(timespec="minutes" if local.second == 0 else "seconds")


def day_of(at: datetime, zone: str) -> tuple[datetime, datetime]:
    """The local day of an instant, as the instants at which it begins and is over."""
    day = localtime.wall_clock(at, zone).date()
    return localtime.start_of_day(day, zone), localtime.end_of_day(day, zone)


def _end_after(at: datetime, zone: str, quiet: Quiet) -> datetime:
    """The first end of quiet hours after an instant within them.

    Where clocks go back, the end may be shown twice, and the first time lies before *at*.
    """
    local = localtime.wall_clock(at, zone)
    day = local.date() if local.time() < quiet.end else local.date() + timedelta(days=1)
    end = datetime.combine(day, quiet.end).replace(tzinfo=ZoneInfo(zone))
    ends = [end.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    return next((one for one in ends if one > at), at + timedelta(minutes=1))
