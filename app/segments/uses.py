"""What stands on a segment: offers, campaigns and rules of earning that name it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Programme
from app.earning.models import RuleVersion
from app.errors import Sentence
from app.segments.models import Segment
from app.segments.outside import CAMPAIGN, OFFER

OFFER_STATES = ("draft", "approved", "scheduled", "live", "paused")
RULES = Sentence("the rules of earning")
CAMPAIGN_STATES = ("draft", "approved", "queued", "sending", "paused")


def of(session: Session, segment: Segment) -> list[str]:
    """The names of what uses a segment, and is not over."""
    offers = select(OFFER.c.title).where(OFFER.c.segment_id == segment.id, OFFER.c.state.in_(OFFER_STATES))
    campaigns = select(CAMPAIGN.c.name).where(
        CAMPAIGN.c.segment_id == segment.id, CAMPAIGN.c.state.in_(CAMPAIGN_STATES)
    )
    found = [*session.scalars(offers.order_by(OFFER.c.id)), *session.scalars(campaigns.order_by(CAMPAIGN.c.id))]
    return [str(name) for name in found] + ([RULES] if in_rules(session, segment) else [])


def in_rules(session: Session, segment: Segment) -> bool:
    """Whether the last version of the programme's rules of earning names a segment."""
    number = select(Programme.rules_number).where(Programme.id == segment.programme_id).scalar_subquery()
    last = select(RuleVersion.id).where(
        RuleVersion.programme_id == segment.programme_id, RuleVersion.number == number,
        RuleVersion.rules.contains(segment.public_id, autoescape=True),
    )  # fmt: skip
    return session.scalar(last) is not None


def is_kept_for(session: Session, segment: Segment) -> bool:
    """Whether cards or rules of earning ask who is in: an offer for it that may still be live, or a rule naming it."""
    offer = select(OFFER.c.id).where(
        OFFER.c.segment_id == segment.id, OFFER.c.audience == "segment", OFFER.c.state.in_(OFFER_STATES)
    )
    return session.scalar(offer.limit(1)) is not None or in_rules(session, segment)
