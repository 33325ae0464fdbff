"""What a marketer typed about a campaign, as a draft or as a sentence for each field that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n, localtime
from app.campaigns import timing
from app.campaigns.drafting import NO_QUIET, Draft
from app.campaigns.models import Campaign
from app.campaigns.policy import Policy
from app.cards.models import Programme, Store, Tier
from app.errors import AppError
from app.marketing.campaigns import rhythm, triggering
from app.marketing.campaigns.typed import whole
from app.marketing.settings.forms import basis_points, plain_percent
from app.offers.models import Offer
from app.segments import service as segments
from app.segments.models import Segment

EVERYBODY, OWN_WORDS = "all", "message"
PARTS = ("title", "body")
PLACES = {
    "quiet_hours": "quiet_from", "send_at": "send_local", "goal.metric": "metric", "goal.days": "goal_days",
    "goal": "metric", "offer": "what", "tier": "segment", "message": "title", "timezone": "timezone",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CampaignForm:
    """The fields as typed, what is wrong with them, and the draft when every one of them could be read.

    `past_local`: the time that was typed, if it is over: now or never.
    """

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    draft: Draft | None = None
    past_local: str = ""

    def wrong(self, refusal: AppError) -> "CampaignForm":
        """The same with the refusals of the campaign itself, each beside its field."""
        errors = {_place(name, self.values): i18n.translate(text) for name, text in refusal.errors.items()}
        return replace(self, errors={**self.errors, **errors} or {"name": i18n.translate(refusal.public)})

    def over(self, local: str) -> "CampaignForm":
        """The same, where the time that was typed has passed."""
        return replace(self, past_local=local)

    @property
    def is_past(self) -> bool:
        return bool(self.past_local)


def parse(session: Session, values: Mapping[str, str], programme: Programme, policy: Policy) -> CampaignForm:
    """Read the fields; what the campaign itself refuses comes later, by `wrong`."""
    errors: dict[str, str] = {}
    segment, tier = _audience(session, values, programme, errors)
    offer = _offer(session, values, programme, errors)
    recurrence, local = rhythm.read(values, errors)
    holdout = _share(values, errors)
    draft = Draft(
        programme=programme,
        name=_name(values, offer),
        segment=segment,
        tier=tier,
        stores=_stores(session, values, programme),
        offer=offer,
        message=_message(values, programme, offer),
        send_local=timing.NOW if values.get("action") == "now" else local,
        timezone=values.get("timezone", ""),
        timezone_mode=values.get("timezone_mode", "member"),
        recurrence=recurrence,
        trigger=triggering.read(values, errors) if values.get("kind") == "triggered" else {},
        quiet=_quiet(values, policy),
        purpose=values.get("purpose", "marketing"),
        topic=values.get("topic", "").strip(),
        priority=whole("priority", values, errors, otherwise=50),
        holdout_bp=holdout,
        goal={"metric": values["metric"], "days": whole("goal_days", values, errors, otherwise=14)}
        if values.get("metric")
        else {},
    )
    return CampaignForm(values=values, errors=errors, draft=draft)


def first_values(programme: Programme, policy: Policy, local_now: datetime, on: str) -> dict[str, str]:
    """What the empty form proposes: tomorrow at ten, outside of the quiet hours, judged by purchases in two weeks."""
    tomorrow = localtime.wall_clock(localtime.end_of_day(local_now.date(), programme.timezone), programme.timezone)
    day = on or tomorrow.date().isoformat()
    return {
        "what": OWN_WORDS,
        "segment": EVERYBODY,
        "kind": "once",
        "send_local": f"{day}T10:00",
        "every": "week",
        "interval": "1",
        "at": "10:00",
        "first_on": day,
        "timezone_mode": "member",
        "timezone": programme.timezone,
        "quiet_from": policy.quiet_from,
        "quiet_to": policy.quiet_to,
        "metric": "purchase",
        "goal_days": "14",
        "priority": "50",
        "purpose": "marketing",
    }


def values_of(session: Session, one: Campaign, programme: Programme, policy: Policy) -> dict[str, str]:
    """A kept campaign as its form shows it."""
    segment = session.get(Segment, one.segment_id) if one.segment_id else None
    offer = session.get(Offer, one.offer_id) if one.offer_id else None
    stores = session.scalars(select(Store.public_id).where(Store.id.in_(one.stores)))
    audience = segment.public_id if segment else f"tier_{one.tier_id}" if one.tier_id else EVERYBODY
    return {
        "name": one.name,
        "what": offer.public_id if offer else OWN_WORDS,
        "segment": audience,
        "kind": one.kind,
        "timezone_mode": one.timezone_mode,
        "timezone": one.timezone,
        "quiet_from": _shown_quiet(one, one.quiet_from, policy.quiet_from),
        "quiet_to": _shown_quiet(one, one.quiet_to, policy.quiet_to),
        "quiet_own": "yes" if (one.quiet_from, one.quiet_to) == (policy.quiet_from, policy.quiet_to) else "",
        "holdout": "" if one.holdout_bp is None else plain_percent(one.holdout_bp),
        "metric": str(one.goal.get("metric", "")),
        "goal_days": str(one.goal.get("days", "14")),
        "priority": str(one.priority),
        "topic": one.topic,
        "purpose": one.purpose,
        "revision": str(one.revision),
        **{f"store.{store}": "yes" for store in stores},
        **rhythm.values_of(one),
        **_words_values(one, programme),
        **triggering.values_of(one.trigger),
    }


def _shown_quiet(one: Campaign, own: str | None, general: str) -> str:
    if own is None:
        return general
    return "" if one.quiet_from == one.quiet_to else own


def _words_values(one: Campaign, programme: Programme) -> dict[str, str]:
    found = {part: str(one.message.get(part, "")) for part in PARTS}
    for language, own in (one.message.get("texts") or {}).items():
        end = "" if language == programme.language else f"_{language}"
        found |= {f"{part}{end}": str(own[part]) for part in PARTS if own.get(part)}
    return found


def _place(name: str, values: Mapping[str, str]) -> str:
    """The field beside which a refusal is shown."""
    if name == "send_at" and values.get("kind") == "recurring":
        return "first_on"
    if name.startswith("recurrence"):
        return rhythm.place(name)
    if name.startswith("trigger"):
        return "trigger"
    if name.startswith("message."):
        where, _, part = name.removeprefix("message.").rpartition(".")
        language = where.removeprefix("texts.")
        return f"{part}_{language}" if language else part
    return PLACES.get(name, name)


def _audience(
    session: Session, values: Mapping[str, str], programme: Programme, errors: dict[str, str]
) -> tuple[Segment | None, Tier | None]:
    try:
        found = segments.named(session, programme, values.get("segment") or EVERYBODY)
    except AppError:
        errors["segment"] = gettext("Choose whom it is for.")
        return None, None
    return found.segment, found.tier


def _offer(session: Session, values: Mapping[str, str], programme: Programme, errors: dict[str, str]) -> Offer | None:
    what = values.get("what") or OWN_WORDS
    if what == OWN_WORDS:
        return None
    query = select(Offer).where(Offer.public_id == what, Offer.programme_id == programme.id)
    found = session.scalars(query).one_or_none()
    if found is None:
        errors["what"] = gettext("Choose what is sent.")
    return found


def _stores(session: Session, values: Mapping[str, str], programme: Programme) -> tuple[Store, ...]:
    wanted = {name.removeprefix("store.") for name, value in values.items() if name.startswith("store.") and value}
    if not wanted:
        return ()
    query = select(Store).where(Store.programme_id == programme.id, Store.public_id.in_(wanted))
    return tuple(session.scalars(query.order_by(Store.id)))


def _share(values: Mapping[str, str], errors: dict[str, str]) -> int | None:
    if not values.get("holdout", "").strip():
        return None
    share = basis_points(values["holdout"])
    if share is None:
        errors["holdout"] = gettext("Write a percentage such as 10, or leave it empty.")
    return share


def _quiet(values: Mapping[str, str], policy: Policy) -> tuple[str, str] | None:
    """None where they are the programme's own, so that they follow it; two empty fields mean none at all.

    A campaign that has the same hours of its own (`quiet_own`) keeps them as its own.
    """
    chosen = (values.get("quiet_from", "").strip(), values.get("quiet_to", "").strip())
    if chosen == (policy.quiet_from, policy.quiet_to) and not values.get("quiet_own"):
        return None
    return chosen if all(chosen) else NO_QUIET


def _message(values: Mapping[str, str], programme: Programme, offer: Offer | None) -> dict[str, Any]:
    own = {part: values.get(part, "").strip() for part in PARTS}
    texts: dict[str, dict[str, str]] = {}
    for language in i18n.LANGUAGES:
        if language == programme.language:
            continue
        words = {part: text for part in PARTS if (text := values.get(f"{part}_{language}", "").strip())}
        if words:
            texts[language] = words
    if offer is not None and not texts and not any(own.values()):
        return {}
    return {**own, **({"texts": texts} if texts else {})}


def _name(values: Mapping[str, str], offer: Offer | None) -> str:
    """As typed, else the first words that it says."""
    return values.get("name", "").strip() or values.get("title", "").strip() or (offer.title if offer else "")
