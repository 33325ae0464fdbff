"""What is owed now, by sender, channel and lane: read from the index of due rows, however large the table."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session

from app.outbox.models import Sender, Target
from app.outbox.rules import Lane

LOOKED_AT = 20_000
CHANNELS_OF = {"apple": ("apple",), "google": ("google", "google_class")}


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Rows of one sender, channel and lane that are behind.

    `oldest_ms` and `retrying` are exact up to 20,000 rows; of more, they are those of the 20,000 that are due first.
    """

    sender_id: int
    sender_name: str
    channel: str
    lane: Lane
    count: int
    retrying: int
    oldest_ms: int
    is_stopped: bool
    stopped_for: str


def read(session: Session, *, now_ms: int) -> list[Backlog]:
    """Everything that is behind, without what is parked."""
    return list(_read(session, now_ms))


def _read(session: Session, now_ms: int) -> Iterator[Backlog]:
    for sender in session.scalars(select(Sender).order_by(Sender.id)):
        for channel in CHANNELS_OF.get(sender.vendor, (sender.vendor,)):
            for lane in Lane:
                first = session.execute(_first(sender.id, channel, lane)).one()
                count, retrying, oldest = first[0], first[1], first[2]
                if count > LOOKED_AT:
                    count = session.scalar(_all(sender.id, channel, lane)) or 0
                if count:
                    yield Backlog(
                        sender_id=sender.id,
                        sender_name=sender.name,
                        channel=channel,
                        lane=lane,
                        count=count,
                        retrying=retrying,
                        oldest_ms=oldest,
                        is_stopped=sender.breaker_until > now_ms,
                        stopped_for=sender.breaker_reason,
                    )


def _first(sender_id: int, channel: str, lane: Lane) -> Select[int, int, int]:
    due = (
        select(Target.dirty_since, Target.attempts)
        .where(_owed(sender_id, channel, lane))
        .order_by(Target.not_before)
        .limit(LOOKED_AT + 1)
        .subquery()
    )
    retrying = func.coalesce(func.sum(case((due.c.attempts > 1, 1), else_=0)), 0)
    return select(func.count(), retrying, func.coalesce(func.min(due.c.dirty_since), 0)).select_from(due)


def _all(sender_id: int, channel: str, lane: Lane) -> Select[int]:
    return select(func.count()).select_from(Target).where(_owed(sender_id, channel, lane))


def _owed(sender_id: int, channel: str, lane: Lane) -> ColumnElement[bool]:
    return and_(
        Target.channel == channel,
        Target.sender_id == sender_id,
        Target.lane == lane,
        Target.want > Target.done,
        Target.state == "live",
    )
