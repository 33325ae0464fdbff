"""The sync ledger: how many wallets are current, who is behind and for which reason."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.delivery.models import Node
from app.outbox.models import Sender, SendLog, Target
from app.outbox.rules import FOREVER_MS
from app.wallets.google.models import GoogleClass

CAUSES = ("waiting", "retrying", "stopped", "parked")
SENDS = 25
CHANNELS = ("apple", "google", "google_class")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The wallets of one channel: `behind` are on their way, `parked` wait for somebody, `gone` let go of the card."""

    channel: str
    current: int
    behind: int
    parked: int
    gone: int

    @property
    def total(self) -> int:
        """Those that still hold the card."""
        return self.current + self.behind + self.parked


@dataclass(frozen=True, kw_only=True)
class Late:
    """One address that is owed something. `card_number` is None for a Google class, which all cards of a tier share."""

    target_id: int
    channel: str
    card_number: str | None
    cause: str
    since: datetime | None
    next_at: datetime | None
    attempts: int
    status: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One line of the send log."""

    at: datetime
    channel: str
    card_number: str | None
    outcome: str
    status: int
    reason: str
    took_ms: int


def standings(session: Session, programme_id: int | None = None) -> list[Standing]:
    """How far each channel is, in one statement."""
    gone, parked = Target.state == "gone", Target.state == "parked"
    behind = and_(~gone, ~parked, Target.want > Target.done)
    current = and_(~gone, ~parked, Target.want <= Target.done)
    query = select(Target.channel, *(_count(each) for each in (current, behind, parked, gone)))
    rows = session.execute(query.where(*_of(programme_id)).group_by(Target.channel).order_by(Target.channel))
    return [Standing(channel=r[0], current=r[1], behind=r[2], parked=r[3], gone=r[4]) for r in rows]


def late(
    session: Session,
    *,
    now_ms: int,
    programme_id: int | None = None,
    channel: str | None = None,
    cause: str | None = None,
    without_parked: bool = False,
    limit: int = 50,
) -> list[Late]:
    """Who is behind, the longest wait first; narrowed to a channel or a cause."""
    query = (
        select(Target, Sender.breaker_until, Card.number)
        .join(Sender, Sender.id == Target.sender_id)
        .outerjoin(Card, Card.id == Target.card_id)
        .where(Target.want > Target.done, Target.state != "gone", *_of(programme_id))
        .order_by(Target.dirty_since, Target.id)
        .limit(limit)
    )
    if channel:
        query = query.where(Target.channel == channel)
    if without_parked:
        query = query.where(Target.state != "parked")
    if cause:
        query = query.where(_is_cause(cause, now_ms))
    return [_late(target, until, number, now_ms) for target, until, number in session.execute(query)]


def sends(
    session: Session, *, programme_id: int | None = None, refused: bool = False, limit: int = SENDS
) -> list[Sent]:
    """The latest sends, newest first; `refused` leaves out those that the vendor took."""
    query = select(SendLog, Card.number).outerjoin(Card, Card.id == SendLog.card_id).order_by(SendLog.id.desc())
    if programme_id is not None:
        query = query.where(Card.programme_id == programme_id)
    if refused:
        query = query.where(SendLog.outcome != "delivered")
    return [_sent(log, number) for log, number in session.execute(query.limit(limit))]


def my_senders(session: Session, programme_id: int | None) -> set[int] | None:
    """The senders that only this programme uses; None: all of them."""
    if programme_id is None:
        return None
    name = select(Programme.pass_type_identifier).where(Programme.id == programme_id).scalar_subquery()
    return set(session.scalars(select(Sender.id).where(Sender.vendor == "apple", Sender.name == name)))


def last_beat(session: Session) -> datetime | None:
    """When a process that delivers last said that it is alive."""
    return session.scalar(select(func.max(Node.beat_at)).where(Node.role == "delivery"))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _of(programme_id: int | None) -> list[ColumnElement[bool]]:
    if programme_id is None:
        return []
    classes = select(GoogleClass.id).where(GoogleClass.programme_id == programme_id)
    cards = select(Card.id).where(Card.programme_id == programme_id)
    return [or_(Target.card_id.in_(cards), and_(Target.channel == "google_class", Target.address_id.in_(classes)))]


def _is_cause(cause: str, now_ms: int) -> ColumnElement[bool]:
    parked, stopped, failing = Target.state == "parked", Sender.breaker_until > now_ms, Target.attempts > 1
    return {
        "parked": parked,
        "stopped": and_(~parked, stopped),
        "retrying": and_(~parked, ~stopped, failing),
        "waiting": and_(~parked, ~stopped, ~failing),
    }[cause]


def _late(target: Target, breaker_until: int, number: str | None, now_ms: int) -> Late:
    stopped, parked = breaker_until > now_ms, target.state == "parked"
    next_ms = max(target.not_before, breaker_until)
    cause = "parked" if parked else "stopped" if stopped else "retrying" if target.attempts > 1 else "waiting"
    return Late(
        target_id=target.id,
        channel=target.channel,
        card_number=number,
        cause=cause,
        since=_at(target.dirty_since),
        next_at=None if parked or next_ms >= FOREVER_MS else _at(next_ms),
        attempts=target.attempts,
        status=target.last_status,
        reason=target.last_reason,
    )


def _sent(log: SendLog, number: str | None) -> Sent:
    return Sent(
        at=datetime.fromtimestamp(log.at / 1000, UTC),
        channel=log.channel,
        card_number=number,
        outcome=log.outcome,
        status=log.status,
        reason=log.reason,
        took_ms=log.took_ms,
    )


def _at(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
