"""Who did what: one row for each change and each refusal, never changed afterwards (a trigger refuses)."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.staff.models import AuditEvent


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
    session.add(event)
    session.flush()
    return event
