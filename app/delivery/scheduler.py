"""The clock's side of delivery: offers on time, the sweep, bulk changes in steps, and keeping house.

Any number of schedulers may run: whatever one does, it does under a condition that only one can meet.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from apscheduler.schedulers.background import BackgroundScheduler

from app.clock import system_clock
from app.delivery import steps
from app.delivery.engine import Engine
from app.delivery.relief import Hint, Relief
from app.delivery.runner import Crew
from app.world import World

SWEEP_EVERY_S = 1
SWEEP_JITTER_S = 0.2
IDLE_EXPANDER_S = 0.5
FIRST_AFTER_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work of another room that the scheduler calls at an interval; harmless when several nodes do it at once."""

    name: str
    every_s: float
    work: Callable[[World], object]


class Scheduler:
    """Ticks, sweeps, expands and keeps house.

    `hint` tells workers elsewhere what is due. `alone`: the workers are threads of this very process, which look for
    themselves, so nobody is hinted at or relieved.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        hint: Hint | None = None,
        alone: bool = False,
        jobs: Sequence[Job] = (),
        first_after_s: float = FIRST_AFTER_S,
    ) -> None:
        self.world = engine.world
        self.crew = Crew(engine.world)
        self._engine = engine
        self._jobs = jobs
        self._first_after_s = first_after_s
        self._relief = None if alone else Relief(engine, self.crew, hint=hint)
        self._scheduler = BackgroundScheduler(daemon=True, timezone="UTC")
        self._credentials: dict[int, str] = {}

    def start(self) -> None:
        """Bring the times of offers in line with today's rules of time zones, then start every job."""
        self.crew.guarded("zones", lambda: steps.follow_zones(self.world))
        if self._relief is not None:
            self._relief.start()
        self.crew.repeat("expander", self._expand)
        self._add("tick", 1, self._tick)
        # nodes that started together must not sweep together
        self._add("sweep", SWEEP_EVERY_S, self._sweep, jitter_s=SWEEP_JITTER_S)
        self._add("housekeeping", 3600, lambda: steps.housekeeping(self.world))
        self._add("silence", 600, lambda: steps.follow_up_silence(self.world))
        for job in self._jobs:
            self._add(job.name, job.every_s, partial(job.work, self.world))
        self._scheduler.start()

    def stop(self, deadline_s: float) -> bool:
        """End the steps in hand; True if that was done before the deadline."""
        self.crew.stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        return self.crew.stop(deadline_s)

    def _add(self, name: str, every_s: float, job: Callable[[], object], *, jitter_s: float | None = None) -> None:
        """What comes every hour comes soon after the start too: a node that starts anew each hour would never do it."""
        first_at = system_clock() + timedelta(seconds=min(every_s, self._first_after_s))
        self._scheduler.add_job(
            self.crew.guarded, "interval", args=(name, job), seconds=every_s, jitter=jitter_s, id=name,
            coalesce=True, max_instances=1, misfire_grace_time=None, next_run_time=first_at,
        )  # fmt: skip

    def _tick(self) -> None:
        """Fire what is due, and what falls due before the next tick at its very moment."""
        steps.tick(self.world)
        fire_at = steps.next_fire_at(self.world)
        if fire_at is None:
            return
        wait_s = (fire_at - self.world.clock()).total_seconds()
        if 0 < wait_s < 1 and not self.crew.stopping.wait(wait_s):
            steps.tick(self.world)

    def _sweep(self) -> None:
        if self._relief is not None:
            self._relief.look()
        steps.sweep(self.world, mended=self._mended())

    def _mended(self) -> dict[int, str]:
        """Senders whose credential is another than when it was last looked at."""
        seen, self._credentials = self._credentials, self._engine.credentials()
        return {one: now for one, now in self._credentials.items() if seen.get(one, now) != now}

    def _expand(self) -> None:
        """One chunk, then a rest as long as the chunk took: tills come first."""
        began = time.monotonic()
        worked = steps.expand(self.world)
        self.crew.stopping.wait(time.monotonic() - began if worked else IDLE_EXPANDER_S * random.uniform(0.8, 1.2))  # noqa: S311  spreads load
