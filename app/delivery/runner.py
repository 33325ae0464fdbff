"""What every way of running delivery has in common: the port, and threads that outlive the faults of their steps."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.exc import DBAPIError, OperationalError

from app.db import is_lock_timeout, is_storage_full
from app.delivery import book
from app.errors import Busy
from app.outbox.rules import Lane
from app.world import World

log = logging.getLogger(__name__)

PAUSE_AFTER_FAULT_S = 1.0
Chore = Callable[[World], bool]


@dataclass(frozen=True, kw_only=True)
class Health:
    """`works`: it did a piece of work, or showed that it could, within 30 s. `deaf`: only a new start mends it."""

    works: bool
    deaf: bool = False


class Runner(Protocol):
    """Calls `Engine.drain` when there may be work. Hints may be lost, doubled or late; rows are not."""

    def start(self) -> None:
        """Begin to work, in threads of this process."""

    def hint(self, channel: str, lane: Lane) -> None:
        """Say that this lane has due rows; `*` means all channels. Returns at once and never raises."""

    def stop(self, deadline_s: float) -> bool:
        """Finish the batches in hand and take no more; True if that was done before the deadline."""

    def health(self) -> Health:
        """Whether it works, judged by what it did."""

    def heard(self) -> set[Lane]:
        """The lanes whose work it took notice of since this was last asked."""

    def counts(self) -> Counter[str]:
        """What became of hints since this was last asked: `heard` and `expired`."""


class Crew:
    """Threads that each repeat one step until they are told to stop. A step's fault is logged and counted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def repeat(self, name: str, step: Callable[[], object]) -> None:
        """Start a thread that does the step again and again."""

        def loop() -> None:
            while not self.stopping.is_set():
                self.guarded(name, step)

        thread = threading.Thread(target=loop, name=f"delivery-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, deadline_s: float) -> bool:
        """Let each thread end its step; True if all did before the deadline."""
        self.stopping.set()
        end = time.monotonic() + deadline_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def guarded(self, name: str, step: Callable[[], object]) -> None:
        """Run one step; whatever goes wrong is logged and counted, and the caller lives on."""
        try:
            step()
        except Exception as trouble:
            if self.stopping.is_set():
                return
            words = _passing(trouble)
            if words:
                log.warning("%s waits: %s; nothing is lost", name, words)
            else:
                log.exception("a step of delivery failed", extra={"step": name})
                self._count_fault(name)
            self.stopping.wait(PAUSE_AFTER_FAULT_S)

    def insist(self, name: str, step: Callable[[], object]) -> None:
        """Run a step as soon as other writers let it; anything but their being busy is raised."""
        while not self.stopping.is_set():
            try:
                step()
            except (Busy, OperationalError) as trouble:
                if isinstance(trouble, OperationalError) and not is_lock_timeout(trouble):
                    raise
                log.warning("%s waits: the database is busy with others that write", name)
                self.stopping.wait(PAUSE_AFTER_FAULT_S)
            else:
                return

    def _count_fault(self, name: str) -> None:
        try:
            with self.world.database.unit_of_work() as session:
                book.add(session, Counter({("fault", name, ""): 1}))
        except Exception:
            log.exception("the fault could not be counted")


def _passing(trouble: Exception) -> str:
    """Why the database did not do it just now, where waiting helps; empty for a fault of ours."""
    if isinstance(trouble, Busy) or (isinstance(trouble, OperationalError) and is_lock_timeout(trouble)):
        return "the database is busy with others that write"
    if isinstance(trouble, OperationalError) and is_storage_full(trouble):
        return "the disk of the database is full or refuses; make room"
    if isinstance(trouble, DBAPIError) and (trouble.connection_invalidated or _cannot_connect(trouble)):
        return "the database does not answer"
    return ""


def _cannot_connect(trouble: DBAPIError) -> bool:
    """No connection could be made, or the server said that it is stopping or starting."""
    state = getattr(trouble.orig, "sqlstate", None)
    return isinstance(trouble, OperationalError) and (
        state in {"57P01", "57P02", "57P03"} or (state is None and trouble.statement is None)
    )
