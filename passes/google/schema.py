"""Judge a body by Google's schema: types, enums, unknown members, what is required, how many, how long."""

import math
import re
from collections.abc import Callable

from passes.errors import InvalidPass
from passes.google.findings import Finding, Report
from passes.google.rules import TYPE_RULES
from passes.google.schema_types import TYPES, Member, Type, Use

__all__ = ["Body", "Finding", "Use", "check", "problems", "texts"]

Body = dict[str, object]
Fault = tuple[str, str] | None

INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)
_INT64_TEXT = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def problems(type_name: str, body: Body, use: Use = Use.INSERT) -> list[Finding]:
    """List every rule that the body breaks; empty means that it may be sent.

    Args:
        type_name: "LoyaltyClass", "LoyaltyObject", "OfferClass", "OfferObject", "AddMessageRequest", "JwtResource", …
    """
    report = Report()
    _check_type(TYPES[type_name], body, type_name[0].lower() + type_name[1:], use, report)
    return report.found


def check(type_name: str, body: Body, use: Use = Use.INSERT) -> None:
    """Do nothing if the body may be sent. Raises: InvalidPass, with every problem."""
    found = problems(type_name, body, use)
    if found:
        raise InvalidPass(str(finding) for finding in found)


def texts(localized: Body) -> list[tuple[str, str]]:
    """Every text of a localized string with its place; what is malformed is left out."""
    translated = localized.get("translatedValues")
    places = [("defaultValue", localized.get("defaultValue"))]
    if isinstance(translated, list):
        places += [(f"translatedValues[{index}]", item) for index, item in enumerate(translated)]
    return [(at, item["value"]) for at, item in places if isinstance(item, dict) and isinstance(item.get("value"), str)]


def _check_type(rule: Type, body: Body, path: str, use: Use, report: Report) -> None:
    for name, value in body.items():
        member = rule.members.get(name)
        where = f"{path}.{name}"
        if member is None:
            report.add("unknown_member", where, f"{rule.name} has no such member", "leave it out")
        elif member.refused:
            report.add("never_send", where, member.refused, "leave it out")
        elif value is not None:
            _check_member(member, value, where, use, report)
        elif use is Use.INSERT:
            report.add("null", where, "null clears a value, and only in a patch", "leave it out")
    _check_presence(rule, body, path, use, report)
    extra = TYPE_RULES.get(rule.name)
    if extra is not None:
        extra(body, path, report)


def _check_presence(rule: Type, body: Body, path: str, use: Use, report: Report) -> None:
    there = {name for name, value in body.items() if value is not None}
    # A patch names what changes, but a nested value is sent whole: its own rules hold in a patch too.
    for name in rule.required[use]:
        if body.get(name) in (None, "", [], {}):
            report.add("required", f"{path}.{name}", "is missing or empty", "give it a value")
    if rule.exactly_one and len(there & set(rule.exactly_one)) != 1:
        _add_choice("exactly", rule.exactly_one, there, path, report)
    if len(there & set(rule.at_most_one)) > 1:
        _add_choice("at most", rule.at_most_one, there, path, report)
    for name, needed in rule.needs.items():
        if name in there and needed not in there:
            report.add("needs", f"{path}.{name}", f"means nothing without {needed}", f"give {needed} too")


def _add_choice(how_many: str, of: tuple[str, ...], there: set[str], path: str, report: Report) -> None:
    held = " and ".join(name for name in of if name in there) or "none of them"
    report.add("choice", path, f"holds {held}", f"give {how_many} one of {', '.join(of)}")


def _check_member(member: Member, value: object, path: str, use: Use, report: Report) -> None:
    if not member.is_list:
        _check_value(member, value, path, use, report)
        return
    if not isinstance(value, list):
        report.add("type", path, "is no list", "give a list")
        return
    if member.max_items is not None and len(value) > member.max_items:
        report.add("too_many", path, f"holds {len(value)}", f"Google takes at most {member.max_items}")
    for index, item in enumerate(value):
        _check_value(member, item, f"{path}[{index}]", use, report)
    _check_distinct(value, path, report)


def _check_distinct(items: list[object], path: str, report: Report) -> None:
    """Items are found again by their id (or are ids themselves), so two of a name are a mistake."""
    ids = [item.get("id") if isinstance(item, dict) else item for item in items]
    names = [name for name in ids if isinstance(name, str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        report.add("duplicate", path, f"{name!r} is there more than once", "name each one once")


def _check_value(member: Member, value: object, path: str, use: Use, report: Report) -> None:
    rule = TYPES.get(member.form)
    if rule is None:
        fault = _PRIMITIVES[member.form](value)
        if fault:
            report.add("type", path, *fault)
        else:
            _check_limits(member, value, path, report)
    elif not isinstance(value, dict):
        report.add("type", path, f"is no {rule.name}", "give an object")
    else:
        _check_type(rule, value, path, use, report)
        _check_length(member, value, path, report)


def _check_limits(member: Member, value: object, path: str, report: Report) -> None:
    if member.values and value not in member.values:
        today = member.today.get(str(value))
        mend = f"write {today}" if today else f"use one of {', '.join(sorted(member.values))}"
        report.add("enum", path, f"{value!r} may not be sent", mend)
    if member.pattern is not None and isinstance(value, str) and not member.pattern.fullmatch(value):
        report.add("format", path, f"{_short(value)} has the wrong form", _FORMS.get(member.name, _FORMS[""]))
    if member.bounds is not None and isinstance(value, int | float):
        low, high = member.bounds
        if not low <= value <= high:
            report.add("range", path, f"{value} is out of range", f"give a number from {low} to {high}")


def _check_length(member: Member, localized: Body, path: str, report: Report) -> None:
    limit = member.max_characters
    for where, text in texts(localized) if limit is not None else ():
        if len(text) > (limit or 0):
            report.add("too_long", f"{path}.{where}", f"has {len(text)} characters", f"shorten it to {limit}")


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "…")


def _text(value: object) -> Fault:
    if not isinstance(value, str):
        return "is no text", "give a text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate)", "mend or remove that character"
    return None


def _boolean(value: object) -> Fault:
    return None if isinstance(value, bool) else ("is no boolean", "give true or false")


def _int32(value: object) -> Fault:
    if isinstance(value, int) and not isinstance(value, bool) and value in INT32:
        return None
    return f"{value!r} is no 32-bit integer", "give a whole number within ±2147483647, or a text where one is allowed"


def _int64(value: object) -> Fault:
    if isinstance(value, str) and _INT64_TEXT.fullmatch(value) and int(value) in INT64:
        return None
    return f"{value!r} is no 64-bit integer written as text", 'write it in quotes, like "12500000"'


def _number(value: object) -> Fault:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return None
    return f"{value!r} is no finite number", "give a number"


_PRIMITIVES: dict[str, Callable[[object], Fault]] = {
    "text": _text,
    "boolean": _boolean,
    "int32": _int32,
    "int64": _int64,
    "number": _number,
}

_RESOURCE_ID = "write it as <issuer digits>.<A-Z a-z 0-9 . _ ->"
_FORMS = {
    "": "see Google's reference for this member",
    "id": _RESOURCE_ID + "; the id of a module holds no dot",
    "classId": _RESOURCE_ID,
    "linkedObjectIds": _RESOURCE_ID,
    "linkedOfferIds": _RESOURCE_ID,
    "hexBackgroundColor": "write a colour like #1a73e8",
    "countryCode": "use two capital letters, like DE",
    "currencyCode": "use three capital letters, like EUR",
    "language": "use a language tag like de or pt-BR, with a hyphen",
    "uri": "start it with https:// (a link may also start with tel:, mailto: or geo:), without spaces",
    "url": "start it with https://, without spaces",
    "key": "write the key in hexadecimal, two digits to a byte",
    "smartTapRedemptionValue": "use ASCII only",
    "restrictToEmailSha256": "use 64 lower-case hexadecimal digits",
}
