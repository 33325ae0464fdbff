"""Translated texts of the present page, typed: what Flask-Babel gives has no types."""

import flask_babel


def gettext(message: str, **values: object) -> str:
    """The message in the reader's language."""
    return str(flask_babel.gettext(message, **values))


def ngettext(one: str, many: str, num: int, **values: object) -> str:
    """The form for *num*, in the reader's language."""
    return str(flask_babel.ngettext(one, many, num, **values))
