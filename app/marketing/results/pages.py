"""A campaign's results as they are drawn: plots, tables and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

from babel.dates import format_date, format_datetime
from flask_babel import gettext

from app import charts, localtime
from app.charts import Box, Columns, Curves, Interval
from app.i18n import page_language
from app.marketing.campaigns import words as campaign_words
from app.marketing.results import words
from app.results.counts import Counts
from app.results.verdict import Effect, Results

DAYS_SHOWN = 60
SHORT_MS = 2 * 86_400_000
Table = tuple[list[dict[str, object]], list[dict[str, object]]]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What the page shows of a result. `notices`: tone, title, text."""

    sentence: str
    notices: list[tuple[str, str, str]]
    effect: Interval | None
    effect_value: str
    parts: tuple[Box, ...]
    parts_summary: str
    reasons: Table
    groups: Table
    course: Curves
    course_table: Table
    redeemed: Columns
    redeemed_table: Table
    redeemed_total: int
    runs: Table | None


def drawn(found: Results, currency: str, zone: str) -> Drawn:
    """Everything of the page that is computed."""
    counted = found.counts
    days = _days(counted)
    return Drawn(
        sentence=words.verdict(found, currency),
        notices=_notices(found, zone),
        effect=_interval(found.effect, currency),
        effect_value=words.signed(found.effect, found.effect.by.value, currency) if found.effect.by else "",
        parts=charts.shares(_parts(counted), label=lambda value: words.number(round(value))),
        parts_summary=_sum(counted),
        reasons=_reasons(counted),
        groups=_groups(found, currency),
        course=_course(counted, zone),
        course_table=_course_table(counted, zone),
        redeemed=charts.columns([(_short(day), [float(uses)]) for day, uses, _ in days], label=_whole, whole=True),
        redeemed_table=(
            [{"label": gettext("Day")}, {"label": gettext("Uses"), "num": True}, {"label": gettext("In all"),
                                                                                 "num": True}],
            [
                {"cells": [_short(day), words.number(uses), words.number(total)]} for day, uses, total in days
            ],
        ),
        redeemed_total=sum(counted.redeemed_by_day.values()),
        runs=_runs(counted, zone) if len(counted.runs) > 1 else None,
    )  # fmt: skip


def _notices(found: Results, zone: str) -> list[tuple[str, str, str]]:
    notices = []
    if found.split_alarm and found.split is not None:
        text = gettext(
            "%(held)s were held back and %(told)s were not, which is not the share that was planned; no chance "
            "explains this (p below 0.001). Do not trust the effect before the reason is found.",
            held=words.number(found.counts.held_back.people), told=words.number(found.counts.treated.people),
        )  # fmt: skip
        notices.append(("bad", gettext("The groups are not as planned"), text))
    if found.is_interim:
        text = gettext("Figures still change, and an early look finds too much too often. Judge it at the end.")
        if found.ends_at is not None and not found.counts.waiting:
            text = gettext("It is measured until %(day)s. %(text)s", day=words.moment(found.ends_at, zone), text=text)
        notices.append(("warn", gettext("Interim: it is still being measured"), text))
    return notices


def _interval(effect: Effect, currency: str) -> Interval | None:
    if effect.by is None:
        return None
    times = 1.0 if effect.metric == "spend" else 100.0
    by = effect.by.times(times)

    def label(value: float) -> str:
        return words.signed(effect, value / times, currency) if value else "0"

    return charts.interval(by.value, by.low, by.high, label=label)


def _parts(counted: Counts) -> list[tuple[str, float]]:
    """Sent, waiting, held back, and the other reasons, the most frequent first; of many, the last are joined."""
    parts = [(gettext("Sent"), counted.sent), (gettext("Held back, to compare"), counted.held_of_all)]
    if counted.waiting:
        parts.append((gettext("Waiting for their time"), counted.waiting))
    rest = sorted((one for one in counted.reasons.items() if one[0] != "holdout"), key=lambda one: -one[1])
    parts += [(campaign_words.reason(code), people) for code, people in rest]
    return [(name, float(people)) for name, people in parts]


def _sum(counted: Counts) -> str:
    other = counted.suppressed - counted.held_of_all
    values = {
        "planned": words.number(counted.planned), "sent": words.number(counted.sent),
        "held": words.number(counted.held_of_all), "other": words.number(other),
        "waiting": words.number(counted.waiting),
    }  # fmt: skip
    if counted.waiting:
        return str(
            gettext("%(planned)s planned = %(sent)s sent + %(held)s held back + %(other)s not sent + %(waiting)s "
                    "waiting", **values)
        )  # fmt: skip
    return str(gettext("%(planned)s planned = %(sent)s sent + %(held)s held back + %(other)s not sent", **values))


def _reasons(counted: Counts) -> Table:
    columns: list[dict[str, object]] = [
        {"label": gettext("What became of it")}, {"label": gettext("People"), "num": True}
    ]  # fmt: skip
    rows: list[dict[str, object]] = [{"cells": [name, words.number(round(people))]} for name, people in _parts(counted)]
    rows.append({"cells": [gettext("Planned"), words.number(counted.planned)]})
    return columns, rows


def _groups(found: Results, currency: str) -> Table:
    columns: list[dict[str, object]] = [
        {"label": gettext("Group")},
        *(
            {"label": label, "num": True}
            for label in (gettext("People"), gettext("Buyers"), gettext("Purchases"), gettext("Goal"))
        ),
    ]
    effect, counted = found.effect, found.counts
    named = [
        (gettext("Told, or meant to be"), counted.treated, effect.treated),
        (gettext("Held back of this campaign"), counted.held_back, effect.held_back),
    ]
    rows: list[dict[str, object]] = [
        {
            "cells": [
                name, words.number(arm.people), words.number(arm.buyers), words.number(arm.visits),
                words.level(effect, level, currency),
            ]
        }
        for name, arm, level in named
    ]  # fmt: skip
    if counted.apart.people:
        apart = counted.apart
        cells = [words.number(one) for one in (apart.people, apart.buyers, apart.visits)]
        rows.append({"cells": [gettext("Held back of everything"), *cells, "–"]})
    return columns, rows


def _course(counted: Counts, zone: str) -> Curves:
    moments = counted.course
    series: dict[str, Sequence[tuple[float, float | None]]] = {
        str(gettext("Accepted by the wallets")): [(one.at, one.accepted) for one in moments],
        str(gettext("Fetched by a phone")): [(one.at, one.fetched) for one in moments],
        str(gettext("Redeemed")): [(one.at, one.redeemed) for one in moments],
    }
    ticks: list[tuple[float, str]] = []
    if moments:
        first, last = moments[0].at, moments[-1].at
        pattern = "d MMM HH:mm" if last - first < SHORT_MS else "d MMM"
        places = [float(first), (first + last) / 2, float(last)] if last > first else [float(first)]
        ticks = [(place, _clock(place, zone, pattern)) for place in places]
    return charts.curves(series, across=ticks, label=_whole, whole=True)


def _course_table(counted: Counts, zone: str) -> Table:
    labels = (gettext("Sent"), gettext("Accepted"), gettext("Fetched"), gettext("Redeemed"))
    columns: list[dict[str, object]] = [{"label": gettext("As counted at")}]
    columns += [{"label": label, "num": True} for label in labels]
    rows: list[dict[str, object]] = [
        {
            "cells": [
                words.moment(datetime.fromtimestamp(one.at / 1000, UTC), zone),
                *(words.number(value) for value in (one.sent, one.accepted, one.fetched, one.redeemed)),
            ]
        }
        for one in reversed(counted.course)
    ]
    return columns, rows


def _runs(counted: Counts, zone: str) -> Table:
    labels = (gettext("Planned"), gettext("Sent"), gettext("Not sent"), gettext("Waiting"))
    columns: list[dict[str, object]] = [{"label": gettext("When")}, *({"label": one, "num": True} for one in labels)]
    rows: list[dict[str, object]] = [
        {
            "cells": [
                words.moment(datetime.fromtimestamp(one.fire_at / 1000, UTC), zone),
                *(words.number(value) for value in (one.planned, one.sent, one.suppressed, one.waiting)),
            ]
        }
        for one in reversed(counted.runs)
    ]
    return columns, rows


def _days(counted: Counts) -> list[tuple[date, int, int]]:
    """Each day from the first use to the last, those without any between them too: its uses, and all until then. Of
    very many days only the last ones."""
    found = {date.fromisoformat(day): uses for day, uses in counted.redeemed_by_day.items()}
    if not found:
        return []
    first, last = min(found), max(found)
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    uses = [found.get(day, 0) for day in every]
    return list(zip(every, uses, accumulate(uses), strict=True))[-DAYS_SHOWN:]


def _short(day: date) -> str:
    return str(format_date(day, "d MMM", locale=page_language()))


def _clock(at_ms: float, zone: str, pattern: str) -> str:
    local = localtime.wall_clock(datetime.fromtimestamp(at_ms / 1000, UTC), zone)
    return str(format_datetime(local, pattern, locale=page_language()))


def _whole(value: float) -> str:
    return words.number(round(value))
