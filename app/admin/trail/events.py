"""The audit log, read: newest first, page by page, narrowed to who or what."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import String, literal, or_, select
from sqlalchemy.orm import Session

from app.staff.models import ApiKey, AuditEvent, Staff

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class Trail:
    """One page of events; `names` says who stands behind an actor. `older` is where the next page begins, or None."""

    events: list[AuditEvent]
    names: dict[str, str]
    older: int | None


def trail(
    session: Session,
    *,
    programme_id: int | None = None,
    actor: str = "",
    action: str = "",
    subject: str = "",
    before: int | None = None,
) -> Trail:
    """One page. *programme_id* leaves only what this programme's own staff and keys did; *actor* may be an e-mail."""
    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(PAGE + 1)
    if programme_id is not None:
        staff = select(literal("staff:", String).concat(Staff.public_id)).where(Staff.programme_id == programme_id)
        keys = select(literal("key:", String).concat(ApiKey.public_id)).where(ApiKey.programme_id == programme_id)
        query = query.where(or_(AuditEvent.actor.in_(staff), AuditEvent.actor.in_(keys)))
    if actor:
        query = query.where(AuditEvent.actor == _actor(session, actor))
    if action:
        query = query.where(AuditEvent.action == action)
    if subject:
        query = query.where(AuditEvent.subject == subject)
    if before is not None:
        query = query.where(AuditEvent.id < before)
    found = list(session.scalars(query))
    events = found[:PAGE]
    older = events[-1].id if len(found) > PAGE else None
    return Trail(events=events, names=_names(session, {one.actor for one in events}), older=older)


def _actor(session: Session, text: str) -> str:
    if "@" not in text:
        return text
    found = session.scalar(select(Staff.public_id).where(Staff.email == text.strip().lower()))
    return f"staff:{found}" if found else text


def _names(session: Session, actors: Iterable[str]) -> dict[str, str]:
    ids = {actor.partition(":")[2] for actor in actors}
    names = {
        f"staff:{public_id}": name
        for public_id, name in session.execute(select(Staff.public_id, Staff.name).where(Staff.public_id.in_(ids)))
    }
    keys = session.execute(select(ApiKey.public_id, ApiKey.name).where(ApiKey.public_id.in_(ids)))
    return names | {f"key:{public_id}": name for public_id, name in keys}
