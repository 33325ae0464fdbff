"""Figures as a table: each by its title, its value in the period, and that in the period before."""

from collections.abc import Collection, Mapping
from typing import Any

from app import i18n
from app.reports import metrics
from app.reports.outcome import Ask, Column, Figure, Outcome, Value


def outcome(
    ask: Ask, names: Collection[str], now: Mapping[str, Value], before: Mapping[str, Value], **more: Any
) -> Outcome:
    """A report that is these figures; *more*: what else it has, such as a picture or notes."""
    words = metrics.all_of(ask.language)
    columns = [
        Column(key="metric", label=i18n.text(ask.language, "Figure"), kind="text"),
        Column(key="value", label=i18n.text(ask.language, "This period")),
        Column(key="before", label=i18n.text(ask.language, "The period before")),
    ]
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in names]
    return Outcome(
        columns=columns,
        rows=[(words[one.metric].title, one.value, one.before) for one in figures],
        figures=figures,
        row_kinds=[words[one.metric].unit for one in figures],
        **more,
    )
