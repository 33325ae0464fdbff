"""Who is told what, when: campaigns, their runs, the people of each run, and the message that a card shows."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant

KINDS = ("once", "recurring", "triggered")
STATES = ("draft", "approved", "queued", "sending", "paused", "sent", "stopped")
REASONS = (
    "no_consent", "unwanted_topic", "too_late", "cap_day", "cap_week", "not_installed", "holdout", "outranked",
    "paused", "stopped", "left_segment", "no_longer", "erased", "duplicate", "offer_over", "unfilled",
)  # fmt: skip
NOTES = ("quiet_hours_moved", "cap_moved", "wallet_quota", "global")


class MarketingPolicy(Base):
    """What holds for all campaigns of a programme; without a row, `campaigns.policy.Policy` as it is made.

    `quiet_from` and `quiet_to` are local times "21:00", equal for none. `cap_day` in 24 hours and `cap_week` in 7 days,
    both rolling. Shares are in basis points. `approve_above`: recipients above which a second person approves.
    """

    __tablename__ = "marketing_policy"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True)
    quiet_from: Mapped[str]
    quiet_to: Mapped[str]
    cap_day: Mapped[int]
    cap_week: Mapped[int]
    global_holdout_bp: Mapped[int]
    approve_above: Mapped[int]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(Instant)


class Campaign(Base):
    """A plan that decides who is told what, and when.

    `segment_id` and `tier_id` narrow the audience; neither: everybody. `stores` (row ids) narrow it to members whose
    store is among them; empty: all. `offer_id`: what it is about; a targeted offer comes with the message. `message`:
    {"title", "body", "texts": {language: {"title", "body"}}}; empty: the offer's words.

    `send_local` is the wall clock "2026-12-24T10:00" that is meant, in `timezone` where `timezone_mode` is fixed, in
    each member's or store's own zone where it is member or store. `recurrence` and `trigger` are the JSON of
    `campaigns.recurring` and `campaigns.triggers`. `quiet_from`, `quiet_to`: None: the programme's. `purpose`:
    marketing, or information. Of two on one day the higher `priority` wins. `holdout_bp`: None until it is launched
    without having been chosen. `goal`: {"metric", "days"}, named before approval.

    `revision` rises with every edit of audience, words, value or dates, which returns it to draft. `approved_count`:
    recipients at the approval; `approved_rules`: its segment's revision then. `stopped_because`: in the words of who
    stopped it; of a draft, why it did not go when its time came (`campaigns.approval`). `resumed_at`: when a pause
    ended last; what fell due before is judged as paused.
    """

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    name: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="draft")
    segment_id: Mapped[int | None] = mapped_column(ForeignKey("segment.id"), index=True)
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    stores: Mapped[list[Any]] = mapped_column(JSON, default=list)
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offer.id"), index=True)
    message: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    send_local: Mapped[str] = mapped_column(default="")
    timezone: Mapped[str]
    timezone_mode: Mapped[str] = mapped_column(default="member")
    recurrence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    trigger: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    quiet_from: Mapped[str | None]
    quiet_to: Mapped[str | None]
    purpose: Mapped[str] = mapped_column(default="marketing")
    topic: Mapped[str] = mapped_column(default="")
    priority: Mapped[int] = mapped_column(default=50)
    holdout_bp: Mapped[int | None]
    goal: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    revision: Mapped[int] = mapped_column(default=1)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(Instant)
    approved_by: Mapped[str] = mapped_column(default="")
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    approved_count: Mapped[int | None] = mapped_column(BigId)
    approved_rules: Mapped[int | None]
    launched_by: Mapped[str] = mapped_column(default="")
    launched_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    stopped_by: Mapped[str] = mapped_column(default="")
    stopped_because: Mapped[str] = mapped_column(default="")
    resumed_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        CheckConstraint("timezone_mode IN ('member', 'store', 'fixed')", name="timezone_mode"),
        CheckConstraint("purpose IN ('marketing', 'information')", name="purpose"),
        CheckConstraint("holdout_bp IS NULL OR holdout_bp BETWEEN 0 AND 5000", name="holdout"),
        Index("ix_campaign_programme_id_state", "programme_id", "state"),
    )


class CampaignText(Base):
    """The words of a campaign as they were sent, which never change: an edit makes another row."""

    __tablename__ = "campaign_text"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    revision: Mapped[int]
    words: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (UniqueConstraint("campaign_id", "revision"),)


class CampaignRun(Base):
    """One occurrence of a campaign. `occurrence`: the local date-time that is meant, or the day of a trigger.

    `state`: waiting (for its instant), planning, sending, done, stopped, superseded (a newer one was due as well),
    missed. `fire_at`: when it is planned; the first message leaves then or later. `cursor_card_id`: how far planning
    has come. `holdout_bp` and `global_bp` are those that it was planned with.
    """

    __tablename__ = "campaign_run"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    occurrence: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    fire_at: Mapped[datetime] = mapped_column(Instant)
    cursor_card_id: Mapped[int] = mapped_column(BigId, default=0)
    planned: Mapped[int] = mapped_column(BigId, default=0)
    text_id: Mapped[int | None] = mapped_column(ForeignKey("campaign_text.id"))
    holdout_bp: Mapped[int] = mapped_column(default=0)
    global_bp: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    planned_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        UniqueConstraint("campaign_id", "occurrence"),
        CheckConstraint(
            "state IN ('waiting', 'planning', 'sending', 'done', 'stopped', 'superseded', 'missed')", name="state"
        ),
        Index(
            "ix_campaign_run_due",
            "state",
            "fire_at",
            sqlite_where=text("state IN ('waiting', 'planning', 'sending')"),
            postgresql_where=text("state IN ('waiting', 'planning', 'sending')"),
        ),
    )


class Recipient(Base):
    """One card of one run: planned, then sent or suppressed with its reason. Planned is the sum of both, always.

    `arm`: treated, holdout, or empty where the card was never eligible, or is held back of everything (reason holdout,
    note global). `due_at`: when it may leave. `at`: when it was decided. `version`: the card's with which the message
    left. `note`: what else is to be said: quiet_hours_moved, or wallet_quota where it arrived without a sound.
    """

    __tablename__ = "recipient"

    run_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    state: Mapped[str]
    arm: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    due_at: Mapped[datetime] = mapped_column(Instant)
    at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int | None] = mapped_column(BigId)

    __table_args__ = (
        CheckConstraint("state IN ('planned', 'sent', 'suppressed')", name="state"),
        CheckConstraint("(state = 'suppressed') = (reason <> '')", name="reason"),
        Index(
            "ix_recipient_due",
            "run_id",
            "due_at",
            sqlite_where=text("state = 'planned'"),
            postgresql_where=text("state = 'planned'"),
        ),
        Index(
            "ix_recipient_waiting",
            "card_id",
            sqlite_where=text("state = 'planned'"),
            postgresql_where=text("state = 'planned'"),
        ),
        Index(
            "ix_recipient_sent",
            "card_id",
            "at",
            sqlite_where=text("state = 'sent'"),
            postgresql_where=text("state = 'sent'"),
        ),
        {"sqlite_with_rowid": False},
    )


class Occasion(Base):
    """Why a triggered campaign told a card: it never does so twice for one occasion, such as `birthday:2026`."""

    __tablename__ = "campaign_occasion"

    campaign_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    occasion: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(BigId)
    at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = ({"sqlite_with_rowid": False},)


class CardMessage(Base):
    """The newest message on a card: words of a campaign with this member's numbers, from when until when it stands.

    `numbers` were true when it was sent and stay, so that a later sale does not make the phone sound again. `alert`:
    whether it may sound; `alerted_at`: when Google's phones did. A test message has no run.
    """

    __tablename__ = "card_message"

    card_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    text_id: Mapped[int] = mapped_column(ForeignKey("campaign_text.id"), index=True)
    run_id: Mapped[int | None] = mapped_column(BigId)
    numbers: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    alert: Mapped[bool] = mapped_column(default=True)
    alerted_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (Index("ix_card_message_ends_at_card_id", "ends_at", "card_id"),)
