"""How the admin room's pages are put together: its shell, and numbers and times in the reader's own way."""

from datetime import datetime, timedelta

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from flask import Response, make_response, render_template

from app.i18n import page_language
from app.staff import rules
from app.staff.guards import current_staff


def shown(template: str, *, status: int = 200, **values: object) -> Response:
    """A page of this room; `may_write` tells the template whether to offer changes."""
    me = current_staff()
    text = render_template(
        f"admin/{template}", staff=me, may_write=me.may(*rules.ADMIN), number=number, moment=moment, **values
    )
    return make_response(text, status)


def number(value: int) -> str:
    return str(format_decimal(value, locale=page_language()))


def moment(at: datetime | None) -> str:
    """A day and time in UTC: operators of several zones read the same page, and so do their logs."""
    return f"{format_datetime(at, 'd MMM y, HH:mm:ss', locale=page_language())} UTC" if at else "–"


def ago(at: datetime, now: datetime) -> str:
    """`3 minutes`: how long since, or until."""
    return str(format_timedelta(abs(now - at), threshold=1.2, locale=page_language()))


def in_words(seconds: int) -> str:
    """`3 hours`, in the reader's language."""
    return str(format_timedelta(timedelta(seconds=seconds), locale=page_language()))
