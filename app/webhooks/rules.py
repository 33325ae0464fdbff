"""When a webhook is tried again, and when an endpoint is given up: plain arithmetic. Times are epoch milliseconds."""

from app.outbox.rules import DAY_MS, HOUR_MS

MINUTE_MS = 60_000
# the waits that receivers know from others, and two days more: twelve attempts, the last just before the endpoint
# itself is given up
BACKOFF_MS = (
    5_000,
    MINUTE_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    DAY_MS,
    DAY_MS,
    DAY_MS,
)
GIVEN_UP_AFTER_MS = 5 * DAY_MS
FIRST_PAUSE_MS = 1_000
LONGEST_PAUSE_MS = 5_000


def wait_ms(attempts: int) -> int | None:
    """How long a message waits after its *attempts*-th failure; None if that was the last."""
    return BACKOFF_MS[attempts - 1] if attempts <= len(BACKOFF_MS) else None


def is_hopeless(failing_since: int, now_ms: int) -> bool:
    """Whether an endpoint has failed for so long that it is given up."""
    return now_ms - failing_since >= GIVEN_UP_AFTER_MS


def pause_ms(failures: int) -> int:
    """How long a failing endpoint is left alone before any other message is tried on it.

    Short enough that no message misses its own moment by much; long enough that a dead endpoint with a long queue
    costs next to nothing.
    """
    return min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(failures - 1, 10))
