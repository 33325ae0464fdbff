"""What every page and answer shares: the world, CSRF, headers, and how refusals are shown."""

import logging
import time
import uuid
from http import HTTPStatus

from flask import Flask, Response, current_app, g, jsonify, render_template, request, session
from flask_wtf.csrf import CSRFError, CSRFProtect
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from app import db, trace
from app.errors import AppError, Busy, DatabaseBusy, NotFound, Sentence, Unprocessable
from app.settings import Settings
from app.world import World

LOGGER = logging.getLogger(__name__)
BODY_BYTES = 3 * 1024 * 1024
MACHINE_PATHS = ("/api/", "/apple/", "/google/", "/healthz", "/readyz", "/metrics")
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
FIELD_BY_FIELD = ("/till", "/admin", "/login", "/account", "/join/", "/c/")  # say what is wrong beside the field
SESSIONLESS = (*MACHINE_PATHS, "/assets/", "/static/")
CONTENT_SECURITY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HTTP_REFUSALS = {
    400: ("bad_request", "The request could not be read; check how it is written."),
    404: ("not_found", "There is nothing at this address. Check it for a typing mistake."),
    405: ("method_not_allowed", "This address does not take that kind of request."),
    413: ("too_large", "What was sent is larger than this address takes."),
    415: ("unsupported_media_type", "Send JSON, with Content-Type: application/json."),
}
PROBLEM_TYPE = "application/problem+json"
csrf = CSRFProtect()
REQUESTS = Counter("tessera_http_requests", "Requests answered.", ["method", "endpoint", "status"])
REQUEST_SECONDS = Histogram("tessera_http_request_seconds", "How long answers took to make.", ["endpoint"])
DB_BUSY = Counter("tessera_db_busy", "Requests turned away because the database was busy or away.")


def world() -> World:
    """The parts of the running service."""
    return world_of(current_app)


def world_of(app: Flask) -> World:
    """As `world`, where no request is being answered."""
    found: World = app.extensions["tessera"]
    return found


def install(app: Flask, parts: World) -> None:
    """Give the application its world, its protections and its error pages."""
    app.extensions["tessera"] = parts
    settings = parts.settings
    app.config.update(
        SECRET_KEY=parts.vault.key_for("web-session"),
        MAX_CONTENT_LENGTH=BODY_BYTES,
        SESSION_COOKIE_NAME="__Host-tessera" if settings.secure else "tessera",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # set on Flask's default provider
    csrf.init_app(app)
    app.extensions["tessera-headers"] = standard_headers(settings)
    app.before_request(_begin)
    app.before_request(_refuse_nul)
    app.after_request(_finish)
    app.register_error_handler(AppError, _refused)
    app.register_error_handler(CSRFError, _csrf_refused)
    app.register_error_handler(HTTPException, _http_error)
    for fault in (OperationalError, NoConnectionFree, Exception):
        app.register_error_handler(fault, _refused)


def trust_proxies(app: Flask) -> None:
    """Believe the forwarding headers of the proxies in front; called last, so that all that wraps Flask sees them."""
    if hops := world_of(app).settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's documented way


def problem(error: AppError) -> Response:
    """A refusal as application/problem+json (RFC 9457)."""
    answer = jsonify(problem_of(error, g.get("request_id") or str(uuid.uuid4())))
    answer.status_code = error.status
    answer.content_type = PROBLEM_TYPE
    return _retry_after(answer, error)


def problem_of(error: AppError, request_id: str) -> dict[str, object]:
    """The members of a problem document."""
    body: dict[str, object] = {
        "type": f"urn:tessera:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.public,
        "instance": f"urn:uuid:{request_id}",
    }
    return body | {"errors": error.errors} if error.errors else body


def refusal_of(fault: Exception, where: str, request_id: str) -> AppError:
    """What is told of whatever went wrong, also of what nobody foresaw; logged where an operator can do something."""
    if isinstance(fault, AppError):
        if isinstance(fault, DatabaseBusy):
            DB_BUSY.inc()
        if fault.status >= 500 or fault.detail:
            LOGGER.warning("%s: %s", where, fault)
        return fault
    if isinstance(fault, OperationalError | NoConnectionFree):
        DB_BUSY.inc()
        if isinstance(fault, OperationalError) and not db.is_lock_timeout(fault):
            LOGGER.error("the database does not answer: %s", fault.orig)
            if db.is_storage_full(fault):
                return Busy(
                    "storage_full",
                    "There is no room left to store anything; nothing was changed, and reading still works. "
                    "Tell the operator to make room on the disk, then repeat what you did.",
                    retry_after_s=30,
                )
        return DatabaseBusy()
    if isinstance(fault, DataError) and "NUL" in str(fault.orig):  # psycopg sends PostgreSQL no text that holds it
        return _unshowable()
    LOGGER.error("unexpected failure of %s", where, exc_info=fault)
    unforeseen = Sentence(
        "Something failed on our side and nothing was changed. Tell the operator this number: %(number)s.",
        number=request_id,
    )
    return AppError("internal", unforeseen)


def standard_headers(settings: Settings) -> list[tuple[str, str]]:
    """What every answer carries that does not say otherwise."""
    secure = [("Strict-Transport-Security", "max-age=31536000")] if settings.secure else []
    return [
        ("Content-Security-Policy", CONTENT_SECURITY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        *secure,
    ]


def _begin() -> None:
    g.request_id = trace.begin()
    g.started = time.perf_counter()


def _refuse_nul() -> None:
    """Keep NUL, which PostgreSQL takes in no text, away from pages.

    Doors for machines, and rooms that go through a form field by field, judge what they read by themselves. Forms were
    read before this, for the token that they carry; no other body is.
    """
    path = request.path
    if path.startswith(MACHINE_PATHS):
        return
    if "\0" in path:
        raise NotFound(*HTTP_REFUSALS[404])
    if path.startswith(FIELD_BY_FIELD):
        return
    has_nul = b"%00" in request.query_string or b"\0" in request.query_string
    if request.method == "POST" and request.endpoint and request.mimetype in FORM_TYPES and not has_nul:
        has_nul = any("\0" in name or "\0" in value for name, value in request.form.items(multi=True))
    if has_nul:
        raise _unshowable()


def _unshowable() -> Unprocessable:
    return Unprocessable("unshowable", "A text holds a character that cannot be shown; type it again.")


def _finish(answer: Response) -> Response:
    headers = answer.headers
    said = {name.lower() for name, _ in headers}
    for name, value in current_app.extensions["tessera-headers"]:
        if name.lower() not in said:  # `setdefault` looks through all of them each time
            headers.add(name, value)
    if request.endpoint != "static" and "cache-control" not in said:
        headers.add("Cache-Control", "no-store")
    headers.set("X-Request-Id", g.get("request_id", ""))
    if request.path.startswith(SESSIONLESS):
        session.accessed = False  # sign-in looks into every session; these answers are the same for everybody
    REQUESTS.labels(request.method, request.endpoint or "none", str(answer.status_code)).inc()
    REQUEST_SECONDS.labels(request.endpoint or "none").observe(
        time.perf_counter() - g.get("started", time.perf_counter())
    )
    return answer


def _refused(fault: Exception) -> Response:
    error = refusal_of(fault, f"{request.method} {request.path}", g.get("request_id", ""))
    if request.path.startswith(MACHINE_PATHS) or _wants_json():
        return problem(error)
    page = Response(render_template("error.html", error=error), status=error.status, mimetype="text/html")
    return _retry_after(page, error)


def _csrf_refused(error: CSRFError) -> Response:
    refusal = AppError("form_expired", "This form is out of date. Open the page again and repeat what you did.")
    refusal.status = error.code or 400
    return _refused(refusal)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return Response(error.get_response().get_data(), status, headers=list(error.get_response().headers))
    code, public = HTTP_REFUSALS.get(status, HTTP_REFUSALS[400])
    refusal = AppError(code, public)
    refusal.status = status
    answer = _refused(refusal)
    if status == 405 and error.get_response().headers.get("Allow"):
        answer.headers["Allow"] = error.get_response().headers["Allow"]
    return answer


def _retry_after(answer: Response, error: AppError) -> Response:
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], default="text/html")
    return best == "application/json"
