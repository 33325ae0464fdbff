"""The day in words: rows of label and figure, for the page and for the slip."""

from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

from app import i18n, money
from app.counter.paper import Line
from app.earning.words import number
from app.ledger import words as ledger_words
from app.till.day import summary
from app.till.day.summary import Day, Figures

RULE = Line(is_rule=True)
Row = tuple[str, str]


def rows(figures: Figures, language: str) -> list[Row]:
    """Sales first, then each unit; what did not happen is not listed."""
    found: list[Row] = []
    for currency, times, amount in figures.sales:
        found.append((i18n.text(language, "Sales"), number(times, language)))
        found.append((i18n.text(language, "Sales in all"), money.shown(amount, currency, language)))
    for currency, times, amount in figures.returned:
        label = i18n.text(language, "Came back (%(times)s)", times=number(times, language))
        found.append((label, money.shown(amount, currency, language)))
    for moved in figures.moved:
        unit = ledger_words.unit(moved.unit, language)
        for part, units in moved.parts:
            found.append((f"{unit}: {_part(part, language)}", ledger_words.signed(units, moved.unit, language)))
    counted = (
        (i18n.text(language, "Rewards redeemed"), figures.rewards),
        (i18n.text(language, "Offers used"), figures.offers),
        (i18n.text(language, "Undone and returned"), figures.undone),
    )
    return found + [(label, number(times, language)) for label, times in counted if times]


def heading(day: Day, language: str) -> str:
    """The date, and how far the day has come if it is not over."""
    on = str(format_date(day.on, "full", locale=language))
    if day.until is None:
        return on
    time = format_time(day.until, "short", tzinfo=ZoneInfo(day.zone), locale=language)
    return i18n.text(language, "%(day)s, until %(time)s: the day is not over", day=on, time=time)


def slip(day: Day, place: str, who: str, language: str) -> list[Line]:
    """The day on narrow paper."""
    lines = [
        Line(left=place, is_bold=True, is_centred=True),
        Line(left=i18n.text(language, "Summary of the day"), is_centred=True),
        Line(left=heading(day, language), is_centred=True),
        RULE,
    ]
    together = rows(day.together, language)
    lines += [Line(left=label, right=value) for label, value in together]
    if not together:
        lines.append(Line(left=i18n.text(language, "Nothing was booked.")))
    if day.notices:
        lines.append(Line(left=i18n.text(language, "Open notices"), right=number(day.notices, language)))
    if who:
        return [*lines, RULE, Line(left=who)]
    for one in day.people if len(day.people) > 1 else ():
        lines += [RULE, Line(left=one.name, is_bold=True)]
        lines += [Line(left=label, right=value) for label, value in rows(one, language)]
    return lines


def _part(part: str, language: str) -> str:
    return {
        summary.GIVEN: i18n.text(language, "given"),
        summary.USED: i18n.text(language, "used"),
        summary.UNDONE: i18n.text(language, "undone"),
        summary.LOADED: i18n.text(language, "loaded"),
        summary.PAID: i18n.text(language, "paid"),
        summary.REFUNDED: i18n.text(language, "refunded"),
    }.get(part, i18n.text(language, "corrected"))
