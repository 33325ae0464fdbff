"""What campaigns came to, as it was counted last, and what a buyer is worth to the shop."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, false
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class CampaignResult(Base):
    """The count of one campaign at `computed_at`: `body` is the JSON that `results.counts` writes and reads.

    `again_at`: when it is counted again. `final`: its window has been over for so long that it stays as it is.
    """

    __tablename__ = "campaign_result"

    campaign_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    computed_at: Mapped[datetime] = mapped_column(Instant)
    again_at: Mapped[datetime] = mapped_column(Instant)
    final: Mapped[bool] = mapped_column(default=False, server_default=false())
    body: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index("ix_campaign_result_again_at", "again_at"),)


class CampaignWorth(Base):
    """What somebody said a campaign brings and costs, in minor units; None: not said, and then no money is claimed.

    `margin_minor`: of one buyer. `redemption_minor`: of one use of the offer, besides what it took off the sale.
    `sending_minor`: of telling everybody.
    """

    __tablename__ = "campaign_worth"

    campaign_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    margin_minor: Mapped[int | None] = mapped_column(BigId)
    redemption_minor: Mapped[int] = mapped_column(BigId, default=0)
    sending_minor: Mapped[int] = mapped_column(BigId, default=0)
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(Instant)
