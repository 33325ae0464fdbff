"""The people of each run of a campaign, counted by what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.db import table_of
from app.reports import periods
from app.reports.models import ReportRun
from app.reports.touched import LATE, Place

RUNNING = ("planning", "sending")


def changed(session: Session, place: Place, since: datetime | None) -> list[int]:
    """Runs that are under way, or have ended since then."""
    query = (
        select(CampaignRun.id)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(Campaign.programme_id == place.programme_id, CampaignRun.started_at.is_not(None))
        .order_by(CampaignRun.id)
    )
    if since is not None:
        ended = or_(CampaignRun.ended_at.is_(None), CampaignRun.ended_at >= since - LATE)
        query = query.where(or_(CampaignRun.state.in_(RUNNING), ended))
    return list(session.scalars(query))


def read(session: Session, place: Place, run_id: int) -> list[dict[str, Any]]:
    """The rows of `ReportRun` for a run, as they should be."""
    run, campaign = session.execute(
        select(CampaignRun, Campaign)
        .join(Campaign, Campaign.id == CampaignRun.campaign_id)
        .where(CampaignRun.id == run_id)
    ).one()
    own = {
        "run_id": run.id, "programme_id": place.programme_id, "day": periods.day_of(run.fire_at, place.zone),
        "campaign_id": campaign.id, "offer_id": campaign.offer_id or 0,
    }  # fmt: skip
    query = (
        select(Recipient.state, Recipient.arm, Recipient.reason, func.count())
        .where(Recipient.run_id == run_id)
        .group_by(Recipient.state, Recipient.arm, Recipient.reason)
    )
    return [
        {**own, "state": state, "arm": arm, "reason": reason, "cards": cards}
        for state, arm, reason, cards in session.execute(query)
    ]


def write(session: Session, run_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Put them in the place of those that are there."""
    table = table_of(ReportRun)
    session.execute(delete(table).where(table.c.run_id == run_id))
    if rows:
        session.execute(insert(table), list(rows))
