"""Where a campaign stands, and the steps between: each a conditional UPDATE, so that two people cannot both take it."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign, CampaignRun
from app.db import rows_changed
from app.errors import Conflict

EDITABLE = ("draft", "approved", "queued")
ALIVE = ("queued", "sending")
OVER = ("sent", "stopped")
UNDER_WAY = ("planning", "sending")


def locked(session: Session, campaign: Campaign) -> Campaign:
    """The campaign as it is now, locked until the transaction ends."""
    mine = select(Campaign).where(Campaign.id == campaign.id).with_for_update(of=Campaign)
    return session.scalars(mine.execution_options(populate_existing=True)).one()


def turn(session: Session, campaign: Campaign, *, of: Collection[str], **values: Any) -> bool:
    """Change a campaign that is in one of these states; whether it was."""
    mine = update(Campaign).where(Campaign.id == campaign.id, Campaign.state.in_(of)).values(**values)
    turned = rows_changed(session, mine.execution_options(synchronize_session=False)) == 1
    session.refresh(campaign)
    return turned


def turn_run(session: Session, run_id: int, *, of: Collection[str], **values: Any) -> bool:
    """Change a run that is in one of these states; whether it was."""
    mine = update(CampaignRun).where(CampaignRun.id == run_id, CampaignRun.state.in_(of)).values(**values)
    return rows_changed(session, mine.execution_options(synchronize_session=False)) == 1


def require(campaign: Campaign, of: Collection[str]) -> None:
    """See that a campaign is in one of these states.

    Raises: Conflict `campaign_over` or `campaign_under_way` or `campaign_not_sending`, with what to do instead.
    """
    if campaign.state in of:
        return
    if campaign.state in OVER:
        raise Conflict("campaign_over", "This campaign is over; make another one.")
    if campaign.state in {"sending", "paused"}:
        raise Conflict("campaign_under_way", "This campaign is being sent; stop it first, and make another one.")
    if campaign.state == "queued":
        raise Conflict("campaign_queued", "This campaign is scheduled already.")
    raise Conflict("campaign_not_sending", "This campaign was not launched yet.")


def has_begun(session: Session, campaign_id: int) -> bool:
    """Whether a run of a campaign is under way: some people are planned, or were told."""
    query = select(CampaignRun.id).where(CampaignRun.campaign_id == campaign_id, CampaignRun.state.in_(UNDER_WAY))
    return session.scalar(query.limit(1)) is not None
