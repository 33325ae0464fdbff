"""Phones that hold Apple passes, and which passes they hold."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class Device(Base):
    """A device as it names itself; the push token belongs to the device and is replaced at each registration."""

    __tablename__ = "device"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    library_identifier: Mapped[str] = mapped_column(unique=True)
    push_token: Mapped[str] = mapped_column(index=True)
    token_updated_at: Mapped[datetime] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Registration(Base):
    """One pass on one device. `signed_with`: the fingerprint of the certificate that signed the file fetched last."""

    __tablename__ = "registration"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"))
    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), index=True)
    pass_type_identifier: Mapped[str]
    signed_with: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        UniqueConstraint("device_id", "card_id"),
        Index("ix_registration_device_id_pass_type_identifier", "device_id", "pass_type_identifier"),
    )


class Issue(Base):
    """The oldest version of a card that its holder has downloaded lately: what a phone that registers now may hold."""

    __tablename__ = "issue"

    card_id: Mapped[int] = mapped_column(ForeignKey("card.id"), primary_key=True)
    version: Mapped[int] = mapped_column(BigId)
    at: Mapped[datetime] = mapped_column(Instant)
    signed_with: Mapped[str] = mapped_column(default="")


class RefusedCertificate(Base):
    """A certificate that APNs refuses while the one before it is good: that one pushes meanwhile."""

    __tablename__ = "refused_certificate"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)
    pass_type_identifier: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant)


class PhoneLimit(Base):
    """Calls counted since a moment, for all processes together; `key` is a keyed digest of who called for what."""

    __tablename__ = "phone_limit"

    key: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(Instant, index=True)
    used: Mapped[int]


class DeviceLog(Base):
    """A line a phone sent to the log call: untrusted, bounded, kept apart."""

    __tablename__ = "device_log"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    cause: Mapped[str]
    line: Mapped[str]
    at: Mapped[datetime] = mapped_column(Instant, index=True)
