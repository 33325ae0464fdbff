"""Who wants to be told of what, remembered for two seconds: most changes interest nobody and must cost nothing.

A process learns of an endpoint that another one has made within two seconds. What is remembered only decides whether to
look: the rows themselves say who is told.
"""

import time
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from sqlalchemy import column, select, table
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from app.webhooks.models import Endpoint

REMEMBERED_S = 2.0
# a room above this one, known by its columns alone
PROGRAMME = table("programme", column("id"), column("public_id"))
ENDPOINTS = select(Endpoint.id, Endpoint.programme_id, Endpoint.events).where(Endpoint.state != "deleted")


@dataclass(kw_only=True)
class _Known:
    """What one database said last. A reader sees the old or the new answer as a whole."""

    until: float = 0.0
    wanted: dict[str, dict[int | None, list[int]]] = field(default_factory=dict)
    programmes: dict[int, str] = field(default_factory=dict)


_known: "WeakKeyDictionary[Engine | Connection, _Known]" = WeakKeyDictionary()


def of(session: Session, kind: str, programme_id: int | None) -> list[int]:
    """The endpoints (by id) that may want this: those of the programme, and those of the whole installation."""
    by_programme = _wanted(session).get(kind)
    if not by_programme:
        return []
    whole = by_programme.get(None, [])
    return whole if programme_id is None else whole + by_programme.get(programme_id, [])


def wants(session: Session, kind: str) -> bool:
    """Whether any endpoint may want this kind, whatever the programme."""
    return kind in _wanted(session)


def forget(session: Session) -> None:
    """Look again at the next event; for the transaction that changes an endpoint."""
    _of_database(session).until = 0.0


def programme_name(session: Session, programme_id: int | None) -> str | None:
    """The public id of a programme, which never changes."""
    if programme_id is None:
        return None
    names = _of_database(session).programmes
    if programme_id not in names:
        names[programme_id] = session.execute(
            select(PROGRAMME.c.public_id).where(PROGRAMME.c.id == programme_id)
        ).scalar_one()
    return names[programme_id]


def _wanted(session: Session) -> dict[str, dict[int | None, list[int]]]:
    """Endpoints by kind and programme, read again when they were read too long ago."""
    known = _of_database(session)
    if time.monotonic() >= known.until:
        wanted: dict[str, dict[int | None, list[int]]] = {}
        for row in session.execute(ENDPOINTS):
            for kind in row.events:
                wanted.setdefault(kind, {}).setdefault(row.programme_id, []).append(row.id)
        known.wanted = wanted
        known.until = time.monotonic() + REMEMBERED_S
    return known.wanted


def _of_database(session: Session) -> _Known:
    bind = session.get_bind()
    known = _known.get(bind)
    if known is None:
        known = _known[bind] = _Known()
    return known
