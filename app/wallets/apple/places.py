"""How much of the web server phones may take: so many at work, so many waiting, the rest is sent away at once."""

import threading
from collections import deque

from app.errors import Busy

WAITING_PLACES = 4
WAIT_S = 1.0
RETRY_AFTER_S = 5


class Places:
    """Seats and a waiting room; used as a context manager around the work for one phone.

    The web server has as many threads as its setting says and `WAITING_PLACES` more: after a campaign all phones ask
    at once, and a till that comes in between must find a thread. Whoever finds the waiting room full is told so within
    some 20 µs. The room is small, because threads that only wait still take turns at Python's lock with the till's.
    """

    def __init__(self, *, seats: int, waiting: int = WAITING_PLACES) -> None:
        self.seats = seats
        self.waiting = waiting
        self._lock = threading.Lock()
        self._free = seats
        self._queue: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        """Take a seat, after a wait if need be: first come, first served.

        Raises: Busy `too_many_passes` with a time to try again: phones do so by themselves.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._queue) >= self.waiting:
                raise _full()
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        if turn.acquire(timeout=WAIT_S):
            return
        with self._lock:
            if turn in self._queue:
                self._queue.remove(turn)
                raise _full()
        # the seat was handed over in the last moment

    def __exit__(self, *_fault: object) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._free += 1


def _full() -> Busy:
    text = "Very many cards are being fetched at the moment. Try again in a few seconds."
    return Busy("too_many_passes", text, retry_after_s=RETRY_AFTER_S)
