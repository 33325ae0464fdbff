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
SOON = timedelta(hours=2)
"""A cap that ends within this moves a message: what comes each day or week is not left out for some seconds, nor where
the clocks go forward."""


class Told(NamedTuple):
    """How many messages of marketing in a day and in a week, and of information in a week; and when there is one less
    of each."""

    day: int = 0
    week: int = 0
    information: int = 0
    day_less_at: datetime | None = None
    week_less_at: datetime | None = None
    information_less_at: datetime | None = None


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

    def moved_to(self, told: Told, reason: str, at: datetime) -> datetime | None:
        """To when a message of *at* is moved because of a cap; None, if that lasts too long."""
        free = told.day_less_at if reason == "cap_day" else told.week_less_at
        if self.purpose == "information":
            free = told.information_less_at
        return free if free is not None and at < free <= at + SOON else None


def told(session: Session, card_ids: Sequence[int], *, now: datetime) -> dict[int, Told]:
    """What these cards were told in the last seven days; one that was told nothing is not there."""
    is_of_day = Recipient.at > now - DAY
    query = (
        select(
            Recipient.card_id, Campaign.purpose, func.sum(case((is_of_day, 1), else_=0)), func.count(),
            func.min(case((is_of_day, Recipient.at))), func.min(Recipient.at),
        )
        .join(CampaignRun, CampaignRun.id == Recipient.run_id)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(
            Recipient.card_id.in_(bulk.these(session, card_ids)),
            Recipient.state == literal_column("'sent'"),
            Recipient.at > now - WEEK,
        )
        .group_by(Recipient.card_id, Campaign.purpose)
    )  # fmt: skip
    found: dict[int, Told] = {}
    for card_id, purpose, day, week, first_of_day, first in session.execute(query):
        before = found.get(card_id, Told())
        if purpose == "marketing":
            day_less_at = first_of_day + DAY if first_of_day else None
            own = before._replace(day=int(day), week=week, day_less_at=day_less_at, week_less_at=first + WEEK)
        else:
            own = before._replace(information=week, information_less_at=first + WEEK)
        found[card_id] = own
    return found
