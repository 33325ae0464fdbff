"""The API's door: who calls, what they send, the same answer for the same request, one transaction."""

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, render_template, request, send_from_directory
from marshmallow import Schema
from sqlalchemy.orm import Session
from swagger_ui_bundle import swagger_ui_path
from werkzeug.exceptions import UnsupportedMediaType

from app import failpoints, idempotency
from app.api import (
    bodies,
    campaigns,
    cards,
    clubs,
    controls,
    coupons,
    document,
    earning,
    expiry,
    gift_cards,
    holds,
    ledger,
    members,
    offers,
    pilots,
    preferences,
    programmes,
    reports,
    results,
    rewards,
    sales,
    segments,
    stamps,
    tiers,
    transactions,
    value,
    webhooks,
)
from app.api.calls import Call, Caller, Operation
from app.api.limits import Buckets
from app.errors import Forbidden, NotFound, TooManyRequests, Unauthorised
from app.idempotency import Claim
from app.staff import rules
from app.staff import service as staff
from app.web import csrf, world

OPERATIONS: tuple[Operation, ...] = (
    *programmes.OPERATIONS,
    *earning.OPERATIONS,
    *members.OPERATIONS,
    *preferences.OPERATIONS,
    *cards.OPERATIONS,
    *holds.OPERATIONS,
    *rewards.OPERATIONS,
    *coupons.OPERATIONS,
    *sales.OPERATIONS,
    *ledger.OPERATIONS,
    *expiry.OPERATIONS,
    *transactions.OPERATIONS,
    *value.OPERATIONS,
    *gift_cards.OPERATIONS,
    *stamps.OPERATIONS,
    *clubs.OPERATIONS,
    *offers.OPERATIONS,
    *campaigns.OPERATIONS,
    *results.OPERATIONS,
    *pilots.OPERATIONS,
    *segments.OPERATIONS,
    *tiers.OPERATIONS,
    *controls.OPERATIONS,
    *reports.OPERATIONS,
    *webhooks.OPERATIONS,
)
PAGE_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
LIMITS = "tessera-api-limits"
# Swagger UI writes styles into its elements and draws its icons from data: addresses
PAGE_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def install(app: Flask) -> None:
    """Add the calls, their description and the page to try them."""
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    for operation in OPERATIONS:
        blueprint.add_url_rule(operation.rule, operation.name, _view(operation), methods=[operation.method])
    blueprint.before_request(_limit_body)
    blueprint.after_request(_tell_limits)
    csrf.exempt(blueprint)
    app.extensions[LIMITS] = Buckets()
    app.register_blueprint(blueprint)
    app.register_blueprint(_pages())


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document; made once for each process, when it is first asked for."""
    return document.written(OPERATIONS)


def _view(operation: Operation) -> Callable[..., Response]:
    body = operation.body() if operation.body else None
    query = operation.query() if operation.query else None

    def view(**path: str) -> Response:
        caller = _caller(operation.scope)
        if any(not one.isprintable() or len(one) > 200 for one in path.values()):
            raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")
        asked = bodies.single(request.args.to_dict(flat=False)) if query else {}
        checked = bodies.loaded(query, asked, code="invalid_query") if query else {}
        values: dict[str, Any] = {"caller": caller, "query": checked, "path": path}
        if operation.asks:
            values["body"] = bodies.loaded(body, _json(request.get_data())) if body else {}
        if not operation.writes:
            return _read(operation, values)
        return _write(operation, body, values)

    view.__name__ = operation.name
    return view


def _caller(scope: str) -> Caller:
    """Whose key this is.

    Raises: Unauthorised `key_missing` or `key_unknown`; TooManyRequests `slow_down`; Forbidden `scope_too_small`.
    """
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise Unauthorised("key_missing", "Send your key in the header Authorization: Bearer KEY.")
    with world().database.reading() as session:
        key = staff.key_by_text(session, text.strip())
    if key is None:
        raise Unauthorised("key_unknown", "This key is unknown or was revoked. Make one with: tessera apikey create.")
    caller = Caller(key_id=key.public_id, scope=key.scope, programme_id=key.programme_id)
    _count(caller)
    if rules.SCOPES.index(caller.scope) < rules.SCOPES.index(scope):
        text = f"This call needs a key of scope {scope}; yours has {caller.scope}."
        raise Forbidden("scope_too_small", text)
    return caller


def _count(caller: Caller) -> None:
    buckets: Buckets = current_app.extensions[LIMITS]
    g.allowance = buckets.take(caller.key_id)
    if g.allowance.wait_s:
        text = "This key calls faster than it may. Wait as long as Retry-After says, then go on."
        raise TooManyRequests("slow_down", text, retry_after_s=g.allowance.wait_s)


def _limit_body() -> None:
    name = (request.endpoint or "").rpartition(".")[2]
    request.max_content_length = next((one.body_bytes for one in OPERATIONS if one.name == name), bodies.BODY_BYTES)


def _tell_limits(answer: Response) -> Response:
    if "allowance" in g:
        answer.headers.update(g.allowance.headers())
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="tessera"'
    return answer


def _read(operation: Operation, values: dict[str, Any]) -> Response:
    parts = world()
    with parts.database.reading() as session:
        answer = operation.work(Call(session=session, now=parts.clock(), settings=parts.settings, **values))
    return _answer(operation.status, _text(answer), media=operation.media)


def _write(operation: Operation, schema: Schema | None, values: dict[str, Any]) -> Response:
    """Key, work and answer in one transaction: what is answered was done, what was done is answered again."""
    parts = world()
    now = parts.clock()
    raw = request.get_data()
    key = _key(operation)
    scope = _scope(operation, values["caller"])
    digest = idempotency.request_hash(request.method, request.path, raw)
    body = bodies.loaded(schema, _json(raw)) if schema else {}
    if operation.prepare and not (key and _is_known(scope, key)):
        operation.prepare(parts.settings, body)

    def answer(session: Session) -> str:
        _reached("sale.begun", operation)
        call = Call(session=session, now=now, settings=parts.settings, body=body, **values)
        return _kept(operation, _text(operation.work(call)))

    def work(session: Session) -> tuple[int, str, bool]:
        if key is None:
            return operation.status, _opened(operation, answer(session)), False
        claim = Claim(scope=scope, key=key, digest=digest)
        found, is_repeat = idempotency.once(session, claim, lambda: answer(session), status=operation.status, now=now)
        if not is_repeat:
            _reached("sale.before_commit", operation)
        return found.status, _opened(operation, found.answer), is_repeat

    status, text, replayed = parts.database.transact(work)
    _reached("sale.committed", operation)
    return _answer(status, text, replayed=replayed)


def _reached(point: str, operation: Operation) -> None:
    if operation.moves_points:
        failpoints.reached(point)


def _is_known(scope: str, key: str) -> bool:
    with world().database.reading() as session:
        return idempotency.is_known(session, scope, key)


def _kept(operation: Operation, text: str) -> str:
    """An answer as it is stored for who repeats the request: sealed, if it holds a secret."""
    return base64.b64encode(world().vault.seal(text.encode())).decode() if operation.holds_secret else text


def _opened(operation: Operation, kept: str) -> str:
    return world().vault.open(base64.b64decode(kept)).decode() if operation.holds_secret else kept


def _key(operation: Operation) -> str | None:
    given = request.headers.get("Idempotency-Key")
    if given is None and not operation.moves_points:
        return None
    return idempotency.check_key(given)


def _scope(operation: Operation, caller: Caller) -> str:
    kept = idempotency.KEPT_FOR_EVER if operation.moves_points else "api"
    return f"{kept}:{caller.key_id}:{operation.name}"


def _json(raw: bytes) -> Any:
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    return bodies.parsed(raw)


def _text(answer: dict[str, Any] | str | None) -> str:
    if isinstance(answer, str):
        return answer
    return "" if answer is None else json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def _answer(status: int, text: str, *, replayed: bool = False, media: str = "application/json") -> Response:
    answer = Response(text, status, mimetype=media if text else None)
    if not text:
        del answer.headers["Content-Type"]
    if replayed:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


def _pages() -> Blueprint:
    """The description and the page to try it; neither needs a key."""
    pages = Blueprint("api_pages", __name__, url_prefix="/api")

    @pages.get("/openapi.json")
    def openapi() -> Response:
        return Response(json.dumps(description()), content_type="application/json")

    @pages.get("/openapi-3.0.json")
    def openapi_for_page() -> Response:
        return Response(json.dumps(document.as_3_0(description())), content_type="application/json")

    @pages.get("/docs")
    def docs() -> Response:
        answer = Response(render_template("api/docs.html"), mimetype="text/html")
        answer.headers["Content-Security-Policy"] = PAGE_SECURITY
        return answer

    @pages.get("/docs/<name>")
    def docs_file(name: str) -> Response:
        if name not in PAGE_FILES:
            raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")
        return send_from_directory(swagger_ui_path, name, max_age=86_400)

    return pages
