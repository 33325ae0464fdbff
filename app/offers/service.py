"""Offers: made, changed, found and told. What else can be asked of them stands in the rooms beside, and is named here
for those who need little of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app import i18n, ids, localtime
from app.cards import expansion
from app.cards.models import Card
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.offers import budgets, drafts, hours, states
from app.offers.drafts import LONGEST_BODY, LONGEST_TITLE, BudgetDraft, Instants, OfferDraft
from app.offers.firing import next_fire_at, tick
from app.offers.membership import memberships
from app.offers.models import Offer, OfferBudget
from app.offers.refusals import REFUSALS, Refusal, is_for_tier, refusal
from app.offers.states import approve, archive, cancel, pause, resume, schedule
from app.offers.uses import Use, give_back, uses_by

__all__ = [
    "LONGEST_BODY",
    "LONGEST_TITLE",
    "REFUSALS",
    "BudgetDraft",
    "OfferDraft",
    "Refusal",
    "Use",
    "approve",
    "archive",
    "by_id",
    "cancel",
    "create",
    "draft_of",
    "duplicate",
    "edit",
    "give_back",
    "is_for",
    "is_for_tier",
    "live_for",
    "live_in",
    "make_draft",
    "next_fire_at",
    "of_programme",
    "pause",
    "refusal",
    "resume",
    "schedule",
    "stop_spreading",
    "tick",
    "usable_in",
    "uses_by",
    "words",
]

GRACE = timedelta(minutes=drafts.MOST_GRACE_MIN)
# what may change without a new approval: how much may be used, and whether the start is told
FREE = ("limit_per_card", "limit_total", "announce", "budgets")


def make_draft(session: Session, wanted: OfferDraft, *, by: str, now: datetime) -> Offer:
    """Keep an offer that nobody has approved yet.

    Raises: Unprocessable `invalid_offer` with a sentence for each faulty field; `unknown_segment`, `unknown_store`.
    """
    instants = drafts.checked(session, wanted, now=now)
    offer = Offer(
        public_id=ids.public_id("off"),
        programme_id=wanted.programme.id,
        created_by=by,
        created_at=now,
        state="draft",
        **_columns(wanted, instants),
    )
    session.add(offer)
    session.flush()
    budgets.replace_all(session, offer, wanted.budgets)
    return offer


def create(session: Session, wanted: OfferDraft, *, by: str, now: datetime) -> Offer:
    """Make, approve and schedule an offer at once; it starts and ends by itself.

    Raises: as `make_draft`.
    """
    offer = make_draft(session, wanted, by=by, now=now)
    states.approve(session, offer, by=by)
    states.schedule(session, offer, now=now)
    return offer


def edit(session: Session, offer: Offer, wanted: OfferDraft, *, now: datetime) -> bool:
    """Make an offer what the draft says; whether that took its approval.

    Limits, budgets and the announcement may change at any time. Anything else makes it a draft again, and takes a live
    one off the cards until it is approved and scheduled anew.

    Raises: as `make_draft`; Unprocessable `budget_below_use`; Conflict `wrong_state`, if it is over.
    """
    session.refresh(offer, with_for_update={"of": Offer})
    if offer.state in ("ended", "cancelled", "archived"):
        raise Conflict("wrong_state", "This offer is over; duplicate it to give it again.")
    instants = drafts.checked(session, wanted, now=now)
    columns = _columns(wanted, instants)
    if wanted.limit_total is not None and wanted.limit_total < offer.used:
        text = Sentence("It was used %(times)s times already; the limit cannot be lower.", times=offer.used)
        raise Unprocessable("budget_below_use", text, errors={"limit_total": text})
    changed = {name: value for name, value in columns.items() if getattr(offer, name) != value}
    voids = bool(changed.keys() - set(FREE))
    if voids and offer.state != "draft":
        states.back_to_draft(session, offer, now=now)
    for name, value in changed.items():
        setattr(offer, name, value)
    if changed:
        offer.revision += 1
    session.flush()
    budgets.replace_all(session, offer, wanted.budgets)
    states.pause_if_spent(session, offer, now=now)
    return voids


def duplicate(session: Session, offer: Offer, *, by: str, now: datetime) -> Offer:
    """A draft with the same words, value and limits; if its time is over, some whole weeks later by the same clock."""
    wanted = draft_of(session, offer)
    zone, weeks = offer.timezone, 0
    starts, ends = (localtime.wall_clock(at, zone) for at in (wanted.starts_at, wanted.ends_at))
    if wanted.ends_at <= now:
        weeks = (now - wanted.starts_at) // timedelta(weeks=1) + 1
    later = timedelta(weeks=weeks)
    moved = replace(
        wanted,
        starts_at=localtime.instant(starts + later, zone),
        ends_at=localtime.instant(ends + later, zone),
        windows=[_moved_dates(one, later) for one in wanted.windows],
    )
    return make_draft(session, moved, by=by, now=now)


def draft_of(session: Session, offer: Offer) -> OfferDraft:
    """A kept offer as somebody would ask for it."""
    starts, ends = offer.starts_at, offer.ends_at
    if offer.by_store and offer.starts_local:
        starts, ends = (localtime.instant_of(key, offer.timezone) for key in (offer.starts_local, offer.ends_local))
    return OfferDraft(
        programme=offer.programme,
        title=offer.title,
        body=offer.body,
        starts_at=starts,
        ends_at=ends,
        timezone=offer.timezone,
        texts=offer.texts,
        tiers=tuple(offer.tiers or ([offer.tier_id] if offer.tier_id else [])),
        budgets=tuple(_budget(one) for one in budgets.of_offer(session, offer.id)),
        **{name: getattr(offer, name) for name in _AS_THEY_ARE},
    )


def stop_spreading(session: Session, offer: Offer, *, by: str, now: datetime) -> None:
    """Bring a live offer to no further card; it stays on those that have it, and comes with the next change of others.

    Raises: Conflict `change_over`, if it is not on its way to any card.
    """
    for spread in expansion.of_offer(session, offer.id):
        if spread.reason == "offer_started" and spread.status == "running":
            return expansion.stop(session, spread.id, by=by, now=now)
    raise Conflict("change_over", "This offer is not on its way to any card; there is nothing to stop.")


def by_id(session: Session, public_id: str) -> Offer:
    """An offer by its public id.

    Raises: NotFound `unknown_offer`.
    """
    query = (
        select(Offer).where(Offer.public_id == public_id).options(joinedload(Offer.programme), joinedload(Offer.tier))
    )
    offer = session.scalars(query).one_or_none()
    if offer is None:
        raise NotFound("unknown_offer", "There is no such offer.")
    return offer


def of_programme(session: Session, programme_id: int, *, limit: int = 100) -> list[Offer]:
    """A programme's offers, those that are over last, of the others the latest start first; none that was put away."""
    query = select(Offer).where(Offer.programme_id == programme_id, Offer.state != "archived")
    is_over = Offer.state.in_(("ended", "cancelled"))
    in_turn = query.order_by(is_over, Offer.starts_at.desc(), Offer.id.desc()).options(joinedload(Offer.tier))
    return list(session.scalars(in_turn.limit(limit)))


def live_for(session: Session, card: Card, *, now: datetime) -> list[Offer]:
    """The offers that stand on this card at *now*, the soonest to end first."""
    found = [offer for offer in live_in(session, card.programme_id, now=now) if is_for(offer, card)]
    members = memberships(session, found, card.id, live=False, now=now)
    return [offer for offer in found if members[offer.id].is_now(now)]


def live_in(session: Session, programme_id: int, *, now: datetime) -> list[Offer]:
    """The offers that are live in a programme at *now*, for whomever they are."""
    query = select(Offer).where(
        Offer.programme_id == programme_id, Offer.state == "live", Offer.starts_at <= now, Offer.ends_at > now
    )
    return list(session.scalars(query.order_by(Offer.ends_at, Offer.id)))


def usable_in(session: Session, programme_id: int, *, now: datetime) -> list[Offer]:
    """The offers that a till may have to speak of: live ones, those within their grace, and those that are paused."""
    query = select(Offer).where(
        Offer.programme_id == programme_id,
        Offer.state.in_(("live", "paused", "ended")),
        Offer.starts_at <= now,
        Offer.ends_at > now - GRACE,
    )
    found = session.scalars(query.order_by(Offer.ends_at, Offer.id))
    return [one for one in found if one.ends_at + timedelta(minutes=one.grace_min) > now]


def is_for(offer: Offer, card: Card) -> bool:
    """Whether this card's level is among those that the offer is for."""
    return is_for_tier(offer, card.tier_id)


def words(offer: Offer, language: str) -> tuple[str, str]:
    """Title and body in a language, each falling back to what the programme's own language says."""
    texts = offer.texts.get(i18n.nearest(language), {})
    return texts.get("title") or offer.title, texts.get("body") or offer.body


_AS_THEY_ARE = (
    "announce", "limit_per_card", "limit_total", "kind", "terms", "windows", "by_store", "grace_min", "stores",
    "audience", "segment_id", "needs_code", "combines",
)  # fmt: skip


def _columns(wanted: OfferDraft, instants: Instants) -> dict[str, Any]:
    """A draft as the columns of an offer."""
    levels = wanted.tier_ids
    return {
        **{name: getattr(wanted, name) for name in _AS_THEY_ARE},
        "title": wanted.title.strip(),
        "body": wanted.body.strip(),
        "texts": {language: dict(words) for language, words in wanted.texts.items()},
        "timezone": wanted.timezone,
        "starts_at": instants.starts_at,
        "ends_at": instants.ends_at,
        "starts_local": instants.starts_local,
        "ends_local": instants.ends_local,
        "tier_id": levels[0] if len(levels) == 1 else None,
        "tiers": levels,
        "stores": sorted(set(wanted.stores)),
        "terms": dict(wanted.terms),
        "windows": list(wanted.windows),
    }


def _budget(one: OfferBudget) -> BudgetDraft:
    return BudgetDraft(measure=one.measure, period=one.period, most=one.most)


def _moved_dates(window: Mapping[str, Any], later: timedelta) -> dict[str, Any]:
    """Weekly hours of a copy: their dates move with it."""
    moved = dict(window)
    for name in ("first_on", "last_on"):
        if moved.get(name):
            day = date.fromisoformat(str(moved[name]))
            moved[name] = (hours.LAST_DAY if day > hours.LAST_DAY - later else day + later).isoformat()
    return moved
