"""Pushes that are handed in together, and what became of each."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from passes.apple.push import PushAnswer


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
    """Pushes handed in together. A result stays None where the push was not sent before *until*."""

    def __init__(self, wakes: Sequence[Wake], *, topic: str, lane: int, until: float) -> None:
        self.wakes = wakes
        self.topic = topic
        self.lane = lane
        self.until = until
        self.results: list[Woken | None] = [None] * len(wakes)
        self.taken = 0
        self.done = threading.Event()
        self._left = len(wakes)

    def settle(self, index: int, woken: Woken | None) -> None:
        self.results[index] = woken
        self._left -= 1
        if not self._left:
            self.done.set()

    def settle_rest(self, woken: Woken | None) -> None:
        """One result for all that nobody has begun to send."""
        first, self.taken = self.taken, len(self.wakes)
        for index in range(first, self.taken):
            self.settle(index, woken)
