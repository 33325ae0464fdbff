"""Who works here, which keys call the API, and what they all did."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant

ROLES = ("owner", "operator", "marketer", "approver", "manager", "cashier", "support", "auditor", "integrator")


class Staff(Base):
    """A person who signs in. `programme_id` null: every programme. `store_id` null: every store.

    `session_epoch` rises when the password changes, which ends every open session.
    """

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str]
    totp_sealed: Mapped[bytes | None]
    language: Mapped[str] = mapped_column(default="en")
    programme_id: Mapped[int | None] = mapped_column(ForeignKey("programme.id"))
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    active: Mapped[bool] = mapped_column(default=True)
    session_epoch: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role"),)


class StaffPin(Base):
    """The short code by which a person takes over a till that is signed in already; never the code itself.

    `digest` is keyed and slow (`app.staff.pins`); it is the same for the same code, so that two people of one store
    cannot have one code.
    """

    __tablename__ = "staff_pin"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(index=True)
    set_at: Mapped[datetime] = mapped_column(Instant)


class ApiKey(Base):
    """An integrator's key; only its digest is kept. `programme_id` null: every programme."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    scope: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    programme_id: Mapped[int | None] = mapped_column(ForeignKey("programme.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (CheckConstraint("scope IN ('read', 'write', 'admin')", name="scope"),)


class Throttle(Base):
    """Failures of one kind by one subject (an account, an address, a terminal) since `since`."""

    __tablename__ = "throttle"

    kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)
    since: Mapped[datetime] = mapped_column(Instant)


class AuditEvent(Base):
    """Who did what, when, to what; append-only by trigger, and each event's digest covers the one before it."""

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(default="")
    previous: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[str]

    __table_args__ = (Index("ix_audit_event_subject", "subject"),)
