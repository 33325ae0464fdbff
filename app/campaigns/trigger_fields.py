"""The catalogue of triggers, and how each field of their JSON is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.campaigns.calendars import CALENDARS
from app.earning.windows import CLOCK
from app.errors import Sentence

MOST_DATES = 60
LONGEST_NAME = 40
OWN = "own"
WHEN_DAILY = "10:00"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", flags=re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a trigger. `kind`: whole, wholes (rising), time, calendar, day, dates or text.

    `least` and `most` bound each number, and `count` how many of them there may be.
    """

    name: str
    label: Sentence
    kind: str = "whole"
    default: Any = None
    least: int = 0
    most: int = 0
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One trigger of the catalogue. `about`: what it is for, in a sentence."""

    on: str
    name: Sentence
    about: Sentence
    fields: tuple[Field, ...] = ()

    @property
    def defaults(self) -> dict[str, Any]:
        return {"on": self.on, **{one.name: one.default for one in self.fields if one.default is not None}}


_AT = Field(name="at", label=Sentence("Time of day"), kind="time", default=WHEN_DAILY)


def _valid(days: int) -> Field:
    label = Sentence("Days for which a personal offer is good")
    return Field(name="valid_days", label=label, default=days, least=1, most=365)


CATALOGUE: tuple[Kind, ...] = (
    Kind(
        on="welcome",
        name=Sentence("Welcome"),
        about=Sentence("Says hello as soon as the card is on a phone for the first time."),
        fields=(_valid(14),),
    ),
    Kind(
        on="near_reward",
        name=Sentence("Near a reward"),
        about=Sentence("Says that little is missing to a reward."),
        fields=(
            Field(name="stamps", label=Sentence("Stamps missing at most"), default=1, least=1, most=5),
            Field(name="percent", label=Sentence("Percent of points missing at most"), default=10, least=1, most=50),
            _AT,
            _valid(14),
        ),
    ),
    Kind(
        on="milestone",
        name=Sentence("Milestone"),
        about=Sentence("Celebrates a certain visit, once."),
        fields=(
            Field(name="visits", label=Sentence("Which visit"), default=10, least=1, most=10_000),
            _AT,
            _valid(14),
        ),
    ),
    Kind(
        on="tier_reached",
        name=Sentence("Tier reached"),
        about=Sentence("Congratulates on a higher tier, once for each."),
        fields=(_AT, _valid(14)),
    ),
    Kind(
        on="tier_ending",
        name=Sentence("Tier ending"),
        about=Sentence("Says what is missing to keep the tier, while there is time."),
        fields=(
            Field(name="days", label=Sentence("Days before its end"), default=30, least=1, most=180),
            _AT,
            _valid(14),
        ),
    ),
    Kind(
        on="points_expiring",
        name=Sentence("Points expiring"),
        about=Sentence("Says that points are about to be lost."),
        fields=(
            Field(
                name="days", label=Sentence("Days before they end"), kind="wholes", default=[30, 7], least=1, most=180,
                count=3,
            ),
            Field(name="least", label=Sentence("From how many points on"), default=1, least=1, most=1_000_000_000),
            _AT,
            _valid(14),
        ),
    ),
    Kind(
        on="win_back",
        name=Sentence("Win back"),
        about=Sentence("Invites who has stayed away for longer than they use to; a purchase ends it."),
        fields=(
            Field(
                name="days", label=Sentence("Days without a purchase"), kind="wholes", default=[30, 60, 90], least=7,
                most=730, count=3,
            ),
            _AT,
            _valid(14),
        ),
    ),
    Kind(
        on="birthday",
        name=Sentence("Birthday"),
        about=Sentence("Congratulates once a year, where the birthday has been known for 30 days."),
        fields=(
            Field(name="days_before", label=Sentence("Days before the day"), default=0, least=0, most=14),
            _AT,
            _valid(14),
        ),
    ),
    Kind(
        on="thanks",
        name=Sentence("Thanks"),
        about=Sentence("Thanks for a visit, some time after it."),
        fields=(
            Field(name="minutes", label=Sentence("Minutes after the visit"), default=60, least=0, most=2880),
            Field(name="rest_days", label=Sentence("Days until the next thanks"), default=30, least=0, most=365),
            _valid(14),
        ),
    ),
    Kind(
        on="occasion",
        name=Sentence("Day of the calendar"),
        about=Sentence("Speaks of a feast or another day, every year."),
        fields=(
            Field(name="calendar", label=Sentence("Calendar"), kind="calendar"),
            Field(name="day", label=Sentence("Day"), kind="day"),
            Field(name="name", label=Sentence("Name of your own days"), kind="text"),
            Field(name="dates", label=Sentence("Your own days"), kind="dates"),
            Field(name="days_before", label=Sentence("Days before the day"), default=0, least=0, most=60),
            _AT,
            _valid(7),
        ),
    ),
)  # fmt: skip
KINDS = {kind.on: kind for kind in CATALOGUE}


def _whole(value: Any, one: Field, errors: dict[str, str]) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not one.least <= value <= one.most:
        errors[f"trigger.{one.name}"] = Sentence(
            "Write a whole number from %(least)s to %(most)s.", least=one.least, most=one.most
        )
        return None
    return value


def _wholes(value: Any, one: Field, errors: dict[str, str]) -> list[int] | None:
    found = value if isinstance(value, list) else [value]
    right = 1 <= len(found) <= one.count and all(
        isinstance(each, int) and not isinstance(each, bool) and one.least <= each <= one.most for each in found
    )
    if not right or len(set(found)) != len(found):
        errors[f"trigger.{one.name}"] = Sentence(
            "Write 1 to %(count)s different whole numbers from %(least)s to %(most)s.",
            count=one.count, least=one.least, most=one.most,
        )  # fmt: skip
        return None
    return sorted(found, reverse=one.default == sorted(one.default, reverse=True))


def _time(value: Any, one: Field, errors: dict[str, str]) -> str | None:
    if not isinstance(value, str) or not CLOCK.fullmatch(value):
        errors[f"trigger.{one.name}"] = "Write the time as hours and minutes, such as 17:00."
        return None
    return value


def _text(value: Any, one: Field, errors: dict[str, str]) -> str | None:
    if not isinstance(value, str) or len(value.strip()) > LONGEST_NAME or not value.isprintable():
        errors[f"trigger.{one.name}"] = Sentence("Write a text of at most %(most)s characters.", most=LONGEST_NAME)
        return None
    return value.strip() or None


def _dates(value: Any, one: Field, errors: dict[str, str]) -> list[str] | None:
    where = f"trigger.{one.name}"
    if not isinstance(value, list) or len(value) > MOST_DATES:
        errors[where] = Sentence("Name at most %(most)s days, each as 2027-03-20.", most=MOST_DATES)
        return None
    found = set()
    for each in value:
        try:
            found.add(date.fromisoformat(each if _DATE.fullmatch(each) else ""))
        except (TypeError, ValueError):
            shown = str(each)[:20]
            errors[where] = Sentence("%(day)s is no day of the calendar; write days as 2027-03-20.", day=shown)
            return None
    return [one.isoformat() for one in sorted(found)] or None


def check_occasion(values: dict[str, Any], errors: dict[str, str]) -> None:
    """Whether a calendar and its day, or days of one's own, are named as they should be."""
    calendar, key = (
        values.get("calendar") or (OWN if values.get("dates") or "trigger.dates" in errors else ""),
        values.get("day"),
    )
    values["calendar"] = calendar
    if calendar == OWN:
        if not values.get("dates") and "trigger.dates" not in errors:
            errors["trigger.dates"] = "Name at least one day, as 2027-03-20."
        if key:
            errors["trigger.day"] = "Your own days have dates instead; leave this out."
    elif calendar not in CALENDARS:
        errors["trigger.calendar"] = Sentence("There is no such calendar; use one of %(known)s.",
                                              known=", ".join([*CALENDARS, OWN]))  # fmt: skip
    else:
        if values.get("dates"):
            errors["trigger.dates"] = "Days of your own need the calendar own."
        if CALENDARS[calendar].day(str(key)) is None:
            known = ", ".join(day.key for day in CALENDARS[calendar].days)
            errors["trigger.day"] = Sentence("This calendar has no such day; use one of %(known)s.", known=known)


def _choice(value: Any, one: Field, errors: dict[str, str]) -> str | None:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        errors[f"trigger.{one.name}"] = Sentence("Write a text of at most %(most)s characters.", most=LONGEST_NAME)
        return None
    return value


READERS: dict[str, Callable[[Any, Field, dict[str, str]], Any]] = {
    "whole": _whole, "wholes": _wholes, "time": _time, "text": _text, "dates": _dates, "calendar": _choice,
    "day": _choice,
}  # fmt: skip
