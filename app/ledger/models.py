"""Double-entry bookkeeping of points. Entries and postings are never updated or deleted: a trigger refuses."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, BigId, Instant


class Account(Base):
    """Units owned by a member (avail, debt) or by the programme (issue, redeem, adjust).

    `balance` is kept for members only. A programme's account is the sum of its postings: one row that every till
    must move would make every till wait for every other.
    """

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    role: Mapped[str]
    unit: Mapped[str]
    balance: Mapped[int | None] = mapped_column(BigId)

    __table_args__ = (
        UniqueConstraint("member_id", "role", "unit"),
        Index(
            "uq_account_programme_role",
            "programme_id",
            "role",
            "unit",
            unique=True,
            sqlite_where=text("member_id IS NULL"),
            postgresql_where=text("member_id IS NULL"),
        ),
        CheckConstraint("(member_id IS NULL) = (balance IS NULL)", name="owner"),
        CheckConstraint("role NOT IN ('avail', 'hold', 'pend') OR balance >= 0", name="never_negative"),
        CheckConstraint("role <> 'debt' OR balance <= 0", name="debt_never_positive"),
    )


class Entry(Base):
    """One movement, complete with who, where and why.

    Postings are inserted first and the entry last: the trigger on this table refuses an entry whose postings are
    fewer than two, mix units, hold a zero, or do not sum to zero. `kind`: earn, spend, offer, reverse.
    `occurred_at` is business time, `recorded_at` the server's.
    """

    __tablename__ = "entry"

    id: Mapped[str] = mapped_column(primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"))
    kind: Mapped[str]
    unit: Mapped[str]
    points: Mapped[int] = mapped_column(BigId)
    amount_minor: Mapped[int | None] = mapped_column(BigId)
    currency: Mapped[str | None]
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    actor: Mapped[str]
    channel: Mapped[str]
    receipt: Mapped[str | None]
    reverses_id: Mapped[str | None] = mapped_column(ForeignKey("entry.id"), unique=True)
    note: Mapped[str]
    reasons: Mapped[list[str]] = mapped_column(JSON, default=list)
    card_version: Mapped[int] = mapped_column(BigId)
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    trace: Mapped[str] = mapped_column(default="")

    postings: Mapped[list["Posting"]] = relationship(viewonly=True)

    __table_args__ = (
        CheckConstraint("kind IN ('earn', 'spend', 'offer', 'reverse')", name="kind"),
        Index("ix_entry_card_id_recorded_at", "card_id", "recorded_at"),
        Index(
            "uq_entry_receipt",
            "programme_id",
            text("coalesce(store_id, 0)"),
            "receipt",
            unique=True,
            sqlite_where=text("kind = 'earn' AND receipt IS NOT NULL"),
            postgresql_where=text("kind = 'earn' AND receipt IS NOT NULL"),
        ),
    )


class Posting(Base):
    """One leg of an entry; the legs of an entry sum to zero."""

    __tablename__ = "posting"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    amount: Mapped[int] = mapped_column(BigId)

    __table_args__ = (CheckConstraint("amount <> 0", name="not_zero"),)


class Reward(Base):
    """Something that points buy."""

    __tablename__ = "reward"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    name: Mapped[str]
    texts: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    points: Mapped[int] = mapped_column(BigId)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (CheckConstraint("points > 0", name="points"),)
