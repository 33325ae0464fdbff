"""How often a card may make a phone buzz: three times in any 24 hours, counted apart for each kind of alert."""

import time
from collections.abc import Callable

from app.sandbox.state import State

ALERTS = 3
WINDOW_S = 24 * 3600.0


class Budgets:
    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._spent: dict[str, list[float]] = state.load("alerts")

    def left(self, kind: str, resource_id: str) -> int:
        return ALERTS - len(self._recent(f"{kind} {resource_id}"))

    def spend(self, kind: str, resource_id: str) -> None:
        key = f"{kind} {resource_id}"
        self._spent[key] = [*self._recent(key), self._clock()]
        self._state.put("alerts", key, self._spent[key])

    def reset(self) -> None:
        self._spent.clear()
        self._state.clear("alerts")

    def _recent(self, key: str) -> list[float]:
        since = self._clock() - WINDOW_S
        return [at for at in self._spent.get(key, ()) if at > since]
