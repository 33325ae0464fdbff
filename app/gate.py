"""SQLite's writers take turns: the web first, then workers, then bulk changes; first come, first served among equals.

SQLite's own wait for its write lock is a poll with growing pauses: whoever is unlucky starves. This gate stands before
it, for all threads of all processes on one file. It decides only who is next; that nobody writes at the same time is
still SQLite's own lock, so a gate that is lost or bypassed costs patience and never data.

Threads of a process queue in memory. One of them at a time, through a thread that does nothing else, asks the kernel
for the lock of a side file (`flock`: it wakes at once, and is freed when its process dies, however it dies). A second
side file is the turnstile: a process of the web holds it shared for as long as somebody in it waits, and the others
pass it before they queue, so they cannot slip in between two tills.
"""

import fcntl
import heapq
import itertools
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import IntEnum

from app.errors import DatabaseBusy

TURNS_IN_A_ROW = 16
PAUSE_AFTER_ROW_S = 0.001


class Priority(IntEnum):
    """Who writes first. A web process is one in which a customer stands at a till."""

    WEB = 0
    WORKER = 1
    BULK = 2


@dataclass(order=True)
class _Ticket:
    """A place in the queue; `call` is released when it is this thread's turn."""

    priority: Priority
    number: int
    thread: int = field(compare=False)
    call: threading.Lock = field(compare=False, default_factory=threading.Lock)
    called: bool = field(compare=False, default=False)


class Gate:
    """The gate before one SQLite file, as one process sees it. `of_web`: this process comes before others."""

    def __init__(self, path: str, *, timeout_s: float) -> None:
        self.of_web = False
        self._path = path
        self._timeout_s = timeout_s
        self._pid = self._gate = self._turnstile = 0
        self._mutex = threading.Lock()

    @contextmanager
    def turn(self, priority: Priority) -> Iterator[None]:
        """Wait for the turn and keep it for the length of the block.

        Raises: DatabaseBusy, if it does not come in time.
        """
        if self._pid != os.getpid():
            self._open()
        self._take(priority)
        try:
            yield
        finally:
            self._give_back()

    def close(self) -> None:
        """Give the files back; a later turn opens them again."""
        with self._mutex:
            if self._pid != os.getpid() or self._owner or self._is_fetching:
                return
            self._pid = 0
            self._fetch.release()
            os.close(self._gate)
            os.close(self._turnstile)

    def _open(self) -> None:
        """Begin in this process: a fork must share neither the queue nor the files' locks with its parent."""
        if self._pid not in {0, os.getpid()}:
            self._mutex, self._pid = threading.Lock(), 0
            os.close(self._gate)
            os.close(self._turnstile)
        with self._mutex:
            if self._pid == os.getpid():
                return
            self._waiting: list[_Ticket] = []
            self._numbers = itertools.count()
            self._owner = self._depth = self._row = 0
            self._is_fetching = False
            self._fetch = threading.Semaphore(0)
            self._keeper: threading.Thread | None = None
            self._gate = os.open(f"{self._path}-gate", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._turnstile = os.open(f"{self._path}-turnstile", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._pid = os.getpid()

    def _take(self, priority: Priority) -> None:
        me = threading.get_ident()
        with self._mutex:
            if self._owner == me:  # a unit of work within another: SQLite will refuse it, and the gate does not hang
                self._depth += 1
                return
            idle = not self._owner and not self._is_fetching
            if idle and self._try_file():
                self._owner, self._depth = me, 1
                return
            ticket = _Ticket(priority, next(self._numbers), me)
            ticket.call.acquire()
            heapq.heappush(self._waiting, ticket)
            if idle:
                self._send_for_file()
        if ticket.call.acquire(timeout=self._timeout_s):
            return
        with self._mutex:
            if ticket.called:
                return
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
        raise DatabaseBusy

    def _give_back(self) -> None:
        with self._mutex:
            self._depth -= 1
            if self._depth:
                return
            self._owner = 0
            self._row += 1
            if self._row < TURNS_IN_A_ROW and self._may_go_on() and self._call_next():
                return
            self._free_file()
            if self._waiting:
                self._send_for_file()

    def _call_next(self) -> bool:
        """Hand the turn, and the file's lock with it, to the next thread of this process."""
        if not self._waiting:
            return False
        ticket = heapq.heappop(self._waiting)
        if self.of_web and not self._waiting:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        self._owner, self._depth = ticket.thread, 1
        ticket.called = True
        ticket.call.release()
        return True

    def _may_go_on(self) -> bool:
        return self.of_web or self._nobody_first()

    def _try_file(self) -> bool:
        return (self.of_web or self._nobody_first()) and _locked_at_once(self._gate)

    def _nobody_first(self) -> bool:
        """Whether no process of the web waits at this moment."""
        if not _locked_at_once(self._turnstile):
            return False
        fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        return True

    def _free_file(self) -> None:
        fcntl.flock(self._turnstile, fcntl.LOCK_UN)
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    def _send_for_file(self) -> None:
        self._is_fetching = True
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, args=(self._fetch,), name="writers-gate", daemon=True)
            self._keeper.start()
        self._fetch.release()

    def _keep(self, fetch: threading.Semaphore) -> None:
        """Fetch the file's lock for whoever is next by then. A thread of its own, because `flock` knows no timeout."""
        while fetch.acquire() and self._pid:
            if self._row >= TURNS_IN_A_ROW:
                time.sleep(PAUSE_AFTER_ROW_S)  # under constant load the others get a turn now and then
            fcntl.flock(self._turnstile, fcntl.LOCK_SH if self.of_web else fcntl.LOCK_EX)
            if not self.of_web:
                fcntl.flock(self._turnstile, fcntl.LOCK_UN)
            fcntl.flock(self._gate, fcntl.LOCK_EX)
            with self._mutex:
                self._is_fetching = False
                self._row = 0
                if not self._call_next():
                    self._free_file()


def _locked_at_once(descriptor: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
