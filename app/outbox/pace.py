"""How fast and whether a sender may send: the shared rate limit and the breaker, each one row in the database."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, case, literal, select, update
from sqlalchemy.orm import Session

from app.db import rows_changed
from app.outbox import rules
from app.outbox.models import Sender
from app.outbox.rules import Lane

PROBE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Calls a second for one sender, all workers together, and how many may leave at once."""

    rate_per_s: int
    burst: int = 1


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Leave to send: how many, from when, and how far apart. `probe`: one row, to try a closing breaker."""

    count: int
    start_ms: int
    interval_ms: int
    probe: bool = False


def reserve(
    session: Session, sender_id: int, pace: Pace, *, count: int, lane: Lane, now_ms: int, max_wait_ms: int = 1_000
) -> Slot | None:
    """Take *count* calls from the sender's budget; None: come back later, and claim nothing before.

    Virtual scheduling (GCRA) in one conditional UPDATE, so that any number of workers share one limit. The normal and
    bulk lanes are charged more than they use, which leaves the rest of the budget to urgent changes.
    """
    sender = session.get_one(Sender, sender_id, populate_existing=True)
    rate = rules.slowed_rate(pace.rate_per_s, slowed_at_ms=sender.slowed_at, now_ms=now_ms)
    interval = rules.interval_ms(rate)
    charge = count * interval * 100 // rules.RATE_SHARE_PERCENT[lane]
    floor = now_ms - (pace.burst - 1) * interval
    wait = max_wait_ms if lane is Lane.URGENT else 0
    taken = session.scalar(
        update(Sender)
        .where(Sender.id == sender_id, Sender.next_free <= now_ms + wait, Sender.breaker_until <= now_ms)
        .values(next_free=case((Sender.next_free < floor, literal(floor, BigInteger)), else_=Sender.next_free) + charge)
        .returning(Sender.next_free)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        return None
    return Slot(count=count, start_ms=max(now_ms, taken - charge), interval_ms=interval)


def charge(session: Session, sender_id: int, pace: Pace, *, count: int) -> None:
    """Book calls that were made beyond what had been reserved."""
    if count > 0:
        more = count * rules.interval_ms(pace.rate_per_s)
        session.execute(update(Sender).where(Sender.id == sender_id).values(next_free=Sender.next_free + more))


def slow_down(session: Session, sender_id: int, *, retry_after_s: float | None, now_ms: int) -> None:
    """The vendor said "too fast": halve the pace for a minute, and send nothing before it said we may."""
    pause = now_ms + int((retry_after_s or 1) * 1000)
    next_free = case((Sender.next_free < pause, literal(pause, BigInteger)), else_=Sender.next_free)
    session.execute(update(Sender).where(Sender.id == sender_id).values(slowed_at=now_ms, next_free=next_free))


def begin_probe(session: Session, sender_id: int, *, now_ms: int) -> bool | None:
    """Whether the sender's breaker is closing and this caller may try one row.

    False: the breaker is closed, send as usual. True: send one row. None: somebody else is trying.
    """
    failures = session.scalar(select(Sender.breaker_failures).where(Sender.id == sender_id))
    if not failures:
        return False
    mine = rows_changed(
        session,
        update(Sender)
        .where(Sender.id == sender_id, Sender.breaker_until <= now_ms, Sender.breaker_failures > 0)
        .values(breaker_until=now_ms + PROBE_MS)
        .execution_options(synchronize_session=False),
    )
    return True if mine else None


def open_for_a_while(session: Session, sender_id: int, reason: str, *, now_ms: int) -> bool:
    """The vendor is in trouble: stop for 30 s, then 1, 2, 5, 15 minutes. Returns: whether this opened it anew."""
    sender = session.get_one(Sender, sender_id, populate_existing=True, with_for_update=True)
    if sender.breaker_until >= rules.FOREVER_MS:
        return False
    was_open = sender.breaker_until > now_ms and sender.breaker_reason == reason
    sender.breaker_until = now_ms + rules.breaker_open_ms(sender.breaker_failures)
    sender.breaker_failures += 1
    sender.breaker_reason = reason
    return not was_open


def open_until_mended(session: Session, sender_id: int, reason: str) -> bool:
    """A credential or configuration is wrong: stop until an operator acts or the certificate changes."""
    return bool(
        rows_changed(
            session,
            update(Sender)
            .where(Sender.id == sender_id, Sender.breaker_until < rules.FOREVER_MS)
            .values(breaker_until=rules.FOREVER_MS, breaker_reason=reason, breaker_failures=Sender.breaker_failures + 1)
            .execution_options(synchronize_session=False),
        )
    )


def close(session: Session, sender_id: int) -> bool:
    """A row got through: send as usual again. Returns: whether the breaker had been open."""
    return bool(
        rows_changed(
            session,
            update(Sender)
            .where(Sender.id == sender_id, Sender.breaker_failures > 0)
            .values(breaker_until=0, breaker_reason="", breaker_failures=0)
            .execution_options(synchronize_session=False),
        )
    )


def reopen(session: Session, sender_ids: Sequence[int], *, now_ms: int) -> int:
    """Something was mended: let one row try at once; if it gets through, the rest follows."""
    return rows_changed(
        session,
        update(Sender)
        .where(Sender.id.in_(sender_ids), Sender.breaker_failures > 0)
        .values(breaker_until=now_ms)
        .execution_options(synchronize_session=False),
    )
