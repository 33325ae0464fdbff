"""Reports as people read them: values in their language, plots, choices of days."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent
from flask_babel import gettext

from app import charts, i18n, money
from app.ledger import words
from app.marketing.campaigns.words import reason
from app.reports import periods
from app.reports.metrics import Metric
from app.reports.outcome import Column, Figure, Outcome, Picture, Reasons, Report, Units, Value
from app.reports.periods import Period

UNDEFINED = "–"
NO_BREAK = "\u00a0"
LEFT = ("text", "unit", "day", "month")


@dataclass(frozen=True, kw_only=True)
class Stat:
    """A figure with its definition, and what it was before ("" where that is not known)."""

    title: str
    value: str
    before: str
    formula: str


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that a page of a report shows."""

    stats: Sequence[Stat]
    plot: Any
    kind: str
    axis: str
    columns: Sequence[Mapping[str, object]]
    rows: Sequence[Mapping[str, object]]
    built: str
    incomplete: str


@dataclass(frozen=True, kw_only=True)
class Quick:
    """Days that can be chosen with one click."""

    label: str
    first: str
    last: str
    chosen: bool


def view(report: Report, known: Mapping[str, Metric], language: str) -> View:
    """A report's figures, plot and table in a language."""
    outcome = report.outcome
    locale = i18n.nearest(language)
    zone = ZoneInfo(report.ask.place.zone)
    built = report.built_at and format_datetime(report.built_at.astimezone(zone), "d MMM y HH:mm", locale=locale)
    incomplete = report.incomplete_on and format_date(report.incomplete_on, "d MMM y", locale=locale)
    return View(
        stats=[_stat(one, known, language) for one in outcome.figures],
        plot=_plot(outcome.picture, language) if outcome.picture else None,
        kind=outcome.picture.kind if outcome.picture else "",
        axis=outcome.picture.axis if outcome.picture else "",
        columns=[{"label": one.label, "num": one.kind not in LEFT} for one in outcome.columns],
        rows=[
            {"cells": [shown(value, language, column) for value, column in zip(row, columns, strict=True)]}
            for row, columns in zip(outcome.rows, _columns_by_row(outcome), strict=True)
        ],
        built=str(built or ""),
        incomplete=str(incomplete or ""),
    )


def shown(value: Value, language: str, column: Column | None = None) -> str:
    """One value in a language; a dash where it is undefined."""
    kind = column.kind if column else ""
    locale = i18n.nearest(language)
    if value is None:
        return UNDEFINED
    if isinstance(value, Units):
        return words.amount(value.amount, value.of, language).replace("-", "−")
    if isinstance(value, date):
        said = str(format_date(value, "MMM y" if kind == "month" else "d MMM y", locale=locale))
        return said.replace(" ", NO_BREAK)
    if isinstance(value, Fraction):
        return _decimal(value, locale) if kind in {"decimal", "days"} else _percent(value, locale)
    if isinstance(value, int):
        return money.grouped(value, locale).replace("-", "−")
    return _named(value, kind, language)


def _named(value: str | Reasons, kind: str, language: str) -> str:
    """A text; where it is a code, in the words that pages use for it."""
    if isinstance(value, Reasons):
        locale = i18n.nearest(language)
        return ", ".join(f"{reason(code)} {money.grouped(people, locale)}" for code, people in value.found)
    return words.unit(value, language) if kind == "unit" else value


def _columns_by_row(outcome: Outcome) -> list[Sequence[Column]]:
    """What stands in each row: the same, unless every row is a figure of its own kind."""
    if not outcome.row_kinds:
        return [outcome.columns] * len(outcome.rows)
    return [
        [one if one.kind in LEFT else replace(one, kind=kind) for one in outcome.columns] for kind in outcome.row_kinds
    ]


def quick(period: Period, today: date) -> list[Quick]:
    """The days that are asked for most."""
    month = periods.month_of(today)
    last_month = periods.month_of(month - timedelta(days=1))
    choices = (
        (gettext("7 days"), today - timedelta(days=6), today),
        (gettext("30 days"), today - timedelta(days=29), today),
        (gettext("90 days"), today - timedelta(days=89), today),
        (gettext("This month"), month, today),
        (gettext("Last month"), last_month, month - timedelta(days=1)),
        (gettext("12 months"), today - timedelta(days=364), today),
    )
    return [
        Quick(label=label, first=str(first), last=str(last), chosen=(first, last) == (period.first, period.last))
        for label, first, last in choices
    ]


def _stat(figure: Figure, known: Mapping[str, Metric], language: str) -> Stat:
    metric = known[figure.metric]
    before = _brief(figure.before, metric, language) if figure.before is not None else ""
    return Stat(
        title=metric.title, value=_brief(figure.value, metric, language), formula=metric.formula,
        before=gettext("%(value)s in the period before", value=before) if before else "",
    )  # fmt: skip


def _brief(value: Value, metric: Metric, language: str) -> str:
    """As `shown`, with money as short as it can be."""
    if isinstance(value, Units) and value.currency:
        return money.brief(value.amount, value.currency, i18n.nearest(language)).replace(" ", NO_BREAK)
    return shown(value, language, Column(key="", label="", kind=metric.unit))


def _plot(picture: Picture, language: str) -> Any:
    """The plot; without anything in it, it has neither bars nor lines."""
    places = [] if picture.is_empty else [_place(one, picture, language) for one in picture.across]
    label = _label(picture, language)
    values = [[_number(value) for value in one.values] for one in picture.series] if places else []
    if picture.kind == "rows":
        lying = values[0] if values else []
        return charts.rows([(name, value or 0.0) for name, value in zip(places, lying, strict=True)], label=label)
    if picture.kind == "columns":
        groups = [(name, [one[at] for one in values]) for at, name in enumerate(places)]
        names = [one.name for one in picture.series] or [""]
        return charts.columns(groups, label=label, names=names, whole=_is_whole(picture))
    lines = {
        one.name: [(float(at), value) for at, value in enumerate(of)]
        for one, of in zip(picture.series, values, strict=False)
    }
    every = max(1, math.ceil(len(places) / charts.NAMES_MOST))
    across = [(float(at), name) for at, name in enumerate(places) if at % every == 0]
    return charts.curves(lines, across=across, label=label, whole=_is_whole(picture))


def _place(one: date | str, picture: Picture, language: str) -> str:
    if isinstance(one, str):
        return reason(one) if picture.places == "reason" else one
    days = [day for day in picture.across if isinstance(day, date)]
    by_month = len(days) > 1 and all(day.day == days[0].day for day in days) and (days[1] - days[0]).days > periods.WEEK
    return str(format_date(one, "MMM yy" if by_month else "d MMM", locale=i18n.nearest(language)))


def _sample(picture: Picture) -> Value:
    return next((value for one in picture.series for value in one.values if value is not None), None)


def _is_whole(picture: Picture) -> bool:
    return isinstance(_sample(picture), int)


def _label(picture: Picture, language: str) -> Callable[[float], str]:
    sample, locale = _sample(picture), i18n.nearest(language)
    if isinstance(sample, Fraction):
        return lambda value: _percent(Fraction(value).limit_denominator(10_000), locale)
    if isinstance(sample, Units) and (currency := sample.currency):
        decimals = 10 ** money.exponent(currency)
        return lambda value: money.brief(round(value * decimals), currency, locale)
    return lambda value: str(format_decimal(value, locale=locale)).replace("-", "−")


def _number(value: Value) -> float | None:
    """A value as a place in a picture; exact values stand in the table."""
    if isinstance(value, Units):
        return value.amount / 10 ** money.exponent(value.currency) if value.currency else float(value.amount)
    return float(value) if isinstance(value, Fraction | int) else None


def _percent(value: Fraction, locale: str) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(format_percent(round(exact, 3), locale=locale, decimal_quantization=False))


def _decimal(value: Fraction, locale: str) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(format_decimal(round(exact, 2), locale=locale, decimal_quantization=False))
