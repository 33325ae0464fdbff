"""Reports for machines: plain values, and CSV that a spreadsheet reads and never runs."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from app import i18n, money
from app.reports.outcome import Reasons, Report, Units, Value

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
FOUR_PLACES = Decimal("0.0001")


def plain(value: Value) -> int | str | None:
    """A value as JSON has it: money and shares as decimal strings, days as 2026-11-20, what is undefined as null."""
    if isinstance(value, Units):
        return money.decimal_text(value.amount, value.currency) if value.currency else value.amount
    if isinstance(value, Fraction):
        return str((Decimal(value.numerator) / Decimal(value.denominator)).quantize(FOUR_PLACES))
    if isinstance(value, Reasons):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def csv_lines(report: Report) -> Iterator[str]:
    """The table of a report, a line at a time; each says its zone, when it was built, and which day is not over."""
    outcome, language = report.outcome, report.ask.language
    said = [i18n.text(language, "Time zone"), i18n.text(language, "Built at"), i18n.text(language, "Day not over")]
    own = [
        report.ask.place.zone,
        report.built_at.isoformat(timespec="seconds") if report.built_at else "",
        report.incomplete_on.isoformat() if report.incomplete_on else "",
    ]
    yield "\ufeff" + _line([*(column.label for column in outcome.columns), *said])
    for row in outcome.rows:
        yield _line([*(_cell(value) for value in row), *own])


def csv_name(report: Report) -> str:
    """A name for the file."""
    period = report.ask.period
    return f"{report.name}-{period.first}-{period.last}.csv"


def _cell(value: Value) -> int | str:
    shown = plain(value)
    if shown is None:
        return ""
    is_text = isinstance(value, str)
    return f"'{shown}" if is_text and str(shown).startswith(FORMULA_STARTS) else shown


def _line(cells: list[int | str]) -> str:
    sink = io.StringIO()
    csv.writer(sink).writerow(cells)
    return sink.getvalue()
