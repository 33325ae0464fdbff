"""What every page and answer shares: the world, CSRF, headers, and how refusals are shown."""

import logging
import time
import uuid
from http import HTTPStatus

from flask import Flask, Response, current_app, g, jsonify, render_template, request, session
from flask_wtf.csrf import CSRFError, CSRFProtect
from prometheus_client import Counter
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from app import db, trace
from app.errors import AppError, Busy, Sentence
from app.world import World

LOGGER = logging.getLogger(__name__)
BODY_BYTES = 3 * 1024 * 1024
MACHINE_PATHS = ("/api/", "/apple/", "/google/", "/healthz", "/readyz", "/metrics")
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
csrf = CSRFProtect()
REQUESTS = Counter("tessera_http_requests", "Requests answered.", ["method", "endpoint", "status"])


def world() -> World:
    """The parts of the running service."""
    found: World = current_app.extensions["tessera"]
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
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's documented way
    app.before_request(_begin)
    app.after_request(_finish)
    app.register_error_handler(AppError, _refused)
    app.register_error_handler(CSRFError, _csrf_refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_error)
    app.register_error_handler(NoConnectionFree, lambda _: _busy())
    app.register_error_handler(Exception, _unexpected)


def problem(error: AppError) -> Response:
    """A refusal as application/problem+json (RFC 9457)."""
    body: dict[str, object] = {
        "type": f"urn:tessera:problem:{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.public,
        "instance": f"urn:uuid:{g.get('request_id') or uuid.uuid4()}",
    }
    if error.errors:
        body["errors"] = error.errors
    answer = jsonify(body)
    answer.status_code = error.status
    answer.content_type = "application/problem+json"
    return _retry_after(answer, error)


def _begin() -> None:
    g.request_id = trace.begin()
    g.started = time.perf_counter()


def _finish(answer: Response) -> Response:
    headers = answer.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    if world().settings.secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    headers["X-Request-Id"] = g.get("request_id", "")
    if request.path.startswith(SESSIONLESS):
        session.accessed = False  # sign-in looks into every session; these answers are the same for everybody
    REQUESTS.labels(request.method, request.endpoint or "none", str(answer.status_code)).inc()
    return answer


def _refused(error: AppError) -> Response:
    if error.status >= 500 or error.detail:
        LOGGER.warning("%s %s: %s", request.method, request.path, error)
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


def _database_error(error: OperationalError) -> Response:
    if not db.is_lock_timeout(error):
        LOGGER.error("the database does not answer: %s", error.orig)
    return _busy()


def _busy() -> Response:
    return _refused(Busy("busy", "The service is busy at the moment; nothing was changed. Try again.", retry_after_s=2))


def _unexpected(error: Exception) -> Response:
    LOGGER.error("unexpected failure of %s %s", request.method, request.path, exc_info=error)
    text = Sentence(
        "Something failed on our side and nothing was changed. Tell the operator this number: %(number)s.",
        number=g.get("request_id"),
    )
    return _refused(AppError("internal", text))


def _retry_after(answer: Response, error: AppError) -> Response:
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], default="text/html")
    return best == "application/json"
