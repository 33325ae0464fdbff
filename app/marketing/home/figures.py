"""The three figures that matter: active cards, repeat purchase rate, and what the last campaign really changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date
from babel.numbers import format_decimal
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime, money
from app.cards.models import Programme
from app.i18n import page_language
from app.marketing.campaigns import words
from app.reports.models import ReportBuyers
from app.reports.monthly import ANYWHERE
from app.results import service as results
from app.results.verdict import SHARES, Effect, Results, Says


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure with the time that it is of, and what it means."""

    label: str
    value: str
    unit: str
    text: str
    definition: str
    href: str


def of(session: Session, programme: Programme, *, now: datetime) -> list[Figure]:
    """The three."""
    months = list(_months(session, programme))
    return [_active(months), _repeat(months, programme, now), _effect(session, programme, now)]


def _months(session: Session, programme: Programme) -> Iterator[ReportBuyers]:
    """The two newest months that are built, the newest first."""
    query = select(ReportBuyers).where(ReportBuyers.programme_id == programme.id, ReportBuyers.store_id == ANYWHERE)
    yield from session.scalars(query.order_by(ReportBuyers.month.desc()).limit(2))


def _active(months: list[ReportBuyers]) -> Figure:
    found = months[0] if months else None
    return Figure(
        label=gettext("Active cards"),
        value=words.number(found.active_installed) if found else "–",
        unit="",
        text=gettext("of %(cards)s in a wallet", cards=words.number(found.installed)) if found else _tonight(),
        definition=gettext("Cards that are in a wallet and were used for a purchase within 90 days."),
        href="/marketing/reports",
    )


def _repeat(months: list[ReportBuyers], programme: Programme, now: datetime) -> Figure:
    """Of the last whole month; of this one while there is no other."""
    this_month = localtime.wall_clock(now, programme.timezone).date().replace(day=1)
    whole = next((one for one in months if one.month < this_month and one.buyers), None)
    found = whole or next((one for one in months if one.buyers), None)
    text = _tonight()
    if found is not None:
        month = format_date(found.month, "LLLL y", locale=page_language())
        text = month if whole else gettext("%(month)s so far", month=month)
    return Figure(
        label=gettext("Repeat purchase rate"),
        value=words.percent(round(found.repeaters * 10_000 / found.buyers / 10) * 10) if found else "–",
        unit="",
        text=text,
        definition=gettext("Members with at least two purchases in the month, of those with at least one."),
        href="/marketing/reports",
    )


def _effect(session: Session, programme: Programme, now: datetime) -> Figure:
    latest = results.of_latest(session, programme.id, now=now)
    label = gettext("What the last campaign changed")
    definition = gettext("The told compared with those held back, with the limits between which the truth lies 95 "
                         "times in 100. If they enclose zero, nothing can be said yet.")  # fmt: skip
    if latest is None:
        text = gettext("No campaign has a result yet.")
        return Figure(label=label, value="–", unit="", text=text, definition=definition, href="/marketing/campaigns")
    campaign, found = latest
    value, text = told(found, programme.currency)
    return Figure(
        label=label,
        value=value,
        unit="",
        text=f"{campaign.name}: {text}",
        definition=definition,
        href=f"/marketing/results/{campaign.public_id}",
    )


def told(found: Results, currency: str) -> tuple[str, str]:
    """An effect in a few words, and between which limits it lies."""
    effect = found.effect
    if effect.by is None or effect.says in {Says.NOBODY_YET, Says.NO_COMPARISON}:
        return "–", str(gettext("Nobody was held back to compare with, or it is too early."))
    between = gettext("between %(low)s and %(high)s", low=_said(effect, effect.by.low, currency),
                      high=_said(effect, effect.by.high, currency))  # fmt: skip
    interim = gettext("interim") if found.is_interim else ""
    if effect.says is Says.UNCLEAR:
        parts = [gettext("no clear effect yet"), between, interim]
        return "≈ 0", ", ".join(part for part in parts if part)
    return _said(effect, effect.by.value, currency), ", ".join(part for part in (between, interim) if part)


def _said(effect: Effect, value: float, currency: str) -> str:
    """Shares and visits for 100 members, money for one."""
    sign = "+" if value > 0 else ""
    if effect.metric == "spend":
        return sign + money.shown(round(value), currency, page_language())
    number = format_decimal(round(value * 100, 1), locale=page_language())
    if effect.metric in SHARES:
        return str(gettext("%(number)s per 100", number=f"{sign}{number}"))
    return str(gettext("%(number)s visits per 100", number=f"{sign}{number}"))


def _tonight() -> str:
    return str(gettext("The first report is built tonight."))
