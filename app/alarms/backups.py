"""When the last backup was made, and when one was last tried: noted by the commands, read by alarms and pages."""

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.alarms.models import BackupNote

KEPT = 100


def note(session: Session, kind: str, *, size_bytes: int = 0, now: datetime) -> None:
    """Write down that a backup was `made`, or `verified` by restoring it on trial."""
    session.add(BackupNote(kind=kind, size_bytes=size_bytes, at=now))
    session.flush()
    # of each kind: a trial a week must not be forgotten over a backup each hour
    older = select(BackupNote.id).where(BackupNote.kind == kind).order_by(BackupNote.id.desc()).offset(KEPT)
    session.execute(delete(BackupNote).where(BackupNote.id.in_(older.limit(KEPT))))


def newest(session: Session, kind: str = "made") -> datetime | None:
    """When that last happened."""
    return session.scalar(select(func.max(BackupNote.at)).where(BackupNote.kind == kind))
