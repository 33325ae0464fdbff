"""The sync ledger: how many wallets are current, who is behind and for which reason.

Nothing here reads more rows the more cards there are: totals come from the census, the rest from the indexes of due and
of parked rows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.delivery import backlog, snapshots
from app.delivery.backlog import Backlog
from app.delivery.models import Census, Node
from app.outbox.models import Sender, SendLog, Target
from app.outbox.rules import FOREVER_MS
from app.wallets.google.models import GoogleClass

CAUSES = ("waiting", "retrying", "stopped", "parked")
CHANNELS = ("apple", "google", "google_class")
SENDS = 25
LOOKED_AT = 200
PARKED_COUNTED = 100_000


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The wallets of one programme and channel.

    `told` were accepted by the vendor and not fetched by the phone yet, `quiet` for seven days. `behind` are on their
    way, `parked` wait for somebody, `gone` let go of the card. `causes` says why they are behind.
    """

    programme: str
    channel: str
    current: int
    told: int
    quiet: int
    behind: int
    parked: int
    gone: int
    causes: dict[str, int]
    counted_at: datetime

    @property
    def total(self) -> int:
        """Those that still hold the card."""
        return self.current + self.told + self.quiet + self.behind + self.parked


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why wallets of a channel are behind at this moment, how many, and since when the first of them waits."""

    channel: str
    cause: str
    count: int
    since: datetime | None


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
    trace: str


def standings(session: Session, programmes: Sequence[Programme], *, now: datetime) -> list[Standing]:
    """How far each programme's wallets are, as last counted."""
    names = {one.id: one.name for one in programmes}
    found = [
        _standing(one, names[one.programme_id])
        for one in snapshots.totals(session, now=now)
        if one.programme_id in names
    ]
    return sorted(found, key=lambda one: (one.programme, one.channel))


def causes(session: Session, *, now: datetime) -> list[Cause]:
    """What is behind at this moment, in the whole installation, by channel and cause."""
    counts: Counter[tuple[str, str]] = Counter()
    oldest: dict[tuple[str, str], int] = {}
    for one in backlog.read(session, now_ms=milliseconds(now)):
        for cause, count in _split(one):
            if count:
                counts[one.channel, cause] += count
                oldest[one.channel, cause] = min(one.oldest_ms, oldest.get((one.channel, cause), one.oldest_ms))
    # the limit is a bound, and keeps SQLite from grouping by walking the whole table in the order of another index
    parked = select(Target.channel, Target.dirty_since).where(Target.state == "parked").order_by(Target.last_at)
    some = parked.limit(PARKED_COUNTED).subquery()
    groups = select(some.c.channel, func.count(), func.min(some.c.dirty_since)).group_by(some.c.channel)
    for channel, count, since in session.execute(groups):
        counts[channel, "parked"], oldest[channel, "parked"] = count, since
    return [
        Cause(channel=channel, cause=cause, count=count, since=_at(oldest[channel, cause]))
        for (channel, cause), count in sorted(counts.items())
    ]


def late(
    session: Session,
    *,
    now_ms: int,
    programme_id: int | None = None,
    channel: str | None = None,
    cause: str | None = None,
    limit: int = 50,
) -> list[Late]:
    """Who is behind, the longest wait first; narrowed to a channel or a cause.

    Of each sender, channel and lane the first 200 are looked at; that the list is the longest waits of all is certain
    up to there.
    """
    places = _places(session, cause)
    if not places:
        return []
    rows = (
        select(Target, Sender.breaker_until, Card.number)
        .join(Sender, Sender.id == Target.sender_id)
        .outerjoin(Card, Card.id == Target.card_id)
        .where(Target.id.in_(union_all(*places)), *_of(programme_id), *([Target.channel == channel] if channel else []))
    )
    seen = [_late(target, until, number, now_ms) for target, until, number in session.execute(rows)]
    found = [one for one in seen if cause in {None, one.cause}]
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda one: (one.since or never, one.target_id))[:limit]


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
    return session.scalar(select(func.max(Node.beat_at)).where(Node.role.in_(("delivery", "worker"))))


def _standing(one: Census, programme: str) -> Standing:
    return Standing(
        programme=programme,
        channel=one.channel,
        current=one.current,
        told=one.told,
        quiet=one.quiet,
        behind=one.behind,
        parked=one.parked,
        gone=one.gone,
        causes=dict(one.causes),
        counted_at=one.counted_at,
    )


def _split(one: Backlog) -> tuple[tuple[str, int], ...]:
    if one.is_stopped:
        return (("stopped", one.count),)
    return ("retrying", one.retrying), ("waiting", one.count - one.retrying)


def _places(session: Session, cause: str | None) -> list[Select[int]]:
    """Ids of the first rows of each sender, channel and lane that is behind, and of those that are parked."""
    found: list[Select[int]] = []
    if cause != "parked":
        for one in backlog.read(session, now_ms=0, is_exact=False):
            place = (Target.sender_id == one.sender_id, Target.channel == one.channel, Target.lane == int(one.lane))
            owed = select(Target.id).where(*place, Target.want > Target.done, Target.state == "live")
            found.append(_first(owed.order_by(Target.not_before)))
    if cause in {None, "parked"}:
        found.append(_first(select(Target.id).where(Target.state == "parked").order_by(Target.last_at)))
    return found


def _first(rows: Select[int]) -> Select[int]:
    return select(rows.limit(LOOKED_AT).subquery().c.id)


def _of(programme_id: int | None) -> list[Any]:
    if programme_id is None:
        return []
    classes = select(GoogleClass.id).where(GoogleClass.programme_id == programme_id)
    of_class = and_(Target.channel == "google_class", Target.address_id.in_(classes))
    return [or_(Card.programme_id == programme_id, of_class)]


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
        trace=log.trace,
    )


def _at(ms: int | None) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
