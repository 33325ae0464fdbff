"""The processes that deliver and schedule: they run until told to stop, or until whoever started them is gone."""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app import settings
from app.delivery import broker
from app.delivery.celery_runner import CeleryRunner, Patience
from app.delivery.channels import open_channels
from app.delivery.engine import Engine, spare_the_collector
from app.delivery.heart import Heart
from app.delivery.hints import HintSender
from app.delivery.runner import Chore, Runner
from app.delivery.scheduler import Job, Scheduler
from app.delivery.threads import ThreadRunner
from app.outbox.rules import WINDOW_MS, Lane
from app.processes import Ending
from app.world import World

log = logging.getLogger(__name__)

LOOK_S = 0.5
STOP_WITHIN_S = 25.0


@dataclass(frozen=True, kw_only=True)
class Duties:
    """What a process does: deliver the given lanes, or schedule, or both.

    `chores` are other jobs of a worker, `jobs` those of a scheduler, brought by other rooms. `patience`: with a worker
    that hears nothing of the broker.
    """

    worker: bool = False
    scheduler: bool = False
    lanes: Sequence[Lane] = tuple(Lane)
    chores: Sequence[Chore] = ()
    jobs: Sequence[Job] = ()
    patience: Patience = field(default_factory=Patience)

    @property
    def role(self) -> str:
        """Its name in the list of nodes."""
        return "delivery" if self.worker and self.scheduler else "worker" if self.worker else "scheduler"


def serve(world: World, duties: Duties) -> int:
    """Do the duties until SIGTERM or SIGINT; returns the exit code. To be called in the main thread.

    It also ends when its parent process dies: after a `kill -9` of the parent nothing must go on sending unseen, beside
    whatever is started next.
    """
    ending = Ending()
    parent = settings.parent_pid() or os.getppid()
    process = Process(world, duties)
    if duties.worker:
        spare_the_collector()
    process.start()
    log.info("%s started", duties.role)
    while not ending.wait(LOOK_S):
        if os.getppid() != parent:
            log.warning("the process that started this one is gone; stopping")
            break
        if process.is_deaf():
            log.error("the broker takes what is sent and nothing comes back; ending, so that a new start mends it")
            break
    began = time.monotonic()
    deaf = process.is_deaf()
    clean = process.stop(STOP_WITHIN_S)
    log.info("%s stopped after %.1f s", duties.role, time.monotonic() - began)
    return 0 if clean and not deaf else 1


class Process:
    """The parts of one delivering or scheduling process, started and stopped in their order."""

    def __init__(self, world: World, duties: Duties) -> None:
        self._world = world
        engine = Engine(world=world, channels=open_channels(world))
        self._hints = hint_sender(world)
        self._runner = self._open_runner(engine, duties) if duties.worker else None
        alone = isinstance(self._runner, ThreadRunner)
        self._scheduler = (
            Scheduler(engine, hint=self._hints.now if self._hints else None, alone=alone, jobs=duties.jobs)
            if duties.scheduler
            else None
        )
        asked = self._runner is not None and not (alone and duties.scheduler)
        self._heart = Heart(
            world, duties.role,
            works=lambda: self._runner is None or self._runner.health().works,
            heard=self._runner.heard if asked and self._runner is not None else None,
            counts=self._counts,
        )  # fmt: skip

    def start(self) -> None:
        """Hints first, then who works on them, then who makes them."""
        if self._hints is not None:
            self._hints.start()
            self._world.database.after_commit = self._hints.after_commit
        self._heart.start()
        if self._runner is not None:
            self._runner.start()
        if self._scheduler is not None:
            self._scheduler.start()

    def stop(self, deadline_s: float) -> bool:
        """The scheduler first, then the batches in hand; True if all ended before the deadline."""
        end = time.monotonic() + deadline_s
        parts: list[Callable[[float], bool]] = [
            part.stop for part in (self._scheduler, self._runner) if part is not None
        ]
        clean = [stop(max(0.1, end - time.monotonic())) for stop in parts]
        if self._hints is not None:
            self._hints.stop()
        self._heart.stop()
        return all(clean)

    def is_deaf(self) -> bool:
        """Whether only a new start helps."""
        return self._runner is not None and self._runner.health().deaf

    def _open_runner(self, engine: Engine, duties: Duties) -> Runner:
        if self._hints is None:
            return ThreadRunner(engine, lanes=duties.lanes, chores=duties.chores)
        return CeleryRunner(engine, self._hints, lanes=duties.lanes, chores=duties.chores, patience=duties.patience)

    def _counts(self) -> Counter[str]:
        found: Counter[str] = Counter()
        if self._hints is not None:
            found += self._hints.counts()
        if self._runner is not None:
            found += self._runner.counts()
        return found


def hint_sender(world: World) -> HintSender | None:
    """Sends hints to the broker, if there is one; not started."""
    if not world.settings.broker_url:
        return None
    app = broker.publisher(world.settings)

    def publish(channel: str, lane: Lane) -> None:
        broker.send(app, broker.DRAIN, channel, int(lane), queue=broker.queue_name(lane))

    given = world.database.info.get("windows")
    return HintSender(publish, windows_ms=WINDOW_MS if given is None else dict(zip(Lane, given, strict=True)))
