"""Delivery by hints from other machines: Celery calls the same drains that threads call on one machine."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from celery.signals import task_revoked  # type: ignore[import-untyped]
from celery.worker import WorkController  # type: ignore[import-untyped]
from celery.worker import state as celery_state

from app.delivery import broker
from app.delivery.drains import Drains
from app.delivery.engine import Engine
from app.delivery.hints import HintSender
from app.delivery.nodes import node_name
from app.delivery.runner import Chore, Crew, Health
from app.outbox.rules import Lane

log = logging.getLogger(__name__)

IDLE_CHORE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a worker pings itself, and for how long one that hears nothing counts as working, and as not deaf."""

    ping_every_s: float = 10.0
    works_within_s: float = 30.0
    deaf_after_s: float = 90.0


class CeleryRunner:
    """A Celery worker with a pool of threads inside this process.

    What shows that it works is a hint or a ping of its own that came back through the broker, not that the process
    exists: consumers that stay connected and take nothing are a known fault of every broker's clients.
    """

    def __init__(
        self,
        engine: Engine,
        hints: HintSender,
        *,
        lanes: Sequence[Lane] = tuple(Lane),
        chores: Sequence[Chore] = (),
        patience: Patience = Patience(),
    ) -> None:
        self.crew = Crew(engine.world)
        self.drains = Drains(engine, stopping=self.crew.stopping)
        self._hints = hints
        self._chores = chores
        self._patience = patience
        self._own_queue = f"node.{node_name()}"
        self._pinger = broker.publisher(engine.world.settings, self._own_queue)
        self._celery = broker.consumer(engine.world.settings, tuple(lanes), self._own_queue)
        self._celery.task(self._drain, name=broker.DRAIN, shared=False)
        self._celery.task(self._ping, name=broker.PING, shared=False)
        self._worker = WorkController(
            app=self._celery,
            pool="threads",
            concurrency=self.drains.slots + 1,
            hostname=node_name(),
            loglevel=logging.WARNING,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self._thread = threading.Thread(target=self._work, name="celery", daemon=True)
        self._heard_at = time.monotonic()
        self._pings_unheard = 0
        self._counted: Counter[str] = Counter()
        task_revoked.connect(self._expired, weak=False)

    def start(self) -> None:
        """Begin to take hints, and to do the other jobs of a worker."""
        self._heard_at = time.monotonic()
        celery_state.should_stop = None
        self._thread.start()
        self.crew.repeat("ping", self._ping_myself)
        for number, chore in enumerate(self._chores):
            self.crew.repeat(f"chore-{number}", partial(self._do, chore))

    def hint(self, channel: str, lane: Lane) -> None:
        """Pass it on to whichever worker is free."""
        self._hints.now(channel, lane)

    def stop(self, deadline_s: float) -> bool:
        """Take no more hints, and let the drains in hand finish their batch."""
        end = time.monotonic() + deadline_s
        self.crew.stopping.set()
        celery_state.should_stop = 0
        self._thread.join(deadline_s)
        return self.crew.stop(max(0.0, end - time.monotonic())) and not self._thread.is_alive()

    def health(self) -> Health:
        """Whether hints come through; deaf, if pings went out for a long while and none came back."""
        silent_s = time.monotonic() - self._heard_at
        works = silent_s < self._patience.works_within_s or bool(self.drains.busy())
        unheard_s = self._pings_unheard * self._patience.ping_every_s
        return Health(works=works, deaf=min(silent_s, unheard_s) > self._patience.deaf_after_s)

    def heard(self) -> set[Lane]:
        """The lanes that a hint asked for, or that are being drained."""
        return self.drains.heard()

    def counts(self) -> Counter[str]:
        """Hints that came, and hints that were too old when they came."""
        found, self._counted = self._counted, Counter()
        return found

    def _work(self) -> None:
        try:
            self._worker.start()
        except BaseException:
            if not self.crew.stopping.is_set():
                log.exception("the broker's consumer ended")

    def _drain(self, channel: str, lane: int) -> None:
        self._heard()
        self._counted["heard"] += 1
        if lane not in set(Lane):
            return  # a newer release has more lanes
        self.crew.guarded("drain", lambda: self._drain_and_hint(channel, Lane(lane)))

    def _drain_and_hint(self, channel: str, lane: Lane) -> None:
        if self.drains.take_up(channel, lane):
            self._hints.now(channel, lane)

    def _expired(self, *, expired: bool = False, **_more: object) -> None:
        if expired:
            self._counted["expired"] += 1

    def _ping(self) -> None:
        self._heard()

    def _heard(self) -> None:
        self._heard_at = time.monotonic()
        self._pings_unheard = 0

    def _ping_myself(self) -> None:
        try:
            broker.send(self._pinger, broker.PING, queue=self._own_queue)
        except Exception as trouble:
            log.debug("the broker does not answer: %s", trouble)
            self._pings_unheard = 0  # nobody hears while the broker is away
        else:
            self._pings_unheard += 1
        self.crew.stopping.wait(self._patience.ping_every_s)

    def _do(self, chore: Chore) -> None:
        if not chore(self.crew.world):
            self.crew.stopping.wait(IDLE_CHORE_S)
