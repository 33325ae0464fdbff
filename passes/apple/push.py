"""What APNs is asked to wake a phone, and what its answers mean.

Source: Apple, User Notifications, "Sending notification requests to APNs" and "Handling notification responses".
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Literal
from uuid import UUID

from passes.apple.webservice import PUSH_TOKEN
from passes.outcome import Outcome

PRODUCTION_HOST = "api.push.apple.com"
PUSH_BODY = b"{}"
DEADLINE_S = 10


class Scope(Enum):
    """What an answer says something about, and so what must stop or change."""

    TOKEN = "token"
    CONFIGURATION = "configuration"  # the topic: stop its queue, keep the jobs, tell the operator
    CREDENTIAL = "credential"  # certificate or key: stop, close every connection, tell the operator
    CONNECTION = "connection"  # open a new connection
    SERVICE = "service"  # APNs is unwell: slow down
    REQUEST = "request"  # a fault of ours: park it, tell the developer


@dataclass(frozen=True, kw_only=True)
class PushRequest:
    """One POST to APNs over HTTP/2."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = PUSH_BODY


@dataclass(frozen=True, kw_only=True)
class PushAnswer:
    """What an answer means.

    Attributes:
        outcome: whether it arrived, is worth another try, or never will be.
        scope: what the answer speaks of.
        retry_after_s: how long to wait before another try; None leaves it to the caller's backoff.
        delete_token: the push token is dead, for all passes of its device.
        dead_since: with `delete_token`, delete only what was registered at or before this moment; None means any.
        new_connection: the connection must be replaced before another try.
        new_provider_token: the JWT must be made anew before another try.
    """

    outcome: Outcome
    scope: Scope
    status: int
    reason: str
    retry_after_s: int | None = None
    delete_token: bool = False
    dead_since: datetime | None = None
    new_connection: bool = False
    new_provider_token: bool = False


def push_request(
    push_token: str,
    topic: str,
    *,
    apns_id: UUID | None = None,
    push_type: Literal["background", "alert"] | None = "background",
    priority: Literal[5, 10] | None = 5,
    expires_at: datetime | None = None,
    provider_token: str | None = None,
) -> PushRequest:
    """Ask APNs to tell one phone that passes of a type changed.

    Args:
        push_token: as the phone registered it.
        topic: the pass type identifier.
        push_type: None leaves the header out.
        priority: None leaves the header out, which means 10; background pushes must have 5.
        expires_at: aware; the phone is tried until then. None lets APNs keep the push for its longest time.
        provider_token: from `provider_token.provider_token`; without it the connection's certificate speaks.

    Raises: ValueError, for a token that is none, or background with priority 10.
    """
    if not PUSH_TOKEN.fullmatch(push_token):
        raise ValueError("the push token is not 64 to 200 hexadecimal digits")
    headers = push_headers(
        topic,
        apns_id=apns_id,
        push_type=push_type,
        priority=priority,
        expires_s=None if expires_at is None else int(expires_at.timestamp()),
        provider_token=provider_token,
    )
    return PushRequest(path=push_path(push_token), headers=headers)


def push_path(push_token: str) -> str:
    """Where a push for this token goes. The token is not checked again: a campaign asks for a million paths."""
    return f"/3/device/{push_token.lower()}"


def push_headers(
    topic: str,
    *,
    apns_id: UUID | None = None,
    push_type: Literal["background", "alert"] | None = "background",
    priority: Literal[5, 10] | None = 5,
    expires_s: int | None = None,
    provider_token: str | None = None,
) -> tuple[tuple[str, str], ...]:
    """The headers of a push, which many pushes share; see `push_request`. `expires_s` counts from 1970.

    Raises: ValueError, for background with priority 10.
    """
    if push_type == "background" and priority != 5:
        raise ValueError("a background push must have priority 5")
    headers = [("apns-topic", topic)]
    if push_type is not None:
        headers.append(("apns-push-type", push_type))
    if priority is not None:
        headers.append(("apns-priority", str(priority)))
    if expires_s is not None:
        headers.append(("apns-expiration", str(max(1, expires_s))))
    if apns_id is not None:
        headers.append(("apns-id", str(apns_id)))
    if provider_token is not None:
        headers.append(("authorization", f"bearer {provider_token}"))
    return tuple(headers)


@dataclass(frozen=True, kw_only=True)
class _Meaning:
    outcome: Outcome
    scope: Scope
    retry_after_s: int | None = None
    delete_token: bool = False
    new_connection: bool = False
    new_provider_token: bool = False


_GONE = _Meaning(outcome=Outcome.GONE, scope=Scope.TOKEN, delete_token=True)
_CONFIGURATION = _Meaning(outcome=Outcome.REFUSED, scope=Scope.CONFIGURATION)
_CREDENTIAL = _Meaning(outcome=Outcome.REFUSED, scope=Scope.CREDENTIAL, new_connection=True)
_OURS = _Meaning(outcome=Outcome.REFUSED, scope=Scope.REQUEST)
_RECONNECT = _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.CONNECTION, retry_after_s=0, new_connection=True)
# A connection that has seen an expired provider token refuses the next one as well, so both are replaced.
_RENEW = _Meaning(
    outcome=Outcome.TRY_AGAIN,
    scope=Scope.CONNECTION,
    retry_after_s=0,
    new_connection=True,
    new_provider_token=True,
)
_TOKEN_BUSY = _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.TOKEN, retry_after_s=5 * 60)
_REUSE_PROVIDER_TOKEN = _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.SERVICE, retry_after_s=20 * 60)
_UNWELL = _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.SERVICE, retry_after_s=15 * 60)

MEANINGS: dict[tuple[int, str], _Meaning] = {
    (400, "BadCollapseId"): _OURS,
    (400, "BadDeviceToken"): _GONE,
    (400, "BadExpirationDate"): _OURS,
    (400, "BadMessageId"): _OURS,
    (400, "BadPriority"): _OURS,
    (400, "BadTopic"): _CONFIGURATION,
    (400, "DeviceTokenNotForTopic"): _CONFIGURATION,
    (400, "DuplicateHeaders"): _OURS,
    (400, "IdleTimeout"): _RECONNECT,
    (400, "InvalidPushType"): _OURS,
    (400, "MissingDeviceToken"): _OURS,
    (400, "MissingTopic"): _CONFIGURATION,
    (400, "PayloadEmpty"): _OURS,
    (400, "TopicDisallowed"): _CONFIGURATION,
    (403, "BadCertificate"): _CREDENTIAL,
    (403, "BadCertificateEnvironment"): _CREDENTIAL,
    (403, "BadEnvironmentKeyIdInToken"): _CREDENTIAL,
    (403, "ExpiredProviderToken"): _RENEW,
    (403, "Forbidden"): _CREDENTIAL,
    (403, "InvalidProviderToken"): _CREDENTIAL,
    (403, "MissingProviderToken"): _CREDENTIAL,
    (403, "UnrelatedKeyIdInToken"): _CREDENTIAL,
    (404, "BadPath"): _OURS,
    (405, "MethodNotAllowed"): _OURS,
    (410, "ExpiredToken"): _GONE,
    (410, "Unregistered"): _GONE,
    (413, "PayloadTooLarge"): _OURS,
    (429, "TooManyProviderTokenUpdates"): _REUSE_PROVIDER_TOKEN,
    (429, "TooManyRequests"): _TOKEN_BUSY,
    (500, "InternalServerError"): _UNWELL,
    (503, "ServiceUnavailable"): _UNWELL,
    (503, "Shutdown"): _UNWELL,
}
# For reasons that Apple adds later.
_BY_STATUS = {403: _CREDENTIAL, 410: _GONE, 429: _TOKEN_BUSY}


def answer(status: int, body: bytes = b"") -> PushAnswer:
    """Say what an answer of APNs means; an unknown one is judged by its status."""
    if status == 200:
        return PushAnswer(outcome=Outcome.DELIVERED, scope=Scope.TOKEN, status=status, reason="")
    reason, timestamp_ms = _read(body)
    meaning = MEANINGS.get((status, reason)) or _BY_STATUS.get(status) or (_UNWELL if status >= 500 else _OURS)
    return PushAnswer(
        outcome=meaning.outcome,
        scope=meaning.scope,
        status=status,
        reason=reason,
        retry_after_s=meaning.retry_after_s,
        delete_token=meaning.delete_token,
        dead_since=_moment(timestamp_ms) if status == 410 else None,
        new_connection=meaning.new_connection,
        new_provider_token=meaning.new_provider_token,
    )


class Failure(Enum):
    """How a request can end without an answer."""

    TIMEOUT = "Timeout"
    CONNECTION_LOST = "ConnectionLost"
    GOAWAY_UNPROCESSED = "GoAwayUnprocessed"
    REFUSED_STREAM = "RefusedStream"
    CERTIFICATE_REFUSED = "CertificateRefused"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    CERTIFICATE_REVOKED = "CertificateRevoked"
    SERVER_NOT_TRUSTED = "ServerNotTrusted"
    NOT_APNS = "NotApns"  # something answered, and it does not speak as APNs does


_FAILURES = {
    Failure.TIMEOUT: _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.CONNECTION, new_connection=True),
    Failure.CONNECTION_LOST: _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.CONNECTION, new_connection=True),
    Failure.GOAWAY_UNPROCESSED: _RECONNECT,
    Failure.REFUSED_STREAM: _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.CONNECTION, retry_after_s=0),
    Failure.CERTIFICATE_REFUSED: _CREDENTIAL,
    Failure.CERTIFICATE_EXPIRED: _CREDENTIAL,
    Failure.CERTIFICATE_REVOKED: _CREDENTIAL,
    Failure.SERVER_NOT_TRUSTED: _Meaning(outcome=Outcome.REFUSED, scope=Scope.CONFIGURATION, new_connection=True),
    Failure.NOT_APNS: _Meaning(outcome=Outcome.TRY_AGAIN, scope=Scope.CONNECTION, new_connection=True),
}


def failed(failure: Failure) -> PushAnswer:
    """Say what it means that a request got no answer; its status is 0."""
    meaning = _FAILURES[failure]
    return PushAnswer(
        outcome=meaning.outcome,
        scope=meaning.scope,
        status=0,
        reason=failure.value,
        retry_after_s=meaning.retry_after_s,
        new_connection=meaning.new_connection,
    )


def _read(body: bytes) -> tuple[str, int | None]:
    try:
        value = json.loads(body[:4096])
    except (ValueError, RecursionError):
        return "", None
    if not isinstance(value, dict):
        return "", None
    reason, timestamp = value.get("reason"), value.get("timestamp")
    known = isinstance(reason, str) and re.fullmatch(r"[A-Za-z]{1,64}", reason)
    whole = isinstance(timestamp, int) and not isinstance(timestamp, bool)
    return str(reason) if known else "", timestamp if whole else None


def _moment(timestamp_ms: int | None) -> datetime | None:
    if timestamp_ms is None or not 0 < timestamp_ms < 32_503_680_000_000:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=timestamp_ms)
