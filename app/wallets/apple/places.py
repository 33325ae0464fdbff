"""How much of the web server phones may take: so many at work, so many waiting, the rest is sent away at once."""

import threading

from app.errors import Busy

WAITING_PLACES = 16
WAIT_S = 1.0
RETRY_AFTER_S = 5


class Places:
    """Seats and a waiting room; used as a context manager around the work for one phone.

    The web server has as many threads as its setting says and `WAITING_PLACES` more: after a campaign all phones ask
    at once, and a till that comes in between must find a thread. Whoever finds the waiting room full is told so within
    some 20 µs, so the server's own queue, which till and phones share, never grows long.
    """

    def __init__(self, *, seats: int, waiting: int = WAITING_PLACES) -> None:
        self.seats = seats
        self.waiting = waiting
        self._seats = threading.Semaphore(seats)
        self._room = threading.Semaphore(seats + waiting)

    def __enter__(self) -> None:
        """Take a seat, after a wait if need be.

        Raises: Busy `too_many_passes` with a time to try again: phones do so by themselves.
        """
        if self._room.acquire(blocking=False):
            if self._seats.acquire(timeout=WAIT_S):
                return
            self._room.release()
        text = "Very many cards are being fetched at the moment. Try again in a few seconds."
        raise Busy("too_many_passes", text, retry_after_s=RETRY_AFTER_S)

    def __exit__(self, *_fault: object) -> None:
        self._seats.release()
        self._room.release()
