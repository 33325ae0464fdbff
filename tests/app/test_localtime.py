"""Local times at the edges of the clocks' changes."""

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Apia",
    "Europe/Istanbul",
    "Asia/Jakarta",
)


@pytest.mark.parametrize(
    ("local", "zone", "utc", "odd"),
    [
        # half an hour back, twice half an hour
        ("2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-04T14:45", Oddity.TWICE),
        # the gap lies at midnight
        ("2026-04-24T00:00", "Africa/Cairo", "2026-04-23T22:00", Oddity.SKIPPED),
        ("2026-03-29T00:30", "Asia/Beirut", "2026-03-28T22:30", Oddity.SKIPPED),
        # midnight comes twice: the day begins with the first
        ("2026-10-24T23:30", "Asia/Beirut", "2026-10-24T20:30", Oddity.TWICE),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30", Oddity.TWICE),
        # a day that never was: a time on it means the same time of the next day
        ("2011-12-30T09:00", "Pacific/Apia", "2011-12-30T19:00", Oddity.SKIPPED),
        ("2011-12-31T09:00", "Pacific/Apia", "2011-12-30T19:00", Oddity.NONE),
    ],
)
def test_changes_of_half_an_hour_at_midnight_and_of_a_whole_day(local: str, zone: str, utc: str, odd: Oddity) -> None:
    typed = datetime.fromisoformat(local)

    assert localtime.instant(typed, zone) == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert localtime.oddity(typed, zone) is odd


@given(
    zone=st.sampled_from(ZONES),
    first=st.dates(date(2005, 1, 1), date(2035, 1, 1)),
    at=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
)
def test_each_local_date_has_exactly_one_occurrence_of_a_daily_time(zone: str, first: date, at: time) -> None:
    days = [first + timedelta(days=number) for number in range(370)]

    instants = [localtime.instant(datetime.combine(day, at), zone) for day in days]

    # one for each date, in their order, and each on its own date wherever the zone had that time on it
    for day, instant, following in zip(days, instants, [*instants[1:], datetime.max.replace(tzinfo=UTC)], strict=True):
        shown = localtime.wall_clock(instant, zone)
        odd = localtime.oddity(datetime.combine(day, at), zone)
        assert (shown == datetime.combine(day, at)) is (odd is not Oddity.SKIPPED)
        assert instant < following or shown.date() != day


@given(
    zone=st.sampled_from(ZONES),
    after_ms=st.integers(0, 30 * 365 * 86_400_000),
)
def test_a_local_key_means_the_instant_that_it_was_made_from(zone: str, after_ms: int) -> None:
    at = datetime(2005, 1, 1, tzinfo=UTC) + timedelta(milliseconds=after_ms)
    assert localtime.instant_of(localtime.local_key(at, zone), zone) == at


def test_the_second_of_two_equal_times_is_marked() -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert localtime.local_key(second, "Europe/Berlin") == "2026-10-25T02:30:00.000 again"
    assert localtime.local_key(second - timedelta(hours=1), "Europe/Berlin") == "2026-10-25T02:30:00.000"
    # where new rules know of no second one, it is that time all the same
    assert localtime.instant_of("2026-10-25T02:30:00.000 again", "Asia/Jakarta") == datetime(
        2026, 10, 24, 19, 30, tzinfo=UTC
    )


def test_the_edition_of_the_rules_is_told() -> None:
    assert re.fullmatch(r"[0-9]{4}[a-z]+|", localtime.rules_version())
