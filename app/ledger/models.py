"""Double-entry bookkeeping of points, stamps and money. What is written is never changed: a trigger refuses."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, BigId, Instant


class Account(Base):
    """Units owned by a member (avail, hold, pend, debt) or by the programme (issue, redeem, expire, adjust, writeoff,
    funding, sales, transfer).

    `unit`: points, uses, stamp:<id>, voucher:<id>, bonus:<currency>, or a currency (stored value, in minor units).
    `balance` is kept for members only. A programme's account is the sum of its postings: one row that every till
    must move would make every till wait for every other. `carry`: the fraction of a unit that the last sale left over,
    as "num/den". A `closed` account is left by what expires and is written off, and takes nothing new.
    """

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    role: Mapped[str]
    unit: Mapped[str]
    balance: Mapped[int | None] = mapped_column(BigId)
    carry: Mapped[str] = mapped_column(default="0", server_default="0")
    closed: Mapped[bool] = mapped_column(default=False, server_default=false())

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


KINDS = (
    "earn", "activate", "spend", "offer", "hold", "capture", "release", "expire", "reverse", "adjust", "merge",
    "writeoff", "load", "pay", "refund",
)  # fmt: skip


class Entry(Base):
    """One movement of one unit, complete with who, where and why.

    Postings are inserted first and the entry last: the trigger on this table refuses an entry whose postings are
    fewer than two, mix units, hold a zero, or do not sum to zero. `points` is what the member gained or lost, in the
    entry's unit. `occurred_at` is business time, `recorded_at` the server's. What one sale moves in several units is
    several entries, `part_of_id` naming the first. `reversal_no` counts the reversals of one entry, so that two at once
    meet in a unique key. `seq` and `hash` chain the entries of a card: each digest covers the one before it
    (`ledger.chain`).
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
    reverses_id: Mapped[str | None] = mapped_column(ForeignKey("entry.id"))
    reversal_no: Mapped[int | None]
    part_of_id: Mapped[str | None] = mapped_column(ForeignKey("entry.id"), index=True)
    rule_version_id: Mapped[int | None] = mapped_column(BigId)
    carry_before: Mapped[str | None]
    carry_after: Mapped[str | None]
    note: Mapped[str]
    reasons: Mapped[list[Any]] = mapped_column(JSON, default=list)
    card_version: Mapped[int] = mapped_column(BigId)
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    trace: Mapped[str] = mapped_column(default="")
    seq: Mapped[int] = mapped_column(BigId)
    hash: Mapped[str]

    postings: Mapped[list["Posting"]] = relationship(viewonly=True)
    lines: Mapped[list["EntryLine"]] = relationship(viewonly=True, order_by="EntryLine.line_no")

    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind"),
        Index("uq_entry_reversal", "reverses_id", "reversal_no", unique=True),
        Index("uq_entry_seq", "card_id", "seq", unique=True),
        Index("ix_entry_card_id_recorded_at", "card_id", "recorded_at"),
        Index("ix_entry_occurred_at", "occurred_at"),
        Index(
            "uq_entry_receipt",
            "programme_id",
            text("coalesce(store_id, 0)"),
            "receipt",
            unique=True,
            sqlite_where=text("kind = 'earn' AND receipt IS NOT NULL AND part_of_id IS NULL"),
            postgresql_where=text("kind = 'earn' AND receipt IS NOT NULL AND part_of_id IS NULL"),
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


class EntryLine(Base):
    """One line of a sale's receipt with what it earned, or of a return with what it took back (`points` below zero).

    A return's `line_no` is that of the sale. `quantity` counts pieces; `amount_minor` is the line's price after its
    discounts. Points of all lines sum to the entry's.
    """

    __tablename__ = "entry_line"

    entry_id: Mapped[str] = mapped_column(
        ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), primary_key=True
    )
    line_no: Mapped[int] = mapped_column(primary_key=True)
    product: Mapped[str]
    category: Mapped[str]
    quantity: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(BigId)
    points: Mapped[int] = mapped_column(BigId)

    __table_args__ = (CheckConstraint("quantity > 0 AND amount_minor >= 0", name="numbers"),)


class Lot(Base):
    """Units credited by one entry with one expiry. `remaining` of `original` can still be spent.

    `expires_at` is the first instant at which they are gone; it may be moved on, never back. Spending uses the lot that
    expires soonest, then the oldest. A lot that `renews_id` another was opened for units that came back to it too late.
    """

    __tablename__ = "lot"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    original: Mapped[int] = mapped_column(BigId)
    remaining: Mapped[int] = mapped_column(BigId)
    earned_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    renews_id: Mapped[int | None] = mapped_column(ForeignKey("lot.id"), index=True)

    __table_args__ = (
        CheckConstraint("original > 0 AND remaining >= 0 AND remaining <= original", name="numbers"),
        CheckConstraint("expires_at IS NULL OR expires_at > earned_at", name="expires_after_earning"),
        Index(
            "ix_lot_open",
            "account_id",
            "expires_at",
            "earned_at",
            sqlite_where=text("remaining > 0"),
            postgresql_where=text("remaining > 0"),
        ),
        Index(
            "ix_lot_expiring",
            "expires_at",
            sqlite_where=text("remaining > 0 AND expires_at IS NOT NULL"),
            postgresql_where=text("remaining > 0 AND expires_at IS NOT NULL"),
        ),
    )


class LotUse(Base):
    """Which entry used how much of which lot; below zero, which entry gave it back. Never changed."""

    __tablename__ = "lot_use"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id", deferrable=True, initially="DEFERRED"), index=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    amount: Mapped[int] = mapped_column(BigId)

    __table_args__ = (CheckConstraint("amount <> 0", name="not_zero"),)


class Hold(Base):
    """Units reserved for a reward: captured, voided, or released at `expires_at`, once. `entry_id` reserved them.

    `about`: what it is for, such as "reward:rwd_…". `state`: open, captured, voided, expired.
    """

    __tablename__ = "hold"

    id: Mapped[str] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), index=True)
    unit: Mapped[str]
    amount: Mapped[int] = mapped_column(BigId)
    captured: Mapped[int] = mapped_column(BigId, default=0)
    state: Mapped[str] = mapped_column(default="open")
    about: Mapped[str]
    receipt: Mapped[str | None]
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("state IN ('open', 'captured', 'voided', 'expired')", name="state"),
        CheckConstraint("amount > 0 AND captured >= 0 AND captured <= amount", name="captured"),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended"),
        Index(
            "ix_hold_open", "expires_at", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")
        ),
    )


class Pending(Base):
    """Units that were earned and cannot be spent before `due_at`. `state`: waiting, active, reversed.

    `units` of them still wait; what was returned meanwhile is gone. `expires_at` is that of the lot to come.
    """

    __tablename__ = "pending"

    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id"), primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), index=True)
    unit: Mapped[str]
    units: Mapped[int] = mapped_column(BigId)
    state: Mapped[str] = mapped_column(default="waiting")
    due_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'active', 'reversed')", name="state"),
        CheckConstraint("units >= 0", name="units"),
        Index(
            "ix_pending_waiting",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )


class Seal(Base):
    """A digest over all entries up to `last_entry_id` since the seal before it, and over that seal. Never changed.

    The chain of a card shows that one of its entries was changed; a seal shows that whole cards or their last entries
    are missing.
    """

    __tablename__ = "seal"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    last_entry_id: Mapped[str] = mapped_column(unique=True)
    entries: Mapped[int] = mapped_column(BigId)
    hash: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(Instant)
