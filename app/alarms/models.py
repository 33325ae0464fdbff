"""What needs somebody, since when, and until when; and when the last backups were made."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, BigId, Instant


class Alarm(Base):
    """One thing that is wrong. At most one is open for each kind and subject: a unique index sees to it.

    `subject` names what it is about in few letters (a lane, a sender's id, a pass type). `severity`: warn or bad.
    `values` are the figures and names for its text.
    """

    __tablename__ = "alarm"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    severity: Mapped[str]
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    raised_at: Mapped[datetime] = mapped_column(Instant, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    cleared_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("severity IN ('warn', 'bad')", name="severity"),
        Index(
            "uq_alarm_open",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("cleared_at IS NULL"),
            postgresql_where=text("cleared_at IS NULL"),
        ),
    )


class BackupNote(Base):
    """That a backup was made, or one was restored on trial and found whole. `kind`: made or verified."""

    __tablename__ = "backup_note"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigId, default=0)
    at: Mapped[datetime] = mapped_column(Instant)

    __table_args__ = (
        CheckConstraint("kind IN ('made', 'verified')", name="kind"),
        Index("ix_backup_note_kind_at", "kind", "at"),
    )
