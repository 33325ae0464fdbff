"""Reasons in words: as integrators hold on to them, and as people read them in their language."""

from collections.abc import Mapping
from typing import Any

from babel.numbers import format_decimal

from app import i18n, money

Said = Mapping[str, Any] | str
# how the API writes each kind of reason; integrators hold on to these
_TEXTS = {
    "base": "base",
    "multiplier": "x{factor} {name}",
    "bonus": "+{points} {name}",
    "bonus_money": "bonus: {name}",
    "excluded": "excluded: {name}",
    "minimum": "minimum",
    "cap": "cap: {points}/{period}",
    "discount": "-{rate}% {name}",
    "discount_cap": "cap: discount/year",
    "offer": "offer: {name}",
    "by_points": "paid with points",
    "time": "time: server",
}


def text(reason: Said, currency: str | None = None) -> str:
    """A reason as the API gives it: "base", "x2 Tuesday", "excluded: tobacco", "cap: 500/day", "time: server".

    With the currency of the sale, a minimum says its amount: "minimum: 50.00". Entries of earlier releases hold such
    texts themselves; a code that is not known here, of a later release, is given as it stands.
    """
    if isinstance(reason, str):
        return reason
    code = str(reason.get("code", ""))
    if code == "minimum" and currency and "needs_minor" in reason:
        return f"minimum: {money.decimal_text(reason['needs_minor'], currency)}"
    try:
        return _TEXTS[code].format(**reason)
    except KeyError:
        return f"{code}: {reason['name']}" if reason.get("name") else code


def sentence(reason: Said, language: str, currency: str | None = None) -> str:
    """A reason as a customer, a cashier or support reads it, in their language."""
    values = _of_text(reason) if isinstance(reason, str) else reason
    try:
        return _sentence(str(values.get("code", "")), values, language, currency)
    except KeyError:  # a reason that lacks what its sentence says: of another release
        return text(reason, currency)


def _sentence(code: str, said: Mapping[str, Any], language: str, currency: str | None) -> str:
    name = said.get("name", "")
    if code in {"minimum", "cap"}:
        return _minimum(said, language, currency) if code == "minimum" else _cap(said, language)
    if code in {"multiplier", "bonus", "discount"}:
        value = number(said[{"multiplier": "factor", "bonus": "points", "discount": "rate"}[code]], language)
        return {
            "multiplier": i18n.text(language, "%(factor)s× points: %(name)s", factor=value, name=name),
            "bonus": i18n.text(language, "%(points)s extra points: %(name)s", points=value, name=name),
            "discount": i18n.text(language, "%(rate)s %% off: %(name)s", rate=value, name=name),
        }[code]
    return {
        "base": i18n.text(language, "Points for the purchase"),
        "bonus_money": i18n.text(language, "Money for later: %(name)s", name=name),
        "excluded": i18n.text(language, "Earns nothing: %(name)s", name=name),
        "offer": i18n.text(language, "Offer: %(name)s", name=name),
        "discount_cap": i18n.text(language, "This card has given its discount for the year"),
        "by_points": i18n.text(language, "What was paid with points earns nothing"),
        "time": i18n.text(language, "The till's clock was wrong, so the time of arrival counted"),
    }[code]


def _minimum(said: Mapping[str, Any], language: str, currency: str | None) -> str:
    if not currency:
        return i18n.text(language, "The purchase was below the minimum")
    needs, has = (money.shown(said[name], currency, language) for name in ("needs_minor", "has_minor"))
    return i18n.text(language, "Points begin at %(needs)s; %(has)s counted", needs=needs, has=has)


def _cap(said: Mapping[str, Any], language: str) -> str:
    points = number(said["points"], language)
    return {
        "sale": i18n.text(language, "At most %(points)s points in a purchase", points=points),
        "day": i18n.text(language, "At most %(points)s points in a day", points=points),
        "week": i18n.text(language, "At most %(points)s points in a week", points=points),
        "month": i18n.text(language, "At most %(points)s points in a month", points=points),
        "whole": i18n.text(language, "At most %(points)s points in all", points=points),
        "budget": i18n.text(language, "%(name)s: all of its points are given", name=said.get("name", "")),
    }[said["period"]]


def number(value: int | str, language: str) -> str:
    """A whole or decimal number ("1.5") as people of that language write it."""
    return str(format_decimal(value, locale=i18n.nearest(language)))


def _of_text(reason: str) -> Mapping[str, Any]:
    """What earlier releases wrote: "base", "x1.5 Gold", "time: server"."""
    factor, _, name = reason.partition(" ")
    if factor[:1] == "x" and name and factor[1:].replace(".", "", 1).isdigit():
        return {"code": "multiplier", "factor": factor[1:], "name": name}
    return {"code": {"base": "base", "time: server": "time"}.get(reason, ""), "name": reason}
