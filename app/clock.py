"""The one place that asks what time it is."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def milliseconds(at: datetime) -> int:
    """Epoch milliseconds of an aware datetime, the form in which delivery rows keep time."""
    return int(at.timestamp() * 1000)
