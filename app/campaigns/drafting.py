"""A campaign as it is asked for, what is wrong with it, and what should be thought over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app import localtime
from app.campaigns import policy, recurring, texts, timing, triggers
from app.campaigns.models import Campaign
from app.cards import programmes
from app.cards import texts as characters
from app.cards.models import Programme, Store, Tier
from app.earning.windows import CLOCK
from app.errors import AppError, Sentence, Unprocessable
from app.localtime import Oddity
from app.offers.models import Offer
from app.segments.models import Segment

GOALS = ("purchase", "visits", "spend", "redemption")
LONGEST_GOAL_DAYS = 90
LONGEST_TOPIC = 40
NO_QUIET = ("", "")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A campaign as it is asked for; its kind follows from what is given: a trigger, a recurrence, or neither.

    Neither segment nor tier: everybody; `stores` narrow it further. `send_local`: a wall-clock time such as
    "2026-12-24T10:00" (of a recurrence the first), "now", or "" (triggers, and drafts that have no time yet).
    `quiet`: local times from and to; None: the programme's; `NO_QUIET`: none. `message` may be empty where there is an
    offer. `goal`: {"metric": one of GOALS, "days"}; empty: not chosen yet. `holdout_bp`: None: not chosen.
    """

    programme: Programme
    name: str
    segment: Segment | None = None
    tier: Tier | None = None
    stores: tuple[Store, ...] = ()
    offer: Offer | None = None
    message: Mapping[str, Any] = field(default_factory=dict)
    send_local: str = ""
    timezone: str = ""
    timezone_mode: str = "member"
    recurrence: Mapping[str, Any] = field(default_factory=dict)
    trigger: Mapping[str, Any] = field(default_factory=dict)
    quiet: tuple[str, str] | None = None
    purpose: str = "marketing"
    topic: str = ""
    priority: int = 50
    holdout_bp: int | None = None
    goal: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return "triggered" if self.trigger else "recurring" if self.recurrence else "once"

    @property
    def zone(self) -> str:
        """By whose clock it is meant where no member's or store's counts; an unknown one is the programme's."""
        return self.timezone if programmes.is_zone(self.timezone) else self.programme.timezone


def check(draft: Draft) -> None:
    """See that a draft can be kept. What is only needed for its launch is judged there.

    Raises: Unprocessable `invalid_campaign` with a sentence for each faulty field.
    """
    errors = {**_names(draft), **_content(draft), **_time(draft), **_shares(draft), **_belongs(draft)}
    if errors:
        raise Unprocessable("invalid_campaign", " ".join(errors.values()), errors=errors)


def warnings(draft: Draft) -> list[str]:
    """What is allowed and perhaps not meant, in sentences."""
    found: list[str] = []
    if draft.timezone and not programmes.is_zone(draft.timezone):
        found.append(
            Sentence(
                "The time zone %(zone)s is unknown; the programme's %(own)s is used.",
                zone=draft.timezone[:60], own=draft.programme.timezone,
            )
        )  # fmt: skip
    if draft.holdout_bp == 0:
        found.append(Sentence("Nobody is held back, so nobody will know what this campaign changed."))
    if draft.holdout_bp != 0 and draft.offer is not None and draft.offer.audience != "targeted":
        text = "Its offer is not given one by one: who is held back loses it with this, and may have seen it before."
        found.append(Sentence(text))
    found += _odd_time(draft)
    shown = texts.filled(draft.message, draft.programme.language, {})[1]
    if len(shown) > texts.SHOWN_WELL:
        text = "The text has %(has)s characters; a lock screen shows some %(most)s well."
        found.append(Sentence(text, has=len(shown), most=texts.SHOWN_WELL))
    return found


def columns(draft: Draft) -> dict[str, Any]:
    """A draft as a campaign's row keeps it."""
    errors: dict[str, str] = {}
    rule = recurring.parse(draft.recurrence, errors) if draft.recurrence else None
    local = draft.send_local
    return {
        "name": draft.name.strip(),
        "kind": draft.kind,
        "segment_id": draft.segment.id if draft.segment else None,
        "tier_id": draft.tier.id if draft.tier else None,
        "stores": sorted(store.id for store in draft.stores),
        "offer_id": draft.offer.id if draft.offer else None,
        "message": dict(draft.message),
        "send_local": local if local in {"", timing.NOW} else timing.as_text(timing.read_local(local)),
        "timezone": draft.zone,
        "timezone_mode": draft.timezone_mode,
        "recurrence": recurring.as_json(rule) if rule else {},
        "trigger": triggers.checked(draft.trigger) if draft.trigger else {},
        "quiet_from": draft.quiet[0] or "00:00" if draft.quiet else None,
        "quiet_to": draft.quiet[1] or "00:00" if draft.quiet else None,
        "purpose": draft.purpose,
        "topic": draft.topic.strip(),
        "priority": draft.priority,
        "holdout_bp": draft.holdout_bp,
        "goal": dict(draft.goal),
    }


def quiet_of(campaign: Campaign) -> timing.Quiet | None:
    """A campaign's own quiet hours, which may be none at all; None: it has the programme's."""
    return timing.quiet_hours(campaign.quiet_from, campaign.quiet_to)


def _names(draft: Draft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not 1 <= len(draft.name.strip()) <= 100 or not characters.is_showable(draft.name):
        errors["name"] = "A campaign has a name of 1 to 100 characters."
    if len(draft.topic) > LONGEST_TOPIC or not characters.is_showable(draft.topic):
        errors["topic"] = Sentence("A topic has at most %(most)s characters.", most=LONGEST_TOPIC)
    if draft.purpose not in {"marketing", "information"}:
        errors["purpose"] = "The purpose is marketing or information."
    if not 0 <= draft.priority <= 100:
        errors["priority"] = "The priority is a whole number from 0 to 100."
    return errors


def _content(draft: Draft) -> dict[str, str]:
    if draft.message:
        return texts.problems(draft.message)
    if draft.offer is None:
        return {"message": Sentence("Say what it is about: an offer, or a message of its own.")}
    return {}


def _time(draft: Draft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if draft.timezone_mode not in {"member", "store", "fixed"}:
        errors["timezone_mode"] = "The clock is that of the member, of the store, or fixed."
    for clock in draft.quiet or ():
        if clock and not CLOCK.fullmatch(clock):
            errors["quiet_hours"] = "Write the time as hours and minutes, such as 17:00."
    if draft.send_local not in {"", timing.NOW}:
        try:
            timing.read_local(draft.send_local)
        except AppError as problem:
            errors.update(problem.errors)
    if draft.recurrence:
        _check_recurrence(draft, errors)
    if draft.trigger:
        errors.update(_trigger(draft))
    return errors


def _trigger(draft: Draft) -> dict[str, str]:
    try:
        triggers.checked(draft.trigger)
    except AppError as problem:
        return dict(problem.errors)
    return {}


def _check_recurrence(draft: Draft, errors: dict[str, str]) -> None:
    rule = recurring.parse(draft.recurrence, errors)
    if draft.trigger:
        errors["trigger"] = "A campaign comes again, or it follows something that happens; it cannot do both."
    elif draft.send_local in {"", timing.NOW}:
        errors["send_at"] = "Say when it is sent for the first time, with its date and hour."
    elif rule is not None and not errors and not any(recurring.occurrences(rule, draft.send_local)):
        errors["recurrence.until"] = "By this rule it never comes; let it end later."


def _shares(draft: Draft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if draft.holdout_bp is not None and not 0 <= draft.holdout_bp <= policy.MOST_HELD_BACK_BP:
        errors["holdout"] = "From 0 to 50 percent can be held back."
    if draft.goal:
        days = draft.goal.get("days")
        if draft.goal.get("metric") not in GOALS or set(draft.goal) - {"metric", "days"}:
            errors["goal.metric"] = Sentence("The goal is one of %(known)s.", known=", ".join(GOALS))
        if type(days) is not int or not 1 <= days <= LONGEST_GOAL_DAYS:
            errors["goal.days"] = Sentence("The goal is measured for 1 to %(most)s days.", most=LONGEST_GOAL_DAYS)
    return errors


def _belongs(draft: Draft) -> dict[str, str]:
    """What is named must be of the programme itself."""
    errors: dict[str, str] = {}
    mine = draft.programme.id
    for name in ("segment", "tier", "offer"):
        one = getattr(draft, name)
        if one is not None and one.programme_id != mine:
            errors[name] = "This belongs to another programme."
    if any(store.programme_id != mine for store in draft.stores):
        errors["stores"] = "This belongs to another programme."
    if draft.segment is not None and draft.segment.state != "live":
        errors["segment"] = "This segment was archived; choose another."
    return errors


def _odd_time(draft: Draft) -> list[str]:
    if draft.send_local in {"", timing.NOW} or draft.recurrence:
        return []
    odd = localtime.oddity(timing.read_local(draft.send_local), draft.zone)
    if odd is Oddity.SKIPPED:
        return [Sentence("The clocks skip this time on that day; it is sent as much later as they skip.")]
    if odd is Oddity.TWICE:
        return [Sentence("The clocks show this time twice on that day; it is sent at the first.")]
    return []


def local_of(at: datetime, zone: str) -> str:
    """The wall-clock time of an instant, as `Draft.send_local` has it."""
    return timing.as_text(localtime.wall_clock(at, zone).replace(microsecond=0))
