"""Saying that something happened, so that whoever asked for it is told by webhook.

All functions work in the caller's transaction. Times in rows are epoch milliseconds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Select, String, bindparam, insert, literal, select, type_coerce
from sqlalchemy.orm import Session

from app import ids
from app.clock import milliseconds
from app.outbox.models import Message
from app.webhooks import listeners
from app.webhooks.models import Endpoint, Event

JOB = "webhook"

_WRITE = insert(Event).returning(Event.id)
_JOBS: Select[*tuple[Any, ...]] = select(
    type_coerce(bindparam("event"), String) + "." + Endpoint.public_id,
    literal(JOB), literal(b""), literal(b""), bindparam("at"), literal(0), literal("waiting"), literal(""),
    bindparam("at"), Endpoint.id, bindparam("event_id"), literal(0), literal(0), literal(0),
).where(Endpoint.id.in_(bindparam("endpoints", expanding=True)), Endpoint.state == "enabled")  # fmt: skip
COLUMNS = ("id", "kind", "recipient", "body", "not_before", "attempts", "state", "last_reason", "created_at",
           "endpoint_id", "event_id", "last_status", "last_at", "took_ms")  # fmt: skip
_TELL = insert(Message).from_select(COLUMNS, _JOBS)


class CardLike(Protocol):
    """What an event says of a card: nothing that names a person."""

    @property
    def number(self) -> str: ...

    @property
    def serial(self) -> str: ...

    @property
    def version(self) -> int: ...


def listens(session: Session, kind: str, programme_id: int | None) -> bool:
    """Whether anybody may want this kind of event; for callers whose `data` costs a look at the database."""
    return bool(listeners.of(session, kind, programme_id))


def anybody_listens(session: Session, kinds: Iterable[str]) -> bool:
    """Whether anybody at all may want one of these kinds, whatever the programme."""
    return any(listeners.wants(session, kind) for kind in kinds)


def announce(
    session: Session,
    *,
    programme_id: int | None,
    kind: str,
    data: Mapping[str, Any],
    now: datetime,
    card: CardLike | None = None,
) -> None:
    """Say that something happened, in the transaction in which it does; free where nobody listens.

    *data* holds JSON values and nothing that names a person. What is sent is written now and never changes. Two
    statements where somebody listens, and no row that two tills share.
    """
    wanted = listeners.of(session, kind, programme_id)
    if wanted:
        tell(session, wanted, programme_id=programme_id, kind=kind, data=data, now=now, card=card)


def tell(
    session: Session,
    endpoints: Sequence[int],
    *,
    programme_id: int | None,
    kind: str,
    data: Mapping[str, Any],
    now: datetime,
    card: CardLike | None = None,
) -> str:
    """As `announce`, to these endpoints (by id) and whatever they asked for; the public id of the event."""
    name = ids.public_id("evt")
    said = {**({"card": _card(card)} if card is not None else {}), **data}
    body = {
        "id": name,
        "type": kind,
        "timestamp": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        "programme": listeners.programme_name(session, programme_id),
        "data": said,
    }
    row = {
        "public_id": name, "kind": kind, "programme_id": programme_id, "created_at": milliseconds(now),
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    }  # fmt: skip
    connection = session.connection()
    sequence = connection.execute(_WRITE, row).scalar_one()
    jobs = {"event": name, "event_id": sequence, "at": row["created_at"], "endpoints": list(endpoints)}
    connection.execute(_TELL, jobs)
    return name


def sent_body(sequence: int, body: bytes) -> bytes:
    """The bytes that are sent and signed: what was written, with the number that its row was given."""
    return b'{"sequence":%d,' % sequence + body.removeprefix(b"{")


def delivery_id(event: str, endpoint: str) -> str:
    """The name of an event's way to one endpoint, by their public ids."""
    return f"{event}.{endpoint}"


def _card(card: CardLike) -> dict[str, Any]:
    return {"number": card.number, "serial": card.serial, "version": card.version}
