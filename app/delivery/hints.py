"""Hints to other processes: sent after the commit, by one thread, when what they speak of is due."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from app.db import Hint
from app.outbox.rules import WINDOW_MS, Lane

log = logging.getLogger(__name__)

PER_SECOND = 20
SLOT_S = 1 / PER_SECOND
PAUSE_AFTER_FAULT_S = 1.0
WITHOUT_WINDOW = {"google_class"}
Publish = Callable[[str, Lane], None]


class HintSender:
    """Holds each hint until the row behind it is due, and sends at most twenty a second for each lane.

    A hint that could not be sent is dropped: the sweep finds the row. Whoever commits never waits for the broker.
    """

    def __init__(self, publish: Publish, *, windows_ms: Mapping[Lane, int] = WINDOW_MS) -> None:
        self._publish = publish
        self._windows_ms = windows_ms
        self._changed = threading.Condition()
        self._slots: dict[tuple[int, Lane], set[str]] = {}
        self._free_at: dict[Lane, float] = {}
        self._counts: Counter[str] = Counter()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    def stop(self, deadline_s: float = 2.0) -> None:
        """Send no more; what was held is found by the sweep."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(deadline_s)

    def after_commit(self, hints: Collection[Hint]) -> None:
        """Take hints about rows that are due when the window of their lane is over."""
        for channel, number in hints:
            lane = Lane(number)
            self._hold(channel, lane, 0.0 if channel in WITHOUT_WINDOW else self._windows_ms[lane] / 1000)

    def now(self, channel: str, lane: Lane) -> None:
        """Take a hint about a row that is due."""
        self._hold(channel, lane, 0.0)

    def counts(self) -> Counter[str]:
        """How many were sent and how many failed since this was last asked."""
        with self._changed:
            found, self._counts = self._counts, Counter()
            return found

    def _hold(self, channel: str, lane: Lane, for_s: float) -> None:
        # rounded up: a hint that comes before its row is due is useless
        slot = int((time.monotonic() + for_s) / SLOT_S) + 1
        with self._changed:
            self._slots.setdefault((slot, lane), set()).add(channel)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                found = self._next(time.monotonic())
                if found is None:
                    self._changed.wait(self._until_next_s(time.monotonic()))
                    continue
            self._send(*found)

    def _next(self, now: float) -> tuple[str, Lane] | None:
        for slot, lane in sorted(self._slots):
            if slot * SLOT_S <= now and self._free_at.get(lane, 0.0) <= now:
                channel = self._slots[slot, lane].pop()
                for place in [place for place in self._slots if place[1] is lane and place[0] <= slot]:
                    self._slots[place].discard(channel)
                    if not self._slots[place]:
                        del self._slots[place]
                self._free_at[lane] = now + SLOT_S
                return channel, lane
        return None

    def _until_next_s(self, now: float) -> float | None:
        starts = [max(slot * SLOT_S, self._free_at.get(lane, 0.0)) for slot, lane in self._slots]
        return max(0.001, min(starts) - now) if starts else None

    def _send(self, channel: str, lane: Lane) -> None:
        try:
            self._publish(channel, lane)
        except Exception as trouble:
            log.debug("a hint was not sent: %s", trouble)
            self._count("failed")
            self._drop_due()
        else:
            self._count("sent")

    def _drop_due(self) -> None:
        """The broker does not answer: forget what is due, and leave it alone for a moment."""
        with self._changed:
            now = time.monotonic()
            for place in [place for place in self._slots if place[0] * SLOT_S <= now]:
                self._counts["failed"] += len(self._slots.pop(place))
            self._changed.wait_for(lambda: self._stopping, PAUSE_AFTER_FAULT_S)

    def _count(self, what: str) -> None:
        with self._changed:
            self._counts[what] += 1
