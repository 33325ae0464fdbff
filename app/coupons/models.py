"""Unique codes: batches of them, and who used which."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class Batch(Base):
    """Codes that were made or brought in together; each gives the same once.

    `gives`: reward (free of charge) or offer, named by `subject`, or `points`. `state`: making, ready, revoked.
    `made` of `size` codes exist. `seed`, sealed, is what they are computed from; it is deleted when they have been
    downloaded, and then nobody can tell them any more. Codes that were brought in have none.
    """

    __tablename__ = "coupon_batch"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    name: Mapped[str]
    gives: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    points: Mapped[int] = mapped_column(BigId, default=0)
    stores: Mapped[list[Any]] = mapped_column(JSON, default=list)
    size: Mapped[int]
    made: Mapped[int] = mapped_column(default=0)
    next_no: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default="making", index=True)
    seed: Mapped[bytes | None] = mapped_column(LargeBinary)
    starts_at: Mapped[datetime | None] = mapped_column(Instant)
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)
    downloaded_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("gives IN ('reward', 'points', 'offer')", name="gives"),
        CheckConstraint("(gives = 'points') = (points > 0)", name="points"),
        CheckConstraint("size > 0 AND size <= 1000000 AND made >= 0 AND made <= size", name="size"),
        CheckConstraint("state IN ('making', 'ready', 'revoked')", name="state"),
    )


class Coupon(Base):
    """One code, as a keyed digest of programme and code: a copy of the database gives no code away.

    `no` is its place in the batch. `entry_id`: the entry of its use; undoing that makes the code good again.
    """

    __tablename__ = "coupon"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("coupon_batch.id"))
    no: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    card_id: Mapped[int | None] = mapped_column(ForeignKey("card.id"), index=True)
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    entry_id: Mapped[str | None] = mapped_column(ForeignKey("entry.id"))

    __table_args__ = (
        UniqueConstraint("batch_id", "no"),
        CheckConstraint("(used_at IS NULL) = (card_id IS NULL)", name="used"),
        Index("uq_coupon_entry_id", "entry_id", unique=True),
    )
