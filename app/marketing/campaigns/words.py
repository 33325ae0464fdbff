"""How a campaign is said to people: its state, whom it is for, by which clock, and why somebody got nothing."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from babel.dates import format_date, format_datetime, format_timedelta
from babel.lists import format_list
from babel.numbers import format_decimal
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import triggers
from app.campaigns.models import Campaign
from app.cards.models import Store, Tier
from app.errors import AppError
from app.i18n import page_language
from app.offers.models import Offer
from app.segments.models import Segment
from app.staff.models import Staff


def number(value: int) -> str:
    """`12.431` as the reader writes it."""
    return str(format_decimal(value, locale=page_language()))


def percent(basis_points: int) -> str:
    """1050 basis points as `10,5 %`."""
    return str(format_decimal(basis_points / 100, locale=page_language())) + "\u00a0%"


def duration(seconds: int) -> str:
    """`3 hours`, in the reader's language."""
    return str(format_timedelta(seconds, threshold=1.2, locale=page_language()))


def moment(at: datetime, zone: str) -> str:
    """`Fri 20 Nov, 10:00`."""
    return clock_time(localtime.wall_clock(at, zone))


def clock_time(local: datetime) -> str:
    """As `moment`, of a time that a wall clock shows."""
    return str(format_datetime(local, "EEE d MMM y, HH:mm", locale=page_language()))


def date_of(day: date) -> str:
    """`20 Nov 2026`."""
    return str(format_date(day, "d MMM y", locale=page_language()))


def campaign_state(state: str, kind: str = "once") -> tuple[str, str]:
    """A campaign's state in words, and the tone of its badge."""
    if kind != "once" and state == "sending":
        return gettext("Running"), "good"
    return {
        "draft": (gettext("Draft"), ""),
        "approved": (gettext("Approved"), ""),
        "queued": (gettext("Scheduled"), "note"),
        "sending": (gettext("Sending"), "good"),
        "paused": (gettext("Paused"), "warn"),
        "sent": (gettext("Sent"), "good"),
        "stopped": (gettext("Stopped"), "warn"),
    }[state]


def run_state(state: str) -> tuple[str, str]:
    """A run's state in words, and the tone of its badge."""
    return {
        "waiting": (gettext("Waiting for its time"), ""),
        "planning": (gettext("Being planned"), "note"),
        "sending": (gettext("Sending"), "good"),
        "done": (gettext("Done"), "good"),
        "stopped": (gettext("Stopped"), "warn"),
        "superseded": (gettext("A newer one went instead"), "warn"),
        "missed": (gettext("Missed its time"), "bad"),
    }[state]


def offer_state(state: str) -> tuple[str, str]:
    """An offer's state in words, and the tone of its badge."""
    return {
        "draft": (gettext("Draft"), ""),
        "approved": (gettext("Approved"), ""),
        "scheduled": (gettext("Scheduled"), ""),
        "live": (gettext("Live"), "good"),
        "paused": (gettext("Paused"), "warn"),
        "ended": (gettext("Ended"), ""),
        "cancelled": (gettext("Cancelled"), "warn"),
        "archived": (gettext("Archived"), ""),
    }[state]


def offer_audience(offer: Offer) -> str:
    """Whom an offer is for, in a few words."""
    if offer.audience == "targeted":
        return str(gettext("Whom a campaign gives it to"))
    if offer.audience == "segment":
        return str(gettext("A segment"))
    return str(gettext("Some tiers")) if offer.tier_id or offer.tiers else str(gettext("Everybody"))


def kinds() -> list[tuple[str, str]]:
    """When a campaign is sent."""
    return [
        ("once", gettext("Once")),
        ("recurring", gettext("Again and again")),
        ("triggered", gettext("When something happens")),
    ]


def when_triggered(trigger: Mapping[str, Any]) -> str:
    """What a triggered campaign follows, in a sentence."""
    try:
        return triggers.sentence(trigger, page_language())
    except AppError:
        return triggers.name_of(trigger, page_language())


def goals() -> list[tuple[str, str]]:
    """What a campaign is judged by."""
    return [
        ("purchase", gettext("how many buy")),
        ("visits", gettext("how often they come")),
        ("spend", gettext("how much they spend")),
        ("redemption", gettext("how many use the offer")),
    ]


def fields() -> list[tuple[str, str]]:
    """The personal fields that a text may have, with their names."""
    return [
        ("first_name", gettext("First name")),
        ("points", gettext("Points")),
        ("tier", gettext("Tier")),
        ("points_to_reward", gettext("Points to the next reward")),
        ("reward", gettext("Next reward")),
        ("expiring_points", gettext("Points that expire")),
        ("expires_on", gettext("When they expire")),
        ("store", gettext("Store")),
        ("visits", gettext("Visits")),
        ("to_keep_tier", gettext("Missing to keep the tier")),
        ("tier_until", gettext("Last day to keep the tier")),
    ]


def clocks() -> list[tuple[str, str]]:
    """By whose clock it is sent."""
    return [
        ("member", gettext("each member’s own time")),
        ("store", gettext("the time of each member’s store")),
        ("fixed", gettext("one moment for everybody")),
    ]


def clock_of(campaign: Campaign) -> str:
    """By whose clock a campaign is sent."""
    if campaign.timezone_mode == "fixed":
        return str(gettext("by the clock of %(zone)s", zone=zone_name(campaign.timezone)))
    return dict(clocks())[campaign.timezone_mode]


def zone_name(zone: str) -> str:
    return zone.replace("_", " ")


def reason(code: str) -> str:
    """Why somebody is not sent to, as the page names it."""
    named: dict[str, str] = {
        "no_consent": gettext("No consent to marketing"),
        "too_late": gettext("It would be over within the hour"),
        "cap_day": gettext("Had as many messages as one day allows"),
        "cap_week": gettext("Had as many messages as one week allows"),
        "not_installed": gettext("The card is in no wallet"),
        "holdout": gettext("Held back, to compare"),
        "outranked": gettext("Gets a more important campaign that day"),
        "paused": gettext("Paused for so long that it was over"),
        "left_segment": gettext("No longer in the audience"),
        "no_longer": gettext("What it was about was no longer so"),
        "erased": gettext("Left the programme"),
        "duplicate": gettext("Had it already"),
        "offer_over": gettext("The offer is over"),
        "unfilled": gettext("A personal field had nothing to say"),
        "wallet_quota": gettext("The wallet’s alerts of the day are used up"),
        "unwanted_topic": gettext("Does not want this topic"),
        "stopped": gettext("Stopped before it was their turn"),
        "quiet_hours_moved": gettext("Moved out of the quiet hours"),
        "cap_moved": gettext("Moved to when a cap allowed it"),
    }
    return named.get(code, code)


def audiences(session: Session, found: Iterable[Campaign], language: str) -> Mapping[int, str]:
    """Whom each campaign is for, in a few words."""
    campaigns = list(found)
    segments = _names(session, Segment, {one.segment_id for one in campaigns})
    tiers = {
        row.id: row.texts.get(language) or row.name
        for row in session.scalars(select(Tier).where(Tier.id.in_({one.tier_id for one in campaigns} - {None})))
    }
    stores = _names(session, Store, {row for one in campaigns for row in one.stores})
    return {one.id: _audience(one, segments, tiers, stores, language) for one in campaigns}


def people(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """The names of those who did something, by how the audit log names them."""
    ids = {one: one.partition(":")[2] for one in actors if one.startswith("staff:")}
    rows = session.execute(select(Staff.public_id, Staff.name).where(Staff.public_id.in_(set(ids.values()))))
    names = {row.public_id: row.name for row in rows}
    return {actor: names.get(public_id, actor) for actor, public_id in ids.items()}


def _audience(
    one: Campaign, segments: Mapping[int, str], tiers: Mapping[int, str], stores: Mapping[int, str], language: str
) -> str:
    who = str(gettext("Everybody"))
    if one.segment_id is not None:
        who = segments.get(one.segment_id, who)
    elif one.tier_id is not None:
        who = str(gettext("Tier %(name)s", name=tiers.get(one.tier_id, "")))
    if not one.stores:
        return who
    named = format_list([stores[row] for row in one.stores if row in stores], locale=language)
    return str(gettext("%(who)s of %(stores)s", who=who, stores=named))


def _names(session: Session, kind: type[Segment] | type[Store], ids: set[int | None]) -> dict[int, str]:
    rows = session.execute(select(kind.id, kind.name).where(kind.id.in_(ids - {None})))
    return {row.id: row.name for row in rows}
