"""A kept campaign as a draft again: to be planned anew, drawn, or copied."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns.drafting import Draft
from app.campaigns.models import Campaign
from app.cards.models import Programme, Store, Tier
from app.offers.models import Offer
from app.segments.models import Segment


def of(session: Session, one: Campaign, *, name: str, is_copy: bool = False) -> Draft:
    """What a campaign says; a copy of one that is sent once has no time yet."""
    stores = session.scalars(select(Store).where(Store.id.in_(one.stores)).order_by(Store.id))
    forgets = is_copy and one.kind == "once"
    return Draft(
        programme=session.get_one(Programme, one.programme_id),
        name=name,
        segment=session.get(Segment, one.segment_id) if one.segment_id else None,
        tier=session.get(Tier, one.tier_id) if one.tier_id else None,
        stores=tuple(stores),
        offer=session.get(Offer, one.offer_id) if one.offer_id else None,
        message=one.message,
        send_local="" if forgets else one.send_local,
        timezone=one.timezone,
        timezone_mode=one.timezone_mode,
        recurrence=one.recurrence,
        trigger=one.trigger,
        quiet=None if one.quiet_from is None or one.quiet_to is None else (one.quiet_from, one.quiet_to),
        purpose=one.purpose,
        topic=one.topic,
        priority=one.priority,
        holdout_bp=one.holdout_bp,
        goal=one.goal,
    )
