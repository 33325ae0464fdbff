"""What phones say to the PassKit web service, and the answers, as values.

Source: Apple, Wallet Passes, "Adding a Web Service to Update Passes" and its endpoint pages.
"""

import hmac
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from passes.errors import CallbackError

REGISTER_BYTES_MAX = 4 * 1024
KEY_BYTES_MIN = 32
DEVICE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
PUSH_TOKEN = re.compile(r"[0-9a-fA-F]{64,200}")
_HTTP_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) "
    r"(\d{2}):(\d{2}):(\d{2}) GMT",
    re.ASCII,
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def authentication_token(pass_type: str, serial: str, *, key: bytes) -> str:
    """Derive a pass's token: 64 hexadecimal digits, equal for equal arguments.

    Args:
        key: at least 32 secret bytes kept apart from the database. Installed passes keep their token for life, so after
            a change of key the old one must still be tried.

    Raises: ValueError, if the key is too short.
    """
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(f"the key for pass tokens has {len(key)} bytes; it needs {KEY_BYTES_MIN}")
    return hmac.digest(key, pass_type.encode() + b"\0" + serial.encode(), "sha256").hex()


def presented_token(authorization: str | bytes | None) -> bytes | None:
    """Take the token out of a raw `Authorization: ApplePass <token>` header; None if there is none.

    A str is what a WSGI server makes of the header: one character for each byte.
    """
    if authorization is None:
        return None
    if isinstance(authorization, str):
        try:
            authorization = authorization.encode("latin-1")
        except UnicodeEncodeError:
            return None
    scheme, _, token = authorization.partition(b" ")
    if scheme != b"ApplePass" or not 16 <= len(token) <= 512 or b" " in token:
        return None
    return token


def is_authorized(authorization: str | bytes | None, expected: Iterable[str]) -> bool:
    """Whether a raw header carries one of the tokens that a pass may have; every one is compared, in constant time."""
    presented = presented_token(authorization) or b""
    matches = [hmac.compare_digest(presented, token.encode()) for token in expected]
    return any(matches)


def push_token(body: bytes) -> str:
    """Read the body of a registration, whatever its content type; the token comes back in lower case.

    Raises: CallbackError, if it is no JSON object with a push token of 64 to 200 hexadecimal digits.
    """
    if len(body) > REGISTER_BYTES_MAX:
        raise CallbackError(f"the body is longer than {REGISTER_BYTES_MAX} bytes")
    token = json_object(body).get("pushToken")
    if not isinstance(token, str) or not PUSH_TOKEN.fullmatch(token):
        raise CallbackError("pushToken must be 64 to 200 hexadecimal digits")
    return token.lower()


def serials_answer(serials: Iterable[str], tag: str) -> bytes:
    """The body that lists changed serials; where there are none, answer 204 without a body instead."""
    return json.dumps({"serialNumbers": list(serials), "lastUpdated": tag}, separators=(",", ":")).encode()


def last_modified(moment: datetime) -> str:
    """Write an HTTP date; `moment` is aware, and its fraction of a second is lost."""
    utc = moment.astimezone(UTC)
    time = f"{utc.hour:02}:{utc.minute:02}:{utc.second:02}"  # strftime takes twice as long as all of this
    return f"{_DAYS[utc.weekday()]}, {utc.day:02} {_MONTHS[utc.month - 1]} {utc.year:04} {time} GMT"


def parse_http_date(text: str | None) -> datetime | None:
    """Read the one form of date that phones echo; None for every other text."""
    match = _HTTP_DATE.fullmatch(text.strip()) if text else None
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    try:
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None


def is_unmodified(if_modified_since: str | None, modified_at: datetime) -> bool:
    """Whether a fetch may be answered 304.

    Only the exact echo of this version's `Last-Modified` counts: a date that is invalid, earlier, or later than this
    version gets the pass again, which costs a download and loses nothing. This version's own date may lie some
    seconds ahead of the clock, because each of several changes within one second moves it by a whole one.
    """
    since = parse_http_date(if_modified_since)
    return since is not None and since == modified_at.astimezone(UTC).replace(microsecond=0)


def json_object(body: bytes) -> dict[str, object]:
    """Read a body that must be a JSON object.

    Raises: CallbackError, if it is not.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise CallbackError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise CallbackError("the body is not a JSON object")
    return value
