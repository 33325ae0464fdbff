"""The PassKit web service that phones speak to. Statuses are those that phones take as success, and 401; no HTML ever.

Source: Apple, Wallet Passes, "Adding a Web Service to Update Passes".
"""

import contextlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from app import web
from app.errors import BadRequest, NotFound, TooManyRequests, Unauthorised
from app.wallets.apple import download, registrations
from app.wallets.apple.add import pass_token, signed_pass
from app.wallets.apple.issuer import issuer
from app.wallets.apple.limits import Allowance
from app.wallets.apple.registrations import Arrival, Known
from passes.apple.addresses import PASS_TYPE, SERIAL
from passes.apple.devicelog import LOG_BYTES_MAX, LogLine, log_lines
from passes.apple.webservice import (
    DEVICE_ID,
    REGISTER_BYTES_MAX,
    is_authorized,
    is_unmodified,
    push_token,
    serials_answer,
)
from passes.errors import CallbackError

T = TypeVar("T")

blueprint = Blueprint("apple", __name__, url_prefix="/apple/v1")
REGISTRATION = "/devices/<device>/registrations/<pass_type>/<serial>"
ATTEMPTS = 4
SECRETS = re.compile(r"ApplePass \S+|[0-9a-fA-F]{32,}|(?<=for device )[^,;)]+|(?<=serial number )[^;,)]+")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How often this process answers before it says: later."""

    logs: Allowance = field(default_factory=lambda: Allowance(10, timedelta(minutes=1)))
    logs_in_all: Allowance = field(default_factory=lambda: Allowance(120, timedelta(minutes=1)))
    lists: Allowance = field(default_factory=lambda: Allowance(300, timedelta(minutes=1)))
    new_registrations: Allowance = field(
        default_factory=lambda: Allowance(registrations.NEW_MAX_AN_HOUR, timedelta(hours=1))
    )


def install(app: Flask) -> None:
    """Add the service: phones send no CSRF token, and some clients write `//v1`, which must not become a redirect."""
    app.extensions["tessera-apple-limits"] = Limits()
    web.csrf.exempt(blueprint)
    app.register_blueprint(blueprint)
    app.wsgi_app = _merging_slashes(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's documented way


def _limits() -> Limits:
    found: Limits = current_app.extensions["tessera-apple-limits"]
    return found


@blueprint.post(REGISTRATION, strict_slashes=False)
def register(device: str, pass_type: str, serial: str) -> Response:
    known = _authorised(pass_type, serial)
    world = web.world()
    now = world.clock()
    if not DEVICE_ID.fullmatch(device):
        raise BadRequest("bad_device", "A device library identifier has 1 to 128 letters, digits, dots and dashes.")
    try:
        token = push_token(_body(REGISTER_BYTES_MAX) or b"")
    except CallbackError as problem:
        raise BadRequest("bad_registration", f"The body must be JSON with a push token: {problem}.") from problem
    issued = issuer(world).issues.oldest(known.card_id, now)
    arrival = Arrival(
        library_identifier=device, push_token=token, pass_type=pass_type, card_id=known.card_id, issued=issued
    )

    limits = _limits()

    def work(session: Session) -> bool:
        is_new = registrations.register(session, arrival, now=now)
        if is_new and not limits.new_registrations.take(str(known.card_id), now):
            raise TooManyRequests("too_many_registrations", "This card was registered too often.", retry_after_s=3600)
        return is_new

    try:
        is_new = _repeated_on_collision(work)
    except NotFound as gone:
        raise _unknown() from gone
    return Response(status=201 if is_new else 200)


@blueprint.delete(REGISTRATION, strict_slashes=False)
def unregister(device: str, pass_type: str, serial: str) -> Response:
    known = _authorised(pass_type, serial)
    if DEVICE_ID.fullmatch(device):
        _repeated_on_collision(
            lambda session: registrations.unregister(session, library_identifier=device, card_id=known.card_id)
        )
    return Response(status=200)


@blueprint.get("/devices/<device>/registrations/<pass_type>", strict_slashes=False)
def changed(device: str, pass_type: str) -> Response:
    """Phones send no Authorization here: the device library identifier is the secret."""
    world = web.world()
    now = world.clock()
    if not DEVICE_ID.fullmatch(device) or not PASS_TYPE.fullmatch(pass_type):
        return Response(status=204)
    if not _limits().lists.take(f"{request.remote_addr}:{device}", now):
        raise TooManyRequests("too_many_lists", "This device asks too often.", retry_after_s=60)
    with world.database.reading() as session:
        found = registrations.changed_serials(
            session,
            library_identifier=device,
            pass_type=pass_type,
            tag=request.args.get("passesUpdatedSince"),
            now=now,
        )
    if found is None:
        return Response(status=204)
    return Response(serials_answer(*found), mimetype="application/json")


@blueprint.get("/passes/<pass_type>/<serial>", strict_slashes=False)
def fetch(pass_type: str, serial: str) -> Response:
    known = _authorised(pass_type, serial)
    world = web.world()
    if is_unmodified(request.headers.get("If-Modified-Since"), known.modified_at):
        _note_fetched(known.card_id, known.version)
        return download.unmodified(known.modified_at)
    signed = signed_pass(world, known.card_id)
    if request.method == "GET":
        _note_fetched(signed.card_id, signed.version)
    return download.answer(signed, f"{pass_type}.pkpass")


@blueprint.post("/log", strict_slashes=False)
def log() -> Response:
    """Always 200: a phone that is refused here only complains again."""
    world = web.world()
    now = world.clock()
    limits = _limits()
    allowed = limits.logs.take(str(request.remote_addr), now) and limits.logs_in_all.take("all", now)
    lines = log_lines(_body(LOG_BYTES_MAX) or b"") if allowed else ()
    if lines:
        with contextlib.suppress(OperationalError):
            world.database.transact(lambda session: registrations.keep_log(session, _masked(lines), now=now))
    return Response(status=200)


def _authorised(pass_type: str, serial: str) -> Known:
    """The card, if the phone shows its token. Unknown cards and wrong tokens are told alike, in the same time.

    Raises: Unauthorised.
    """
    world = web.world()
    if not PASS_TYPE.fullmatch(pass_type) or not SERIAL.fullmatch(serial):
        raise _unknown()
    # the raw header: Werkzeug's parsed form loses a token with an inner "="
    authorised = is_authorized(request.environ.get("HTTP_AUTHORIZATION"), [pass_token(world, pass_type, serial)])
    with world.database.reading() as session:
        known = registrations.find(session, pass_type, serial)
    if not authorised or known is None:
        raise _unknown()
    return known


def _unknown() -> Unauthorised:
    return Unauthorised("unauthorised", "There is no such pass with this authentication token.")


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


def _note_fetched(card_id: int, version: int) -> None:
    """Best effort: a download that cannot be noted is still a download."""
    database = web.world().database
    with database.reading() as session:
        news = registrations.was_told(session, card_id=card_id, version=version)
    if news:
        with contextlib.suppress(OperationalError):
            database.transact(lambda s: registrations.note_fetched(s, card_id=card_id, version=version))


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
