"""The same form sent twice is one action: its key answers what it answered the first time."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from app import failpoints, idempotency
from app.idempotency import Claim
from app.till.desk import Desk


def once(session: Session, desk: Desk, key: str | None, body: str, work: Callable[[], str], *, now: datetime) -> str:
    """Do the work of a form, or answer what it answered; *body* says what was asked in it.

    Raises: as `idempotency.check_key` and `idempotency.begin`; whatever *work* raises.
    """

    def begun() -> str:
        failpoints.reached("sale.begun")
        return work()

    digest = idempotency.request_hash("POST", str(desk.choice), body.encode())
    claim = Claim(scope=scope_of(desk.who.id), key=idempotency.check_key(key), digest=digest)
    found, is_repeat = idempotency.once(session, claim, begun, status=201, now=now)
    if not is_repeat:
        failpoints.reached("sale.before_commit")
    return found.answer


def scope_of(staff_id: int) -> str:
    """Whose keys those of a till's forms are: they are kept for ever."""
    return f"{idempotency.KEPT_FOR_EVER}:till:{staff_id}"
