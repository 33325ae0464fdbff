"""What can be chosen from in each part of a campaign's sentence; what it has already is always among it."""

from collections.abc import Mapping
from typing import Any

from babel.dates import get_day_names
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n
from app.campaigns import texts
from app.cards import programmes
from app.cards.models import Programme, Store
from app.i18n import page_language
from app.marketing.campaigns import forms, rhythm, triggering, words
from app.offers import service as offers
from app.offers.models import Offer
from app.segments import service as segments

READY_OFFERS = ("draft", "approved", "scheduled", "live")
Choices = list[tuple[str, str]]


def all_of(reading: Session, programme: Programme, values: Mapping[str, str]) -> dict[str, Any]:
    """The choices of every field. *values*: what the form holds."""
    days = get_day_names("abbreviated", context="stand-alone", locale=page_language())
    samples = {"first_name": gettext("friend")}
    return {
        "offers": _offers(reading, programme, values.get("what", "")),
        "audiences": _audiences(reading, programme, values.get("segment", "")),
        "kinds": words.kinds(), "clocks": words.clocks(), "metrics": _metrics(values.get("metric", "")),
        "zones": zones(reading, programme, values.get("timezone", "")), "everies": _everies(),
        "triggers": triggering.choices(), "weekdays": [(day, days[day - 1]) for day in rhythm.DAYS_OF_WEEK],
        "stores": _stores(reading, programme, values),
        "purposes": [("marketing", gettext("Marketing: asks for consent")), ("information", gettext("Information"))],
        "fields": [(one, name, f"{{{one}|{samples.get(one, '')}}}") for one, name in words.fields()],
        "field_sample": f"{{first_name|{samples['first_name']}}}",
        "own_language": {"code": programme.language, "name": i18n.NAMES[programme.language]},
        "languages": [(one, i18n.NAMES[one]) for one in i18n.LANGUAGES if one != programme.language],
        "title_most": texts.LONGEST_TITLE, "short_most": texts.LONGEST_TITLE, "body_most": texts.LONGEST_BODY,
        "shown_well": texts.SHOWN_WELL,
    }  # fmt: skip


def zones(session: Session, programme: Programme, chosen: str = "") -> Choices:
    """The zones that a fixed moment may be meant in: the programme's, its stores', UTC, and the one it is meant in."""
    rows = session.scalars(select(Store.timezone).where(Store.programme_id == programme.id).distinct())
    found = dict.fromkeys([programme.timezone, *sorted(rows), "UTC", chosen])
    return [(zone, words.zone_name(zone)) for zone in found if programmes.is_zone(zone)]


def _offers(reading: Session, programme: Programme, chosen: str) -> Choices:
    """Those that are not over; one that was chosen and is over still, lest another take its place unseen."""
    found = [one for one in offers.of_programme(reading, programme.id) if one.state in READY_OFFERS]
    if chosen not in {forms.OWN_WORDS, *(one.public_id for one in found)}:
        query = select(Offer).where(Offer.public_id == chosen, Offer.programme_id == programme.id)
        found += reading.scalars(query)
    named = [(one.public_id, offers.words(one, page_language())[0]) for one in found]
    return [(forms.OWN_WORDS, gettext("a message of its own")), *named]


def _audiences(reading: Session, programme: Programme, chosen: str) -> Choices:
    """Everybody, live segments and tiers; a segment that was chosen and archived since is named as such."""
    found: Choices = [(forms.EVERYBODY, gettext("Everybody"))]
    for one in segments.of_programme(reading, programme.id, archived=True):
        if one.state == "live":
            found.append((one.public_id, one.name))
        elif one.public_id == chosen:
            found.append((one.public_id, f"{one.name} ({gettext('archived')})"))
    for tier in programme.tiers:
        name = gettext("Tier %(name)s", name=tier.texts.get(page_language()) or tier.name)
        found.append((f"tier_{tier.id}", name))
    return found


def _stores(reading: Session, programme: Programme, values: Mapping[str, str]) -> Choices:
    """Nothing to choose where there is but one, unless it was chosen."""
    query = select(Store).where(Store.programme_id == programme.id).order_by(Store.name)
    found = [(one.public_id, one.name) for one in reading.scalars(query)]
    return found if len(found) > 1 or any(values.get(f"store.{public_id}") for public_id, _ in found) else []


def _metrics(chosen: str) -> Choices:
    """The goals; none only where none is chosen yet."""
    return words.goals() if chosen else [("", gettext("(not chosen yet)")), *words.goals()]


def _everies() -> Choices:
    return [
        ("day", gettext("day(s)")),
        ("week", gettext("week(s)")),
        ("month", gettext("month(s)")),
        ("year", gettext("year(s)")),
    ]
