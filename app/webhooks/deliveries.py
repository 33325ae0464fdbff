"""What was sent to an endpoint, what became of it, and sending it again. All in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, literal, select
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.db import insert_for, rows_changed
from app.errors import Conflict, NotFound, Unprocessable
from app.outbox.models import Message
from app.outbox.rules import DAY_MS
from app.webhooks.endpoints import require_enabled
from app.webhooks.models import Endpoint, Event
from app.webhooks.service import COLUMNS, JOB

EVENTS_KEPT_MS = 14 * DAY_MS
DELIVERIES_KEPT_MS = 30 * DAY_MS
REPLAYED_AT_ONCE = 10_000


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint. `event_kind` is empty once what was sent has been forgotten."""

    sequence: int
    id: str
    event_id: str
    event_kind: str
    state: str
    attempts: int
    status: int
    reason: str
    took_ms: int
    created_at: int
    last_at: int
    next_at: int


def listed(session: Session, endpoint: Endpoint, *, before: int | None = None, limit: int) -> list[Delivery]:
    """An endpoint's deliveries, the newest first, from below the sequence *before*."""
    query = _deliveries(endpoint).order_by(Message.event_id.desc()).limit(limit)
    if before is not None:
        query = query.where(Message.event_id < before)
    return [_delivery(row) for row in session.execute(query)]


def one(session: Session, endpoint: Endpoint, delivery_id: str) -> Delivery:
    """One delivery of an endpoint, which is known to exist."""
    return _delivery(session.execute(_deliveries(endpoint).where(Message.id == delivery_id)).one())


def replay(session: Session, endpoint: Endpoint, delivery_id: str, *, now: datetime) -> Delivery:
    """Send one delivery again, at once and with all its attempts before it; under the same webhook-id.

    Raises: NotFound `unknown_delivery`; Conflict `webhook_disabled` or `delivery_too_old`.
    """
    require_enabled(endpoint)
    mine = select(Message).where(Message.id == delivery_id, Message.endpoint_id == endpoint.id)
    found = session.scalars(mine.with_for_update()).one_or_none()
    if found is None:
        raise NotFound("unknown_delivery", "There is no such delivery of this webhook. Open the list again.")
    if session.scalar(select(Event.id).where(Event.id == found.event_id)) is None:
        raise Conflict("delivery_too_old", "What was sent is kept for 14 days; this is older and cannot be sent again.")
    for name, value in _anew(milliseconds(now)).items():
        setattr(found, name, value)
    endpoint.not_before = 0
    session.flush()
    return one(session, endpoint, delivery_id)


def replay_range(session: Session, endpoint: Endpoint, *, since: datetime, until: datetime, now: datetime) -> int:
    """Send again what the endpoint asks for of a span of time, and what it missed while it was off; how many.

    Raises: Conflict `webhook_disabled`; Unprocessable `invalid_range`.
    """
    require_enabled(endpoint)
    now_ms = milliseconds(now)
    wanted = select(Event.id).where(
        Event.created_at >= milliseconds(since),
        Event.created_at < milliseconds(until),
        Event.kind.in_(endpoint.events),
    )
    if endpoint.programme_id is not None:
        wanted = wanted.where(Event.programme_id == endpoint.programme_id)
    _check_range(session, since, until, wanted)
    rows = select(
        Event.public_id + f".{endpoint.public_id}",
        literal(JOB), literal(b""), literal(b""), literal(now_ms), literal(0), literal("waiting"), literal(""),
        literal(now_ms), literal(endpoint.id), Event.id, literal(0), literal(0), literal(0),
    ).where(Event.id.in_(wanted))  # fmt: skip
    made = insert_for(session, Message).from_select(COLUMNS, rows)
    endpoint.not_before = 0
    session.flush()
    return rows_changed(session, made.on_conflict_do_update(index_elements=["id"], set_=_anew(now_ms)))


def _check_range(session: Session, since: datetime, until: datetime, wanted: Select[int]) -> None:
    errors: dict[str, str] = {}
    if until <= since:
        errors["until"] = "The end comes after the start."
    elif _count(session, wanted) > REPLAYED_AT_ONCE:
        errors["until"] = "That is more than 10000 events. Choose a shorter span and send the rest after it."
    if errors:
        raise Unprocessable("invalid_range", " ".join(errors.values()), errors=errors)


def _count(session: Session, wanted: Select[int]) -> int:
    return session.scalar(select(func.count()).select_from(wanted.limit(REPLAYED_AT_ONCE + 1).subquery())) or 0


def _anew(now_ms: int) -> dict[str, Any]:
    """A delivery as it was in the beginning. Whoever is sending it at this moment no longer holds it."""
    return {"state": "waiting", "lease": None, "attempts": 0, "not_before": now_ms}


def _deliveries(endpoint: Endpoint) -> Select[Message, str, str]:
    return (
        select(Message, Event.public_id, Event.kind)
        .outerjoin(Event, Event.id == Message.event_id)
        .where(Message.endpoint_id == endpoint.id)
    )


def _delivery(row: Row[Message, str, str]) -> Delivery:
    job, _, kind = row
    return Delivery(
        sequence=job.event_id or 0,
        id=job.id,
        event_id=job.id.partition(".")[0],
        event_kind=kind or "",
        state=job.state,
        attempts=job.attempts,
        status=job.last_status,
        reason=job.last_reason,
        took_ms=job.took_ms,
        created_at=job.created_at,
        last_at=job.last_at,
        next_at=job.not_before if job.state == "waiting" else 0,
    )


def old_rows(now_ms: int) -> Sequence[tuple[Any, Any]]:
    """What is to be forgotten, as tables and conditions: bodies after 14 days, and how it went after 30.

    A body names a card; a delivery's own row names nobody.
    """
    return (
        (Event, Event.created_at < now_ms - EVENTS_KEPT_MS),
        (Message, (Message.kind == JOB) & (Message.created_at < now_ms - DELIVERIES_KEPT_MS)),
    )
