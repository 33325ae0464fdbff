"""What a body says of a campaign, as a draft."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import select

from app import localtime
from app.api.calls import Body, Call, unknown
from app.api.fields import MOMENT, Moment
from app.api.offers import offer_named
from app.campaigns import drafting, timing
from app.campaigns.drafting import Draft
from app.cards import programmes
from app.cards.models import Programme, Store
from app.localtime import Oddity
from app.segments import service as segments


def named(draft: Draft) -> Draft:
    """A campaign that was given no name is called by what it says."""
    said = draft.message.get("title") or (draft.offer.title if draft.offer else "Campaign")
    return draft if draft.name else replace(draft, name=str(said)[:100])


def changed(call: Call, draft: Draft, body: Body) -> Draft:
    """A draft with what the body says instead."""
    session, programme = call.session, draft.programme
    values: dict[str, Any] = {name: getattr(draft, name) for name in Draft.__dataclass_fields__}
    for name in ("name", "timezone_mode", "purpose", "topic", "priority"):
        values[name] = body.get(name, values[name])
    for name in ("message", "goal", "trigger"):
        values[name] = (body[name] or {}) if name in body else values[name]
    if "timezone" in body:
        values["timezone"] = body["timezone"] or ""
    if "segment" in body:
        named = segments.named(session, programme, body["segment"])
        values |= {"segment": named.segment, "tier": named.tier}
    if "stores" in body:
        values["stores"] = tuple(_store(call, programme, one) for one in dict.fromkeys(body["stores"]))
    if "offer" in body:
        values["offer"] = offer_named(call, body["offer"]) if body["offer"] else None
    if "quiet_hours" in body:
        values["quiet"] = body["quiet_hours"]
    if "holdout" in body:
        values["holdout_bp"] = None if body["holdout"] is None else int(Fraction(body["holdout"]) * 10_000)
    return _timed(call, values, body)


def _timed(call: Call, values: dict[str, Any], body: Body) -> Draft:
    programme: Programme = values["programme"]
    zone = values["timezone"] if programmes.is_zone(values["timezone"]) else programme.timezone
    if body.get("send_at"):
        values |= _meant(body["send_at"], zone, values)
    if "recurrence" in body:
        rule = dict(body["recurrence"] or {})
        at, first_on = rule.pop("at", None), rule.pop("first_on", None)
        values["recurrence"] = rule
        if at is not None:
            today = localtime.wall_clock(call.now, zone).date().isoformat()
            values["send_local"] = f"{first_on or today}T{at}"
    return Draft(**values)


def _meant(text: str, zone: str, values: dict[str, Any]) -> dict[str, Any]:
    """A time as a draft has it: a wall clock's, that of the campaign's zone for an instant, or now.

    A wall clock that shows a time twice cannot say which of the two is meant: by one fixed clock, that is UTC then.
    """
    if not MOMENT.fullmatch(text):
        return {"send_local": text}
    try:
        at: datetime = Moment().deserialize(text)
    except ValidationError:  # such as the last hour of the year 9999, which is none in UTC
        return {"send_local": text}
    if at.year not in timing.YEARS:
        return {"send_local": text}
    local = localtime.wall_clock(at, zone)
    if values["timezone_mode"] == "fixed" and localtime.oddity(local, zone) is Oddity.TWICE:
        return {"send_local": drafting.local_of(at, "UTC"), "timezone": "UTC"}
    return {"send_local": drafting.local_of(at, zone)}


def _store(call: Call, programme: Programme, name: str) -> Store:
    query = select(Store).where(Store.public_id == name, Store.programme_id == programme.id)
    found = call.session.scalars(query).one_or_none()
    if found is None:
        raise unknown("store", name, field="stores")
    return found
