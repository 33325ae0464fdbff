"""How fast and whether a sender may send: the shared rate limit and the breaker, each one row in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Executable, bindparam, case, delete, func, literal, select, update
from sqlalchemy.orm import Session

from app.db import insert_into, rows_changed
from app.outbox import rules
from app.outbox.models import RecentResults, Sender
from app.outbox.rules import Lane

PROBE_MS = 60_000
STRETCHES = 6
STRETCH_MS = rules.STORM_SPAN_MS // STRETCHES
_LOCKED = select(Sender.id).where(Sender.id == bindparam("of_sender")).with_for_update()
_FAILURES = select(Sender.breaker_failures).where(Sender.id == bindparam("of_sender"))


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Calls a second for one sender, all workers together, and how many may leave at once.

    `shared`: all lanes live on it, and those that are not urgent may have only their share.
    """

    rate_per_s: int
    burst: int = 1
    shared: bool = True


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Leave to send: how many, and from when. `probe`: one row, to try a closing breaker."""

    count: int
    start_ms: int
    probe: bool = False


def await_turn(session: Session, sender_id: int) -> None:
    """Wait until nobody else is reserving calls of this sender; the moment to reserve by is read after it.

    Who waits with an older moment in hand finds the budget spent in its future, and goes away with nothing.
    """
    session.execute(_LOCKED, {"of_sender": sender_id})


def reserve(
    session: Session, sender_id: int, pace: Pace, *, count: int, lane: Lane, now_ms: int, max_wait_ms: int = 1_000
) -> Slot | None:
    """Take *count* calls from the sender's budget; None: come back later, and claim nothing before.

    Virtual scheduling (GCRA) in one conditional UPDATE, so that any number of workers share one limit. Who may have
    only a share of the budget is charged more than it uses, which leaves the rest to others. Only urgent calls may be
    reserved ahead. Calls that were reserved and not made are not handed back.
    """
    now_us = now_ms * 1000
    slowed = session.execute(select(Sender.slowed_to, Sender.slowed_at).where(Sender.id == sender_id)).one()
    interval = rules.interval_us(_rate(slowed, pace, now_ms))
    charge = count * interval * 100 // (rules.RATE_SHARE_PERCENT[lane] if pace.shared else 100)
    wait_us = max_wait_ms * 1000 if lane is Lane.URGENT else 0
    floor = now_us - (pace.burst - 1) * interval
    taken = session.scalar(
        update(Sender)
        .where(Sender.id == sender_id, Sender.next_free <= now_us + wait_us, Sender.breaker_until <= now_ms)
        .values(next_free=_at_least(floor) + charge)
        .returning(Sender.next_free)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        return None
    return Slot(count=count, start_ms=max(now_ms, (taken - charge) // 1000))


def charge(session: Session, sender_id: int, pace: Pace, *, count: int) -> None:
    """Book calls that were made beyond what had been reserved."""
    if count > 0:
        more = count * rules.interval_us(pace.rate_per_s)
        session.execute(update(Sender).where(Sender.id == sender_id).values(next_free=Sender.next_free + more))


def slow_down(session: Session, sender_id: int, pace: Pace, *, retry_after_s: float | None, now_ms: int) -> None:
    """The vendor said "too fast": halve the pace for a minute, and send nothing before it said we may.

    Calls that were under way say the same: within that minute nothing is halved again.
    """
    sender = session.get_one(Sender, sender_id, populate_existing=True, with_for_update=True)
    if now_ms - sender.slowed_at >= rules.SLOW_SPAN_MS:
        sender.slowed_to = max(1, _rate(sender, pace, now_ms) // 2)
        sender.slowed_at = now_ms
    pause_ms = min(int((retry_after_s or 1) * 1000), rules.RETRY_AFTER_MAX_MS)
    sender.next_free = max(sender.next_free, (now_ms + pause_ms) * 1000)


def _rate(sender: Any, pace: Pace, now_ms: int) -> int:
    return rules.slowed_rate(pace.rate_per_s, slowed_to=sender.slowed_to, slowed_at_ms=sender.slowed_at, now_ms=now_ms)


def _at_least(moment_us: int) -> ColumnElement[int]:
    return case((Sender.next_free < moment_us, literal(moment_us, BigInteger)), else_=Sender.next_free)


def note_results(session: Session, sender_id: int, *, results: int, failed: int, now_ms: int) -> bool:
    """Count a batch of answers, of which *failed* were "try again"; whether the vendor is having a bad day.

    All processes count into the same rows: what one of them sees alone says little (its own connection may be bad).
    The last 30 seconds are six stretches of five, so an outage is noticed after 15 seconds at the latest, whatever
    went well before it.
    """
    stretch = now_ms // STRETCH_MS
    row = {
        "sender_id": sender_id, "place": stretch % STRETCHES, "stretch": stretch, "results": results, "failed": failed,
    }  # fmt: skip
    session.connection().execute(_counting(session.get_bind().dialect.name), row)
    if not failed:
        return False
    recent = session.execute(
        select(func.sum(RecentResults.results), func.sum(RecentResults.failed)).where(
            RecentResults.sender_id == sender_id, RecentResults.stretch > stretch - STRETCHES
        )
    ).one()
    return rules.is_storm(int(recent[0]), int(recent[1]))


@cache
def _counting(kind: str) -> Executable:
    """Adds to the stretch, or begins it in the place of one that is over."""
    made = insert_into(kind, RecentResults)
    new = made.excluded
    same = RecentResults.stretch == new.stretch
    return made.on_conflict_do_update(
        index_elements=["sender_id", "place"],
        set_={
            "stretch": new.stretch,
            "results": new.results + case((same, RecentResults.results), else_=0),
            "failed": new.failed + case((same, RecentResults.failed), else_=0),
        },
    )


def was_slowed(session: Session, sender_id: int, *, now_ms: int) -> bool:
    """Whether the vendor said "too fast" within the last day."""
    slowed_at = session.scalar(select(Sender.slowed_at).where(Sender.id == sender_id)) or 0
    return now_ms - slowed_at < rules.DAY_MS


def begin_probe(session: Session, sender_id: int, *, now_ms: int) -> bool | None:
    """Whether the sender's breaker is closing and this caller may try one row.

    False: the breaker is closed, send as usual. True: send one row. None: somebody else is trying.
    """
    if not session.scalar(_FAILURES, {"of_sender": sender_id}):
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
    session.execute(delete(RecentResults).where(RecentResults.sender_id == sender_id))
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
