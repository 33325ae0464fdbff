"""One endpoint's turn in the database: what it is given to send, and what became of it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.outbox import jobs
from app.outbox.jobs import WAITING, Settlement
from app.outbox.models import Message
from app.staff import audit
from app.webhooks import rules
from app.webhooks.endpoints import secrets_in_use
from app.webhooks.models import Endpoint, Event
from app.webhooks.sending import Answer
from app.webhooks.service import JOB, sent_body

LOGGER = logging.getLogger(__name__)

MESSAGES = 20
LEASE_MS = 60_000
FORGOTTEN = "forgotten"


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One claimed message: its job row, and what is sent."""

    job: Message
    event: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one turn of an endpoint is to send, and how."""

    endpoint_id: int
    url: str
    secrets: Sequence[bytes]
    parcels: Sequence[Parcel]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A parcel that was tried."""

    parcel: Parcel
    answer: Answer


def due(session: Session, *, now_ms: int) -> list[tuple[int, bool]]:
    """Endpoints that something waits for, and whether they failed last; those served longest ago first."""
    waiting = select(Message.id).where(
        Message.endpoint_id == Endpoint.id, Message.state == WAITING, Message.not_before <= now_ms
    )
    query = (
        select(Endpoint.id, Endpoint.failures)
        .where(Endpoint.state == "enabled", Endpoint.not_before <= now_ms, waiting.exists())
        .order_by(Endpoint.last_at, Endpoint.id)
    )
    return [(row.id, row.failures > 0) for row in session.execute(query)]


def take(session: Session, endpoint_id: int, *, now_ms: int) -> Turn | None:
    """Claim what an endpoint is sent in this turn, one message if it failed last; None if there is nothing."""
    endpoint = session.get(Endpoint, endpoint_id)
    if endpoint is None or endpoint.state != "enabled" or endpoint.not_before > now_ms:
        return None
    limit = 1 if endpoint.failures else MESSAGES
    claimed = jobs.claim(session, kind=JOB, limit=limit, lease_ms=LEASE_MS, now_ms=now_ms, endpoint_id=endpoint_id)
    wanted = select(Event).where(Event.id.in_([one.event_id for one in claimed]))
    events = {one.id: one for one in session.scalars(wanted)}
    _drop(session, [one for one in claimed if one.event_id not in events], now_ms=now_ms)
    parcels = [
        Parcel(job=one, event=event.public_id, body=sent_body(event.id, event.body))
        for one in claimed
        if (event := events.get(one.event_id or 0))
    ]
    if not parcels:
        return None
    vault = session.info["vault"]
    return Turn(
        endpoint_id=endpoint_id,
        url=endpoint.url,
        secrets=secrets_in_use(vault, endpoint, now_ms=now_ms),
        parcels=parcels,
    )


def settle(session: Session, turn: Turn, sent: Sequence[Sent], *, now: datetime) -> None:
    """Write what became of a turn; what it did not come to is given back unsent.

    The endpoint's row is locked before its messages, as whoever sends something again does.
    """
    now_ms = milliseconds(now)
    endpoint = session.get(Endpoint, turn.endpoint_id, with_for_update=True, populate_existing=True)
    jobs.settle(session, [_settlement(one, now_ms) for one in sent], now_ms=now_ms)
    jobs.release(session, [one.job for one in turn.parcels[len(sent) :]], now_ms=now_ms)
    if endpoint is not None and sent:
        _judge(session, endpoint, sent, now)
    session.flush()


def _settlement(one: Sent, now_ms: int) -> Settlement:
    job, answer = one.parcel.job, one.answer
    wait_ms = None if answer.is_gone else rules.wait_ms(job.attempts)
    state = "sent" if answer.is_taken else "parked" if wait_ms is None else "waiting"
    return Settlement(
        message_id=job.id,
        lease=job.lease or "",
        state=state,
        not_before=now_ms + (wait_ms or 0),
        status=answer.status,
        reason="" if answer.is_taken else answer.reason,
        took_ms=answer.took_ms,
    )


def _judge(session: Session, endpoint: Endpoint, sent: Sequence[Sent], now: datetime) -> None:
    """What the answers say of the endpoint itself. Only the last can be a failure: a turn ends with the first."""
    now_ms, last = milliseconds(now), sent[-1].answer
    endpoint.last_status, endpoint.last_reason, endpoint.last_at = last.status, last.reason, now_ms
    endpoint.delivered += sum(one.answer.is_taken for one in sent)
    if last.is_taken:
        endpoint.failures = endpoint.failing_since = endpoint.not_before = 0
        return
    endpoint.failed += 1
    endpoint.parked += _settlement(sent[-1], now_ms).state == "parked"
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now_ms
    endpoint.not_before = now_ms + rules.pause_ms(endpoint.failures)
    if endpoint.state == "enabled" and (last.is_gone or rules.is_hopeless(endpoint.failing_since, now_ms)):
        endpoint.state, endpoint.reason = "disabled", "gone" if last.is_gone else "failing"
        LOGGER.warning("webhook %s is switched off: %s", endpoint.public_id, last.reason)
        subject = f"webhook:{endpoint.public_id}"
        audit.record(
            session, actor="delivery", action="webhook_disabled", subject=subject, reason=endpoint.reason, now=now
        )


def _drop(session: Session, orphans: Sequence[Message], *, now_ms: int) -> None:
    """What was to be sent is no longer kept: these waited too long for their endpoint."""
    late = [Settlement(message_id=one.id, lease=one.lease or "", state="failed", reason=FORGOTTEN) for one in orphans]
    jobs.settle(session, late, now_ms=now_ms)
