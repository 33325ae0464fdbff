"""Days that shops speak of, by country: feasts, national days, days of mothers and teachers, 2026 to 2031.

Fixed days and those that follow from weekdays are certain. Feasts by the moon are announced late, by the authorities of
each country: what has been announced is known, everything else is `expected` and may be a day off. In Türkiye, where
the months are reckoned in advance, a month begins the day after a new moon before noon UTC, two days after a later
one. Idul Fitri and Idul Adha are reckoned by the tabular Islamic calendar (leap years 2, 5, 7, 10, 13, 16, 18, 21, 24,
26 and 29 of 30), which comes near to the sightings from Indonesia. Nyepi and the Chinese new year stand in tables;
Waisak is the day, by the clock of Jakarta, on which the moon of that month is full.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from app.errors import Sentence

FIRST_YEAR, LAST_YEAR = 2026, 2031
SHAWWAL, DHU_AL_HIJJAH = 10, 12
ISLAMIC_EPOCH = date(622, 7, 19)  # 16 July 622 of the Julian calendar
MAY, JUNE, NOVEMBER = 5, 6, 11
THURSDAY, SUNDAY = 4, 7

Rule = Callable[[int], date | None]

CHINESE_NEW_YEAR = {2026: (2, 17), 2027: (2, 6), 2028: (1, 26), 2029: (2, 13), 2030: (2, 3), 2031: (1, 23)}
NYEPI = {2026: (3, 19), 2027: (3, 8), 2028: (3, 26), 2029: (3, 15), 2030: (3, 5), 2031: (3, 24)}
RAMADAN_FEAST = {2026: (3, 20), 2027: (3, 9), 2028: (2, 26), 2029: (2, 14), 2030: (2, 4), 2031: (1, 24)}
SACRIFICE_FEAST = {2026: (5, 27), 2027: (5, 16), 2028: (5, 5), 2029: (4, 24), 2030: (4, 13), 2031: (4, 2)}
WAISAK = {2026: (5, 31), 2027: (5, 20), 2028: (5, 9), 2029: (5, 28), 2030: (5, 17), 2031: (5, 7)}


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of a calendar. `announced`: the dates that an authority has published, by year; with `by_the_moon`, all
    others are expected."""

    key: str
    name: Sentence
    rule: Rule
    by_the_moon: bool = False
    announced: Mapping[int, date] = field(default_factory=dict)

    def on(self, year: int) -> date | None:
        """Its date in a year; None outside the years that are known."""
        if not FIRST_YEAR <= year <= LAST_YEAR:
            return None
        return self.announced.get(year) or self.rule(year)

    def is_expected(self, year: int) -> bool:
        """Whether the date may still be announced otherwise."""
        return self.by_the_moon and year not in self.announced


@dataclass(frozen=True, kw_only=True)
class Calendar:
    key: str
    name: Sentence
    days: tuple[Day, ...]

    def day(self, key: str) -> Day | None:
        return next((day for day in self.days if day.key == key), None)

    def between(self, first: date, last: date) -> Iterator[tuple[date, Day, bool]]:
        """What falls on the days from *first* to *last*, in their order, and whether that is only expected."""
        found = [
            (on, day, day.is_expected(year))
            for year in range(first.year, last.year + 1)
            for day in self.days
            if (on := day.on(year)) is not None and first <= on <= last
        ]
        yield from sorted(found, key=lambda one: (one[0], one[1].key))


def islamic(year: int, month: int, day: int) -> date:
    """The date of a day of the tabular Islamic calendar."""
    days = (year - 1) * 354 + (3 + 11 * year) // 30 + 29 * (month - 1) + month // 2 + day - 1
    return ISLAMIC_EPOCH + timedelta(days=days)


def _fixed(month: int, day: int) -> Rule:
    return lambda year: date(year, month, day)


def _table(dates: Mapping[int, tuple[int, int]]) -> Rule:
    return lambda year: date(year, *dates[year]) if year in dates else None


def _nth(month: int, weekday: int, number: int, *, plus_days: int = 0) -> Rule:
    """The *number*th weekday (1 is Monday) of a month, or so many days after it."""

    def on(year: int) -> date:
        first = date(year, month, 1)
        ahead = (weekday - first.isoweekday()) % 7 + 7 * (number - 1) + plus_days
        return first + timedelta(days=ahead)

    return on


def _feast(month: int, day: int) -> Rule:
    """The first day of that Islamic month and day in a year; it can fall on two days of one year, as in 2033."""

    def on(year: int) -> date | None:
        first = (year - 622) * 33 // 32
        dates = (islamic(one, month, day) for one in range(first - 1, first + 3))
        return next((one for one in dates if one.year == year), None)

    return on


NEW_YEAR = Day(key="new_year", name=Sentence("New Year's Day"), rule=_fixed(1, 1))
VALENTINE = Day(key="valentine", name=Sentence("Valentine's Day"), rule=_fixed(2, 14))
WOMEN = Day(key="womens_day", name=Sentence("Women's Day"), rule=_fixed(3, 8))
MOTHERS_IN_MAY = Day(key="mothers_day", name=Sentence("Mother's Day"), rule=_nth(MAY, SUNDAY, 2))
FATHERS_IN_JUNE = Day(key="fathers_day", name=Sentence("Father's Day"), rule=_nth(JUNE, SUNDAY, 3))
CHRISTMAS = Day(key="christmas", name=Sentence("Christmas"), rule=_fixed(12, 25))
NEW_YEARS_EVE = Day(key="new_years_eve", name=Sentence("New Year's Eve"), rule=_fixed(12, 31))
BLACK_FRIDAY = Day(key="black_friday", name=Sentence("Black Friday"), rule=_nth(NOVEMBER, THURSDAY, 4, plus_days=1))

TURKIYE = Calendar(
    key="tr",
    name=Sentence("Türkiye"),
    days=(
        NEW_YEAR,
        VALENTINE,
        WOMEN,
        Day(key="childrens_day", name=Sentence("Sovereignty and Children's Day"), rule=_fixed(4, 23)),
        Day(key="labour_day", name=Sentence("Labour Day"), rule=_fixed(5, 1)),
        MOTHERS_IN_MAY,
        Day(key="youth_day", name=Sentence("Youth and Sports Day"), rule=_fixed(5, 19)),
        FATHERS_IN_JUNE,
        Day(key="victory_day", name=Sentence("Victory Day"), rule=_fixed(8, 30)),
        Day(key="republic_day", name=Sentence("Republic Day"), rule=_fixed(10, 29)),
        Day(key="teachers_day", name=Sentence("Teachers' Day"), rule=_fixed(11, 24)),
        BLACK_FRIDAY,
        NEW_YEARS_EVE,
        Day(
            key="ramadan_feast", name=Sentence("Ramadan Feast"), rule=_table(RAMADAN_FEAST), by_the_moon=True,
            announced={2026: date(2026, 3, 20)},
        ),
        Day(
            key="sacrifice_feast", name=Sentence("Feast of the Sacrifice"), rule=_table(SACRIFICE_FEAST),
            by_the_moon=True, announced={2026: date(2026, 5, 27)},
        ),
    ),
)  # fmt: skip
INDONESIA = Calendar(
    key="id",
    name=Sentence("Indonesia"),
    days=(
        NEW_YEAR,
        VALENTINE,
        Day(key="kartini_day", name=Sentence("Kartini Day"), rule=_fixed(4, 21)),
        Day(key="labour_day", name=Sentence("Labour Day"), rule=_fixed(5, 1)),
        Day(key="independence_day", name=Sentence("Independence Day"), rule=_fixed(8, 17)),
        Day(key="customer_day", name=Sentence("Customers' Day"), rule=_fixed(9, 4)),
        Day(key="batik_day", name=Sentence("Batik Day"), rule=_fixed(10, 2)),
        Day(key="fathers_day", name=Sentence("Father's Day"), rule=_fixed(11, 12)),
        Day(key="teachers_day", name=Sentence("Teachers' Day"), rule=_fixed(11, 25)),
        Day(key="shopping_day", name=Sentence("Online shopping day"), rule=_fixed(12, 12)),
        Day(key="mothers_day", name=Sentence("Mother's Day"), rule=_fixed(12, 22)),
        CHRISTMAS,
        NEW_YEARS_EVE,
        Day(
            key="chinese_new_year", name=Sentence("Chinese New Year"), rule=_table(CHINESE_NEW_YEAR), by_the_moon=True,
            announced={2026: date(2026, 2, 17)},
        ),
        Day(
            key="nyepi", name=Sentence("Nyepi"), rule=_table(NYEPI), by_the_moon=True,
            announced={2026: date(2026, 3, 19)},
        ),
        Day(
            key="waisak", name=Sentence("Waisak"), rule=_table(WAISAK), by_the_moon=True,
            announced={2026: date(2026, 5, 31)},
        ),
        Day(
            key="idul_fitri", name=Sentence("Idul Fitri"), rule=_feast(SHAWWAL, 1), by_the_moon=True,
            announced={2026: date(2026, 3, 21)},
        ),
        Day(
            key="idul_adha", name=Sentence("Idul Adha"), rule=_feast(DHU_AL_HIJJAH, 10), by_the_moon=True,
            announced={2026: date(2026, 5, 27)},
        ),
    ),
)  # fmt: skip
GENERAL = Calendar(
    key="general",
    name=Sentence("General"),
    days=(
        NEW_YEAR,
        VALENTINE,
        WOMEN,
        MOTHERS_IN_MAY,
        FATHERS_IN_JUNE,
        Day(key="coffee_day", name=Sentence("Coffee Day"), rule=_fixed(10, 1)),
        Day(key="teachers_day", name=Sentence("Teachers' Day"), rule=_fixed(10, 5)),
        BLACK_FRIDAY,
        CHRISTMAS,
        NEW_YEARS_EVE,
    ),
)
CALENDARS = {calendar.key: calendar for calendar in (TURKIYE, INDONESIA, GENERAL)}


def calendar_of(timezone: str) -> Calendar:
    """The calendar that suits a programme in that zone."""
    if timezone in {"Europe/Istanbul", "Asia/Istanbul", "Turkey"}:
        return TURKIYE
    if timezone in {"Asia/Jakarta", "Asia/Pontianak", "Asia/Makassar", "Asia/Jayapura"}:
        return INDONESIA
    return GENERAL
