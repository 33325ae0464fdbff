"""What a till may do while it cannot ask, and which clock is believed afterwards."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.counter.pricing import CLOCK_TOLERANCE, LATEST_ARRIVAL
from app.staff.throttle import Lock

LONGEST_QUEUE = 500
LARGEST_BATCH = 100
LONGEST_RECEIPT = 64
LARGEST_POINTS = 1_000_000

# The same card and amount within a minute of each other is perhaps the same sale, kept at two tills.
TWICE_WITHIN = timedelta(minutes=1)

# A queue may hold a few cards of other shops; fifty unknown ones in ten minutes are somebody trying numbers out.
UNKNOWN_CODES = Lock(kind="offline_code", limit=50, window_s=600, lock_s=600)

CLOCK, TWICE, ALLOWANCE, LOSS = "clock", "twice", "allowance", "loss"
DUPLICATES = frozenset({"duplicate_receipt", "already_booked"})


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When something took place. `occurred_at` None: the server's own time counts, for the till's cannot be right."""

    occurred_at: datetime | None
    is_too_old: bool

    @property
    def is_clock_wrong(self) -> bool:
        return self.occurred_at is None and not self.is_too_old


def is_clock_wrong(sent_at: datetime, now: datetime) -> bool:
    """Whether the till's clock, read as it sent its queue, differs too much from ours."""
    return abs(sent_at - now) > CLOCK_TOLERANCE


def timing(made_at: datetime, *, sent_at: datetime, now: datetime) -> Timing:
    """Judge a till's time of a sale. The age is measured by one clock alone: the till's own, where that is wrong."""
    wrong = is_clock_wrong(sent_at, now)
    age = (sent_at if wrong else now) - made_at
    if age > LATEST_ARRIVAL:
        return Timing(occurred_at=None, is_too_old=True)
    in_future = -age > CLOCK_TOLERANCE
    return Timing(occurred_at=None if wrong or in_future else made_at, is_too_old=False)
