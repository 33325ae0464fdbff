"""Whole numbers as people type them into a campaign's fields."""

from collections.abc import Mapping

from flask_babel import gettext

LONGEST_NUMBER = 6


def whole(name: str, values: Mapping[str, str], errors: dict[str, str], *, otherwise: int) -> int:
    """The number of a field; *otherwise* where it is empty, or none, which is said beside it."""
    text = values.get(name, "").strip()
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit()) or len(text) > LONGEST_NUMBER:
        errors[name] = gettext("Write a whole number.")
        return otherwise
    return int(text)
