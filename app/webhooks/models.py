"""Who is told of what by webhook, and what there is to tell."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class Endpoint(Base):
    """An address that is told of events. `programme_id` null: of every programme, and of the installation itself.

    `events` names the kinds it wants. `state`: enabled, disabled or deleted; `reason`: operator, gone or failing. Both
    secrets are sealed; the old one signs as well until `old_until`. `not_before`, `failures` and `failing_since` are
    the pause after failures, 0 while all is well. The three counts only grow. Plain numbers of time are epoch
    milliseconds.
    """

    __tablename__ = "webhook_endpoint"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int | None] = mapped_column(ForeignKey("programme.id"), index=True)
    url: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    events: Mapped[list[str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(default="enabled")
    reason: Mapped[str] = mapped_column(default="")
    secret_sealed: Mapped[bytes]
    old_secret_sealed: Mapped[bytes | None]
    old_until: Mapped[int] = mapped_column(BigId, default=0)
    not_before: Mapped[int] = mapped_column(BigId, default=0)
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[int] = mapped_column(BigId, default=0)
    last_status: Mapped[int] = mapped_column(default=0)
    last_reason: Mapped[str] = mapped_column(default="")
    last_at: Mapped[int] = mapped_column(BigId, default=0)
    delivered: Mapped[int] = mapped_column(BigId, default=0)
    failed: Mapped[int] = mapped_column(BigId, default=0)
    parked: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (CheckConstraint("state IN ('enabled', 'disabled', 'deleted')", name="state"),)


class Event(Base):
    """Something that happened, written in the transaction in which it did, once for all endpoints that want it.

    `id` is the sequence: it grows and may skip numbers. `body` is the JSON object without that number, which the row
    has only once it is written. Rows hold a card's number, so they are kept for two weeks and no longer.
    """

    __tablename__ = "webhook_event"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    programme_id: Mapped[int | None] = mapped_column(BigId)
    body: Mapped[bytes]
    created_at: Mapped[int] = mapped_column(BigId)

    __table_args__ = (
        Index("ix_webhook_event_created_at", "created_at"),
        {"sqlite_autoincrement": True},  # a number is never used again, not even after all rows were deleted
    )
