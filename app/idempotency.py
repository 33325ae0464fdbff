"""The same key and body always get the same answer (the IETF Idempotency-Key header draft)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db import Base, Instant, insert_if_new, rows_changed, table_of
from app.errors import AppError, BadRequest, Conflict, Unprocessable

KEPT_FOR_EVER = "ledger"
RUNNING = 0


class RequestKey(Base):
    """An Idempotency-Key that was used. `status` 0: its first request has not answered."""

    __tablename__ = "request_key"

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    status: Mapped[int] = mapped_column(default=RUNNING)
    answer: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)


_KEY = table_of(RequestKey)
_THIS = and_(_KEY.c.scope == bindparam("in_scope"), _KEY.c.key == bindparam("of_key"))
_FIND = select(_KEY.c.request_hash, _KEY.c.status, _KEY.c.answer).where(_THIS)
_FINISH = update(_KEY).where(_THIS).values(status=bindparam("status"), answer=bindparam("answer"))


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A key as a request sends it: `scope` says who keys belong to, `digest` what was asked (`request_hash`)."""

    scope: str
    key: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The stored answer of an earlier request with the same key."""

    status: int
    answer: str


def request_hash(method: str, path: str, body: bytes) -> str:
    """The digest by which a repeated request is recognised."""
    return hashlib.sha256(b"\0".join([method.encode(), path.encode(), body])).hexdigest()


def check_key(key: str | None) -> str:
    """Return a usable key.

    Raises: BadRequest `idempotency_key_missing` or `idempotency_key_invalid`.
    """
    if not key:
        raise BadRequest(
            "idempotency_key_missing", "Send an Idempotency-Key header: a new random value for each new sale."
        )
    if len(key) > 255 or not key.isascii() or not key.isprintable():
        raise BadRequest("idempotency_key_invalid", "An Idempotency-Key has 1 to 255 printable ASCII characters.")
    return key


def once(session: Session, claim: Claim, work: Callable[[], str], *, status: int, now: datetime) -> tuple[Replay, bool]:
    """Do the work and keep its answer, or give the answer that it gave the first time; and whether it is a repeat.

    A refusal is never an answer: the key is free again, also where the refusal's transaction commits.

    Raises: as `begin`; whatever *work* raises.
    """
    earlier = begin(session, claim.scope, claim.key, claim.digest, now=now)
    if earlier is not None:
        return earlier, True
    try:
        answer = work()
    except AppError as refusal:
        if refusal.commits:
            session.execute(delete(RequestKey).where(RequestKey.scope == claim.scope, RequestKey.key == claim.key))
        raise
    finish(session, claim.scope, claim.key, status=status, answer=answer)
    return Replay(status=status, answer=answer), False


def begin(session: Session, scope: str, key: str, digest: str, *, now: datetime) -> Replay | None:
    """Take the key as the first statement of the transaction; None means: do the work, then `finish`.

    The unique index decides between two requests at once; the second waits for the first on both databases.

    Raises: Unprocessable `idempotency_mismatch`, if the key belongs to another body; Conflict `in_progress`, if the
    first request has not answered.
    """
    row = {"scope": scope, "key": key, "request_hash": digest, "status": RUNNING, "answer": "", "created_at": now}
    if insert_if_new(session, RequestKey, **row):
        return None
    found = session.execute(_FIND, {"in_scope": scope, "of_key": key}).one()
    if found.request_hash != digest:
        raise Unprocessable(
            "idempotency_mismatch",
            "This Idempotency-Key was used with another request; use a new key for a new request.",
        )
    if found.status == RUNNING:
        raise Conflict("in_progress", "The first request with this Idempotency-Key is still running.", retry_after_s=1)
    return Replay(status=found.status, answer=found.answer)


def is_known(session: Session, scope: str, key: str) -> bool:
    """Whether a request with this key was seen before."""
    query = select(RequestKey.key).where(RequestKey.scope == scope, RequestKey.key == key)
    return session.scalar(query) is not None


def finish(session: Session, scope: str, key: str, *, status: int, answer: str) -> None:
    """Keep the answer in the same transaction as what it reports."""
    session.execute(_FINISH, {"in_scope": scope, "of_key": key, "status": status, "answer": answer})


def forget_before(session: Session, moment: datetime) -> int:
    """Delete old keys, except those of requests that moved points, which are kept for ever."""
    return rows_changed(
        session,
        delete(RequestKey).where(RequestKey.created_at < moment, RequestKey.scope.not_like(f"{KEPT_FOR_EVER}:%")),
    )
