"""Pushes that are handed in together, and what became of each."""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from passes.apple.push import PushAnswer

REPEATS_MAX = 5


class Wake(NamedTuple):
    """One phone to be woken. `expires_s`: until when APNs should try (epoch seconds); 0 for as long as it likes."""

    push_token: str
    expires_s: int = 0


class Woken(NamedTuple):
    """What became of a push. `detail` says in words why nothing came back."""

    answer: PushAnswer
    took_ms: int = 0
    detail: str = ""


class Batch:
    """Pushes handed in together. `todo`: those to be begun. A result stays None if not sent before *until*."""

    def __init__(self, wakes: Sequence[Wake], *, topic: str, lane: int, until: float) -> None:
        self.wakes = wakes
        self.topic = topic
        self.lane = lane
        self.until = until
        self.results: list[Woken | None] = [None] * len(wakes)
        self.todo = deque(range(len(wakes)))
        self.done = threading.Event()
        self._left = len(wakes)
        self._repeats: Counter[int] = Counter()

    def settle(self, index: int, woken: Woken | None) -> None:
        self.results[index] = woken
        self._left -= 1
        if not self._left:
            self.done.set()

    def settle_rest(self, woken: Woken | None) -> None:
        """One result for all that nobody has begun to send."""
        while self.todo:
            self.settle(self.todo.popleft(), woken)

    def repeat(self, index: int) -> bool:
        """Begin again what was surely not taken; False if that was tried often enough."""
        self._repeats[index] += 1
        if self._repeats[index] > REPEATS_MAX:
            return False
        self.todo.appendleft(index)
        return True
