"""Rows that wait out a long backoff are tried sooner once their sender is well.

The backoff spares an ailing vendor and says nothing of one that works; and a row whose workers were killed several
times has counted attempts that no vendor ever saw.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from app.db import rows_changed
from app.outbox import rules
from app.outbox.models import RecentResults, Sender, Target
from app.outbox.pace import STRETCH_MS, STRETCHES
from app.outbox.statements import DUE

# as the index ix_target_retried has it
_RETRIED = and_(DUE, Target.attempts > rules.PATIENT_AFTER)


def waiting(session: Session, *, now_ms: int) -> list[int]:
    """Senders (their ids) that are well and have rows whose backoff ends much later."""
    return [row.sender_id for row in _candidates(session, now_ms) if _room(row)]


def hasten(session: Session, *, now_ms: int) -> int:
    """Make some of those rows due, those tried longest ago first; how many.

    A sender is well if none of its answers within the last 30 seconds was "try again". One that answered has up to five
    such rows under way at once, one that was not heard of has one: so rows that fail for a reason of their own are
    tried twice a minute, and cannot open their sender's breaker. What the vendor asked to wait for is waited
    for, and a minute after "too many requests".
    """
    hastened = 0
    for row in _candidates(session, now_ms):
        chosen = (
            select(Target.id)
            .where(Target.sender_id == row.sender_id, _patient(now_ms))
            .order_by(Target.last_at, Target.id)
            .limit(_room(row))
        )
        sooner = update(Target).where(Target.id.in_(chosen), _patient(now_ms)).values(not_before=now_ms)
        hastened += rows_changed(session, sooner.execution_options(synchronize_session=False))
    return hastened


def _patient(now_ms: int) -> ColumnElement[bool]:
    return and_(
        _RETRIED,
        Target.lease.is_(None),
        Target.not_before > now_ms + rules.HASTEN_BEYOND_MS,
        Target.asked_until <= now_ms,
        or_(Target.last_status != 429, Target.last_at <= now_ms - rules.SLOW_SPAN_MS),
    )


def _candidates(session: Session, now_ms: int) -> Sequence[Row[int, int, int]]:
    """Senders with rows that wait, how many of their retried rows are under way, and how many answers came lately."""
    return session.execute(_well(now_ms)).all()


def _well(now_ms: int) -> Select[int, int, int]:
    since = now_ms // STRETCH_MS - STRETCHES
    recent = RecentResults.sender_id == Target.sender_id, RecentResults.stretch > since
    failed = select(func.coalesce(func.sum(RecentResults.failed), 0)).where(*recent).scalar_subquery()
    answered = select(func.coalesce(func.sum(RecentResults.results), 0)).where(*recent).scalar_subquery()
    under_way = case((or_(Target.lease.is_not(None), Target.not_before <= now_ms), 1), else_=0)
    return (
        select(Target.sender_id, func.sum(under_way).label("under_way"), answered.label("answered"))
        .join(Sender, Sender.id == Target.sender_id)
        .where(_RETRIED, Sender.breaker_failures == 0)
        .group_by(Target.sender_id)
        .having(func.sum(case((_patient(now_ms), 1), else_=0)) > 0, failed == 0)
    )


def _room(row: Row[int, int, int]) -> int:
    _sender, under_way, answered = row
    return max(0, (rules.HASTENED_WHILE_WELL if answered else 1) - int(under_way))
