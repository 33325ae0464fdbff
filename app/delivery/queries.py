"""What operators ask of delivery: what is behind and why, what was sent, and the two ways to help it along."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db import rows_changed
from app.outbox import pace, switches
from app.outbox.models import Sender, SendLog, Target
from app.outbox.rules import FOREVER_MS


@dataclass(frozen=True, kw_only=True)
class Why:
    """How far one address of a card is. `next_at` is None when nothing is owed, or when somebody must act first.

    `is_sending`: a worker has it in hand. `stopped_for`: the words of an open breaker. `switched_for`: the reason that
    an operator gave for stopping all sends, or this programme's. `trace`: the change that asked for `want`.
    """

    target_id: int
    channel: str
    state: str
    version: int
    want: int
    done: int
    told_at: datetime | None
    fetched: int
    fetched_at: datetime | None
    waits_since: datetime | None
    next_at: datetime | None
    is_sending: bool
    attempts: int
    last_status: int
    last_reason: str
    last_at: datetime | None
    stopped_for: str
    switched_for: str
    trace: str

    @property
    def up_to_date(self) -> bool:
        return self.state != "gone" and self.done >= self.version

    @property
    def is_owed(self) -> bool:
        return self.want > self.done and self.state != "gone"


@dataclass(frozen=True, kw_only=True)
class SenderState:
    """A sender as operators see it. `until` is None while it waits for somebody to mend something."""

    id: int
    vendor: str
    name: str
    is_open: bool
    reason: str
    until: datetime | None


def why(session: Session, card_id: int, *, programme_id: int, version: int, now_ms: int) -> list[Why]:
    """Why a card is, or is not, up to date in each wallet that holds it."""
    rows = session.execute(
        select(Target, Sender)
        .join(Sender, Sender.id == Target.sender_id)
        .where(Target.card_id == card_id)
        .order_by(Target.channel, Target.id)
    )
    thrown = [one for one in switches.stopped(session) if one.programme_id in {None, programme_id}]
    switched_for = thrown[0].reason if thrown else ""
    return [_why(target, sender, version, now_ms, switched_for) for target, sender in rows]


def recent(session: Session, *, card_id: int | None = None, limit: int = 100) -> Sequence[SendLog]:
    """The latest sends, newest first, of one card or of all."""
    query = select(SendLog).order_by(SendLog.id.desc()).limit(limit)
    return session.scalars(query if card_id is None else query.where(SendLog.card_id == card_id)).all()


def senders(session: Session, *, now_ms: int) -> list[SenderState]:
    """Every sender, and whether its breaker is open."""
    return [
        SenderState(
            id=one.id,
            vendor=one.vendor,
            name=one.name,
            is_open=one.breaker_until > now_ms,
            reason=one.breaker_reason,
            until=_moment(one.breaker_until) if now_ms < one.breaker_until < FOREVER_MS else None,
        )
        for one in session.scalars(select(Sender).order_by(Sender.id))
    ]


def reopen(session: Session, sender_id: int, *, now_ms: int) -> bool:
    """Let a stopped sender try one row at once; if it gets through, the rest follows. False if it was not stopped."""
    return pace.reopen(session, [sender_id], now_ms=now_ms) == 1


def retry(session: Session, target_id: int, *, now_ms: int) -> bool:
    """Try a waiting or parked row now. False if it is up to date, gone, or being sent at this moment."""
    return (
        rows_changed(
            session,
            update(Target)
            .where(
                Target.id == target_id,
                Target.want > Target.done,
                Target.state != "gone",
                (Target.lease.is_(None)) | (Target.not_before < now_ms),
            )
            .values(state="live", lane=0, not_before=now_ms, dirty_since=now_ms)
            .execution_options(synchronize_session=False),
        )
        == 1
    )


def _why(target: Target, sender: Sender, version: int, now_ms: int, switched_for: str) -> Why:
    owed = target.want > target.done and target.state != "gone"
    stopped = sender.breaker_until > now_ms
    next_ms = max(target.not_before, sender.breaker_until)
    waits_for_somebody = target.state == "parked" or next_ms >= FOREVER_MS or bool(switched_for)
    return Why(
        target_id=target.id,
        channel=target.channel,
        state=target.state,
        version=version,
        want=target.want,
        done=target.done,
        told_at=_moment(target.told_at),
        fetched=target.fetched,
        fetched_at=_moment(target.fetched_at),
        waits_since=_moment(target.dirty_since) if owed else None,
        next_at=_moment(next_ms) if owed and not waits_for_somebody else None,
        is_sending=owed and target.lease is not None and target.not_before > now_ms,
        attempts=target.attempts,
        last_status=target.last_status,
        last_reason=target.last_reason,
        last_at=_moment(target.last_at),
        stopped_for=sender.breaker_reason if stopped else "",
        switched_for=switched_for,
        trace=target.trace,
    )


def _moment(ms: int | None) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
