"""What must be told to whom: targets (state, kept) and messages (jobs). Times are epoch milliseconds."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId


class Sender(Base):
    """One identity at a vendor with limits of its own: an Apple pass type, or a Google issuer.

    `next_free` is when the next call may leave (GCRA), in microseconds; `slowed_at` is when the vendor last said "too
    fast", and `slowed_to` how many calls a second it was given then.
    """

    __tablename__ = "sender"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    vendor: Mapped[str]
    name: Mapped[str]
    next_free: Mapped[int] = mapped_column(BigId, default=0)
    slowed_at: Mapped[int] = mapped_column(BigId, default=0)
    slowed_to: Mapped[int] = mapped_column(default=0)
    breaker_until: Mapped[int] = mapped_column(BigId, default=0)
    breaker_reason: Mapped[str] = mapped_column(default="")
    breaker_failures: Mapped[int] = mapped_column(default=0)

    __table_args__ = (UniqueConstraint("vendor", "name"),)


class RecentResults(Base):
    """How many sends of a sender were answered in one stretch of five seconds, by all processes together.

    Six rows for each sender, used in turn; `stretch` says which five seconds since the epoch the row now counts.
    """

    __tablename__ = "recent_results"

    sender_id: Mapped[int] = mapped_column(ForeignKey("sender.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    stretch: Mapped[int] = mapped_column(BigId)
    results: Mapped[int] = mapped_column(BigId)
    failed: Mapped[int] = mapped_column(BigId)


class KillSwitch(Base):
    """Sending is stopped by an operator: `scope` is `all`, or `programme:<id>`."""

    __tablename__ = "kill_switch"

    scope: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    by: Mapped[str]
    at: Mapped[int] = mapped_column(BigId)


class Target(Base):
    """How far one address has been told about one card (or, for `google_class`, about one Google class).

    Delivery means bringing `done` up to `want`. `not_before` is coalescing window, schedule, lease and backoff in one.
    `channel`: apple (address = device id), google (address = google_object id), google_class (address = google_class
    id).
    `fetched` is the version the phone has downloaded, for Apple only. `told_at`: when `done` last rose. `trace`: the
    id of the change that raised `want` last. `bulk_free`: when a bulk change may wake this address again (GCRA).
    `asked_until`: until when the vendor asked to be left alone with this row.
    """

    __tablename__ = "target"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str]
    sender_id: Mapped[int] = mapped_column(ForeignKey("sender.id"))
    card_id: Mapped[int | None] = mapped_column(ForeignKey("card.id"), index=True)
    address_id: Mapped[int] = mapped_column(BigId)
    want: Mapped[int] = mapped_column(BigId)
    done: Mapped[int] = mapped_column(BigId, default=0)
    fetched: Mapped[int] = mapped_column(BigId, default=0)
    lane: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[int] = mapped_column(BigId, default=0)
    dirty_since: Mapped[int] = mapped_column(BigId, default=0)
    told_at: Mapped[int] = mapped_column(BigId, default=0)
    lease: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default="live")
    last_status: Mapped[int] = mapped_column(default=0)
    last_reason: Mapped[str] = mapped_column(default="")
    last_at: Mapped[int] = mapped_column(BigId, default=0)
    trace: Mapped[str] = mapped_column(default="")
    fetched_at: Mapped[int] = mapped_column(BigId, default=0)
    bulk_free: Mapped[int] = mapped_column(BigId, default=0)
    asked_until: Mapped[int] = mapped_column(BigId, default=0)

    __table_args__ = (
        UniqueConstraint("channel", "card_id", "address_id"),
        CheckConstraint("state IN ('live', 'parked', 'gone')", name="state"),
        CheckConstraint("done <= want", name="done_not_ahead"),
        Index(
            "ix_target_due",
            "channel",
            "sender_id",
            "lane",
            "not_before",
            sqlite_where=text("want > done AND state = 'live'"),
            postgresql_where=text("want > done AND state = 'live'"),
        ),
        Index(
            "ix_target_retried",
            "sender_id",
            "last_at",
            sqlite_where=text("want > done AND state = 'live' AND attempts > 2"),
            postgresql_where=text("want > done AND state = 'live' AND attempts > 2"),
        ),
        Index(
            "ix_target_parked",
            "last_at",
            sqlite_where=text("state = 'parked'"),
            postgresql_where=text("state = 'parked'"),
        ),
        Index(
            "ix_target_gone",
            "last_at",
            sqlite_where=text("state = 'gone'"),
            postgresql_where=text("state = 'gone'"),
        ),
    )


class Message(Base):
    """A mail or webhook that must arrive: a job row, kept until it is acknowledged.

    `state`: waiting, sent, failed (for good) or parked (tried as often as it may be, until somebody asks again). A
    webhook's address is its endpoint and its body the event's, so both are empty here.
    """

    __tablename__ = "message"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    recipient: Mapped[bytes]
    body: Mapped[bytes]
    not_before: Mapped[int] = mapped_column(BigId, default=0)
    lease: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(default="waiting")
    last_reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[int] = mapped_column(BigId)
    endpoint_id: Mapped[int | None] = mapped_column(BigId)
    event_id: Mapped[int | None] = mapped_column(BigId)
    last_status: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[int] = mapped_column(BigId, default=0)
    took_ms: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("ix_message_state_not_before", "state", "not_before"),
        Index(
            "ix_message_due",
            "endpoint_id",
            "not_before",
            sqlite_where=text("state = 'waiting' AND endpoint_id IS NOT NULL"),
            postgresql_where=text("state = 'waiting' AND endpoint_id IS NOT NULL"),
        ),
        Index(
            "ix_message_due_without_endpoint",
            "kind",
            "not_before",
            sqlite_where=text("state = 'waiting' AND endpoint_id IS NULL"),
            postgresql_where=text("state = 'waiting' AND endpoint_id IS NULL"),
        ),
        Index("ix_message_endpoint_id_event_id", "endpoint_id", "event_id"),
        Index("ix_message_created_at", "created_at"),
    )


class SendLog(Base):
    """What was sent and what the vendor said; pruned by age."""

    __tablename__ = "send_log"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    target_id: Mapped[int] = mapped_column(BigId, index=True)
    card_id: Mapped[int | None] = mapped_column(BigId, index=True)
    channel: Mapped[str]
    version: Mapped[int] = mapped_column(BigId)
    outcome: Mapped[str]
    status: Mapped[int]
    reason: Mapped[str]
    took_ms: Mapped[int]
    lag_ms: Mapped[int] = mapped_column(BigId)
    trace: Mapped[str] = mapped_column(default="")
    at: Mapped[int] = mapped_column(BigId, index=True)
