"""Delivery in threads of this process: workers, a watcher of what is due, and the other jobs of a worker.

Threads share nothing but the channels. Several processes may do this on one database; each row is sent by one of them.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle

from app.clock import milliseconds
from app.delivery import steps
from app.delivery.drains import EVERY_CHANNEL, Drains
from app.delivery.engine import Engine
from app.delivery.runner import Chore, Crew, Health
from app.outbox import claims
from app.outbox.rules import Lane

LOOK_EVERY_S = 0.2
LOOKED_WITHIN_S = 30.0
HEARS_WITHIN_S = 2.0
GENERAL_WORKERS = 2
IDLE_CHORE_S = 1.0
LANES_BESIDES_URGENT = (Lane.NORMAL, Lane.NORMAL, Lane.NORMAL, Lane.BULK)


class Board:
    """Which (channel, lane) has work, and from when; workers wait here instead of asking the database."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due_ms: dict[tuple[str, Lane], int | None] = {}

    def post(self, found: Mapping[tuple[str, Lane], int | None]) -> None:
        """What the watcher saw, or what was hinted at."""
        with self._changed:
            self._due_ms.update(found)
            self._changed.notify_all()

    def clear(self, channel: str, lane: Lane) -> None:
        """A worker found nothing; wait for the watcher's next look."""
        with self._changed:
            self._due_ms[channel, lane] = None

    def ready(self, channel: str, lane: Lane, now_ms: int) -> bool:
        with self._changed:
            due = self._due_ms.get((channel, lane))
            return due is not None and due <= now_ms

    def soonest(self) -> int | None:
        with self._changed:
            return min((due for due in self._due_ms.values() if due is not None), default=None)

    def wait(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait(timeout_s)

    def wake_all(self) -> None:
        with self._changed:
            self._changed.notify_all()


class ThreadRunner:
    """The runner without a broker; correct without a clean stop, which only saves repeated sends."""

    def __init__(
        self,
        engine: Engine,
        *,
        lanes: Sequence[Lane] = tuple(Lane),
        general_workers: int = GENERAL_WORKERS,
        chores: Sequence[Chore] = (),
    ) -> None:
        self.engine = engine
        self.crew = Crew(engine.world)
        self.drains = Drains(engine, stopping=self.crew.stopping)
        self._lanes = frozenset(lanes)
        self._general_workers = general_workers if self._lanes - {Lane.URGENT} else 0
        self._chores = chores
        self._board = Board()
        self._looked_at = time.monotonic()

    def start(self) -> None:
        """Give back the leases of an earlier process where that is safe, then start every thread."""
        self.crew.insist("start", partial(steps.void_leases, self.crew.world))
        self.crew.insist("start", partial(steps.try_breakers, self.crew.world))
        if Lane.URGENT in self._lanes:
            for channel in self.engine.channels:
                self.crew.repeat(f"urgent-{channel}", self._urgent_step(channel))
        for number in range(self._general_workers):
            self.crew.repeat(f"general-{number}", self._general_step())
        self.crew.repeat("watcher", self._look)
        for number, chore in enumerate(self._chores):
            self.crew.repeat(f"chore-{number}", self._chore_step(chore))

    def hint(self, channel: str, lane: Lane) -> None:
        """Let the workers of this process look at once."""
        channels = list(self.engine.channels) if channel == EVERY_CHANNEL else [channel]
        self._board.post({(one, lane): 0 for one in channels if one in self.engine.channels})

    def stop(self, deadline_s: float = 25.0) -> bool:
        """Finish the batches in hand; True if all threads ended before the deadline."""
        self.crew.stopping.set()
        self._board.wake_all()
        return self.crew.stop(deadline_s)

    def health(self) -> Health:
        """Whether it has looked at the database lately, or is sending."""
        looked = time.monotonic() - self._looked_at < LOOKED_WITHIN_S
        return Health(works=looked or bool(self.drains.busy()))

    def heard(self) -> set[Lane]:
        """All its lanes, as long as it looks at the database."""
        looked = time.monotonic() - self._looked_at < HEARS_WITHIN_S
        return self.drains.heard() | (set(self._lanes) if looked else set())

    def counts(self) -> Counter[str]:
        """No hints are sent in one process."""
        return Counter()

    def _urgent_step(self, channel: str) -> Callable[[], None]:
        """The reserved slot: it serves nothing but urgent changes of one channel."""

        def step() -> None:
            if not self._drain_if_ready(channel, Lane.URGENT):
                self._wait_for_work()

        return step

    def _general_step(self) -> Callable[[], None]:
        lanes = cycle(LANES_BESIDES_URGENT)

        def step() -> None:
            if any(self._drain_if_ready(channel, Lane.URGENT) for channel in self.engine.channels):
                return
            if not any(self._drain_if_ready(*place) for place in self._from_next(lanes)):
                self._wait_for_work()

        return step

    def _from_next(self, lanes: Iterator[Lane]) -> Iterator[tuple[str, Lane]]:
        """The lane whose turn it is, then the other one, so that nobody idles while there is work."""
        turn = next(lanes)
        other = Lane.BULK if turn is Lane.NORMAL else Lane.NORMAL
        for lane in (turn, other):
            for channel in self.engine.channels:
                yield channel, lane

    def _drain_if_ready(self, channel: str, lane: Lane) -> bool:
        if lane not in self._lanes or self.crew.stopping.is_set():
            return False
        if not self._board.ready(channel, lane, self._now_ms()):
            return False
        worked = self.drains.once(channel, lane)
        if not worked:
            self._board.clear(channel, lane)
        return worked

    def _wait_for_work(self) -> None:
        soonest = self._board.soonest()
        until_due_s = 1.0 if soonest is None else (soonest - self._now_ms()) / 1000
        # what is due now but not this worker's to do must not make it spin
        self._board.wait(min(1.0, until_due_s) if until_due_s > 0 else LOOK_EVERY_S)

    def _look(self) -> None:
        """See what is due: at the next known moment, and every 200 ms for what was committed meanwhile."""
        found: dict[tuple[str, Lane], int | None] = {}
        with self.crew.world.database.reading() as session:
            for channel in self.engine.channels:
                for lane in self._lanes:
                    found[channel, lane] = claims.next_due(session, channel=channel, lanes=[lane])
        self._board.post(found)
        self._looked_at = time.monotonic()
        self.crew.stopping.wait(LOOK_EVERY_S)

    def _chore_step(self, chore: Chore) -> Callable[[], None]:
        def step() -> None:
            if not chore(self.crew.world):
                self.crew.stopping.wait(IDLE_CHORE_S)

        return step

    def _now_ms(self) -> int:
        return milliseconds(self.crew.world.clock())
