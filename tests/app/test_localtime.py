"""Local times at the edges of the clocks' changes."""

from datetime import UTC, date, datetime

import pytest

from app import localtime
from app.localtime import Oddity


@pytest.mark.parametrize(
    ("local", "zone", "utc", "odd"),
    [
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30", Oddity.SKIPPED),
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30", Oddity.TWICE),
        ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:30", Oddity.SKIPPED),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-03T15:45", Oddity.SKIPPED),
        ("2026-11-13T10:00", "Europe/Istanbul", "2026-11-13T07:00", Oddity.NONE),
        ("2026-11-13T10:00", "Asia/Jakarta", "2026-11-13T03:00", Oddity.NONE),
        ("2026-11-13T10:00", "Asia/Jayapura", "2026-11-13T01:00", Oddity.NONE),
    ],
)
def test_a_local_time_means_one_instant(local: str, zone: str, utc: str, odd: Oddity) -> None:
    typed = datetime.fromisoformat(local)

    assert localtime.instant(typed, zone) == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert localtime.oddity(typed, zone) is odd


def test_a_day_ends_when_the_next_one_begins_also_where_midnight_is_skipped() -> None:
    assert localtime.end_of_day(date(2027, 1, 31), "Europe/Istanbul") == datetime(2027, 1, 31, 21, tzinfo=UTC)
    assert localtime.start_of_day(date(2026, 4, 24), "Africa/Cairo") == datetime(2026, 4, 23, 22, tzinfo=UTC)
