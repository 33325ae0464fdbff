"""How often a card was told lately: rolling hours and days over all campaigns, counted from what was sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import case, func, literal_column, select
from sqlalchemy.orm import Session

from app.campaigns import bulk
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.campaigns.policy import INFORMATION_PER_WEEK, Policy

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)


class Told(NamedTuple):
    """How many messages of marketing in a day and in a week, and of information in a week."""

    day: int = 0
    week: int = 0
    information: int = 0


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The most that one card is told."""

    policy: Policy
    purpose: str

    def reason(self, told: Told, per_week: int | None) -> str:
        """Which cap one more message would break, as a reason; *per_week*: the member's own wish."""
        if self.purpose == "information":
            return "cap_week" if told.information >= INFORMATION_PER_WEEK else ""
        week = self.policy.cap_week if per_week is None else min(per_week, self.policy.cap_week)
        if told.day >= self.policy.cap_day:
            return "cap_day"
        return "cap_week" if told.week >= week else ""


def told(session: Session, card_ids: Sequence[int], *, now: datetime) -> dict[int, Told]:
    """What these cards were told in the last seven days; one that was told nothing is not there."""
    lately = case((Recipient.at > now - DAY, 1), else_=0)
    query = (
        select(Recipient.card_id, Campaign.purpose, func.sum(lately), func.count())
        .join(CampaignRun, CampaignRun.id == Recipient.run_id)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(
            Recipient.card_id.in_(bulk.these(session, card_ids)),
            Recipient.state == literal_column("'sent'"),
            Recipient.at > now - WEEK,
        )
        .group_by(Recipient.card_id, Campaign.purpose)
    )
    found: dict[int, Told] = {}
    for card_id, purpose, day, week in session.execute(query):
        before = found.get(card_id, Told())
        marketing = purpose == "marketing"
        found[card_id] = before._replace(day=int(day), week=week) if marketing else before._replace(information=week)
    return found
