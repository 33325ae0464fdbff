"""Which of several messages for one card on one day is told: the others are outranked.

What is planned is looked up; of runs that are still to come this day it is asked whether the card will be in them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns import audience, bulk, holdout, timing
from app.campaigns.audience import Person, Setting
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.campaigns.states import ALIVE
from app.cards.models import Card

EXPIRING = ("points_expiring", "tier_ending")
SECURITY = "security"
AHEAD = timedelta(hours=24)
LOOKED_AT = 10


def rank(campaign: Campaign) -> tuple[int, int, int]:
    """The greater goes first: security, what expires, birthdays, offers by priority, information.

    Of equals the campaign that was made first.
    """
    on = str(campaign.trigger.get("on", ""))
    if campaign.topic == SECURITY and campaign.purpose == "information":
        place = 4
    elif on in EXPIRING:
        place = 3
    elif on == "birthday":
        place = 2
    else:
        place = 1 if campaign.purpose == "marketing" else 0
    return place, campaign.priority, -campaign.id


def rivals(
    session: Session, setting: Setting, people: Mapping[int, Person], *, now: datetime
) -> dict[int, list[datetime]]:
    """When messages of greater rank are due for these people, by card, today or later."""
    due = _planned(session, setting.campaign, list(people))
    for run, other in _coming(session, setting.campaign, now):
        theirs = audience.setting(session, other)
        for person in _told_by(session, theirs, people, now):
            meant_at = timing.meant(run.occurrence, theirs.meant_zone(person.clock))
            due.setdefault(person.card_id, []).append(meant_at)
    return due


def _coming(session: Session, campaign: Campaign, now: datetime) -> list[tuple[CampaignRun, Campaign]]:
    """The runs of greater rank that begin within a day, the greatest first."""
    query = (
        select(CampaignRun, Campaign)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(
            CampaignRun.state == "waiting",
            CampaignRun.fire_at > now,
            CampaignRun.fire_at < now + AHEAD,
            Campaign.programme_id == campaign.programme_id,
            Campaign.id != campaign.id,
            Campaign.state.in_(ALIVE),
            Campaign.send_local != timing.NOW,
        )
    )
    found = [(run, other) for run, other in session.execute(query) if rank(other) > rank(campaign)]
    return sorted(found, key=lambda pair: rank(pair[1]), reverse=True)[:LOOKED_AT]


def _told_by(session: Session, theirs: Setting, people: Mapping[int, Person], now: datetime) -> list[Person]:
    """Who of these people another campaign would tell."""
    wanted = audience.conditions(session, theirs.campaign, now=now)
    mine = select(Card.id).where(Card.id.in_(bulk.these(session, sorted(people))), *wanted)
    held = audience.shares(session, theirs.campaign, now=now)
    return [
        person
        for person in (people[card_id] for card_id in session.scalars(mine))
        if not theirs.refusal(person) and holdout.arm(held, person.member) == holdout.TREATED
    ]


def _planned(session: Session, campaign: Campaign, card_ids: Sequence[int]) -> dict[int, list[datetime]]:
    query = (
        select(Recipient.card_id, Recipient.due_at, CampaignRun.campaign_id)
        .join(CampaignRun, CampaignRun.id == Recipient.run_id)
        .where(
            Recipient.card_id.in_(bulk.these(session, card_ids)),
            Recipient.state == "planned",
            CampaignRun.campaign_id != campaign.id,
            CampaignRun.state.in_(("planning", "sending")),
        )
    )
    found = session.execute(query).all()
    others = {row.campaign_id for row in found}
    mine = rank(campaign)
    alive = select(Campaign).where(Campaign.id.in_(others), Campaign.state.in_(ALIVE))
    above = {other.id for other in session.scalars(alive) if rank(other) > mine} if others else set()
    due: dict[int, list[datetime]] = {}
    for row in found:
        if row.campaign_id in above:
            due.setdefault(row.card_id, []).append(row.due_at)
    return due
