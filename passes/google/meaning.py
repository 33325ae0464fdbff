"""What went wrong, in a word: Google's reason first, then the status."""

import re
from collections.abc import Sequence
from enum import Enum

from passes.google.api import Request


class Meaning(Enum):
    """What Google said, in a word. GIVEN_UP: the object is missing, and nobody wants it any more."""

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


_CLASS_MISSING = re.compile(r"\bobject class\b|(^|\s)class\s+\S+\s+not found", re.IGNORECASE)

# Only whole reasons are compared: a message about permissions may well hold the word "quota".
_BY_REASON = {
    "invalidresource": Meaning.INVALID,
    "badrequest": Meaning.INVALID,
    "invalidargument": Meaning.INVALID,
    "invalidparameter": Meaning.INVALID,
    "parseerror": Meaning.INVALID,
    "autherror": Meaning.UNAUTHENTICATED,
    "unauthenticated": Meaning.UNAUTHENTICATED,
    "unauthorized": Meaning.UNAUTHENTICATED,
    "permissiondenied": Meaning.PERMISSION,
    "forbidden": Meaning.PERMISSION,
    "insufficientpermissions": Meaning.PERMISSION,
    "accessnotconfigured": Meaning.PERMISSION,
    "servicedisabled": Meaning.PERMISSION,
    "quotaexceeded": Meaning.NOTIFICATION_QUOTA,
    "ratelimitexceeded": Meaning.RATE,
    "userratelimitexceeded": Meaning.RATE,
    "dailylimitexceeded": Meaning.RATE,
    "resourceexhausted": Meaning.RATE,
    "notfound": Meaning.MISSING_OBJECT,
    "resourcenotfound": Meaning.MISSING_OBJECT,
    "classnotfound": Meaning.MISSING_CLASS,
    "alreadyexists": Meaning.ALREADY_EXISTS,
    "duplicate": Meaning.ALREADY_EXISTS,
    "conditionnotmet": Meaning.TRANSIENT,
    "aborted": Meaning.TRANSIENT,
    "backenderror": Meaning.TRANSIENT,
    "internal": Meaning.TRANSIENT,
    "internalerror": Meaning.TRANSIENT,
    "unavailable": Meaning.TRANSIENT,
    "deadlineexceeded": Meaning.TRANSIENT,
}
_BY_STATUS = {
    401: Meaning.UNAUTHENTICATED,
    403: Meaning.PERMISSION,
    404: Meaning.MISSING_OBJECT,
    408: Meaning.TRANSIENT,
    409: Meaning.ALREADY_EXISTS,
    412: Meaning.TRANSIENT,
    429: Meaning.RATE,
}


def meaning_of(request: Request, status: int, reasons: Sequence[str], message: str) -> Meaning:
    """Say what an answer outside 2xx means: by the first reason that is known, else by its status.

    Source: Google Wallet, "Error codes"; Google APIs, "Standard error responses".
    """
    by_reason = [_BY_REASON[key] for reason in reasons if (key := _folded(reason)) in _BY_REASON]
    meaning = by_reason[0] if by_reason else _by_status(status)
    if meaning is Meaning.NOTIFICATION_QUOTA and (status != 403 or not request.alerts):
        return Meaning.RATE
    if meaning is Meaning.ALREADY_EXISTS and request.operation != "insert":
        return Meaning.TRANSIENT
    if meaning is Meaning.MISSING_OBJECT:
        return _what_is_missing(request, message)
    return meaning


def _by_status(status: int) -> Meaning:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return Meaning.TRANSIENT
    return Meaning.INVALID if status >= 400 else Meaning.UNEXPECTED


def _what_is_missing(request: Request, message: str) -> Meaning:
    if request.kind is None:
        return Meaning.MISSING_ISSUER if "/issuer/" in request.path else Meaning.UNEXPECTED
    # An insert names an object that need not exist, and a list names a class only.
    if request.kind.is_class or request.operation in ("insert", "list") or _CLASS_MISSING.search(message):
        return Meaning.MISSING_CLASS
    return Meaning.MISSING_OBJECT


def _folded(reason: str) -> str:
    return reason.replace("_", "").lower()
