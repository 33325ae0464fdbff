"""The description of the API (OpenAPI 3.1), and the same in 3.0 for the page to try it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

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
EVERY_BODY = (413, 415)
EVERY_WRITE = (400, 409, 422)
KEY_HEADER = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
RATE_HEADERS = {
    "RateLimit-Limit": "Calls that may be made at once",
    "RateLimit-Remaining": "Calls left now",
    "RateLimit-Reset": "Seconds until all are there again",
}


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
    if operation.method != "GET":
        found |= set(EVERY_WRITE)
    if operation.body:
        found |= {*EVERY_BODY, 404}
    if operation.query:
        found |= {404, 422}
    if "<" in operation.rule:
        found.add(404)
    return tuple(sorted(found))


def headers(operation: Operation) -> dict[str, Any]:
    """The headers of a success."""
    found = {name: _header("integer", text) for name, text in RATE_HEADERS.items()}
    if operation.method != "GET":
        found["Idempotency-Replayed"] = _header("string", "true, if this is the stored answer of an earlier request")
    return found


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """What the call takes besides its path and body."""
    found: list[dict[str, Any]] = []
    if operation.query:
        found.append({"in": "query", "schema": operation.query})
    if operation.method != "GET":
        text = "A new random value for each new request; the same value to repeat one"
        required = operation.moves_points
        found.append(
            {"in": "header", "name": "Idempotency-Key", "required": required, "schema": KEY_HEADER, "description": text}
        )
    return found


def refusal_text(status: int) -> str:
    """How a refusal is titled."""
    return HTTPStatus(status).phrase


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Rules that the schemas of bodies check and their generated description cannot say."""
    redemption = document["components"]["schemas"]["NewRedemption"]
    redemption["oneOf"] = [{"required": [name]} for name in ("points", "reward", "offer")]
    return document


def as_3_0(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document for tools that do not read OpenAPI 3.1 yet: "null" among the types becomes `nullable`."""
    older: dict[str, Any] = _older(document)
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
