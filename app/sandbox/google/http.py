"""The Google Wallet stand-in on the network: OAuth, the REST API, root keys, the save page."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from app.sandbox.google import batch, fields, save_page
from app.sandbox.google.account import LinkRefused, TokenRefused
from app.sandbox.google.faults import Fault, fits
from app.sandbox.google.refusal import Refusal, invalid
from app.sandbox.google.stand_in import GoogleRecord, GoogleStandIn
from app.sandbox.google.wallet import SCHEMA_OF

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY_BYTES = 4 * 1024 * 1024
REST = re.compile(r"^/walletobjects/v1/(\w+)(?:/([^/]+))?(?:/(addMessage))?$")
VERBS = {
    ("POST", False): "insert",
    ("GET", False): "list",
    ("GET", True): "get",
    ("PATCH", True): "patch",
    ("PUT", True): "update",
}
BATCH = ("POST", "/batch")
SAVE_PREFIX = "/gp/v/save"
ROOT_KEYS = "/gp/m/issuer/keys"
FIXED = {
    ("POST", "/token"): "token",
    ("GET", ROOT_KEYS): "rootKeys",
    ("POST", "/walletobjects/v1/jwt"): "jwt.insert",
    ("POST", "/walletobjects/v1/jwt/validate"): "jwt.validate",
}
UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential."
)


class GoogleHttp:
    """A WSGI application. Knows paths and status codes; what is right or wrong is for the stand-in to say."""

    def __init__(self, google: GoogleStandIn) -> None:
        self._google = google
        self._lock = threading.Lock()
        self._allowance = 0.0
        self._filled_at = time.monotonic()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            data = request.get_data()
        except RequestEntityTooLarge:
            return _json(413, {"error": {"code": 413, "message": "Request too large"}})(environ, start_response)
        is_batch = (request.method, request.path) == BATCH
        response = self._batch(request, data) if is_batch else self._answer(request, data)
        if response is None:
            return _cut(environ, start_response)
        return response(environ, start_response)

    def _batch(self, request: Request, data: bytes) -> Response | None:
        """Many calls in one. Its faults are those of operation `batch`, besides those of each call in it."""
        fault = self._google.faults.take(lambda one: fits(one, "batch", ""))

        def act() -> Response:
            found = batch.requests_of(request, data)
            if self._google.batch_weight == "one":
                self._admit(request)
            return batch.answer([(name, self._answer(one, body, in_batch=True)) for name, one, body in found])

        response, reason, applied = _carried_out(act, fault)
        self._google.record(
            GoogleRecord(
                at=self._google.now(), operation="batch", method=request.method, path=request.path, resource_id="",
                body=None, status=response.status_code if response is not None else 0, reason=reason, applied=applied,
            )
        )  # fmt: skip
        return response

    def _answer(self, request: Request, data: bytes, *, in_batch: bool = False) -> Response | None:
        """None: cut the connection."""
        operation, resource_id = _operation(request.method, request.path)
        fault = self._google.faults.take(lambda one: fits(one, operation, resource_id)) if operation else None
        if fault is not None and fault.latency_s:
            time.sleep(fault.latency_s)
        body, sound = _parsed(data) if request.mimetype != "application/x-www-form-urlencoded" else (None, True)

        def act() -> Response:
            if not sound:
                raise Refusal(400, "parseError", "Invalid JSON payload received.", "global")
            counted = not (in_batch and self._google.batch_weight == "one")
            return self._act(operation, resource_id, request, data, body, counted=counted)

        response, reason, applied = _carried_out(act, fault)
        if request.args.get("fields") and response is not None and response.status_code == 200:
            response = _selected(response, request.args["fields"])
        self._google.record(
            GoogleRecord(
                at=self._google.now(),
                operation=operation,
                method=request.method,
                path=request.path,
                resource_id=resource_id or (body.get("id", "") if isinstance(body, dict) else ""),
                body=body,
                status=response.status_code if response is not None else 0,
                reason=reason,
                applied=applied,
            )
        )
        return response

    def _act(
        self, operation: str, resource_id: str, request: Request, data: bytes, body: Any, *, counted: bool
    ) -> Response:
        match operation:
            case "token":
                return self._token(request, data)
            case "rootKeys":
                answer = _json(200, self._google.signer.root_keys())
                answer.headers["Cache-Control"] = "public, max-age=3600"
                return answer
            case "save":
                return save_page.answer(self._google, request, data)
            case "":
                raise Refusal(404, "notFound", f"{request.method} {request.path} is no method of this API", "global")
        self._admit(request, counted=counted)
        if body is not None and not isinstance(body, dict):
            raise invalid("Invalid JSON payload received. The root element must be an object.")
        return self._rest(operation, resource_id, request, body or {})

    def _rest(self, operation: str, resource_id: str, request: Request, body: dict[str, Any]) -> Response:
        wallet = self._google.wallet
        kind, _, verb = operation.partition(".")
        match kind, verb:
            case "issuer", "get":
                answer = self._issuer(resource_id)
            case "jwt", "insert":
                answer = self._jwt_insert(request, body)
            case "jwt", "validate":
                answer = self._jwt_validate(body)
            case _, "insert":
                answer = wallet.insert(kind, body)
            case _, "get":
                answer = wallet.get(kind, resource_id)
            case _, "list":
                answer = wallet.page(kind, *_paging(kind, request))
            case _, "patch":
                answer = wallet.patch(kind, resource_id, body)
            case _, "update":
                answer = wallet.update(kind, resource_id, body)
            case _:
                answer = wallet.add_message(kind, resource_id, body)
        return _json(200, answer)

    def _admit(self, request: Request, *, counted: bool = True) -> None:
        if not self._google.account.may(request.headers.get("Authorization", "")):
            raise Refusal(401, "authError", UNAUTHENTICATED, "global")
        if not self._google.invited:
            raise Refusal(403, "permissionDenied", "The service account is not a user of this issuer.")
        rate = self._google.rate_per_s
        if rate is None or not counted:
            return
        with self._lock:
            now = time.monotonic()
            self._allowance = min(rate, self._allowance + (now - self._filled_at) * rate)
            self._filled_at = now
            if self._allowance < 1:
                raise Refusal(429, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits")
            self._allowance -= 1

    def _token(self, request: Request, data: bytes) -> Response:
        if request.mimetype != "application/x-www-form-urlencoded":
            return _json(400, {"error": "invalid_request", "error_description": "The body must be a form"})
        form = dict(Request({**request.environ, "wsgi.input": _Bytes(data)}).form.items())
        try:
            return _json(200, self._google.account.access_token(form))
        except TokenRefused as refused:
            return _json(400, {"error": refused.args[0], "error_description": refused.args[1]})

    def _issuer(self, issuer_id: str) -> dict[str, Any]:
        if issuer_id != self._google.issuer_id:
            raise Refusal(404, "notFound", f"Issuer {issuer_id[:40]} not found.")
        return {"issuerId": issuer_id, "name": "Sandbox issuer", "homepageUrl": "", "contactInfo": {"name": "Sandbox"}}

    def _jwt_insert(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        token = body.get("jwt")
        if not isinstance(token, str) or set(body) != {"jwt"}:
            raise invalid("The body must be {jwt: string}")
        try:
            ids = self._google.open_link(token)
        except LinkRefused as refused:
            raise invalid(str(refused)) from refused
        resources: dict[str, list[Any]] = {"loyaltyObjects": [], "offerObjects": []}
        for object_id in ids:
            entry = self._google.wallet.find(object_id)
            if entry is not None:
                resources[f"{entry[0]}s"].append(self._google.get_object(object_id))
        return {"saveUri": f"{request.host_url.rstrip('/')}{SAVE_PREFIX}/{token}", "resources": resources}

    def _jwt_validate(self, body: dict[str, Any]) -> dict[str, Any]:
        match body:
            case {"jwtResource": {"jwt": str(token)}, **rest} if not rest:
                try:
                    self._google.account.link_claims(token)
                except LinkRefused as refused:
                    raise invalid(str(refused)) from refused
                return {}
        raise invalid("Exactly one of jwtResource, jsonResource must be set (this sandbox takes jwtResource)")


class _Bytes:
    """A body that was already read, once more as a stream."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1) -> bytes:
        size = len(self._data) if size < 0 else size
        part, self._data = self._data[:size], self._data[size:]
        return part


def _operation(method: str, path: str) -> tuple[str, str]:
    """Its name and the id in its path; ("", "") where the API has no such method."""
    if (method, path) in FIXED:
        return FIXED[(method, path)], ""
    if path.startswith(SAVE_PREFIX + "/") or path == save_page.STYLE_PATH:
        return "save", ""
    match = REST.match(path)
    if match is None:
        return "", ""
    kind, resource_id, action = match.group(1), unquote(match.group(2) or ""), match.group(3)
    if kind == "issuer":
        verb = "get" if method == "GET" and resource_id and not action else None
    elif action:
        verb = action if method == "POST" else None
    else:
        verb = VERBS.get((method, bool(resource_id)))
    known = verb and (kind in SCHEMA_OF or kind == "issuer")
    return (f"{kind}.{verb}", resource_id) if known else ("", "")


def _parsed(data: bytes) -> tuple[Any, bool]:
    if not data:
        return None, True
    try:
        return json.loads(data), True
    except (ValueError, RecursionError):
        return None, False


def _paging(kind: str, request: Request) -> tuple[str, int | None, str]:
    parent = request.args.get("issuerId" if kind.endswith("Class") else "classId")
    if not parent:
        raise invalid(f"{'issuerId' if kind.endswith('Class') else 'classId'} is required")
    limit = request.args.get("maxResults")
    if limit is not None and not re.fullmatch(r"[1-9]\d{0,8}", limit):
        raise invalid(f"Invalid maxResults: {limit[:40]}")
    return parent, int(limit) if limit else None, request.args.get("token", "")


def _carried_out(act: Callable[[], Response], fault: Fault | None) -> tuple[Response | None, str, bool]:
    """The answer (None: none), its reason, and whether the call took effect."""
    ordered = fault is not None and (fault.status or fault.drop)
    response: Response | None = None
    reason = ""
    applied = False
    if fault is None or not ordered or fault.apply:
        try:
            response = act()
            applied = response.status_code < 400
        except Refusal as refusal:
            response, reason = _json(refusal.status, refusal.body()), refusal.reason
    if fault is not None and ordered:
        if fault.drop:
            return None, fault.reason, applied
        ordered_body = Refusal(fault.status, fault.reason, fault.message).body() if fault.status >= 400 else {}
        response, reason = _json(fault.status, ordered_body), fault.reason
        if fault.retry_after_s is not None:
            response.headers["Retry-After"] = str(fault.retry_after_s)
    return response, reason, applied


def _selected(response: Response, selection: str) -> Response:
    try:
        return _json(200, fields.masked(json.loads(response.get_data()), fields.parse_mask(selection)))
    except Refusal as refusal:
        return _json(refusal.status, refusal.body())


def _json(status: int, body: Any) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json; charset=UTF-8")


def _cut(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
    start_response("500 Cut", [("Content-Length", "0"), ("Connection", "close")])
    return [b""]
