"""What the REST API is asked: requests as values. Whoever holds the socket adds the host and the token."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from passes.google.ids import Kind, ResourceId
from passes.google.schema import Body

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call.

    Attributes:
        path: absolute and quoted, without host and query.
        repeatable: sending it twice is harmless, so a timeout may simply be tried again.
        kind: the kind of resource asked about; None for issuers and links.
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
    raise NotImplementedError


def get(kind: Kind, id: ResourceId, *, fields: str | None = None) -> Request:
    raise NotImplementedError


def list_classes(
    kind: Kind, issuer: str, *, max_results: int = 100, token: str | None = None, fields: str | None = None
) -> Request:
    raise NotImplementedError


def list_objects(
    kind: Kind, class_id: ResourceId, *, max_results: int = 100, token: str | None = None, fields: str | None = None
) -> Request:
    raise NotImplementedError


def patch(kind: Kind, id: ResourceId, body: Body) -> Request:
    """Change the named members only; see `patch.difference`. Raises: InvalidPass."""
    raise NotImplementedError


def update(kind: Kind, id: ResourceId, body: Body) -> Request:
    """Replace the whole resource: what is left out is cleared, messages too. Raises: InvalidPass."""
    raise NotImplementedError


def add_message(kind: Kind, id: ResourceId, body: Body) -> Request:
    """Add one message (`encode.message_body`). Not repeatable: look for the message's id first. Raises: InvalidPass."""
    raise NotImplementedError


def get_issuer(issuer: str) -> Request:
    """Ask whether issuer id and credentials fit together: 200, or 403 not invited, or 404 no such issuer."""
    raise NotImplementedError


def insert_jwt(jwt: str) -> Request:
    """Hand over a save JWT that is too long for a link; the answer holds `saveUri`."""
    raise NotImplementedError


def validate_payload(payload: Mapping[str, Sequence[Body]]) -> Request:
    """Ask Google to judge a save payload without saving anything; an empty answer means valid."""
    raise NotImplementedError
