"""Delays and limits of delivery as plain arithmetic: windows, leases, backoff, breaker, pace."""

from enum import IntEnum

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


class Lane(IntEnum):
    """How soon somebody expects to see a change; a smaller number is served first."""

    URGENT = 0
    NORMAL = 1
    BULK = 2


WINDOW_MS = {Lane.URGENT: 1_000, Lane.NORMAL: 5_000, Lane.BULK: 10_000}
REQUEST_DEADLINE_MS = 10_000
LEASE_MS = {Lane.URGENT: 30_000, Lane.NORMAL: 60_000, Lane.BULK: 60_000}  # never below three request deadlines
# bulk changes wake one phone six times at once, and from then on six times an hour
BULK_AT_ONCE = 6
BULK_EVERY_MS = 600_000
RATE_SHARE_PERCENT = {Lane.URGENT: 100, Lane.NORMAL: 90, Lane.BULK: 70}

FOREVER_MS = 1 << 52
BREAKER_OPEN_MS = (30_000, 60_000, 120_000, 300_000, 900_000)
STORM_SPAN_MS = 30_000
STORM_MIN_RESULTS = 20
# rows that failed more often than this wait long enough to be worth a try as soon as their sender is well again
PATIENT_AFTER = 2
HASTEN_BEYOND_MS = 15_000
HASTENED_WHILE_WELL = 5
REFUSED_IN_A_ROW = 20
GONE_MIN_RESULTS = 50
GONE_MAX_SHARE = 0.2
PARK_AFTER_MS = DAY_MS
REMINDER = "reminder"  # the trace of a send that repeats what a phone was told and did not fetch
RETRY_AFTER_MAX_MS = HOUR_MS
SLOW_SPAN_MS = 60_000

_BACKOFF_BASE_MS = {Lane.URGENT: 5_000, Lane.NORMAL: 30_000, Lane.BULK: 30_000}
_BACKOFF_CAP_MS = {Lane.URGENT: 900_000, Lane.NORMAL: HOUR_MS, Lane.BULK: HOUR_MS}
_DOUBLINGS_MAX = 20


def backoff_ms(attempts: int, lane: Lane, *, jitter: float, retry_after_s: float | None = None) -> int:
    """How long a row waits after its *attempts*-th failure.

    Args:
        jitter: a random number from 0 to 1; the delay is spread from half to one and a half.
        retry_after_s: what the vendor asked for; it wins if it is longer (at most an hour). Exactly 0 says that the
            fault was the connection's, not the vendor's: the first such failure is tried again at once.
    """
    if retry_after_s == 0 and attempts <= 1:
        return 0
    doublings = min(max(attempts - 1, 0), _DOUBLINGS_MAX)
    delay = min(_BACKOFF_CAP_MS[lane], _BACKOFF_BASE_MS[lane] << doublings)
    return max(int(delay * (0.5 + jitter)), asked_ms(retry_after_s))


def asked_ms(retry_after_s: float | None) -> int:
    """For how long a vendor's Retry-After is obeyed."""
    return min(int((retry_after_s or 0) * 1000), RETRY_AFTER_MAX_MS)


def breaker_open_ms(failures: int) -> int:
    """How long the breaker stays open after *failures* earlier openings in a row."""
    return BREAKER_OPEN_MS[min(max(failures, 0), len(BREAKER_OPEN_MS) - 1)]


def is_storm(results: int, try_again: int) -> bool:
    """Whether so many of the recent results failed that the vendor, not the row, is at fault."""
    return results >= STORM_MIN_RESULTS and try_again * 2 >= results


def looks_like_wrong_credential(results: int, gone: int) -> bool:
    """Whether so many addresses are reported dead at once that the credential or environment must be wrong."""
    return results >= GONE_MIN_RESULTS and gone > results * GONE_MAX_SHARE


def slowed_rate(rate_per_s: int, *, slowed_to: int, slowed_at_ms: int, now_ms: int) -> int:
    """The pace after a rate answer: *slowed_to* for a minute, and with each minute one call a second more."""
    since_ms = now_ms - slowed_at_ms
    if slowed_to <= 0 or since_ms < 0:
        return rate_per_s
    return min(rate_per_s, slowed_to + since_ms // SLOW_SPAN_MS)


def interval_us(rate_per_s: int) -> int:
    """Microseconds between two calls at this pace; rounded up, so that the pace is never exceeded."""
    return -(-1_000_000 // max(1, rate_per_s))
