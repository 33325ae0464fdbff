"""What members get for their points: the catalogue, its slots, and who took what."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant

KINDS = ("discount", "product", "gift", "experience", "donation")


class Reward(Base):
    """Something that can be had for `points` of a `unit`, or, where `unit` is empty, by meeting its condition.

    `flexible`: `points` are one step, and a member uses as many steps as wished, each worth `value_minor`: "1 point =
    0.10 TRY". Otherwise `value_minor` is what a discount takes off. `max_share`: percent of the basket that a discount
    may pay. `stock`: pieces that are left, None if nobody counts. `used`: how often it was taken, held ones too.
    `stores` and `tiers` are row ids; none named means all. `listed`: cards show it. `pick_up`: what was taken is handed
    out at a later scan. `no_show`: what becomes of the price of an experience that nobody came to: keep or give_back.
    `goal_days`: how long points live at least while they are saved for it.
    """

    __tablename__ = "reward"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    name: Mapped[str]
    texts: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    points: Mapped[int] = mapped_column(BigId)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(default="product", server_default="product")
    unit: Mapped[str] = mapped_column(default="points", server_default="points")
    flexible: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    value_minor: Mapped[int | None] = mapped_column(BigId)
    max_share: Mapped[int | None]
    min_spend_minor: Mapped[int | None] = mapped_column(BigId)
    about: Mapped[str] = mapped_column(default="", server_default="")
    about_texts: Mapped[dict[str, str]] = mapped_column(JSON, default=dict, server_default="{}")
    needs_pieces: Mapped[int | None]
    needs_product: Mapped[str] = mapped_column(default="", server_default="")
    pick_up: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    limit_per_member: Mapped[int | None]
    limit_per_member_day: Mapped[int | None]
    limit_total: Mapped[int | None] = mapped_column(BigId)
    limit_per_day: Mapped[int | None] = mapped_column(BigId)
    used: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    stock: Mapped[int | None] = mapped_column(BigId)
    starts_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    stores: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    tiers: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")
    listed: Mapped[bool] = mapped_column(default=True, server_default=true())
    no_show: Mapped[str] = mapped_column(default="keep", server_default="keep")
    cancel_before_h: Mapped[int] = mapped_column(default=0, server_default="0")
    goal_days: Mapped[int | None]

    __table_args__ = (
        CheckConstraint("points >= 0 AND (points = 0) = (unit = '')", name="points"),
        CheckConstraint("kind IN ('discount', 'product', 'gift', 'experience', 'donation')", name="kind"),
        CheckConstraint("used >= 0 AND (stock IS NULL OR stock >= 0)", name="counts"),
        CheckConstraint("no_show IN ('keep', 'give_back')", name="no_show"),
        CheckConstraint("starts_at IS NULL OR ends_at IS NULL OR ends_at > starts_at", name="window"),
    )


class Slot(Base):
    """A date of an experience; `taken` places are in use. `settled_at`: nobody is owed anything for it any more."""

    __tablename__ = "reward_slot"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    reward_id: Mapped[int] = mapped_column(ForeignKey("reward.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    capacity: Mapped[int]
    taken: Mapped[int] = mapped_column(default=0)
    cancelled: Mapped[bool] = mapped_column(default=False)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("capacity > 0 AND taken >= 0 AND taken <= capacity", name="places"),
        CheckConstraint("ends_at > starts_at", name="window"),
        Index(
            "ix_reward_slot_open",
            "ends_at",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )


class Taking(Base):
    """One use of a reward by one card.

    `state`: held (reserved for a hold), taken, waiting (paid, and on the waiting list of its slot), ended (a hold that
    gave everything back), returned (undone). `entry_id` is the entry that used up the price, or recorded the use of
    what costs none. `day` is the calendar day in the programme's zone. `collected_at`: when it was picked up, or the
    member came in.
    """

    __tablename__ = "reward_taking"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    reward_id: Mapped[int] = mapped_column(ForeignKey("reward.id"))
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"))
    use_no: Mapped[int]
    state: Mapped[str]
    day: Mapped[str]
    units: Mapped[int] = mapped_column(BigId)
    value_minor: Mapped[int | None] = mapped_column(BigId)
    basket_minor: Mapped[int | None] = mapped_column(BigId)
    slot_id: Mapped[int | None] = mapped_column(ForeignKey("reward_slot.id"))
    hold_id: Mapped[str | None] = mapped_column(ForeignKey("hold.id"), unique=True)
    entry_id: Mapped[str | None] = mapped_column(ForeignKey("entry.id"), unique=True)
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    collected_at: Mapped[datetime | None] = mapped_column(Instant)
    collected_store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))

    __table_args__ = (
        UniqueConstraint("card_id", "reward_id", "use_no"),
        CheckConstraint("state IN ('held', 'taken', 'waiting', 'ended', 'returned')", name="state"),
        Index("ix_reward_taking_reward_id_day", "reward_id", "day"),
        Index("ix_reward_taking_slot_id_state", "slot_id", "state"),
    )


class RewardDay(Base):
    """How often a reward with a limit for each day was taken on one."""

    __tablename__ = "reward_day"

    reward_id: Mapped[int] = mapped_column(ForeignKey("reward.id"), primary_key=True)
    day: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(BigId)

    __table_args__ = (CheckConstraint("used >= 0", name="used"),)


class Goal(Base):
    """What a card saves for. `keeps_until`: points that are saved for it do not expire sooner."""

    __tablename__ = "reward_goal"

    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), primary_key=True)
    reward_id: Mapped[int] = mapped_column(ForeignKey("reward.id"), index=True)
    chosen_at: Mapped[datetime] = mapped_column(Instant)
    chosen_by: Mapped[str]
    keeps_until: Mapped[datetime | None] = mapped_column(Instant)
