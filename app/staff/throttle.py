"""Slowing down guessers: failures are counted in the database, so every process sees the same count."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.db import insert_if_new, rows_changed
from app.errors import TooManyRequests
from app.staff.models import Throttle

KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Growing:
    """*free* tries without waiting, then 1, 2, 4 … seconds up to *longest_s*; forgotten after *forget_s* of quiet."""

    kind: str
    free: int
    longest_s: int
    forget_s: int


@dataclass(frozen=True, kw_only=True)
class Lock:
    """*limit* failures within *window_s* refuse everything for *lock_s*."""

    kind: str
    limit: int
    window_s: int
    lock_s: int


ACCOUNT = Growing(kind="sign_in_account", free=5, longest_s=300, forget_s=24 * 3600)
ADDRESS = Growing(kind="sign_in_address", free=20, longest_s=300, forget_s=3600)
# Ten wrong codes in ten minutes lock a terminal, and a person, for ten minutes: nobody may try codes out.
WRONG_CODES = Lock(kind="wrong_code", limit=10, window_s=600, lock_s=600)


def delay_s(policy: Growing, count: int) -> int:
    """Seconds that must pass between the last try and the next after *count* failures."""
    return 0 if count < policy.free else min(policy.longest_s, 2 ** min(count - policy.free, 20))


def count_try(session: Session, policy: Growing, subject: str, *, now: datetime) -> None:
    """Count a try before it is judged, so that many at once cannot slip through; success takes it back.

    Raises: TooManyRequests `slow_down`, if the wait after the last failure is not over. Such a try is not counted.
    """
    row = _locked(session, policy.kind, subject, now=now)
    if now - row.since > timedelta(seconds=policy.forget_s):
        row.count = 0
    ready_at = row.since + timedelta(seconds=delay_s(policy, row.count))
    if row.count >= policy.free and now < ready_at:  # a stored time is rounded, perhaps to just after now
        raise TooManyRequests(
            "slow_down", "Too many tries. Wait a little, then try again.", retry_after_s=_seconds_to(ready_at, now)
        )
    row.count += 1
    row.since = now


def count_guess(session: Session, lock: Lock, subject: str, *, now: datetime) -> int:
    """As `count_failure`, before the try is judged, so that many at once cannot slip through; `forgive` a right one.

    Raises: TooManyRequests `locked`. Such a try is not counted.
    """
    _locked(session, lock.kind, subject, now=now)
    check_lock(session, lock, subject, now=now)
    return count_failure(session, lock, subject, now=now)


def forgive(session: Session, policy: Growing | Lock, subject: str) -> None:
    """Forget all failures of a subject that has proved who it is."""
    session.execute(delete(Throttle).where(Throttle.kind == policy.kind, Throttle.subject == subject))


def take_back(session: Session, policy: Growing, subject: str) -> None:
    """Uncount one try: it was right. Earlier failures stay, or one known account would hide guesses at others."""
    session.execute(
        update(Throttle)
        .where(Throttle.kind == policy.kind, Throttle.subject == subject, Throttle.count > 0)
        .values(count=Throttle.count - 1)
    )


def check_lock(session: Session, lock: Lock, subject: str, *, now: datetime) -> None:
    """Refuse while the subject is locked.

    Raises: TooManyRequests `locked`.
    """
    row = session.get(Throttle, (lock.kind, subject))
    if row is None or row.count < lock.limit:
        return
    open_at = row.since + timedelta(seconds=lock.lock_s)
    if now < open_at:
        raise TooManyRequests("locked", "Too many wrong tries.", retry_after_s=_seconds_to(open_at, now))


def count_failure(session: Session, lock: Lock, subject: str, *, now: datetime) -> int:
    """Count one failure and return how many there are in the current window; the last one starts the lock."""
    row = _locked(session, lock.kind, subject, now=now)
    over_s = lock.lock_s if row.count >= lock.limit else lock.window_s
    if row.count == 0 or now - row.since >= timedelta(seconds=over_s):
        row.count, row.since = 0, now
    row.count += 1
    if row.count >= lock.limit:
        row.since = now
    return row.count


def forget_old(session: Session, *, now: datetime) -> int:
    """Delete counts that no longer matter: strangers choose the subjects, so the table must not grow."""
    return rows_changed(session, delete(Throttle).where(Throttle.since < now - KEPT_FOR))


def _locked(session: Session, kind: str, subject: str, *, now: datetime) -> Throttle:
    insert_if_new(session, Throttle, kind=kind, subject=subject, count=0, since=now)
    wanted = select(Throttle).where(Throttle.kind == kind, Throttle.subject == subject)
    return session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one()


def _seconds_to(moment: datetime, now: datetime) -> int:
    return max(1, -int((now - moment).total_seconds() // 1))
