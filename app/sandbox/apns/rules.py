"""How APNs judges one request for a pass: no sockets, values in and a verdict out."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

PATH = re.compile(r"^/3/device/([^/]*)$")
TOKEN = re.compile(r"^(?:[0-9A-Fa-f]{2}){8,100}$")
CANONICAL_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
PUSH_TYPES = {None, "background"}  # the only ones that fit an empty payload; "alert" and others demand content
MAX_PAYLOAD_BYTES = 4096
MAX_COLLAPSE_ID_BYTES = 64
PROVIDER_TOKEN_LIFE_S = 3600

PushKeys = dict[str, tuple[str, ec.EllipticCurvePublicKey]]


class UnknownToken(Enum):
    """What becomes of a push to a token that no phone has."""

    REFUSE = "refuse"  # 400 BadDeviceToken
    ACCEPT = "accept"  # 200
    GONE = "gone"  # 410 Unregistered


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    repeated: tuple[str, ...]  # names of headers sent twice
    body: bytes

    @property
    def token(self) -> str:
        match = PATH.match(self.path)
        return match.group(1).lower() if match else ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    status: int
    reason: str = ""
    timestamp_ms: int | None = None
    topic: str = ""
    delay_s: float = 0.0


@dataclass(kw_only=True)
class Caller:
    """Who is at the other end: the pass type of the client certificate, or what the bearer token proves."""

    certificate_topic: str | None = None
    certificate_fault: str = ""
    key_id: str | None = None  # of the first bearer token of this connection; another one is refused
    proven: dict[str, float] | None = None  # bearer tokens already verified on this connection, and their iat


def from_headers(headers: Sequence[tuple[str, str]], body: bytes) -> Request:
    values: dict[str, str] = {}
    repeated = []
    for name, value in headers:
        if name in values:
            repeated.append(name)
        values[name] = value
    return Request(
        method=values.get(":method", ""),
        path=values.get(":path", ""),
        headers=values,
        repeated=tuple(repeated),
        body=body,
    )


def form_fault(request: Request) -> Verdict | None:
    """What is wrong with the request whoever sends it, or None."""
    headers = request.headers
    priority = headers.get("apns-priority", "10")
    push_type = headers.get("apns-push-type")
    checks: list[tuple[bool, int, str]] = [
        (request.method != "POST", 405, "MethodNotAllowed"),
        (not PATH.match(request.path), 404, "BadPath"),
        (not request.token, 400, "MissingDeviceToken"),
        (
            any(name.startswith("apns-") or name == "authorization" for name in request.repeated),
            400,
            "DuplicateHeaders",
        ),
        ("apns-id" in headers and not CANONICAL_UUID.match(headers["apns-id"]), 400, "BadMessageId"),
        (not re.fullmatch(r"\d{1,18}", headers.get("apns-expiration", "0")), 400, "BadExpirationDate"),
        (priority not in {"1", "5", "10"}, 400, "BadPriority"),
        (push_type not in PUSH_TYPES, 400, "InvalidPushType"),
        (push_type == "background" and priority == "10", 400, "BadPriority"),
        (len(headers.get("apns-collapse-id", "").encode()) > MAX_COLLAPSE_ID_BYTES, 400, "BadCollapseId"),
        (not request.body, 400, "PayloadEmpty"),
        (len(request.body) > MAX_PAYLOAD_BYTES, 413, "PayloadTooLarge"),
        (not TOKEN.match(request.token), 400, "BadDeviceToken"),
        (not _is_empty_push(request.body), 400, "BadPayload"),
    ]
    return next((Verdict(status=status, reason=reason) for wrong, status, reason in checks if wrong), None)


def caller_fault(
    request: Request, caller: Caller, keys: Callable[[], PushKeys], team_of: Callable[[str], str | None], now: float
) -> Verdict | None:
    """What is wrong with who sends it and for which pass type, or None.

    With a certificate the topic may be absent; with a bearer token it must be named and belong to the key's team.
    """
    topic = request.headers.get("apns-topic")
    if topic is not None and not re.fullmatch(r"pass\.[A-Za-z0-9.-]+", topic):
        return Verdict(status=400, reason="BadTopic")
    if caller.certificate_fault:
        return Verdict(status=403, reason=caller.certificate_fault)
    if caller.certificate_topic is None:
        return _bearer_verdict(request, caller, keys(), team_of, now)
    wrong = topic not in (None, caller.certificate_topic)
    return Verdict(status=400, reason="TopicDisallowed") if wrong else None


def _bearer_verdict(
    request: Request, caller: Caller, keys: PushKeys, team_of: Callable[[str], str | None], now: float
) -> Verdict | None:
    bearer = request.headers.get("authorization", "")
    if not bearer.lower().startswith("bearer "):
        return Verdict(status=403, reason="MissingProviderToken")
    reason = _bearer_fault(bearer[7:].strip(), caller, keys, now)
    if reason:
        return Verdict(status=403, reason=reason)
    topic = request.headers.get("apns-topic")
    if topic is None:
        return Verdict(status=400, reason="MissingTopic")
    team = keys[caller.key_id or ""][0]
    return None if team_of(topic) == team else Verdict(status=400, reason="TopicDisallowed")


def _bearer_fault(token: str, caller: Caller, keys: PushKeys, now: float) -> str:
    if caller.proven is None:
        caller.proven = {}
    if token not in caller.proven:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid"))
            if caller.key_id not in (None, key_id):
                return "UnrelatedKeyIdInToken"
            team, key = keys[key_id]
            claims = jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False})
            issued_at = float(claims["iat"])
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            return "InvalidProviderToken"
        if claims.get("iss") != team or issued_at > now + 60:
            return "InvalidProviderToken"
        caller.key_id = key_id
        caller.proven[token] = issued_at
    return "ExpiredProviderToken" if now - caller.proven[token] > PROVIDER_TOKEN_LIFE_S else ""


def _is_empty_push(body: bytes) -> bool:
    if body == b"{}":
        return True
    try:
        return bool(json.loads(body) == {"aps": {}}) and body.count(b"{") == 2
    except ValueError:
        return False
