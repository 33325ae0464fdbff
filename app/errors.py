"""What can go wrong, and what people are told.

AppError
├── NotFound            404
├── Unauthorised        401
├── Forbidden           403
├── Conflict            409
├── Unprocessable       422  (with a message for each field)
├── BadRequest          400
├── TooManyRequests     429
└── Busy                503

`app.web` alone turns these into HTML pages and `application/problem+json`.
"""

from collections.abc import Mapping
from typing import Self


class Sentence(str):
    """An English text with values in it that pages can still translate: `Sentence("At most %(most)s.", most=5)`."""

    msgid: str
    values: Mapping[str, object]

    def __new__(cls, msgid: str, **values: object) -> Self:
        made = super().__new__(cls, msgid % values)
        made.msgid, made.values = msgid, values
        return made


class AppError(Exception):
    """A refusal with a stable code and a sentence a person can act on.

    Args:
        code: stable, snake_case, the last part of the problem's `type`.
        public: what the person or the integrator reads; says how to mend it. In English, a `Sentence` if it has values.
        detail: for the log only.
        retry_after_s: seconds after which trying again makes sense, if known.
        errors: messages by field name, for forms and bodies.
        commits: what was written on the way to this refusal stays, such as the count of wrong PINs.
    """

    status = 500

    def __init__(
        self,
        code: str,
        public: str,
        *,
        detail: str = "",
        retry_after_s: int | None = None,
        errors: Mapping[str, str] | None = None,
        commits: bool = False,
    ) -> None:
        super().__init__(f"{code}: {detail or public}")
        self.code = code
        self.public = public
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.errors = dict(errors or {})
        self.commits = commits


class BadRequest(AppError):
    status = 400


class Unauthorised(AppError):
    status = 401


class Forbidden(AppError):
    status = 403


class NotFound(AppError):
    status = 404


class Conflict(AppError):
    status = 409


class Unprocessable(AppError):
    status = 422


class TooManyRequests(AppError):
    status = 429


class Busy(AppError):
    status = 503


class DatabaseBusy(Busy):
    """The database had no turn for this; nothing was changed."""

    def __init__(self) -> None:
        text = Sentence("The service is busy at the moment; nothing was changed. Try again.")
        super().__init__("busy", text, retry_after_s=2)


class ConfigurationError(Exception):
    """The service cannot start as configured; the message is one line that says how to mend it."""
