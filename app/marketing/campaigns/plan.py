"""What will happen, in words and figures: who leaves when, who does not and why, how long it takes, and its cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from app import money
from app.campaigns import forecast, personal, texts
from app.campaigns.drafting import Draft
from app.campaigns.forecast import Forecast
from app.campaigns.models import Campaign
from app.errors import AppError
from app.i18n import page_language, translate
from app.marketing.campaigns import words
from app.results import service as results
from app.results.verdict import BASIS
from app.settings import Settings
from app.wallets.google import vehicles
from app.wallets.promises import offer_view

WAVES_MOST, ZONES_MOST = 8, 4
PLACEHOLDER = {"title": "–"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`audience` = `leaving` + `held_back` + those of `not_sent`. `leaves`: how many leave when, in words."""

    audience: int
    leaving: int
    held_back: int
    not_sent: Sequence[tuple[str, int]]
    leaves: Sequence[tuple[str, int]]
    zone_note: str
    pace: Sequence[str]
    cost: str
    size_hint: str
    is_exact: bool
    first_at: datetime | None


def of(session: Session, draft: Draft, settings: Settings, *, kept: Campaign | None, now: datetime) -> Plan | None:
    """The plan of a draft, or of the campaign that was kept as it; None while it cannot be planned.

    Who is held back depends on the campaign's own name, so for one that is not kept yet it is as many, not the same.
    """
    try:
        found = forecast.forecast(session, kept or _plannable(draft), settings, now=now)
    except AppError:
        return None
    return Plan(
        audience=found.audience,
        leaving=found.told,
        held_back=found.held_back,
        not_sent=_not_sent(found),
        leaves=_leaves(found),
        zone_note=_zones(found),
        pace=_pace(found, draft),
        cost=_cost(found),
        size_hint=_size(session, draft, found, now),
        is_exact=found.is_exact,
        first_at=min((one.first_at for one in found.waves), default=None),
    )


def numbers(
    session: Session, draft: Draft, card_ids: Sequence[int], *, now: datetime
) -> Mapping[int, Mapping[str, Any]]:
    """What the personal fields of a draft say for these cards."""
    return personal.numbers(session, draft.programme, card_ids, texts.fields_of(draft.message), now=now)


def _plannable(draft: Draft) -> Draft:
    """A draft whose words and name are not written yet can be planned all the same."""
    message = draft.message
    if draft.offer is None and texts.problems(message):
        message = PLACEHOLDER
    elif message and texts.problems(message):
        message = {}
    return replace(draft, name=draft.name or "–", message=message)


def _not_sent(found: Forecast) -> list[tuple[str, int]]:
    reasons = [(words.reason(code), people) for code, people in sorted(found.reasons.items(), key=lambda one: -one[1])]
    if found.held_back_of_all:
        reasons.append((gettext("Held back of everything"), found.held_back_of_all))
    return reasons


def _leaves(found: Forecast) -> list[tuple[str, int]]:
    """The hours at which most leave; the rest of many in one line."""
    rows = [(words.clock_time(datetime.fromisoformat(one.local)), one.people) for one in found.waves]
    if len(rows) <= WAVES_MOST:
        return rows
    rest = sum(people for _, people in rows[WAVES_MOST - 1 :])
    return [*rows[: WAVES_MOST - 1], (str(gettext("later")), rest)]


def _zones(found: Forecast) -> str:
    """By whose clocks the hours above are, and how many were moved out of quiet hours."""
    most = sorted(found.zones.items(), key=lambda one: -one[1])[:ZONES_MOST]
    said = [str(gettext("%(zone)s %(people)s", zone=words.zone_name(zone), people=words.number(people)))
            for zone, people in most]  # fmt: skip
    parts = [str(gettext("By each one’s clock: %(zones)s.", zones=", ".join(said)))] if len(found.zones) > 1 else []
    if found.moved:
        text = gettext("%(people)s of them wait for the end of the quiet hours.", people=words.number(found.moved))
        parts.append(str(text))
    if not found.is_exact:
        parts.append(str(gettext("Estimated from a sample; the size of the audience is counted.")))
    return " ".join(parts)


def _pace(found: Forecast, draft: Draft) -> list[str]:
    said = []
    if found.apple_phones:
        said.append(
            gettext("Apple: %(phones)s phones, told within %(time)s.", phones=words.number(found.apple_phones),
                    time=words.duration(max(1, found.apple_seconds)))
        )  # fmt: skip
    if found.google_cards:
        said.append(
            gettext("Google: %(cards)s cards, in about %(time)s.", cards=words.number(found.google_cards),
                    time=words.duration(max(1, found.google_seconds)))
        )  # fmt: skip
        offer = offer_view(draft.offer, found.currency) if draft.offer else None
        said.append(translate(vehicles.plan_of_campaign(offer, cards=found.google_cards).sentence))
        said.append(
            gettext("Google sounds at most three times a card in 24 hours, and one of them is kept for the balance: "
                    "who is over it gets the text without a sound.")
        )  # fmt: skip
    return [str(one) for one in said] or [str(gettext("None of their phones is known to a wallet’s service yet."))]


def _cost(found: Forecast) -> str:
    if found.most_minor is None:
        return str(gettext("Its offer has no limit, so nobody can say. Give it a budget or a limit to know."))
    if found.most_minor == 0:
        return str(gettext("Nothing: it gives no money away."))
    most = money.shown(found.most_minor, found.currency, page_language())
    return str(gettext("%(most)s, if everybody who is told uses it as often as they may.", most=most))


def _size(session: Session, draft: Draft, found: Forecast, now: datetime) -> str:
    """What so many people will be able to show, or that they show nothing."""
    if not found.held_back:
        return str(gettext("Nobody is held back, so nobody will know what it changed."))
    days = int(draft.goal.get("days", 14)) if draft.goal else 14
    people = found.told + found.held_back
    seen = results.hint(session, draft.programme, people=people, held_bp=found.holdout_bp, days=days, now=now)
    if seen is None:
        return str(gettext("So few people cannot show an effect, unless it is very large. The result will read "
                           "“inconclusive”."))  # fmt: skip
    return str(
        gettext(
            "In %(days)s days %(before)s of members buy. %(treated)s told and %(held)s held back show a rise to "
            "%(after)s or more, four times in five; a smaller one will read “inconclusive”.",
            days=days, before=_share(seen.before), after=_share(seen.after), treated=words.number(seen.treated),
            held=words.number(seen.held_back),
        )
    )  # fmt: skip


def _share(share: Fraction) -> str:
    return words.percent(round(share * BASIS / 10) * 10)
