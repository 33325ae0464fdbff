"""The rules of tiers of a programme, what members did month by month, and where they stand."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class TierPolicy(Base):
    """How tiers are reached, kept and lost in a programme; without a row, `tiers.rules.Policy` as it is made.

    `recalculated_to`: the last card that a recalculation under changed rules has come to; None: it is done.
    """

    __tablename__ = "tier_policy"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True)
    metric: Mapped[str]
    window_kind: Mapped[str]
    months: Mapped[int]
    validity_months: Mapped[int]
    grace_days: Mapped[int]
    drop_kind: Mapped[str]
    strict: Mapped[bool]
    recalculated_to: Mapped[int | None] = mapped_column(BigId)
    changed_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("metric IN ('spend', 'earned', 'visits')", name="metric"),
        CheckConstraint("window_kind IN ('rolling', 'calendar', 'lifetime')", name="window_kind"),
        CheckConstraint("drop_kind IN ('one_step', 'to_metric', 'none')", name="drop_kind"),
        CheckConstraint("months > 0 AND validity_months > 0 AND grace_days >= 0", name="numbers"),
    )


class MetricMonth(Base):
    """What a card's sales of one month come to, net of returns; `month` is its first day in the programme's zone."""

    __tablename__ = "metric_month"

    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    spend_minor: Mapped[int] = mapped_column(BigId)
    earned: Mapped[int] = mapped_column(BigId)
    visits: Mapped[int] = mapped_column(BigId)


class CardStanding(Base):
    """The tier that a card has earned, until when, and one given by hand above it.

    Days are the programme's; `valid_to`, `grace_to` and `granted_to` are the last ones. What the card shows is the
    higher of the two tiers (`Card.tier_id`). `due_on`: the first day on which time changes something; None: never.
    """

    __tablename__ = "card_standing"

    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    valid_to: Mapped[date | None]
    grace_to: Mapped[date | None]
    granted_tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    granted_to: Mapped[date | None]
    granted_reason: Mapped[str] = mapped_column(default="", server_default="")
    granted_by: Mapped[str] = mapped_column(default="", server_default="")
    due_on: Mapped[date | None]

    __table_args__ = (
        CheckConstraint("(granted_tier_id IS NULL) = (granted_to IS NULL)", name="granted"),
        Index(
            "ix_card_standing_due",
            "programme_id",
            "due_on",
            sqlite_where=text("due_on IS NOT NULL"),
            postgresql_where=text("due_on IS NOT NULL"),
        ),
    )
