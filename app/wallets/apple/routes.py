"""The PassKit web service that phones speak to. Statuses are those that phones take as success, and 401; no HTML ever.

The two calls that many phones make at once are answered in `herd`, before Flask.

Source: Apple, Wallet Passes, "Adding a Web Service to Update Passes".
"""

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from app import failpoints, web
from app.errors import BadRequest, NotFound
from app.wallets.apple import access, registrations
from app.wallets.apple.herd import Herd
from app.wallets.apple.limits import Limit
from app.wallets.apple.registrations import Arrival
from passes.apple.devicelog import LOG_BYTES_MAX, LogLine, log_lines
from passes.apple.webservice import DEVICE_ID, REGISTER_BYTES_MAX, push_token
from passes.errors import CallbackError

T = TypeVar("T")

blueprint = Blueprint("apple", __name__, url_prefix="/apple/v1")
REGISTRATION = "/devices/<device>/registrations/<pass_type>/<serial>"
ATTEMPTS = 4
SECRETS = re.compile(r"ApplePass \S+|[0-9a-fA-F]{32,}|(?<=for device )[^,;)]+|(?<=serial number )[^;,)]+")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How often somebody may call before the answer is: later. Addresses are shared, by a shop's network or a proxy."""

    logs: Limit = field(default_factory=lambda: Limit("log", 10, timedelta(minutes=1)))
    logs_in_all: Limit = field(default_factory=lambda: Limit("logs", 120, timedelta(minutes=1)))
    registrations: Limit = field(default_factory=lambda: Limit("register", 200, timedelta(hours=1), block=20))
    newcomers: Limit = field(default_factory=lambda: Limit("newcomer", 3000, timedelta(minutes=10), block=100))


def install(app: Flask) -> None:
    """Add the service: phones send no CSRF token, and some clients write `//v1`, which must not become a redirect."""
    app.extensions["tessera-apple-limits"] = Limits()
    web.csrf.exempt(blueprint)
    app.register_blueprint(blueprint)
    app.wsgi_app = _merging_slashes(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's documented way
    app.wsgi_app = Herd(app.wsgi_app, web.world_of(app))  # type: ignore[method-assign]


def _limits() -> Limits:
    found: Limits = current_app.extensions["tessera-apple-limits"]
    return found


@blueprint.post(REGISTRATION, strict_slashes=False)
def register(device: str, pass_type: str, serial: str) -> Response:
    world = web.world()
    card, _ = access.authorised(world, request.environ, pass_type, serial)
    if not DEVICE_ID.fullmatch(device):
        raise BadRequest("bad_device", "A device library identifier has 1 to 128 letters, digits, dots and dashes.")
    try:
        token = push_token(_body(REGISTER_BYTES_MAX) or b"")
    except CallbackError as problem:
        raise BadRequest("bad_registration", f"The body must be JSON with a push token: {problem}.") from problem
    limits = _limits()
    if not limits.registrations.take(world, device) or not limits.newcomers.take(world, str(request.remote_addr)):
        raise registrations.too_many()
    arrival = Arrival(library_identifier=device, push_token=token, pass_type=pass_type, card_id=card.card_id)
    try:
        is_new = _repeated_on_collision(lambda session: _register(session, arrival, world.clock()))
    except NotFound as gone:
        raise access.unknown() from gone
    return Response(status=201 if is_new else 200)


@blueprint.delete(REGISTRATION, strict_slashes=False)
def unregister(device: str, pass_type: str, serial: str) -> Response:
    card, _ = access.authorised(web.world(), request.environ, pass_type, serial)
    if DEVICE_ID.fullmatch(device):
        _repeated_on_collision(
            lambda session: registrations.unregister(
                session, library_identifier=device, card_id=card.card_id, now=web.world().clock()
            )
        )
    return Response(status=200)


@blueprint.post("/log", strict_slashes=False)
def log() -> Response:
    """Always 200: a phone that is refused here only complains again."""
    world = web.world()
    now = world.clock()
    limits = _limits()
    allowed = limits.logs.take(world, str(request.remote_addr)) and limits.logs_in_all.take(world, "")
    lines = log_lines(_body(LOG_BYTES_MAX) or b"") if allowed else ()
    if lines:
        with contextlib.suppress(OperationalError):
            world.database.transact(lambda session: registrations.keep_log(session, _masked(lines), now=now))
    return Response(status=200)


def _register(session: Session, arrival: Arrival, now: datetime) -> bool:
    is_new = registrations.register(session, arrival, now=now)
    failpoints.reached("register.before_commit")
    return is_new


def _body(most_bytes: int) -> bytes | None:
    """The body, or None if it is longer than it may be; never more than that is read."""
    if (request.content_length or 0) > most_bytes:
        return None
    read: bytes = request.stream.read(most_bytes + 1)
    return read if len(read) <= most_bytes else None


def _repeated_on_collision(work: Callable[[Session], T]) -> T:
    """Phones send the same request twice at once; the one that loses at a unique key looks again."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(IntegrityError):
            return web.world().database.transact(work)
    return web.world().database.transact(work)


def _masked(lines: Iterable[LogLine]) -> list[tuple[str, str]]:
    """Phones write tokens, device ids and serials into their complaints; what is kept names nobody."""
    return [(f"{line.task or 'other'}:{line.cause or 'unknown'}", SECRETS.sub("…", line.text)) for line in lines]


def _merging_slashes(inner: "WSGIApplication") -> "WSGIApplication":
    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if "//" in path:
            merged = re.sub("/{2,}", "/", path)
            if merged.startswith("/apple/"):
                environ["PATH_INFO"] = merged
        return inner(environ, start_response)

    return application
