"""Processes that belong together: a parent that restarts its children, and children that never outlive it."""

import contextlib
import logging
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from app import settings

LOGGER = logging.getLogger(__name__)

LOOK_EVERY_S = 0.2
LOOK_AT_PARENT_S = 0.5
STOP_WITHIN_S = 28.0
LONGEST_PAUSE_S = 10.0
SETTLED_AFTER_S = 20.0
# shared with the web server's forked workers: set once this service is about to stop
draining = multiprocessing.get_context("fork").Event()


@dataclass(kw_only=True)
class Child:
    """A process to be kept running: its name for people, the interpreter's arguments, and settings of its own.

    `quiet`: what it prints on standard output is not shown.
    """

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = 0.0
    start_at: float = 0.0


def end_with_parent() -> None:
    """End this process when the one that started it dies, however it dies.

    After a `kill -9` of the parent nothing must go on listening or sending beside whatever is started next. The parent
    may be gone before this is called, while the process was still loading: then who started it is no longer its parent.
    """
    starter = multiprocessing.parent_process()
    parent = starter.pid if starter is not None else settings.parent_pid() or os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_AT_PARENT_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


class Ending:
    """Hears SIGTERM and SIGINT; to be made in the main thread.

    A pipe and no Event: a signal that comes while this thread waits for an Event may find the lock inside it taken, by
    the very thread that the signal interrupted, and then neither goes on.
    """

    def __init__(self) -> None:
        self._heard, self._told = os.pipe()
        os.set_blocking(self._told, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def wait(self, timeout_s: float) -> bool:
        """Whether the process was told to end, as soon as it is, or after the timeout."""
        return bool(select.select([self._heard], [], [], timeout_s)[0])

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._told, b"\0")


def keep_running(children: Sequence[Child]) -> int:
    """Start the children and restart any that ends, until SIGTERM or SIGINT; then stop them. Returns the exit code."""
    ending = Ending()
    try:
        while not ending.wait(0):
            for child in children:
                _look_after(child)
            ending.wait(LOOK_EVERY_S)
    finally:
        _stop(children)
    return 0


def start(child: Child) -> None:
    """Start a child now."""
    command = [sys.executable, *child.arguments]
    out = subprocess.DEVNULL if child.quiet else None
    child.process = subprocess.Popen(command, env=settings.child_environ(child.environ), stdout=out)
    child.started = time.monotonic()


def _look_after(child: Child) -> None:
    now = time.monotonic()
    if child.process is None:
        if now >= child.start_at:
            start(child)
        return
    code = child.process.poll()
    if code is None:
        return
    settled = now - child.started > SETTLED_AFTER_S
    child.pause_s = 0.2 if settled or not child.pause_s else min(LONGEST_PAUSE_S, child.pause_s * 2)
    child.start_at = now + child.pause_s
    child.process = None
    LOGGER.warning("%s ended with code %s; starting it again in %.1f s", child.name, code, child.pause_s)


def _stop(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_WITHIN_S
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
