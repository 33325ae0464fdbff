"""What the phones hear from the Google stand-in."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Listener = Callable[[Event], None]

log = logging.getLogger(__name__)


class Events:
    """The last thousands of events, for listeners in this process and for long polls from others.

    An event: {seq, at, kind, resource_type, object_id or class_id, accounts, notify, header, body, message?}.
    `kind` is inserted, patched, updated, message, saved or deleted; `accounts` are the wallets that hold the card;
    with `notify`, `header` and `body` are what the lock screen shows: Google's own words, as on a real phone, while the
    message's own text (`message`) is on the card.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ring: deque[Event] = deque(maxlen=5000)
        self._listeners: list[Listener] = []
        self._changed = threading.Condition()
        self.last = 0

    def subscribe(self, on_event: Listener) -> Callable[[], None]:
        """Call *on_event* with every event from now on; returns what ends it. It must return at once: `queue.put`."""
        with self._changed:
            self._listeners.append(on_event)
        return lambda: self._leave(on_event)

    def emit(self, event: Event) -> None:
        with self._changed:
            self.last += 1
            event = {"seq": self.last, "at": self._clock(), "notify": False, "header": "", "body": "", **event}
            self._ring.append(event)
            self._changed.notify_all()
            for listener in list(self._listeners):
                try:
                    listener(event)
                except Exception:  # a phone's fault must not take Google down
                    log.exception("a phone could not take an event")

    def wait(self, after: int, timeout_s: float) -> list[Event]:
        """Events with a greater number than *after*, waiting for the first at most *timeout_s*."""
        with self._changed:
            self._changed.wait_for(lambda: self.last > after, timeout_s)
            return [event for event in self._ring if event["seq"] > after]

    def _leave(self, listener: Listener) -> None:
        with self._changed:
            if listener in self._listeners:
                self._listeners.remove(listener)
