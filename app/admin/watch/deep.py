"""How the whole installation is, beyond whether this process can serve: for operators and their tools."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.alarms import backups, conditions
from app.alarms import service as alarms
from app.alarms import words as alarm_words
from app.alarms.models import Alarm
from app.cards.models import Programme
from app.clock import milliseconds
from app.delivery import backlog
from app.delivery.models import LaneState, Node
from app.outbox.rules import Lane
from app.wallets.apple.identities import Finding
from app.wallets.apple.issuer import issuer
from app.world import World

FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class LaneNow:
    """What waits in a lane, and whether workers hear of it. `degraded_since` is None while they do."""

    lane: Lane
    count: int
    oldest: timedelta
    degraded_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class NodeNow:
    """A process: what it does, which release it runs, and how it beats."""

    name: str
    role: str
    build: str
    started_at: datetime
    beat_at: datetime
    is_alive: bool
    is_deaf: bool
    clock_apart_ms: int


@dataclass(frozen=True, kw_only=True)
class Deep:
    """`tone`: good, warn or bad, the worst of what is open."""

    at: datetime
    tone: str
    broker: str
    lanes: tuple[LaneNow, ...]
    certificates: tuple[Finding, ...]
    backup_at: datetime | None
    disk_free_bytes: int
    nodes: tuple[NodeNow, ...]
    alarms: tuple[Alarm, ...]


def look(world: World, session: Session, *, now: datetime) -> Deep:
    """Everything at this moment. Neither a vendor nor the broker is asked: what workers hear is the proof."""
    found = tuple(alarms.seen_now(world, session, now=now))
    lanes = _lanes(session, now)
    pairs = session.execute(select(Programme.pass_type_identifier, Programme.team_identifier).order_by(Programme.id))
    used = [(pass_type, team) for pass_type, team in pairs]
    return Deep(
        at=now,
        tone=next((tone for tone in ("bad", "warn") if any(one.severity == tone for one in found)), "good"),
        broker=_broker(world, lanes),
        lanes=lanes,
        certificates=tuple(issuer(world).identities.problems(used, at=now)),
        backup_at=backups.newest(session),
        disk_free_bytes=conditions.free_bytes(world),
        nodes=_nodes(session, now),
        alarms=found,
    )


def as_json(deep: Deep) -> dict[str, Any]:
    """For tools: green, yellow or red, and the figures behind it."""
    return {
        "status": {"good": "green", "warn": "yellow", "bad": "red"}[deep.tone],
        "at": _written(deep.at),
        "broker": deep.broker,
        "lanes": [
            {
                "lane": one.lane.name.lower(),
                "waiting": one.count,
                "oldest_seconds": round(one.oldest.total_seconds(), 3),
                "degraded_since": _written(one.degraded_since),
            }
            for one in deep.lanes
        ],
        "certificates": [
            {"pass_type": one.pass_type, "state": one.severity.value, "days_left": one.days_left}
            for one in deep.certificates
        ],
        "last_backup_at": _written(deep.backup_at),
        "disk_free_bytes": deep.disk_free_bytes,
        "nodes": [
            {
                "name": one.name,
                "role": one.role,
                "build": one.build,
                "beat_at": _written(one.beat_at),
                "alive": one.is_alive,
                "deaf": one.is_deaf,
                "clock_apart_ms": one.clock_apart_ms,
            }
            for one in deep.nodes
        ],
        "alarms": [
            {
                "kind": one.kind,
                "subject": one.subject,
                "severity": one.severity,
                "since": _written(one.raised_at),
                "title": str(alarm_words.title(one.kind, one.values)),
                "mend": str(alarm_words.mend(one.kind, one.values)),
            }
            for one in deep.alarms
        ],
    }


def _lanes(session: Session, now: datetime) -> tuple[LaneNow, ...]:
    now_ms = milliseconds(now)
    owed = backlog.read(session, now_ms=now_ms)
    degraded = {row.lane: row.degraded_since for row in session.scalars(select(LaneState))}
    found = []
    for lane in Lane:
        mine = [one for one in owed if one.lane is lane]
        waited_ms = now_ms - min((one.oldest_ms for one in mine), default=now_ms)
        since = degraded.get(int(lane), 0)
        found.append(
            LaneNow(
                lane=lane,
                count=sum(one.count for one in mine),
                oldest=timedelta(milliseconds=max(0, waited_ms)),
                degraded_since=now - timedelta(milliseconds=now_ms - since) if since else None,
            )
        )
    return tuple(found)


def _broker(world: World, lanes: tuple[LaneNow, ...]) -> str:
    """`none`: not configured. `heard`: workers hear. `not_heard`: schedulers send in their stead."""
    if not world.settings.broker_url:
        return "none"
    return "not_heard" if any(one.degraded_since for one in lanes) else "heard"


def _nodes(session: Session, now: datetime) -> tuple[NodeNow, ...]:
    rows = session.scalars(select(Node).where(Node.beat_at >= now - FORGOTTEN_AFTER, func.length(Node.role) > 0))
    found = [
        NodeNow(
            name=one.name,
            role=one.role,
            build=one.build,
            started_at=one.started_at,
            beat_at=one.beat_at,
            is_alive=now - one.beat_at <= conditions.SILENT_AFTER,
            is_deaf=one.worked_at is not None
            and now - one.worked_at > conditions.DEAF_AFTER
            and conditions.plays(one.role, "worker"),
            clock_apart_ms=one.clock_apart_ms,
        )
        for one in rows
    ]
    return tuple(sorted(found, key=lambda one: (not one.is_alive, one.role, one.name)))


def _written(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
