"""Days of the calendar fall where people keep them, and say when they are only expected."""

from datetime import date

import pytest

from app.campaigns import calendars
from app.campaigns.calendars import CALENDARS, FIRST_YEAR, GENERAL, INDONESIA, LAST_YEAR, TURKIYE


@pytest.mark.parametrize(
    ("calendar", "key", "on", "expected"),
    [
        ("tr", "ramadan_feast", date(2026, 3, 20), False),
        ("tr", "sacrifice_feast", date(2026, 5, 27), False),
        ("tr", "ramadan_feast", date(2027, 3, 9), True),
        ("tr", "republic_day", date(2026, 10, 29), False),
        ("tr", "teachers_day", date(2026, 11, 24), False),
        ("tr", "mothers_day", date(2027, 5, 9), False),
        ("tr", "fathers_day", date(2026, 6, 21), False),
        ("id", "idul_fitri", date(2026, 3, 21), False),
        ("id", "idul_adha", date(2026, 5, 27), False),
        ("id", "idul_fitri", date(2027, 3, 10), True),
        ("id", "nyepi", date(2026, 3, 19), False),
        ("id", "waisak", date(2026, 5, 31), False),
        ("id", "chinese_new_year", date(2027, 2, 6), True),
        ("id", "independence_day", date(2031, 8, 17), False),
        ("id", "mothers_day", date(2026, 12, 22), False),
        ("general", "black_friday", date(2026, 11, 27), False),
        ("general", "valentine", date(2027, 2, 14), False),
    ],
)
def test_days_fall_where_they_are_kept(calendar: str, key: str, on: date, expected: bool) -> None:
    day = CALENDARS[calendar].day(key)

    assert day is not None
    assert (day.on(on.year), day.is_expected(on.year)) == (on, expected)


@pytest.mark.parametrize("year", range(FIRST_YEAR, LAST_YEAR + 1))
def test_every_day_has_a_date_in_every_year_that_is_known(year: int) -> None:
    for calendar in CALENDARS.values():
        found = list(calendar.between(date(year, 1, 1), date(year, 12, 31)))
        assert len(found) == len(calendar.days)
        assert [on for on, _, _ in found] == sorted(on for on, _, _ in found)


@pytest.mark.parametrize("year", [FIRST_YEAR - 1, LAST_YEAR + 1])
def test_beyond_the_years_that_are_known_nothing_is_said(year: int) -> None:
    assert all(day.on(year) is None for calendar in CALENDARS.values() for day in calendar.days)


@pytest.mark.parametrize(
    ("hijri", "gregorian"),
    [((1, 1, 1), date(622, 7, 19)), ((1445, 10, 1), date(2024, 4, 10)), ((1447, 12, 10), date(2026, 5, 27))],
)
def test_the_tabular_calendar_is_reckoned_as_it_is_written(hijri: tuple[int, int, int], gregorian: date) -> None:
    assert calendars.islamic(*hijri) == gregorian


@pytest.mark.parametrize("year", range(FIRST_YEAR, LAST_YEAR + 1))
def test_the_two_ways_of_reckoning_a_feast_are_at_most_two_days_apart(year: int) -> None:
    for of_turkiye, of_indonesia in (("ramadan_feast", "idul_fitri"), ("sacrifice_feast", "idul_adha")):
        one, other = TURKIYE.day(of_turkiye), INDONESIA.day(of_indonesia)
        assert one is not None
        assert other is not None
        first, second = one.on(year), other.on(year)
        assert first is not None
        assert second is not None
        assert abs((first - second).days) <= 2


@pytest.mark.parametrize(
    ("zone", "calendar"),
    [("Europe/Istanbul", TURKIYE), ("Asia/Jayapura", INDONESIA), ("Europe/Berlin", GENERAL)],
)
def test_a_programme_has_the_calendar_of_its_country(zone: str, calendar: calendars.Calendar) -> None:
    assert calendars.calendar_of(zone) is calendar
