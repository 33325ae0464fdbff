"""Upon what a triggered campaign tells somebody: the JSON, checked as it is saved, and each trigger in a sentence.

`{"on": "birthday", "at": "10:00", "days_before": 0, "valid_days": 14}`: `on` says which, the other fields how. What is
left out is as the catalogue has it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from babel.dates import format_date

from app import i18n, localtime
from app.campaigns.calendars import CALENDARS
from app.campaigns.trigger_fields import CATALOGUE, KINDS, OWN, READERS, WHEN_DAILY, Field, Kind, check_occasion
from app.errors import Sentence, Unprocessable

__all__ = ["CATALOGUE", "Field", "Kind", "Trigger", "checked", "good_until", "name_of", "read", "sentence"]

# by the hour: whom they concern is told soon after it happened
HOURLY = frozenset({"welcome", "thanks"})


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trigger that was checked. `values`: its fields, complete."""

    on: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def at(self) -> time:
        """The local time at which the messages of a day are meant to leave."""
        return time.fromisoformat(self.values.get("at", WHEN_DAILY))

    @property
    def valid_days(self) -> int:
        return int(self.values.get("valid_days", 14))

    @property
    def is_hourly(self) -> bool:
        return self.on in HOURLY

    def whole(self, name: str) -> int:
        return int(self.values[name])

    def wholes(self, name: str) -> tuple[int, ...]:
        return tuple(int(one) for one in self.values[name])

    def dates_of(self, year: int) -> list[date]:
        """The days of an occasion in a year."""
        if self.values["calendar"] == OWN:
            return [one for one in map(date.fromisoformat, self.values["dates"]) if one.year == year]
        day = CALENDARS[self.values["calendar"]].day(self.values["day"])
        on = day.on(year) if day else None
        return [on] if on else []


def checked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The complete JSON of a trigger as it is to be saved, what was left out as the catalogue has it.

    Raises: Unprocessable `invalid_trigger` with a sentence for each faulty field, named `trigger.…`.
    """
    errors: dict[str, str] = {}
    kind = KINDS.get(str(raw.get("on"))) if isinstance(raw, Mapping) else None
    if kind is None:
        known = ", ".join(KINDS)
        text = Sentence("Say upon what the campaign tells somebody; one of %(known)s.", known=known)
        raise Unprocessable("invalid_trigger", text, errors={"trigger.on": text})
    values = {"on": kind.on}
    for name in sorted(set(raw) - {"on"} - {one.name for one in kind.fields}):
        errors[f"trigger.{str(name)[:40]}"] = Sentence("This trigger has no field of that name.")
    for one in kind.fields:
        value = raw.get(one.name, one.default)
        if value is not None:
            values[one.name] = READERS[one.kind](value, one, errors)
    if kind.on == "occasion":
        check_occasion(values, errors)
    if errors:
        raise Unprocessable("invalid_trigger", " ".join(errors.values()), errors=errors)
    return {name: value for name, value in values.items() if value is not None}


def read(raw: Mapping[str, Any]) -> Trigger:
    """A trigger from its saved JSON.

    Raises: Unprocessable `invalid_trigger`.
    """
    values = checked(raw)
    return Trigger(on=values["on"], values=values)


def good_until(trigger: Trigger, at: datetime, zone: str) -> datetime:
    """When a personal offer ends that comes with a message: with the local day so many days after it."""
    day = localtime.wall_clock(at, zone).date()
    return localtime.end_of_day(day + timedelta(days=trigger.valid_days), zone)


def name_of(trigger: Mapping[str, Any], language: str) -> str:
    """What a trigger is called."""
    kind = KINDS.get(str(trigger.get("on")))
    return i18n.text(language, kind.name) if kind else ""


def sentence(raw: Mapping[str, Any], language: str) -> str:
    """A saved trigger as the page of a campaign reads it, such as "on their birthday, at 10:00"."""
    trigger = read(raw)
    return _SENTENCES[trigger.on](trigger, language)


def _numbers(values: tuple[int, ...], language: str) -> str:
    words = [str(one) for one in values]
    return (
        i18n.text(language, "%(some)s and %(last)s", some=", ".join(words[:-1]), last=words[-1])
        if words[1:]
        else words[0]
    )


def _birthday(trigger: Trigger, language: str) -> str:
    if before := trigger.whole("days_before"):
        return i18n.text(
            language, "%(days)s days before their birthday, at %(time)s", days=before, time=trigger.values["at"]
        )
    return i18n.text(language, "on their birthday, at %(time)s", time=trigger.values["at"])


def _occasion(trigger: Trigger, language: str) -> str:
    values, at = trigger.values, trigger.values["at"]
    if values["calendar"] == OWN:
        first = format_date(date.fromisoformat(values["dates"][0]), "d MMM y", locale=i18n.nearest(language))
        name = values.get("name") or first
    else:
        day = CALENDARS[values["calendar"]].day(values["day"])
        name = i18n.text(language, day.name) if day else ""
    if before := trigger.whole("days_before"):
        return i18n.text(language, "%(days)s days before %(day)s, at %(time)s", days=before, day=name, time=at)
    return i18n.text(language, "on %(day)s, at %(time)s", day=name, time=at)


_SENTENCES: dict[str, Callable[[Trigger, str], str]] = {
    "welcome": lambda _trigger, language: i18n.text(language, "when the card is on a phone for the first time"),
    "near_reward": lambda trigger, language: i18n.text(
        language, "when few stamps (%(stamps)s) or points (%(percent)s percent) are missing to a reward",
        stamps=trigger.whole("stamps"), percent=trigger.whole("percent"),
    ),
    "milestone": lambda trigger, language: i18n.text(
        language, "after visit %(visits)s", visits=trigger.whole("visits")
    ),
    "tier_reached": lambda _trigger, language: i18n.text(language, "when a higher tier is reached"),
    "tier_ending": lambda trigger, language: i18n.text(
        language, "%(days)s days before a tier is lost", days=trigger.whole("days")
    ),
    "points_expiring": lambda trigger, language: i18n.text(
        language, "%(days)s days before points expire", days=_numbers(trigger.wholes("days"), language)
    ),
    "win_back": lambda trigger, language: i18n.text(
        language, "after %(days)s days without a purchase", days=_numbers(trigger.wholes("days"), language)
    ),
    "birthday": _birthday,
    "thanks": lambda trigger, language: i18n.text(
        language, "%(minutes)s minutes after a visit", minutes=trigger.whole("minutes")
    ),
    "occasion": _occasion,
}  # fmt: skip
