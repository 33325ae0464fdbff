"""Who did what: one row for each change and each refusal, never changed afterwards (a trigger refuses)."""

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.staff.models import AuditEvent

FIRST = "0" * 64
LOCK = 7_365_739


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    now: datetime,
) -> AuditEvent:
    """Write one event into the audit log, in the transaction of the change itself.

    Args:
        actor: `staff:<id>`, `key:<id>`, `cli` or `nobody`.
        action: snake_case, past tense: `signed_in`, `store_created`.
        subject: what it was done to, as `<kind>:<public id>`; never a name, an address or a secret.
        before, after: the changed values only, without secrets.
    """
    event = AuditEvent(
        actor=actor, action=action, subject=subject[:200], before=before, after=after, reason=reason, at=now
    )
    event.previous = _last_digest(session)
    event.digest = _digest(event)
    session.add(event)
    session.flush()
    return event


def differences(session: Session) -> list[str]:
    """Where the chain of events is broken, in words; an empty list means that nothing was changed or taken out.

    Events cut off at the very end cannot be noticed from within: keep the last digest elsewhere (`last_digest`).
    """
    found: list[str] = []
    expected = FIRST
    for event in session.scalars(select(AuditEvent).order_by(AuditEvent.id).execution_options(yield_per=1000)):
        if event.previous != expected:
            found.append(f"event {event.id} does not follow the one before it: one is missing or was put in between")
        if event.digest != _digest(event):
            found.append(f"event {event.id} was changed after it was written")
        expected = event.digest
    return found


def last_digest(session: Session) -> str:
    """The digest that stands for the whole log up to now."""
    return session.scalar(select(AuditEvent.digest).order_by(AuditEvent.id.desc()).limit(1)) or FIRST


def _last_digest(session: Session) -> str:
    """As `last_digest`, with nobody else writing until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    return last_digest(session)


def _digest(event: AuditEvent) -> str:
    content = [
        event.previous,
        round(event.at.timestamp() * 1000),
        event.actor,
        event.action,
        event.subject,
        event.before,
        event.after,
        event.reason,
    ]
    whole = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(whole.encode()).hexdigest()
