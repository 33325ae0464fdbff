"""The triggers of the catalogue as fields of a form: each has its own, named `trigger.<trigger>.<field>`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext

from app.campaigns.calendars import CALENDARS
from app.campaigns.trigger_fields import CATALOGUE, KINDS, OWN, Field, Kind
from app.i18n import translate

OCCASION, WHICH = "occasion", "which"
LONGEST = 1000
LONGEST_NUMBER = 12


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A field of the form. `type`: that of the input, or select with its choices; `proposed`: what it begins with."""

    name: str
    label: str
    type: str
    proposed: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A trigger with what it is for, and its fields."""

    on: str
    name: str
    about: str
    fields: tuple[Asked, ...]


def choices() -> list[Choice]:
    """The whole catalogue in the reader's language."""
    return [
        Choice(on=kind.on, name=translate(kind.name), about=translate(kind.about), fields=tuple(_fields(kind)))
        for kind in CATALOGUE
    ]


def read(values: Mapping[str, str], errors: dict[str, str]) -> dict[str, Any]:
    """The trigger that was chosen, as its JSON; what is wrong with it is judged where it is kept."""
    kind = KINDS.get(values.get("trigger", ""))
    if kind is None:
        errors["trigger"] = gettext("Choose what it follows.")
        return {}
    found: dict[str, Any] = {"on": kind.on}
    for one in kind.fields:
        text = values.get(f"trigger.{kind.on}.{one.name}", "").strip()[:LONGEST]
        if text and one.kind not in {"calendar", "day"}:
            found[one.name] = _value(one, text)
    if kind.on == OCCASION:
        found |= _which(values.get(f"trigger.{OCCASION}.{WHICH}", ""))
    if found.get("calendar") and found["calendar"] != OWN:
        found.pop("dates", None)
    return found


def values_of(trigger: Mapping[str, Any]) -> dict[str, str]:
    """A kept trigger as its form shows it."""
    on = str(trigger.get("on", ""))
    if not on:
        return {}
    found = {f"trigger.{on}.{name}": _text(value) for name, value in trigger.items() if name != "on"}
    if on == OCCASION:
        calendar = trigger.get("calendar", OWN)
        found[f"trigger.{on}.{WHICH}"] = OWN if calendar == OWN else f"{calendar}/{trigger.get('day', '')}"
    return {"trigger": on, **found}


def _fields(kind: Kind) -> list[Asked]:
    asked = []
    for one in kind.fields:
        name = f"trigger.{kind.on}.{one.name}"
        if one.kind == "calendar":
            asked.append(
                Asked(name=f"trigger.{OCCASION}.{WHICH}", label=gettext("Day"), type="select", choices=_days())
            )
        elif one.kind != "day":
            asked.append(
                Asked(
                    name=name,
                    label=translate(one.label),
                    type="time" if one.kind == "time" else "text",
                    proposed=_text(one.default),
                )
            )
    return asked


def _days() -> tuple[tuple[str, str], ...]:
    found = [
        (f"{calendar.key}/{day.key}", f"{translate(calendar.name)}: {translate(day.name)}")
        for calendar in CALENDARS.values()
        for day in calendar.days
    ]
    return (*found, (OWN, gettext("Your own days")))


def _which(text: str) -> dict[str, str]:
    calendar, _, day = text.partition("/")
    return {"calendar": OWN} if calendar in {"", OWN} else {"calendar": calendar, "day": day}


def _value(one: Field, text: str) -> Any:
    """What JSON wants; anything else as typed, which the trigger itself refuses."""
    if one.kind == "whole":
        return _number(text)
    if one.kind == "wholes":
        return [_number(part.strip()) for part in text.split(",")]
    if one.kind == "dates":
        return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
    return text


def _number(text: str) -> Any:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else text


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)
