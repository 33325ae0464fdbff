"""The delivering process: runs until it is told to stop, or until whoever started it is gone."""

import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType

from app.delivery.channels import open_channels
from app.delivery.engine import Engine
from app.delivery.runner import Chore, Runner
from app.world import World

log = logging.getLogger(__name__)

LOOK_AT_PARENT_S = 0.5
STOP_WITHIN_S = 25.0


def run_delivery(
    world: World,
    *,
    chores: Sequence[Chore] = (),
    stop: threading.Event | None = None,
    follow_parent: bool = True,
) -> int:
    """Deliver until SIGTERM, SIGINT or *stop*; returns the exit code.

    *chores* are steps of other rooms that run beside: each does one bounded piece of work and says if there was any.

    With `follow_parent` it also ends when its parent process dies: after a `kill -9` of the parent nothing must go on
    sending unseen, beside whatever is started next.
    """
    ended = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        _end_on_signals(ended)
    parent = os.getppid()
    runner = Runner(Engine(world=world, channels=open_channels(world)), chores=chores)
    runner.start()
    log.info("delivery started")
    while not ended.wait(LOOK_AT_PARENT_S):
        if follow_parent and os.getppid() != parent:
            log.warning("the process that started delivery is gone; stopping")
            break
    began = time.monotonic()
    clean = runner.stop(STOP_WITHIN_S)
    log.info("delivery stopped after %.1f s", time.monotonic() - began)
    return 0 if clean else 1


def _end_on_signals(ended: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
