"""Sees to it that rows which are due are heard of, and sends them itself where no worker hears."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.delivery import book, nodes
from app.delivery.drains import EVERY_CHANNEL, Drains
from app.delivery.engine import Engine
from app.delivery.runner import Crew
from app.outbox.models import Sender, Target
from app.outbox.rules import Lane

log = logging.getLogger(__name__)

UNHEARD_SWEEPS = 3
HINT_LATE_MS = 1_500
RELIEF_DRAIN_S = 5.0
IDLE_S = 0.5
Hint = Callable[[str, Lane], None]


@dataclass(frozen=True, kw_only=True)
class Due:
    """A lane of a channel with rows that may be sent, since when, and whether the first of them was tried before."""

    channel: str
    lane: Lane
    since_ms: int
    tried: bool


@dataclass(kw_only=True)
class _Patience:
    """How many sweeps in a row found a lane due and not heard of since."""

    heard_at: int
    sweeps: int = 0


class Relief:
    """What a sweep does about rows that are due: it hints, and when three sweeps were not heard, it sends."""

    def __init__(self, engine: Engine, crew: Crew, *, hint: Hint | None) -> None:
        self._engine = engine
        self._world = engine.world
        self._crew = crew
        self._hint = hint
        self._drains = Drains(engine, stopping=crew.stopping)
        self._patience: dict[Lane, _Patience] = {}
        self._found: dict[tuple[str, Lane], int] = {}
        self._lanes: tuple[Lane, ...] = ()
        self._called = threading.Event()

    def start(self) -> None:
        """One thread for each channel, idle while workers hear."""
        for channel in self._engine.channels:
            self._crew.repeat(f"relief-{channel}", partial(self._send, channel))

    def look(self) -> None:
        """One sweep: hint at what is due, and judge whether anybody hears."""
        now_ms = milliseconds(self._world.clock())
        with self._world.database.reading() as session:
            due = due_places(session, list(self._engine.channels), now_ms=now_ms)
            heard = nodes.heard_at(session)
            degraded = {one.lane for one in nodes.degraded(session)}
        for one in due:
            self._tell(one.channel, one.lane)
        waiting = {one.lane for one in due}
        for lane in degraded - waiting:
            self._tell(EVERY_CHANNEL, lane)  # nothing waits, but only a hint that is heard ends the relief
        self._count_found(due, heard, now_ms)
        self._judge(waiting, heard, degraded, now_ms)

    def _tell(self, channel: str, lane: Lane) -> None:
        if self._hint is not None:
            self._hint(channel, lane)

    def _judge(self, waiting: set[Lane], heard: dict[Lane, int], degraded: set[Lane], now_ms: int) -> None:
        unheard = {lane for lane in Lane if self._is_unheard(lane, lane in waiting, heard[lane])}
        for lane in sorted(unheard - degraded):
            if self._world.database.transact(partial(nodes.degrade, lane=lane, now_ms=now_ms)):
                log.error("no worker hears that lane %s has work; this scheduler sends in their stead", _name(lane))
        for lane in sorted(degraded):
            if self._world.database.transact(partial(nodes.relieve, lane=lane)):
                log.warning("workers hear lane %s again", _name(lane))
                degraded = degraded - {lane}
                self._patience.pop(lane, None)
        self._lanes = tuple(sorted(degraded | unheard))
        if self._lanes:
            self._called.set()
        else:
            self._called.clear()

    def _is_unheard(self, lane: Lane, waiting: bool, heard_at: int) -> bool:
        patience = self._patience.get(lane)
        if not waiting or patience is None or heard_at > patience.heard_at:
            self._patience[lane] = _Patience(heard_at=heard_at, sweeps=int(waiting))
            return False
        patience.sweeps += 1
        return patience.sweeps > UNHEARD_SWEEPS

    def _count_found(self, due: Sequence[Due], heard: dict[Lane, int], now_ms: int) -> None:
        """Rows that should have been taken up by now and were not: their hint was lost."""
        late = [
            one for one in due
            if not one.tried and one.since_ms < now_ms - HINT_LATE_MS and heard[one.lane] < one.since_ms
            and self._found.get((one.channel, one.lane)) != one.since_ms
        ]  # fmt: skip
        if late:
            self._found |= {(one.channel, one.lane): one.since_ms for one in late}
            counts = Counter(("sweep_found", str(int(one.lane)), "") for one in late)
            self._world.database.transact(lambda session: book.add(session, counts))

    def _send(self, channel: str) -> None:
        if not self._called.wait(IDLE_S):
            return
        for lane in self._lanes:
            if self._drains.take_up(channel, lane, at_most_s=RELIEF_DRAIN_S):
                return  # the more urgent lanes first, again
        self._crew.stopping.wait(IDLE_S)


def due_places(session: Session, channels: Sequence[str], *, now_ms: int) -> list[Due]:
    """Where rows may be sent at this moment; senders with an open breaker left out."""
    found: list[Due] = []
    for channel in channels:
        for lane in Lane:
            first = (
                select(Target.not_before, Target.attempts)
                .where(
                    Target.channel == channel, Target.lane == int(lane), Target.want > Target.done,
                    Target.state == "live", Target.sender_id == Sender.id,
                )
                .order_by(Target.not_before)
                .limit(1)
            )  # fmt: skip
            since = first.with_only_columns(Target.not_before).correlate(Sender).scalar_subquery()
            attempts = first.with_only_columns(Target.attempts).correlate(Sender).scalar_subquery()
            rows = session.execute(select(since, attempts).where(Sender.breaker_until <= now_ms))
            due = [(at, tried) for at, tried in rows if at is not None and at <= now_ms]
            if due:
                at, tried = min(due)
                found.append(Due(channel=channel, lane=lane, since_ms=at, tried=tried > 0))
    return found


def _name(lane: Lane) -> str:
    return lane.name.lower()
