"""Limits of what a person, a card and a till may do, what was noticed, corrections, and cards that became one."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class StaffCard(Base):
    """A card that belongs to somebody who works here: nobody gives points to their own."""

    __tablename__ = "staff_card"

    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), primary_key=True)
    staff: Mapped[str] = mapped_column(index=True)
    linked_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)


class Tally(Base):
    """What somebody or a store did in one hour; written only where a limit asks for it.

    `subject`: "staff:stf_…" or "store:<id>"; `hour`: hours since 1970.
    """

    __tablename__ = "fraud_tally"

    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    earns: Mapped[int] = mapped_column(default=0)
    points: Mapped[int] = mapped_column(BigId, default=0)


class Notice(Base):
    """Something that looks wrong, for a manager to look at; `once` keeps the same thing from being said twice.

    `kind`: card_limit, staff_limit, store_limit, own_card, many_earns, many_tills, after_hours, adjusted. `facts` are
    what its sentence says.
    """

    __tablename__ = "fraud_notice"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    kind: Mapped[str]
    once: Mapped[str]
    card_id: Mapped[int | None] = mapped_column(ForeignKey("card.id"))
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    actor: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    at: Mapped[datetime] = mapped_column(Instant)
    dismissed_at: Mapped[datetime | None] = mapped_column(Instant)
    dismissed_by: Mapped[str] = mapped_column(default="", server_default="")
    dismissed_because: Mapped[str] = mapped_column(default="", server_default="")

    __table_args__ = (
        UniqueConstraint("programme_id", "once"),
        Index(
            "ix_fraud_notice_open",
            "programme_id",
            "at",
            sqlite_where=text("dismissed_at IS NULL"),
            postgresql_where=text("dismissed_at IS NULL"),
        ),
    )


class Adjustment(Base):
    """A correction by hand. Above what its author may do alone it waits for a second person.

    `units` has a sign. `state`: waiting, done, refused, expired.
    """

    __tablename__ = "adjustment"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), index=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    unit: Mapped[str]
    units: Mapped[int] = mapped_column(BigId)
    reason: Mapped[str]
    state: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(Instant)
    decided_by: Mapped[str] = mapped_column(default="", server_default="")
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    entry_id: Mapped[str | None] = mapped_column(ForeignKey("entry.id"))

    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'done', 'refused', 'expired')", name="state"),
        CheckConstraint("units <> 0", name="units"),
        CheckConstraint("(state = 'done') = (entry_id IS NOT NULL)", name="entry"),
        Index(
            "ix_adjustment_waiting",
            "programme_id",
            "asked_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )


class CardMerge(Base):
    """Two cards of one person that became one, and what is needed to part them again.

    `legs`: pairs of entries, what left the source and what arrived on the target; `months`: what of the source's sales
    the target counts for tiers, [spend in minor units, points, visits] by month. `source_seq`: the source's last entry
    that was moved on; whatever is booked on the source later follows.
    """

    __tablename__ = "card_merge"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    source_id: Mapped[int] = mapped_column(ForeignKey("card.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("card.id"), index=True)
    source_seq: Mapped[int] = mapped_column(BigId)
    legs: Mapped[list[Any]] = mapped_column(JSON)
    months: Mapped[dict[str, Any]] = mapped_column(JSON)
    spent_minor: Mapped[int] = mapped_column(BigId)
    reason: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(Instant)
    undone_by: Mapped[str] = mapped_column(default="", server_default="")
    undone_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("source_id <> target_id", name="two_cards"),
        Index(
            "uq_card_merge_source",
            "source_id",
            unique=True,
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
    )
