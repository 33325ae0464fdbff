"""Draining on behalf of whoever asks: bounded in time and in number, and remembered for the signs of life."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.delivery.engine import Engine
from app.outbox.rules import Lane

EVERY_CHANNEL = "*"
DRAIN_S = 20.0
STUCK_AFTER_S = 60.0
SLOTS = {Lane.URGENT: 1, Lane.NORMAL: 1, Lane.BULK: 2}


class Drains:
    """The drains of one process. Each channel has slots of its own in each lane: none waits for another."""

    def __init__(self, engine: Engine, *, stopping: threading.Event) -> None:
        self.engine = engine
        self._stopping = stopping
        self._lock = threading.Lock()
        self._taken: Counter[tuple[str, Lane]] = Counter()
        self._again: set[tuple[str, Lane]] = set()
        self._busy: dict[int, tuple[Lane, float]] = {}
        self._heard: set[Lane] = set()

    @property
    def slots(self) -> int:
        """How many drains may go on at once."""
        return len(self.engine.channels) * sum(SLOTS.values())

    def once(self, channel: str, lane: Lane) -> bool:
        """One round; whether there was anything to do."""
        with self._working(lane):
            return self.engine.drain(channel, lane)

    def take_up(self, channel: str, lane: Lane, *, at_most_s: float = DRAIN_S) -> bool:
        """Drain until nothing is due; True if the time was over before.

        While others of this process hold all slots of the lane it returns at once, and one of them looks again. A
        channel that this release does not know has nothing due here.
        """
        self.hear(lane)
        end = time.monotonic() + at_most_s
        channels = list(self.engine.channels) if channel == EVERY_CHANNEL else [channel]
        more = [self._drain(one, lane, end) for one in channels if one in self.engine.channels]
        return any(more)

    def hear(self, lane: Lane) -> None:
        """Somebody asked for this lane."""
        with self._lock:
            self._heard.add(lane)

    def heard(self) -> set[Lane]:
        """The lanes that were taken up since this was last asked, or are being drained."""
        with self._lock:
            found, self._heard = self._heard, set()
        return found | self.busy()

    def busy(self) -> set[Lane]:
        """The lanes that are being drained at this moment; not those whose drain hangs."""
        now = time.monotonic()
        with self._lock:
            return {lane for lane, since in self._busy.values() if now - since < STUCK_AFTER_S}

    def _drain(self, channel: str, lane: Lane, end: float) -> bool:
        place = (channel, lane)
        if not self._enter(place):
            return False
        try:
            while not self._stopping.is_set():
                self._asked_again(place)
                if self.once(channel, lane):
                    if time.monotonic() >= end:
                        return True
                elif not self._asked_again(place):
                    return False
            return False
        finally:
            with self._lock:
                self._taken[place] -= 1

    def _enter(self, place: tuple[str, Lane]) -> bool:
        with self._lock:
            if self._taken[place] >= SLOTS[place[1]]:
                self._again.add(place)
                return False
            self._taken[place] += 1
            return True

    def _asked_again(self, place: tuple[str, Lane]) -> bool:
        with self._lock:
            asked = place in self._again
            self._again.discard(place)
            return asked

    @contextmanager
    def _working(self, lane: Lane) -> Iterator[None]:
        me = threading.get_ident()
        with self._lock:
            self._heard.add(lane)
            self._busy[me] = (lane, time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._busy.pop(me, None)
