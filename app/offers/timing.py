"""Offers keep the local times they were given: when the rules of a zone change, their instants move."""

import logging
import zoneinfo
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import localtime
from app.offers import drafts
from app.offers.models import Occurrence, Offer

MEANT = ("start", "warn", "end")
log = logging.getLogger(__name__)


def follow_zones(session: Session, *, now: datetime) -> int:
    """Derive the instants of what has not fired yet again from the local times that were meant; how many moved.

    Occurrences from before local times were kept get theirs from the instant they have. What has fired stays.
    """
    rows = session.execute(
        select(Occurrence, Offer)
        .join(Offer, Offer.id == Occurrence.offer_id)
        .where(Occurrence.status == "due", Occurrence.fire_at > now)
        .order_by(Occurrence.id)
    ).all()
    return sum(_follow(session, occurrence, offer) for occurrence, offer in rows)


def _follow(session: Session, occurrence: Occurrence, offer: Offer) -> bool:
    if occurrence.kind not in MEANT:
        return False
    try:
        if not occurrence.local_key:
            occurrence.local_key = localtime.local_key(occurrence.fire_at, offer.timezone)
        fire_at = _meant(session, occurrence, offer)
    except zoneinfo.ZoneInfoNotFoundError:
        log.error("time zone %s of offer %s is unknown here; its times stay", offer.timezone, offer.public_id)
        return False
    if fire_at == occurrence.fire_at:
        return False
    log.warning(
        "offer %s: its %s moves from %s to %s with the rules of %s",
        offer.public_id, occurrence.kind, occurrence.fire_at.isoformat(), fire_at.isoformat(), offer.timezone,
    )  # fmt: skip
    occurrence.fire_at = fire_at
    if occurrence.kind == "start":
        offer.starts_at = fire_at
    elif occurrence.kind == "end":
        offer.ends_at = fire_at
        starts = update(Occurrence).where(Occurrence.offer_id == offer.id, Occurrence.kind.in_(("start", "warn")))
        session.execute(starts.values(deadline=fire_at))
    return True


def _meant(session: Session, occurrence: Occurrence, offer: Offer) -> datetime:
    """The instant of a local time: where each store's clock counts, of the first start and of the last end."""
    if not (offer.by_store and offer.starts_local) or occurrence.kind == "warn":
        return localtime.instant_of(occurrence.local_key, offer.timezone)
    zones = drafts.zones_of(session, offer.programme, offer.stores)
    instants = [localtime.instant_of(occurrence.local_key, zone) for zone in zones]
    return min(instants) if occurrence.kind == "start" else max(instants)
