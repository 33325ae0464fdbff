"""What Google holds for us: classes (one for each programme and tier), objects, and the alerts sent."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class GoogleClass(Base):
    """The loyalty class of one tier of a programme; `sent` is the body Google last acknowledged."""

    __tablename__ = "google_class"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    programme_id: Mapped[int] = mapped_column(ForeignKey("programme.id"), index=True)
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tier.id"))
    class_id: Mapped[str] = mapped_column(unique=True)
    sent: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    sent_hash: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(Instant)


class GoogleObject(Base):
    """One card as a loyalty object. `holders` counts saves minus deletes; `has_users` is Google's own answer.

    `looked_at`: when it was last read back, to see whether Google still holds what it acknowledged. `messages`: those
    that stand on it, as [{"id": …, "ends": epoch milliseconds}].
    """

    __tablename__ = "google_object"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), unique=True)
    object_id: Mapped[str] = mapped_column(unique=True)
    sent: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    sent_hash: Mapped[str] = mapped_column(default="")
    holders: Mapped[int] = mapped_column(default=0)
    has_users: Mapped[bool | None]
    saved_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    looked_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    messages: Mapped[list[Any]] = mapped_column(JSON, default=list, server_default="[]")


class GoogleMessage(Base):
    """A message put on a class: which offer it announces, whether it buzzed, and when it was taken off."""

    __tablename__ = "google_message"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    google_class_id: Mapped[int] = mapped_column(ForeignKey("google_class.id"))
    offer_id: Mapped[int]
    message_id: Mapped[str]
    alerted: Mapped[bool]
    sent_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (UniqueConstraint("google_class_id", "offer_id"),)


class GoogleAlert(Base):
    """One alert spent from a budget of three in 24 hours. `scope`: object or class; `budget`: field or message."""

    __tablename__ = "google_alert"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    scope: Mapped[str]
    scope_id: Mapped[int] = mapped_column(BigId)
    budget: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        Index("ix_google_alert_scope_scope_id_at", "scope", "scope_id", "at"),
        Index("ix_google_alert_at", "at"),
    )


class GoogleNonce(Base):
    """A callback already applied."""

    __tablename__ = "google_nonce"

    nonce: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
