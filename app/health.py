"""Alive, able to serve, how the whole is, and figures for Prometheus. None of them ever fails with a 500."""

import logging
import threading
from collections.abc import Callable

from flask import Flask, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app.admin.watch import deep
from app.cards.models import Member
from app.db import is_lock_timeout, rows_changed
from app.delivery.models import Node
from app.errors import ConfigurationError, Forbidden, Unauthorised
from app.figures.collected import Figures
from app.migrations.run import is_current
from app.processes import draining
from app.staff import rules
from app.staff import service as staff
from app.staff.guards import signed_in
from app.web import world
from app.world import World

LOGGER = logging.getLogger(__name__)

READY_WITHIN_S = 1.0
SELF = "readiness"


def install(app: Flask) -> None:
    """Add /healthz, /readyz, /healthz/deep and /metrics."""
    readiness = Readiness()
    figures = Figures()

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> Response:
        problems = readiness.problems(world())
        answer = jsonify(status="not ready" if problems else "ready", problems=problems)
        answer.status_code = 503 if problems else 200
        if problems:
            answer.headers["Retry-After"] = "5"
        return answer

    @app.get("/healthz/deep")
    def healthz_deep() -> Response:
        _require_operator()
        parts = world()
        with parts.database.reading() as session:
            return jsonify(deep.as_json(deep.look(parts, session, now=parts.clock())))

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest() + figures.text(world()), content_type=CONTENT_TYPE_LATEST)


def _require_operator() -> None:
    """Let in a key of scope admin, or an operator who is signed in; neither may be bound to one programme.

    Raises: Unauthorised `key_missing`; Forbidden `scope_too_small`.
    """
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        with world().database.reading() as session:
            key = staff.key_by_text(session, text.strip())
        if key is None:
            raise Unauthorised(
                "key_unknown", "This key is unknown or was revoked. Make one with: tessera apikey create."
            )
        may, bound_to = key.scope == "admin", key.programme_id
    else:
        person = signed_in()
        if person is None or person.by_pin:
            raise Unauthorised("key_missing", "Send a key of scope admin in the header Authorization: Bearer KEY.")
        may, bound_to = person.may(*rules.ADMIN_READ), person.programme_id
    if not may or bound_to is not None:
        raise Forbidden("scope_too_small", "This needs a key of scope admin for the whole installation.")


class Readiness:
    """Whether this process can serve. One look at a time: a database that hangs must not collect threads."""

    def __init__(self) -> None:
        self._looking = threading.Lock()

    def problems(self, parts: World) -> list[str]:
        """What is in the way, in words; an empty list means ready. Answers within about a second, whatever happens."""
        if draining.is_set():
            return ["this process is about to stop"]
        if not self._looking.acquire(timeout=READY_WITHIN_S):
            return [f"the database has not answered for more than {READY_WITHIN_S:g} s"]
        found: list[str] = []
        done = threading.Event()

        def look() -> None:
            try:
                found.extend(_problems(parts))
            finally:
                done.set()
                self._looking.release()

        threading.Thread(target=look, name="readiness", daemon=True).start()
        if not done.wait(READY_WITHIN_S):
            return [f"the database did not answer a write and a read within {READY_WITHIN_S:g} s"]
        return found


def _problems(parts: World) -> list[str]:
    checks: tuple[tuple[str, Callable[[World], str]], ...] = (
        ("the database cannot be written and read", _write_and_read),
        ("the shape of the database cannot be read", _shape),
        ("the keys cannot be tried", _keys),
    )
    found: list[str] = []
    for fault, check in checks:
        try:
            problem = check(parts)
        except Exception as trouble:  # whatever it is, it must be told, not raised
            busy = isinstance(trouble, OperationalError) and is_lock_timeout(trouble)
            LOGGER.warning(
                "not ready: %s%s", fault, " (it is busy)" if busy else "", exc_info=None if busy else trouble
            )
            problem = f"{fault}: {type(trouble).__name__}"
        if problem:
            found.append(problem)
    return found


def _write_and_read(parts: World) -> str:
    now = parts.clock()
    with parts.database.unit_of_work() as session:
        if rows_changed(session, update(Node).where(Node.name == SELF).values(beat_at=now)) == 0:
            session.add(Node(name=SELF, role="", started_at=now, beat_at=now))
            session.flush()
        seen = session.scalar(select(Node.beat_at).where(Node.name == SELF))
    return "" if seen is not None else "the database does not keep what is written"


def _shape(parts: World) -> str:
    return "" if is_current(parts.database) else "the database is not in this release's shape; run: tessera migrate"


def _keys(parts: World) -> str:
    """The newest member's data must open: a database restored beside another secret would lose every name."""
    with parts.database.reading() as session:
        newest = select(Member.sealed).where(Member.sealed.is_not(None)).order_by(Member.id.desc()).limit(1)
        sealed = session.scalar(newest)
    try:
        parts.vault.open(sealed if sealed is not None else parts.vault.seal(b"tried"))
    except ConfigurationError as problem:
        return str(problem)
    return ""
