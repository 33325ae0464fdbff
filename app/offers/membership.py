"""Whether a card is among those that an offer is for: its segment, and what campaigns gave it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.offers.models import Offer, OfferGrant
from app.segments import service as segments
from app.segments.models import SegmentMember


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Whether an offer is for a card, and from when until when; None: as long as the offer itself."""

    is_in: bool
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def closes_at(self, grace_min: int) -> datetime | None:
        """The end of the card's own time, with the grace of the till."""
        return None if self.ends_at is None else self.ends_at + timedelta(minutes=grace_min)

    def is_now(self, now: datetime) -> bool:
        """Whether the offer stands on the card at this moment."""
        begun = self.starts_at is None or self.starts_at <= now
        return self.is_in and begun and (self.ends_at is None or now < self.ends_at)


EVERYBODY = Membership(is_in=True)
NOBODY = Membership(is_in=False)


def memberships(
    session: Session, found: Sequence[Offer], card_id: int, *, live: bool, now: datetime
) -> dict[int, Membership]:
    """Whether each of these offers is for a card, by the offer's id; one statement for each way of naming people.

    Args:
        live: look up whether the card is in their segments now; else what is kept.
    """
    one_by_one = [one.id for one in found if one.audience == "targeted" or one.withholds_at is not None]
    grants = _grants(session, one_by_one, card_id)
    by_segment = {one.segment_id for one in found if one.audience == "segment" and one.segment_id is not None}
    inside = _segments(session, by_segment, card_id, live=live, now=now)

    def of(offer: Offer) -> Membership:
        if offer.audience == "targeted":
            return grants.get(offer.id, NOBODY)
        if grants.get(offer.id) is NOBODY:
            return NOBODY
        if offer.audience == "segment":
            return EVERYBODY if offer.segment_id in inside else NOBODY
        return EVERYBODY

    return {one.id: of(one) for one in found}


def _grants(session: Session, offer_ids: Sequence[int], card_id: int) -> dict[int, Membership]:
    if not offer_ids:
        return {}
    query = select(OfferGrant.offer_id, OfferGrant.starts_at, OfferGrant.ends_at, OfferGrant.withheld).where(
        OfferGrant.card_id == card_id, OfferGrant.offer_id.in_(offer_ids)
    )
    return {
        row.offer_id: NOBODY if row.withheld else Membership(is_in=True, starts_at=row.starts_at, ends_at=row.ends_at)
        for row in session.execute(query)
    }


def _segments(session: Session, segment_ids: set[int], card_id: int, *, live: bool, now: datetime) -> set[int]:
    if not segment_ids:
        return set()
    if live:
        return {one for one in segment_ids if segments.is_in(session, one, card_id, now=now)}
    query = select(SegmentMember.segment_id).where(
        SegmentMember.card_id == card_id, SegmentMember.segment_id.in_(segment_ids)
    )
    return set(session.scalars(query))
