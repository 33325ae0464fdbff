"""Who did what lately to the campaigns, offers, segments and pilots of a programme, in the reader's words."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext
from sqlalchemy import and_, literal, or_, select
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign
from app.cards.models import Programme
from app.marketing.campaigns import words
from app.offers.models import Offer
from app.pilots.models import Pilot
from app.segments.models import Segment
from app.staff.models import AuditEvent

SHOWN_MOST = 15
SUBJECTS = (
    ("campaign", Campaign, Campaign.name),
    ("offer", Offer, Offer.title),
    ("segment", Segment, Segment.name),
    ("pilot", Pilot, Pilot.name),
)


@dataclass(frozen=True, kw_only=True)
class Doing:
    """Something that somebody did in this room: what, to what and by whom, and when."""

    when: str
    title: str
    text: str


def lately(session: Session, programme: Programme) -> list[Doing]:
    """The last things that were done to what is this programme's, the newest first."""
    own = [
        AuditEvent.subject.in_(select(literal(f"{kind}:") + model.public_id).where(model.programme_id == programme.id))
        for kind, model, _ in SUBJECTS
    ]
    policy = and_(
        AuditEvent.action == "marketing_policy_changed", AuditEvent.subject == f"programme:{programme.public_id}"
    )
    query = select(AuditEvent).where(or_(policy, *own)).order_by(AuditEvent.id.desc()).limit(SHOWN_MOST)
    found = session.scalars(query).all()
    people, named, said = words.people(session, {one.actor for one in found}), _named(session, found), sentences()
    return [
        Doing(
            when=words.moment(one.at, programme.timezone),
            title=said.get(one.action, one.action),
            text=" · ".join(filter(None, (named.get(one.subject), people.get(one.actor, one.actor)))),
        )
        for one in found
    ]


def sentences() -> dict[str, str]:
    """What each action of this room is called, by its name in the audit."""
    return {
        "marketing_policy_changed": gettext("What holds for all campaigns was changed"),
        "campaign_created": gettext("Campaign written"),
        "campaign_edited": gettext("Campaign changed"),
        "campaign_changed": gettext("Campaign changed"),
        "campaign_moved": gettext("Campaign moved to another time"),
        "campaign_tested": gettext("Campaign tried on a colleague’s card"),
        "campaign_approved": gettext("Campaign approved"),
        "campaign_launched": gettext("Campaign scheduled"),
        "campaign_paused": gettext("Campaign paused"),
        "campaign_resumed": gettext("Campaign goes on"),
        "campaign_stopped": gettext("Campaign stopped"),
        "campaign_worth_set": gettext("What a buyer is worth was set"),
        "offer_created": gettext("Offer written"),
        "offer_drafted": gettext("Offer written"),
        "offer_changed": gettext("Offer changed"),
        "offer_duplicated": gettext("Offer copied"),
        "offer_approved": gettext("Offer approved"),
        "offer_scheduled": gettext("Offer scheduled"),
        "offer_paused": gettext("Offer paused"),
        "offer_resumed": gettext("Offer goes on"),
        "offer_cancelled": gettext("Offer cancelled"),
        "offer_archived": gettext("Offer put away"),
        "offer_spreading_stopped": gettext("Change of the cards stopped"),
        "segment_created": gettext("Segment written"),
        "segment_changed": gettext("Segment changed"),
        "segment_archived": gettext("Segment put away"),
        "segment_exported": gettext("Card numbers of a segment downloaded"),
        "pilot_created": gettext("Pilot begun"),
        "pilot_widened": gettext("Pilot widened"),
        "pilot_stopped": gettext("Pilot stopped"),
    }


def _named(session: Session, events: Sequence[AuditEvent]) -> dict[str, str]:
    """The names of what was done something to, by the subject of the audit."""
    found = {}
    for kind, model, name in SUBJECTS:
        ids = [one.subject.partition(":")[2] for one in events if one.subject.startswith(f"{kind}:")]
        for public_id, said in session.execute(select(model.public_id, name).where(model.public_id.in_(ids))):
            found[f"{kind}:{public_id}"] = said
    return found
