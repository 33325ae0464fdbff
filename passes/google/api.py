"""What the REST API is asked: requests as values. Whoever holds the socket adds the host and the token."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from passes.google.ids import Kind, ResourceId
from passes.google.patch import alerts, silenced
from passes.google.schema import Body, Use, check

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
HOLDER_FIELDS = "resources(id,hasUsers),pagination"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call.

    Attributes:
        path: absolute and quoted, without host and query.
        repeatable: sending it twice is harmless, so a timeout may simply be tried again.
        kind: the kind of resource asked about; None for issuers and links.
        operation: "insert", "get", "list", "patch", "update", "addMessage", "insertJwt" or "validateJwt".
        alerts: the call makes phones buzz if Google accepts it.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Body | None = None
    repeatable: bool = True
    kind: Kind | None = None
    operation: str
    alerts: bool = False

    @property
    def content(self) -> bytes | None:
        """The body as it goes over the wire (UTF-8 JSON); None for no body."""
        if self.body is None:
            return None
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


def insert(kind: Kind, body: Body) -> Request:
    """Ask for a new class or object; 409 means that it is there already. Raises: InvalidPass."""
    check(kind.schema, body)
    return Request(method="POST", path=_path(kind.value), body=body, kind=kind, operation="insert")


def get(kind: Kind, id: ResourceId, *, fields: str | None = None) -> Request:
    """Ask for one class or object."""
    return Request(method="GET", path=_path(kind.value, id), query=_query(fields=fields), kind=kind, operation="get")


def list_classes(
    kind: Kind, issuer: str, *, max_results: int = 100, token: str | None = None, fields: str | None = None
) -> Request:
    """Ask for a page of an issuer's classes."""
    query = _query(issuerId=issuer, maxResults=str(max_results), token=token, fields=fields)
    return Request(method="GET", path=_path(kind.class_kind.value), query=query, kind=kind.class_kind, operation="list")


def list_objects(
    kind: Kind, class_id: ResourceId, *, max_results: int = 100, token: str | None = None, fields: str | None = None
) -> Request:
    """Ask for a page of a class's objects; HOLDER_FIELDS makes it small.

    Without `maxResults` Google answers everything at once, so it is always sent.
    """
    query = _query(classId=str(class_id), maxResults=str(max_results), token=token, fields=fields)
    return Request(method="GET", path=_path(kind.value), query=query, kind=kind, operation="list")


def patch(kind: Kind, id: ResourceId, body: Body) -> Request:
    """Change the named members only; see `patch.difference`. Raises: InvalidPass."""
    check(kind.schema, body, Use.PATCH)
    return _write("PATCH", "patch", kind, id, body)


def update(kind: Kind, id: ResourceId, body: Body) -> Request:
    """Replace the whole resource: what is left out is cleared, messages too. Raises: InvalidPass."""
    check(kind.schema, body)
    return _write("PUT", "update", kind, id, body)


def _write(method: str, operation: str, kind: Kind, id: ResourceId, body: Body) -> Request:
    return Request(
        method=method, path=_path(kind.value, id), body=body, kind=kind, operation=operation, alerts=alerts(body)
    )


def add_message(kind: Kind, id: ResourceId, body: Body) -> Request:
    """Add one message (`encode.message_body`). Not repeatable: look for the message's id first. Raises: InvalidPass."""
    check("AddMessageRequest", body)
    message = body["message"]
    return Request(
        method="POST",
        path=_path(kind.value, id) + "/addMessage",
        body=body,
        repeatable=False,
        kind=kind,
        operation="addMessage",
        alerts=isinstance(message, dict) and message.get("messageType") == "TEXT_AND_NOTIFY",
    )


def silently(request: Request) -> Request:
    """The same request without the alert, for when Google's alert budget is used up."""
    body = dict(request.body or {})
    message = body.get("message")
    if request.operation == "addMessage" and isinstance(message, dict):
        body["message"] = message | {"messageType": "TEXT"}
    return replace(request, body=silenced(body), alerts=False)


def get_issuer(issuer: str) -> Request:
    """Ask whether issuer id and credentials fit together: 200, or 403 not invited, or 404 no such issuer."""
    return Request(method="GET", path=_path("issuer") + "/" + quote(issuer, safe=""), operation="get")


def insert_jwt(jwt: str) -> Request:
    """Hand over a save JWT that is too long for a link; the answer holds `saveUri`."""
    body: Body = {"jwt": jwt}
    check("JwtResource", body)
    return Request(method="POST", path=_path("jwt"), body=body, operation="insertJwt")


def validate_payload(payload: Mapping[str, Sequence[Body]]) -> Request:
    """Ask Google to judge a save payload without saving anything; an empty answer means valid.

    Args:
        payload: "loyaltyClasses", "loyaltyObjects", "offerClasses", "offerObjects" -> bodies.
    """
    text = json.dumps({name: list(bodies) for name, bodies in payload.items()}, ensure_ascii=False)
    body: Body = {"jsonResource": {"json": text}}
    check("JwtValidateRequest", body)
    return Request(method="POST", path=_path("jwt") + "/validate", body=body, operation="validateJwt")


def _path(name: str, id: ResourceId | None = None) -> str:
    path = f"/walletobjects/v1/{name}"
    return path if id is None else f"{path}/{quote(str(id), safe='')}"


def _query(**values: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in values.items() if value is not None)
