"""What the REST API's answer means: classified by Google's reason first, then by the status."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from passes.errors import InvalidPass
from passes.google.api import Request
from passes.google.ids import ResourceId
from passes.google.meaning import Meaning, meaning_of
from passes.google.schema import Body
from passes.outcome import Outcome

__all__ = [
    "Answer",
    "Breaker",
    "Meaning",
    "Page",
    "Scope",
    "Step",
    "has_message",
    "has_users",
    "holders",
    "no_answer",
    "page",
    "read",
    "resource",
    "save_uri",
]

RETRY_AFTER_MAX_S = 24 * 3600
MESSAGE_MAX_CHARACTERS = 500


class Step(Enum):
    """What to do next with this very errand."""

    NOTHING = "nothing"
    WAIT = "wait"
    REFRESH_TOKEN = "refresh_token"
    REPEAT_SILENTLY = "repeat_silently"
    INSERT_CLASS = "insert_class"
    INSERT_OBJECT = "insert_object"
    PATCH = "patch"
    LOOK_FOR_MESSAGE = "look_for_message"
    TELL_OPERATOR = "tell_operator"


class Scope(Enum):
    """Whom the answer is about: this one resource, or everything this sender sends."""

    ITEM = "item"
    SENDER = "sender"


class Breaker(Enum):
    """Which breaker of the sender the answer counts for."""

    CREDENTIAL = "credential"
    CONFIGURATION = "configuration"
    VENDOR = "vendor"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, and what it asks of us.

    Attributes:
        outcome: TRY_AGAIN with REPEAT_SILENTLY becomes DELIVERED (silently) when that repeat is accepted.
        breaker: the breaker it counts for; `opens` says that this one answer is enough.
        retry_after_s: what Google asked for, in seconds; None if it did not.
        reason, message: Google's words, for the operator.
        body: the JSON of a 2xx answer.
    """

    outcome: Outcome
    meaning: Meaning
    step: Step = Step.NOTHING
    scope: Scope = Scope.ITEM
    breaker: Breaker | None = None
    opens: bool = False
    status: int = 0
    reason: str = ""
    message: str = ""
    retry_after_s: int | None = None
    body: Body | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a list; `next_token` is None on the last."""

    resources: tuple[Body, ...]
    next_token: str | None


@dataclass(frozen=True, kw_only=True)
class _Error:
    """What Google's error body says; empty where there is none, as from a proxy."""

    reasons: tuple[str, ...] = ()
    message: str = ""


_POLICY = {
    Meaning.DONE: Answer(outcome=Outcome.DELIVERED, meaning=Meaning.DONE),
    # Twenty in a row open the breaker: then it is not the cards that are wrong.
    Meaning.INVALID: Answer(
        outcome=Outcome.REFUSED, meaning=Meaning.INVALID, step=Step.TELL_OPERATOR, breaker=Breaker.CONFIGURATION
    ),
    Meaning.UNAUTHENTICATED: Answer(
        outcome=Outcome.TRY_AGAIN, meaning=Meaning.UNAUTHENTICATED, step=Step.REFRESH_TOKEN, scope=Scope.SENDER
    ),
    Meaning.PERMISSION: Answer(
        outcome=Outcome.REFUSED,
        meaning=Meaning.PERMISSION,
        step=Step.TELL_OPERATOR,
        scope=Scope.SENDER,
        breaker=Breaker.CREDENTIAL,
        opens=True,
    ),
    Meaning.NOTIFICATION_QUOTA: Answer(
        outcome=Outcome.TRY_AGAIN, meaning=Meaning.NOTIFICATION_QUOTA, step=Step.REPEAT_SILENTLY
    ),
    Meaning.RATE: Answer(outcome=Outcome.TRY_AGAIN, meaning=Meaning.RATE, step=Step.WAIT, scope=Scope.SENDER),
    Meaning.MISSING_OBJECT: Answer(outcome=Outcome.TRY_AGAIN, meaning=Meaning.MISSING_OBJECT, step=Step.INSERT_OBJECT),
    Meaning.MISSING_CLASS: Answer(outcome=Outcome.TRY_AGAIN, meaning=Meaning.MISSING_CLASS, step=Step.INSERT_CLASS),
    Meaning.MISSING_ISSUER: Answer(
        outcome=Outcome.REFUSED,
        meaning=Meaning.MISSING_ISSUER,
        step=Step.TELL_OPERATOR,
        scope=Scope.SENDER,
        breaker=Breaker.CONFIGURATION,
        opens=True,
    ),
    Meaning.GIVEN_UP: Answer(outcome=Outcome.GONE, meaning=Meaning.GIVEN_UP),
    Meaning.ALREADY_EXISTS: Answer(outcome=Outcome.TRY_AGAIN, meaning=Meaning.ALREADY_EXISTS, step=Step.PATCH),
    Meaning.TRANSIENT: Answer(
        outcome=Outcome.TRY_AGAIN, meaning=Meaning.TRANSIENT, step=Step.WAIT, breaker=Breaker.VENDOR
    ),
    Meaning.NO_ANSWER: Answer(
        outcome=Outcome.TRY_AGAIN, meaning=Meaning.NO_ANSWER, step=Step.WAIT, breaker=Breaker.VENDOR
    ),
    Meaning.UNREADABLE: Answer(
        outcome=Outcome.TRY_AGAIN, meaning=Meaning.UNREADABLE, step=Step.WAIT, breaker=Breaker.VENDOR
    ),
    Meaning.UNEXPECTED: Answer(
        outcome=Outcome.TRY_AGAIN,
        meaning=Meaning.UNEXPECTED,
        step=Step.WAIT,
        scope=Scope.SENDER,
        breaker=Breaker.CONFIGURATION,
    ),
}
_MAYBE_APPLIED = (Meaning.TRANSIENT, Meaning.NO_ANSWER, Meaning.UNREADABLE, Meaning.UNEXPECTED)


def read(
    request: Request,
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    *,
    now: datetime,
    token_refreshed: bool = False,
    given_up: bool = False,
) -> Answer:
    """Say what an answer means.

    Args:
        token_refreshed: this was the repeat after a fresh token, so another 401 is final.
        given_up: a delete callback came and the card is no longer active, so a missing object is no fault.
    """
    if 200 <= status < 300:
        return replace(_accepted(request, content), status=status)
    error = _error(content)
    meaning = meaning_of(request, status, error.reasons, error.message)
    if meaning is Meaning.MISSING_OBJECT and given_up:
        meaning = Meaning.GIVEN_UP
    answer = _policy(request, meaning)
    if meaning is Meaning.UNAUTHENTICATED and token_refreshed:
        answer = replace(answer, step=Step.TELL_OPERATOR, breaker=Breaker.CREDENTIAL, opens=True)
    return replace(
        answer,
        status=status,
        reason=error.reasons[0] if error.reasons else "",
        message=error.message,
        retry_after_s=_retry_after_s(headers, now),
    )


def no_answer(request: Request, why: str) -> Answer:
    """Say what a timeout or a broken connection means."""
    return replace(_policy(request, Meaning.NO_ANSWER), message=why[:MESSAGE_MAX_CHARACTERS])


def resource(answer: Answer) -> Body:
    """The class or object in a 2xx answer, also where addMessage wraps it; empty if there is none."""
    body = answer.body or {}
    wrapped = body.get("resource")
    return wrapped if isinstance(wrapped, dict) else body


def has_users(body: Body) -> bool | None:
    """Google's own word on whether somebody holds this object; None if it did not say."""
    value = body.get("hasUsers")
    return value if isinstance(value, bool) else None


def has_message(body: Body, message_id: str) -> bool:
    """Whether an addMessage of which no answer came has been applied after all."""
    messages = body.get("messages")
    items = messages if isinstance(messages, list) else []
    return any(isinstance(item, dict) and item.get("id") == message_id for item in items)


def page(answer: Answer) -> Page:
    """One page of a list."""
    body = answer.body or {}
    found, pagination = body.get("resources"), body.get("pagination")
    token = pagination.get("nextPageToken") if isinstance(pagination, dict) else None
    resources = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    return Page(resources=tuple(resources), next_token=token if isinstance(token, str) and token else None)


def holders(found: Page) -> dict[ResourceId, bool]:
    """Which objects of a page are in somebody's wallet, where Google said."""
    known: dict[ResourceId, bool] = {}
    for item in found.resources:
        held, text = has_users(item), item.get("id")
        if held is None or not isinstance(text, str):
            continue
        try:
            known[ResourceId.parse(text)] = held
        except InvalidPass:
            continue  # another tool of this issuer made it; it is none of ours
    return known


def save_uri(answer: Answer) -> str | None:
    """The link that `api.insert_jwt` brought; None if there is none."""
    uri = (answer.body or {}).get("saveUri")
    return uri if isinstance(uri, str) and uri.startswith(("https://", "http://")) else None


def _accepted(request: Request, content: bytes) -> Answer:
    body = _object(content)
    if body is None and not content.strip() and request.operation == "validateJwt":
        body = {}
    if body is None:
        return replace(_policy(request, Meaning.UNREADABLE), message="a 2xx answer without a JSON object")
    return replace(_policy(request, Meaning.DONE), body=body)


def _policy(request: Request, meaning: Meaning) -> Answer:
    answer = _POLICY[meaning]
    if meaning in _MAYBE_APPLIED and not request.repeatable:
        return replace(answer, step=Step.LOOK_FOR_MESSAGE)
    return answer


def _error(content: bytes) -> _Error:
    error = (_object(content) or {}).get("error")
    if not isinstance(error, dict):
        return _Error()
    listed: list[object] = []
    for name in ("errors", "details"):
        items = error.get(name)
        listed += [item.get("reason") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    reasons = [reason for reason in [*listed, error.get("status")] if isinstance(reason, str) and reason]
    message = error.get("message")
    printable = "".join(c if c.isprintable() else " " for c in message) if isinstance(message, str) else ""
    return _Error(reasons=tuple(reasons), message=printable[:MESSAGE_MAX_CHARACTERS])


def _object(content: bytes) -> Body | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _retry_after_s(headers: Mapping[str, str], now: datetime) -> int | None:
    text = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    seconds = int(((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
    return min(max(seconds, 0), RETRY_AFTER_MAX_S)
