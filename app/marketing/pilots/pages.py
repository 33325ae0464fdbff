"""Pilots as they are drawn: what can be tried, what changed, and in which stores."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import charts
from app.campaigns import service as campaigns
from app.cards.models import Programme, Store
from app.charts import Columns, Interval
from app.earning import service as earning
from app.errors import NotFound
from app.i18n import page_language
from app.marketing.campaigns.words import campaign_state, number
from app.marketing.pilots import words
from app.offers import service as offers
from app.pilots import reporting, service, subjects
from app.pilots.models import Pilot
from app.pilots.reporting import METRICS, Figures, Report, StoreRow
from app.results.stats import Trial

OPEN_OFFERS = ("draft", "approved", "scheduled", "live", "paused")
Table = tuple[list[dict[str, object]], list[dict[str, object]]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the list."""

    public_id: str
    name: str
    what: str
    when: str
    stores: str
    state: tuple[str, str]
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One figure of a pilot: before and during in both groups, and its effect."""

    title: str
    sentence: str
    definition: str
    unit: str
    axis: str
    columns: Columns
    table: Table
    interval: Interval | None
    effect: str


def copy_state(session: Session, pilot: Pilot) -> tuple[str, str] | None:
    """How the campaign stands that was made when a pilot was widened, and the tone of its badge."""
    public_id = pilot.outcome.get("campaign")
    if not public_id:
        return None
    copy = campaigns.by_id(session, public_id)
    return campaign_state(copy.state, copy.kind)


def rows(session: Session, programme: Programme, *, now: datetime) -> list[Row]:
    """All pilots of a programme, the newest first, each with what it did to the repeat rate."""
    return [_row(session, programme, one, now) for one in service.of_programme(session, programme.id)]


def drawn(found: Report, currency: str) -> list[Drawn]:
    """Each figure with its plots."""
    return [_drawn(found, metric, currency) for metric in METRICS]


def stores(found: Report, currency: str) -> Table:
    """Every store with its figures, before and during."""
    labels = [
        gettext("Members"), *(words.name(metric) for metric in METRICS)
    ]  # fmt: skip
    columns: list[dict[str, object]] = [{"label": gettext("Store")}, {"label": gettext("Group")},
                                        *({"label": label, "num": True} for label in labels)]  # fmt: skip
    lines: list[dict[str, object]] = [
        {
            "cells": [
                row.name, gettext("Pilot") if row.arm == "pilot" else gettext("Control"),
                f"{number(row.before.members)} → {number(row.during.members)}",
                *(_both(row, metric, currency) for metric in METRICS),
            ]
        }
        for row in found.stores
    ]  # fmt: skip
    return columns, lines


def sheet(found: Report) -> str:
    """The figures as CSV: names that stay, decimal points, money in minor units."""
    out = io.StringIO()
    writer = csv.writer(out)
    figures = ("members", "repeaters", "visits", "spend_minor")
    writer.writerow(["store", "name", "arm", *(f"{when}_{name}" for when in ("before", "during") for name in figures)])
    for row in found.stores:
        spans: tuple[Figures, ...] = (row.before, row.during)
        writer.writerow(
            [row.public_id, _harmless(row.name), row.arm, *(getattr(one, name) for one in spans for name in figures)]
        )
    for metric, trial in found.trials.items():
        if trial is not None:
            limits = (trial.limits.low, trial.limits.high) if trial.limits else ("", "")
            writer.writerow(["effect", metric, "", round(trial.effect, 6), *limits])
    return out.getvalue()


def choices(session: Session, programme: Programme) -> list[tuple[str, str]]:
    """What can be tried: what holds in some stores only."""
    found: list[tuple[str, str]] = []
    for offer in offers.of_programme(session, programme.id):
        if offer.stores and offer.state in OPEN_OFFERS:
            found.append(
                (f"offer:{offer.public_id}", f"{words.kind('offer')}: {offers.words(offer, page_language())[0]}")
            )
    for campaign in campaigns.of_programme(session, programme.id):
        if campaign.stores and campaign.state != "stopped":
            found.append((f"campaign:{campaign.public_id}", f"{words.kind('campaign')}: {campaign.name}"))
    for rule in earning.raw(earning.published(session, programme)[0])["rules"]:
        if rule.get("when", {}).get("stores"):
            found.append((f"rule:{rule['name'].strip()}", f"{words.kind('rule')}: {rule['name'].strip()}"))
    return list(dict.fromkeys(found))


def by_region(found: Sequence[Store]) -> list[tuple[str, list[Store]]]:
    """Stores under their regions, those without one last."""
    regions = sorted({store.region for store in found}, key=lambda region: (not region, region))
    return [(region, [store for store in found if store.region == region]) for region in regions]


def of_programme(session: Session, programme: Programme) -> list[Store]:
    """All stores, by region and name."""
    query = select(Store).where(Store.programme_id == programme.id).order_by(Store.region, Store.name)
    return list(session.scalars(query))


def subject_name(session: Session, pilot: Pilot) -> str:
    """What a pilot tries, by its name; its id where it is gone."""
    try:
        return f"{words.kind(pilot.kind)}: {subjects.of(session, pilot).name}"
    except NotFound:
        return f"{words.kind(pilot.kind)}: {pilot.subject}"


def _row(session: Session, programme: Programme, one: Pilot, now: datetime) -> Row:
    found = reporting.report(session, one, now=now)
    arms = [sum(row.arm == arm for row in found.stores) for arm in ("pilot", "control")]
    return Row(
        public_id=one.public_id,
        name=one.name,
        what=subject_name(session, one),
        when=f"{words.day(one.starts_on)} – {words.day(one.ends_on)}",
        stores=gettext("%(pilot)s against %(control)s", pilot=number(arms[0]), control=number(arms[1])),
        state=words.state(one.state, is_interim=found.is_interim),
        verdict=words.verdict("repeat", found.trials["repeat"], programme.currency, is_interim=found.is_interim),
    )


def _drawn(found: Report, metric: str, currency: str) -> Drawn:
    trial = found.trials[metric]
    names = (gettext("Pilot"), gettext("Control"))
    return Drawn(
        title=words.name(metric),
        sentence=words.verdict(metric, trial, currency, is_interim=found.is_interim),
        definition=words.definition(metric),
        unit=words.unit(metric),
        axis=words.axis(metric, currency),
        columns=charts.columns(_groups(trial), label=lambda value: words.short(metric, value, currency), names=names),
        table=_table(trial, metric, currency),
        interval=_interval(trial, metric, currency),
        effect=words.change(metric, trial.effect, currency) if trial else "",
    )


def _groups(trial: Trial | None) -> list[tuple[str, Sequence[float | None]]]:
    if trial is None:
        return []
    return [
        (gettext("Before"), (trial.pilot.before, trial.control.before)),
        (gettext("During"), (trial.pilot.during, trial.control.during)),
    ]


def _table(trial: Trial | None, metric: str, currency: str) -> Table:
    columns: list[dict[str, object]] = [
        {"label": gettext("Group")},
        *({"label": label, "num": True} for label in (gettext("Stores"), gettext("Before"), gettext("During"),
                                                      gettext("Change"))),
    ]  # fmt: skip
    if trial is None:
        return columns, []
    arms = (
        (gettext("Pilot"), trial.pilot_stores, trial.pilot), (gettext("Control"), trial.control_stores, trial.control)
    )  # fmt: skip
    return columns, [
        {
            "cells": [
                name, number(count), words.level(metric, change.before, currency),
                words.level(metric, change.during, currency), words.change(metric, change.by, currency),
            ]
        }
        for name, count, change in arms
    ]  # fmt: skip


def _interval(trial: Trial | None, metric: str, currency: str) -> Interval | None:
    if trial is None or trial.limits is None:
        return None
    return charts.interval(
        trial.effect, trial.limits.low, trial.limits.high,
        label=lambda value: words.change(metric, value, currency) if value else "0",
    )  # fmt: skip


def _both(row: StoreRow, metric: str, currency: str) -> str:
    values = (row.before.of(metric), row.during.of(metric))
    return " → ".join("–" if value is None else words.level(metric, value, currency) for value in values)


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
