"""Job rows, which must each arrive: claimed under a lease, sent while no transaction is open, settled.

Mails and webhooks share this; what differs is how they are sent and how long they wait between two attempts. Times are
epoch milliseconds.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, insert, literal_column, select, update
from sqlalchemy.orm import Session

from app.db import rows_changed
from app.outbox.models import Message

LONGEST_REASON = 200
OVER = ("sent", "failed")
# written out, not bound: only so do both databases find the partial indexes
WAITING: ColumnElement[str] = literal_column("'waiting'")


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What to write for one claimed job: the state it is in from now on, and from when a waiting one is due again."""

    message_id: str
    lease: str
    state: str
    not_before: int = 0
    status: int = 0
    reason: str = ""
    took_ms: int = 0


def enqueue(session: Session, *, message_id: str, kind: str, recipient: bytes, body: bytes, now_ms: int) -> None:
    """Write a job in the caller's transaction; it is due at once."""
    session.execute(
        insert(Message).values(
            id=message_id, kind=kind, recipient=recipient, body=body, not_before=now_ms, created_at=now_ms
        )
    )


def claim(
    session: Session, *, kind: str, limit: int, lease_ms: int, now_ms: int, endpoint_id: int | None = None
) -> list[Message]:
    """Take up to *limit* due jobs, of one endpoint where there is one; nobody else gets them until the lease runs out.

    The attempt is counted here, not at the answer: a job that kills its worker is slowed like one that fails.
    """
    due = [Message.kind == kind, Message.state == WAITING, Message.not_before <= now_ms]
    due.append(Message.endpoint_id.is_(None) if endpoint_id is None else Message.endpoint_id == endpoint_id)
    first = select(Message.id).where(*due).order_by(Message.not_before).limit(limit).with_for_update(skip_locked=True)
    ids = list(session.scalars(first))
    if not ids:
        return []
    taken = (
        update(Message)
        .where(Message.id.in_(ids))
        .values(lease=secrets.token_hex(8), not_before=now_ms + lease_ms, attempts=Message.attempts + 1)
        .returning(Message)
    )
    rows = session.scalars(taken, execution_options={"synchronize_session": False, "populate_existing": True})
    return sorted(rows, key=lambda one: (one.event_id or 0, one.created_at, one.id))


def settle(session: Session, settlements: Sequence[Settlement], *, now_ms: int) -> None:
    """Write what became of claimed jobs; one that is over keeps no body.

    A job whose lease was lost belongs to somebody else by now and is left alone.
    """
    for is_over in (True, False):
        rows = [
            {
                "k_id": one.message_id, "k_lease": one.lease, "state": one.state, "lease": None,
                "not_before": one.not_before, "last_status": one.status, "last_reason": one.reason[:LONGEST_REASON],
                "last_at": now_ms, "took_ms": one.took_ms, **({"body": b""} if is_over else {}),
            }
            for one in sorted(settlements, key=lambda one: one.message_id)
            if (one.state in OVER) == is_over
        ]  # fmt: skip
        _each(session, rows)


def release(session: Session, jobs: Sequence[Message], *, now_ms: int) -> None:
    """Give claimed jobs back unsent: due at once, and the attempt is not counted."""
    ordered = sorted(jobs, key=lambda one: one.id)
    back = {"lease": None, "not_before": now_ms}
    _each(session, [{"k_id": one.id, "k_lease": one.lease, "attempts": one.attempts - 1, **back} for one in ordered])


def void_leases(session: Session, *, now_ms: int) -> int:
    """Make due at once what a process that is gone had claimed for the first time; how many.

    What was tried before keeps its lease: it may be what ends the workers that take it.
    """
    held = update(Message).where(Message.state == WAITING, Message.lease.is_not(None), Message.attempts <= 1)
    values = {"lease": None, "not_before": now_ms}
    return rows_changed(session, held.values(values).execution_options(synchronize_session=False))


def _each(session: Session, rows: Sequence[Mapping[str, object]]) -> None:
    """One prepared UPDATE for many rows that are still ours."""
    held = update(Message).where(Message.id == bindparam("k_id"), Message.lease == bindparam("k_lease"))
    if rows:
        session.connection().execute(held, rows)
