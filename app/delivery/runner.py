"""Delivery in threads of one process: workers, a watcher of what is due, the expander, and the clock.

Threads share nothing but the channels. A fault in a step is logged and counted, and the thread goes on.
"""

import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import OperationalError

from app.clock import milliseconds
from app.db import is_lock_timeout
from app.delivery import book, steps
from app.delivery.engine import Engine
from app.outbox import claims
from app.outbox.rules import Lane
from app.world import World

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
GENERAL_WORKERS = 2
BEAT_EVERY_S = 10
PAUSE_AFTER_FAULT_S = 1.0
IDLE_EXPANDER_S = 0.5
IDLE_CHORE_S = 1.0
LANES_BESIDES_URGENT = (Lane.NORMAL, Lane.NORMAL, Lane.NORMAL, Lane.BULK)
Chore = Callable[[World], bool]


class Board:
    """Which (channel, lane) has work, and from when; workers wait here instead of asking the database."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due_ms: dict[tuple[str, Lane], int | None] = {}

    def post(self, found: dict[tuple[str, Lane], int | None]) -> None:
        """What the watcher saw."""
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


class Runner:
    """Starts and stops the threads; correct without a clean stop, which only saves repeated sends."""

    def __init__(self, engine: Engine, *, general_workers: int = GENERAL_WORKERS, chores: Sequence[Chore] = ()) -> None:
        self.engine = engine
        self.world = engine.world
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._general_workers = general_workers
        self._chores = chores
        self._board = Board()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._scheduler = BackgroundScheduler(daemon=True, timezone="UTC")
        self._credentials: dict[int, str] = {}
        self._started_at = self.world.clock()

    def start(self) -> None:
        """Give back the leases of an earlier process where that is safe, then start every thread."""
        steps.check_clock(self.world)
        if self.world.database.is_sqlite:
            steps.void_leases(self.world)
        steps.try_breakers(self.world)
        for channel in self.engine.channels:
            self._thread(f"urgent-{channel}", self._urgent_step(channel))
        for number in range(self._general_workers):
            self._thread(f"general-{number}", self._general_step())
        self._thread("watcher", self._look)
        self._thread("expander", self._expand)
        for number, chore in enumerate(self._chores):
            self._thread(f"chore-{number}", self._chore_step(chore))
        self._schedule()

    def stop(self, deadline_s: float = 25.0) -> bool:
        """Finish the batches in hand; True if all threads ended before the deadline."""
        self._stop.set()
        self._board.wake_all()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        end = time.monotonic() + deadline_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _thread(self, name: str, step: Callable[[], None]) -> None:
        def loop() -> None:
            while not self._stop.is_set():
                self.guarded(name, step)

        thread = threading.Thread(target=loop, name=f"delivery-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def guarded(self, name: str, step: Callable[[], object]) -> None:
        """Run one step; whatever goes wrong is logged and counted, and the loop lives on."""
        try:
            step()
        except Exception as trouble:
            if self._stop.is_set():
                return
            if isinstance(trouble, OperationalError) and is_lock_timeout(trouble):
                log.warning("the database is busy: %s waits for others that write; nothing is lost", name)
                self._stop.wait(PAUSE_AFTER_FAULT_S)
                return
            log.exception("a step of delivery failed", extra={"step": name})
            self._count_fault(name)
            self._stop.wait(PAUSE_AFTER_FAULT_S)

    def _count_fault(self, name: str) -> None:
        try:
            with self.world.database.unit_of_work() as session:
                book.add(session, Counter({("fault", name, ""): 1}))
        except Exception:
            log.exception("the fault could not be counted")

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
        if self._stop.is_set() or not self._board.ready(channel, lane, self._now_ms()):
            return False
        worked = self.engine.drain(channel, lane)
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
        with self.world.database.reading() as session:
            for channel in self.engine.channels:
                for lane in Lane:
                    found[channel, lane] = claims.next_due(session, channel=channel, lanes=[lane])
        self._board.post(found)
        self._stop.wait(LOOK_EVERY_S)

    def _expand(self) -> None:
        """One chunk, then a rest as long as the chunk took: tills come first."""
        began = time.monotonic()
        worked = steps.expand(self.world)
        self._stop.wait(time.monotonic() - began if worked else IDLE_EXPANDER_S)

    def _chore_step(self, chore: Chore) -> Callable[[], None]:
        def step() -> None:
            if not chore(self.world):
                self._stop.wait(IDLE_CHORE_S)

        return step

    def _schedule(self) -> None:
        jobs: Sequence[tuple[str, Callable[[], object], float]] = (
            ("tick", self._tick, 1),
            ("sweep", self._sweep, 1),
            ("beat", self._beat, BEAT_EVERY_S),
            ("housekeeping", lambda: steps.housekeeping(self.world), 3600),
        )
        for name, job, every_s in jobs:
            self._scheduler.add_job(
                self.guarded, "interval", args=(name, job), seconds=every_s, id=name,
                coalesce=True, max_instances=1, misfire_grace_time=None,
            )  # fmt: skip
        self._scheduler.start()
        self.guarded("beat", self._beat)

    def _tick(self) -> None:
        """Fire what is due, and what falls due before the next tick at its very moment."""
        steps.tick(self.world)
        fire_at = steps.next_fire_at(self.world)
        if fire_at is None:
            return
        wait_s = (fire_at - self.world.clock()).total_seconds()
        if 0 < wait_s < 1 and not self._stop.wait(wait_s):
            steps.tick(self.world)

    def _sweep(self) -> None:
        steps.sweep(self.world, mended=self._mended())

    def _mended(self) -> dict[int, str]:
        """Senders whose credential is another than when it was last looked at."""
        seen, self._credentials = self._credentials, self.engine.credentials()
        return {one: now for one, now in self._credentials.items() if seen.get(one, now) != now}

    def _beat(self) -> None:
        steps.beat(self.world, name=self.name, role="delivery", started_at=self._started_at)

    def _now_ms(self) -> int:
        return milliseconds(self.world.clock())
