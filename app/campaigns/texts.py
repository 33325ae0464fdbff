"""The words of a campaign, with places for what is each member's own: "{first_name|friend}, {points} points wait"."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal

from app import i18n
from app.cards import texts as characters
from app.errors import Sentence

FIELDS = (
    "first_name", "points", "tier", "points_to_reward", "reward", "expiring_points", "expires_on", "store", "visits",
    "to_keep_tier", "tier_until",
)  # fmt: skip
FIRST_NAME = "first_name"
DAYS = frozenset({"expires_on", "tier_until"})
LONGEST_TITLE = 60
LONGEST_BODY = 500
SHOWN_WELL = 90
LONGEST_FALLBACK = 40
_PLACE = re.compile(r"\{([^{}|]*)(?:\|([^{}]*))?\}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place in a text: whose field comes there, and what stands there where a member has none (None: nothing may)."""

    field: str
    fallback: str | None


def places(text: str) -> Iterator[Place]:
    """The places of a text, in order."""
    for found in _PLACE.finditer(text):
        yield Place(field=found[1].strip(), fallback=found[2].strip() or None if found[2] is not None else None)


def problems(words: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with {"title", "body", "texts": {language: {"title", "body"}}}, a sentence by field name."""
    errors: dict[str, str] = {}
    for name in set(words) - {"title", "body", "texts"}:
        errors[f"message.{str(name)[:40]}"] = "A message has a title, a body, and texts by language."
    by_language = words.get("texts") or {}
    if not isinstance(by_language, Mapping) or len(by_language) > 20:
        errors["message.texts"] = "Texts by language are an object of at most 20 languages, each with title and body."
        by_language = {}
    _check(words, "message", errors, is_required=True)
    for language, inner in by_language.items():
        where = f"message.texts.{str(language)[:20]}"
        if not isinstance(inner, Mapping) or set(inner) - {"title", "body"}:
            errors[where] = "In each language there is a title and a body."
        else:
            _check(inner, where, errors, is_required=False)
    return errors


def in_language(words: Mapping[str, Any], language: str) -> tuple[str, str]:
    """Title and body in the nearest language, with their places."""
    own = (words.get("texts") or {}).get(i18n.nearest(language)) or {}
    return str(own.get("title") or words.get("title") or ""), str(own.get("body") or words.get("body") or "")


def fields_of(words: Mapping[str, Any]) -> frozenset[str]:
    """The fields that any language of the words has places for."""
    every = [words, *(words.get("texts") or {}).values()]
    return frozenset(
        place.field for one in every for part in ("title", "body") for place in places(str(one.get(part) or ""))
    )


def unfilled(words: Mapping[str, Any], language: str, numbers: Mapping[str, Any]) -> frozenset[str]:
    """The fields that have neither a value for this member nor a fallback in their language."""
    title, body = in_language(words, language)
    return frozenset(
        place.field
        for place in (*places(title), *places(body))
        if place.fallback is None and numbers.get(place.field) in {None, ""}
    )


def filled(words: Mapping[str, Any], language: str, numbers: Mapping[str, Any]) -> tuple[str, str]:
    """Title and body for one member; *numbers* by field: whole numbers, ISO dates, texts.

    Never raises: a place with nothing to say is left out.
    """
    title, body = in_language(words, language)
    return _fill(title, language, numbers), _fill(body, language, numbers)


def first_name(name: str) -> str:
    """How a message calls somebody."""
    return name.split(maxsplit=1)[0] if name.split() else ""


def _fill(text: str, language: str, numbers: Mapping[str, Any]) -> str:
    def say(found: re.Match[str]) -> str:
        value = numbers.get(found[1].strip())
        if value is None or value == "":
            return (found[2] or "").strip()
        return _said(found[1].strip(), value, i18n.nearest(language))

    return " ".join(_PLACE.sub(say, text).split(" "))


def _said(field: str, value: Any, language: str) -> str:
    if isinstance(value, int):
        return str(format_decimal(value, locale=language))
    if field in DAYS:
        return str(format_date(date.fromisoformat(str(value)), format="d MMMM", locale=language))
    return str(value)


def _check(words: Mapping[str, Any], where: str, errors: dict[str, str], *, is_required: bool) -> None:
    for part, longest in (("title", LONGEST_TITLE), ("body", LONGEST_BODY)):
        text = words.get(part)
        if text is None and not (is_required and part == "title"):
            continue
        name = f"{where}.{part}"
        if not isinstance(text, str) or (is_required and part == "title" and not text.strip()):
            errors[name] = "A message has a title."
        elif len(text) > longest:
            errors[name] = Sentence("This has at most %(most)s characters.", most=longest)
        elif not characters.is_showable(text, lines=part == "body"):
            errors[name] = "This holds a character that cannot be shown; write it anew."
        else:
            _check_places(text, name, errors)


def _check_places(text: str, name: str, errors: dict[str, str]) -> None:
    for place in places(text):
        if place.field not in FIELDS:
            known = ", ".join(f"{{{one}}}" for one in FIELDS)
            errors[name] = Sentence("There is no field {%(field)s}; use one of %(known)s.",
                                    field=place.field[:40], known=known)  # fmt: skip
        elif place.fallback and len(place.fallback) > LONGEST_FALLBACK:
            errors[name] = Sentence("A fallback has at most %(most)s characters.", most=LONGEST_FALLBACK)
    if "{" in _PLACE.sub("", text) or "}" in _PLACE.sub("", text):
        errors[name] = "A curly bracket opens a field and closes it again, such as {first_name|friend}."
