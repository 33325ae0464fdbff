"""The description of the API (OpenAPI 3.1), and the same in 3.0 for the page to try it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask
from flask_smorest import Api, Blueprint

from app.api import outgoing, webhook_events
from app.api.calls import Operation

INFO = (
    "Money is a decimal string with its currency; points are integers; times are RFC 3339 with an offset; ids are "
    "opaque. Every write takes an `Idempotency-Key`: the same key and body get the same answer, marked "
    "`Idempotency-Replayed: true`; calls that move points require one and remember it for ever, others for seven days. "
    "Lists answer `items` and `next`; send `next` as `cursor` for the next page. Refusals are "
    "`application/problem+json`."
)
PROBLEM = "application/problem+json"
EVERY_CALL = (401, 403, 429, 503)
EVERY_BODY = (400, 404, 413, 415, 422)
EVERY_WRITE = (400, 409, 413, 422)
KEY_HEADER = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
RATE_HEADERS = {
    "RateLimit-Limit": "Calls that may be made at once",
    "RateLimit-Remaining": "Calls left now",
    "RateLimit-Reset": "Seconds until all are there again",
}


class _Described(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest for the description alone: refusals are shown by `app.web`, as everywhere."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """None of its own."""


def written(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document of these calls.

    flask-smorest writes it from an application of its own: gathering it takes a fifth of a second, which the service
    should not spend at every start.
    """
    app = Flask("description")
    app.config.update(API_TITLE="Tessera", API_VERSION="v1", OPENAPI_VERSION="3.1.0")
    api = _Described(app, spec_kwargs=spec_options())
    blueprint = Blueprint("api", "description", url_prefix="/api/v1")
    for operation in operations:
        _describe(blueprint, operation)
    api.register_blueprint(blueprint)
    tags = [{"name": name} for name in dict.fromkeys(one.tag for one in operations)]
    return completed({**api.spec.to_dict(), "tags": tags})


def _describe(blueprint: Blueprint, operation: Operation) -> None:
    def view() -> None:
        """Only its decorations are read."""

    view.__doc__ = None
    decorated = view
    for status in refusals(operation):
        text = HTTPStatus(status).phrase
        decorated = blueprint.alt_response(status, schema=outgoing.Problem, content_type=PROBLEM, description=text)(
            decorated
        )
    is_json = operation.media == "application/json"
    answer: Any = operation.answer if is_json else {"type": "string"}
    decorated = blueprint.response(
        operation.status, answer, headers=headers(operation), content_type=None if is_json else operation.media
    )(decorated)
    described: dict[str, Any] = {"summary": operation.summary, "operationId": operation.name}
    if operation.body:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    if operation.description:
        described["description"] = operation.description
    decorated = blueprint.doc(parameters=parameters(operation), **described)(decorated)
    blueprint.add_url_rule(operation.rule, operation.name, decorated, methods=[operation.method], tags=[operation.tag])


def spec_options() -> dict[str, Any]:
    """What the document says besides its paths."""
    return {
        "info": {"description": INFO},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key made by `tessera apikey create`"}
            }
        },
    }


def refusals(operation: Operation) -> tuple[int, ...]:
    """Every status besides success that a call may answer."""
    found = {*EVERY_CALL, *operation.refusals}
    if operation.writes:
        found |= set(EVERY_WRITE)
    if operation.body:
        found |= set(EVERY_BODY)
    if operation.query:
        found |= {404, 422}
    if "<" in operation.rule:
        found.add(404)
    return tuple(sorted(found))


def headers(operation: Operation) -> dict[str, Any]:
    """The headers of a success."""
    found = {name: _header("integer", text) for name, text in RATE_HEADERS.items()}
    if operation.writes:
        found["Idempotency-Replayed"] = _header("string", "true, if this is the stored answer of an earlier request")
    return found


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """What the call takes besides its path and body."""
    found: list[dict[str, Any]] = []
    if operation.query:
        found.append({"in": "query", "schema": operation.query})
    if operation.writes:
        text = "A new random value for each new request; the same value to repeat one"
        required = operation.moves_points
        found.append(
            {"in": "header", "name": "Idempotency-Key", "required": required, "schema": KEY_HEADER, "description": text}
        )
    return found


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Rules that the schemas of bodies check and their generated description cannot say."""
    redemption = document["components"]["schemas"]["NewRedemption"]
    redemption["oneOf"] = [{"required": [name]} for name in ("points", "reward", "offer")]
    return {**document, "webhooks": webhook_events.described()}


def as_3_0(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document for tools that do not read OpenAPI 3.1 yet: "null" among the types becomes `nullable`."""
    older: dict[str, Any] = _older({name: part for name, part in document.items() if name != "webhooks"})
    older["openapi"] = "3.0.3"
    return older


def _older(node: Any) -> Any:
    if isinstance(node, list):
        return [_older(one) for one in node]
    if not isinstance(node, Mapping):
        return node
    found = {name: _older(value) for name, value in node.items()}
    kinds = found.get("type")
    if isinstance(kinds, list):
        left = [kind for kind in kinds if kind != "null"]
        found["type"] = left[0]
        if len(left) < len(kinds):
            found["nullable"] = True
    choices = found.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        found["allOf"] = [one for one in found.pop("anyOf") if one != {"type": "null"}]
        found["nullable"] = True
    return found


def _header(kind: str, text: str) -> dict[str, Any]:
    return {"schema": {"type": kind}, "description": text}
