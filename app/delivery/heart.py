"""The signs of life of one process, and its eye on the clock."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from app.clock import Clock, milliseconds
from app.delivery import book, nodes
from app.delivery.nodes import BEAT_EVERY_S, Signs
from app.delivery.runner import Crew
from app.outbox.rules import Lane
from app.world import World

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
JUMP_MIN_MS = 2_000


class ClockWatch:
    """Compares the wall clock with one that cannot be set: leases and offers go by the wall clock."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._before = (clock(), monotonic())

    def jump_ms(self) -> int:
        """By how much the wall clock jumped since this was last asked; 0 for less than two seconds."""
        wall, steady = self._clock(), self._monotonic()
        gone_ms = milliseconds(wall) - milliseconds(self._before[0]) - round((steady - self._before[1]) * 1000)
        self._before = (wall, steady)
        return gone_ms if abs(gone_ms) > JUMP_MIN_MS else 0


class Heart:
    """Beats every ten seconds, and every second says which lanes were heard of.

    Args:
        works: whether the process does its work, as far as it can tell.
        heard: the lanes that this process took up since it was last asked; None where nobody asks.
        counts: hints sent, failed and expired since it was last asked.
    """

    def __init__(
        self,
        world: World,
        role: str,
        *,
        works: Callable[[], bool] = lambda: True,
        heard: Callable[[], set[Lane]] | None = None,
        counts: Callable[[], Counter[str]] = Counter,
    ) -> None:
        self._world = world
        self._crew = Crew(world)
        self._role = role
        self._works = works
        self._heard = heard
        self._counts = counts
        self._watch = ClockWatch(world.clock)
        self._started_at: datetime = world.clock()
        self._beat_at = 0.0
        self._jump_ms = 0

    def start(self) -> None:
        """The first beat at once, the others from a thread."""
        self._crew.guarded("beat", self._beat)
        self._crew.repeat("heart", self._look)

    def stop(self) -> None:
        """The last sign: this process ends in order."""
        self._crew.stop(LOOK_EVERY_S * 3)
        self._crew.guarded("beat", lambda: self._world.database.transact(nodes.forget_self))

    def _look(self) -> None:
        self._crew.stopping.wait(LOOK_EVERY_S)
        jump_ms = self._watch.jump_ms()
        if jump_ms:
            log.error("this machine's clock jumped by %.1f s; leases and offers go by it", jump_ms / 1000)
            self._jump_ms = jump_ms
        lanes = self._heard() if self._heard is not None else set()
        if lanes:
            now_ms = milliseconds(self._world.clock())
            self._world.database.transact(lambda session: nodes.note_heard(session, lanes, now_ms=now_ms))
        if jump_ms or time.monotonic() - self._beat_at >= BEAT_EVERY_S:
            self._beat()

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        signs = Signs(
            role=self._role,
            started_at=self._started_at,
            works=self._works(),
            clock_apart_ms=nodes.clock_apart_ms(self._world),
            clock_jump_ms=self._jump_ms,
        )
        counts = self._counts()

        def work(session: Session) -> None:
            nodes.beat(session, signs, now=self._world.clock())
            book.add(session, {("hint", what, ""): counts[what] for what in counts if counts[what]})

        self._world.database.transact(work)
        self._jump_ms = 0
