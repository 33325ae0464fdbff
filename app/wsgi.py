"""The web application as the server process loads it."""

import contextlib
import fcntl
import os
import sys
from collections import Counter
from collections.abc import Collection, Mapping
from multiprocessing.util import Finalize
from pathlib import Path
from random import random

from app import logs, settings
from app.delivery.heart import Heart
from app.delivery.service import hint_sender
from app.factory import create_app
from app.processes import end_with_parent
from app.world import open_world


def build() -> object:
    """Make the application for this process; it ends when the server that started it is gone."""
    chosen = settings.load()
    logs.install(chosen)
    end_with_parent()
    if chosen.web_processes == 1:
        stay_on_one_processor()
    world = open_world(chosen)
    hints = hint_sender(world)
    if hints is not None:
        hints.start()
        world.database.after_commit = hints.after_commit
    heart = Heart(world, "web", counts=hints.counts if hints is not None else Counter)
    heart.start()
    Finalize(None, heart.stop, exitpriority=1)  # a forked process ends without what `atexit` would call
    return create_app(world)


def stay_on_one_processor() -> None:
    """Give this process one processor, the one that fewest others were given; a process that has one keeps it.

    One thread at a time runs Python. Where the threads have several processors, each turn at Python's lock carries what
    they work on from the cache of one to that of another: a pass signed for a phone took 850 µs of processor so, and
    617 on one; a till beside the phones waited 330 ms at worst, and 100. Several processes of one server are left to
    the kernel's balance: kept in their places, a sale among a hundred a second waited 138 ms at worst, and 71 so.
    """
    if sys.platform != "linux":  # others have no such call
        return
    with Path(__file__).open("rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two must not choose at once; whoever dies here gives it back
        allowed = os.sched_getaffinity(0)
        if len(allowed) > 1:
            os.sched_setaffinity(0, {least_given(allowed, _given_away())})


def least_given(allowed: Collection[int], given: Mapping[int, int]) -> int:
    """The processor that fewest processes were given; one of them by chance, where others cannot be seen."""
    return min(allowed, key=lambda processor: (given.get(processor, 0), random()))  # noqa: S311 - no secret


def _given_away() -> Counter[int]:
    """How many processes have a processor as their only one."""
    found: Counter[int] = Counter()
    for program in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            program.readlink()  # threads of the kernel have none
            processors = os.sched_getaffinity(int(program.parent.name))
            if len(processors) == 1:
                found.update(processors)
    return found
