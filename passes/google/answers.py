"""What the REST API's answer means: classified by reason first, then by status."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from passes.google.api import Request
from passes.google.ids import ResourceId
from passes.google.schema import Body
from passes.outcome import Outcome


class Meaning(Enum):
    DONE = "done"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION = "permission"
    NOTIFICATION_QUOTA = "notification_quota"
    RATE = "rate"
    MISSING_OBJECT = "missing_object"
    MISSING_CLASS = "missing_class"
    MISSING_ISSUER = "missing_issuer"
    GIVEN_UP = "given_up"
    ALREADY_EXISTS = "already_exists"
    TRANSIENT = "transient"
    NO_ANSWER = "no_answer"
    UNREADABLE = "unreadable"
    UNEXPECTED = "unexpected"


class Step(Enum):
    """What to do next with this very errand."""

    NOTHING = "nothing"
    WAIT = "wait"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105  a name, no secret
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
        breaker: the breaker it counts for; `opens` says that this one answer is enough.
        retry_after_s: what Google asked for, in seconds; None if it did not.
        reason, message: Google's words, for the operator; they hold no personal data of ours.
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


def read(  # noqa: PLR0913  the whole of an HTTP answer and what we know about the card
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
    raise NotImplementedError


def no_answer(request: Request, why: str) -> Answer:
    """Say what a timeout or a broken connection means."""
    raise NotImplementedError


def resource(answer: Answer) -> Body:
    """The class or object in a 2xx answer, also where addMessage wraps it; empty if there is none."""
    raise NotImplementedError


def has_users(body: Body) -> bool | None:
    """Google's own word on whether somebody holds this object; None if it did not say."""
    raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Page:
    resources: tuple[Body, ...]
    next_token: str | None


def page(answer: Answer) -> Page:
    """One page of a list."""
    raise NotImplementedError


def holders(found: Page) -> dict[ResourceId, bool]:
    """Which objects of a page are in somebody's wallet, where Google said."""
    raise NotImplementedError


def save_uri(answer: Answer) -> str:
    """The link that `api.insert_jwt` brought."""
    raise NotImplementedError
