"""What is owed now, by sender, channel and lane: read from the index of due rows, however large the table."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, and_, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from app.outbox.models import Sender, Target
from app.outbox.rules import Lane

LOOKED_AT = 20_000
PLACES_AT_ONCE = 100
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


def read(session: Session, *, now_ms: int, is_exact: bool = True, looked_at: int = LOOKED_AT) -> list[Backlog]:
    """Everything that is behind, without what is parked.

    With `is_exact` off, rows beyond the *looked_at* first of a sender, channel and lane are not counted.
    """
    senders = {one.id: one for one in session.scalars(select(Sender).order_by(Sender.id))}
    places = [
        (one.id, channel, lane)
        for one in senders.values()
        for channel in CHANNELS_OF.get(one.vendor, (one.vendor,))
        for lane in Lane
    ]
    found: list[Backlog] = []
    for start in range(0, len(places), PLACES_AT_ONCE):
        looked = union_all(*(_first(*place, looked_at) for place in places[start : start + PLACES_AT_ONCE]))
        for sender_id, channel, lane, count, retrying, oldest_ms in session.execute(looked):
            if count:
                whole = count
                if is_exact and count > looked_at:
                    whole = session.scalar(_all(sender_id, channel, Lane(lane))) or 0
                sender = senders[sender_id]
                found.append(
                    Backlog(
                        sender_id=sender_id,
                        sender_name=sender.name,
                        channel=channel,
                        lane=Lane(lane),
                        count=whole,
                        retrying=int(retrying),
                        oldest_ms=oldest_ms,
                        is_stopped=sender.breaker_until > now_ms,
                        stopped_for=sender.breaker_reason,
                    )
                )
    return found


def _first(sender_id: int, channel: str, lane: Lane, looked_at: int) -> Select[int, str, int, int, int, int]:
    due = (
        select(Target.dirty_since, Target.attempts)
        .where(_owed(sender_id, channel, lane))
        .order_by(Target.not_before)
        .limit(looked_at + 1)
        .subquery()
    )
    retrying = func.coalesce(func.sum(case((due.c.attempts > 1, 1), else_=0)), 0)
    oldest_ms = func.coalesce(func.min(due.c.dirty_since), 0)
    place = (literal(sender_id, BigInteger), literal(channel), literal(int(lane), Integer))
    return select(*place, func.count(), retrying, oldest_ms).select_from(due)


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
