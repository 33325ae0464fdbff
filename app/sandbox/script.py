"""Orders to a stand-in to do something wrong, used up in the order they were given."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order; `times` uses it up (None: for ever)."""

    times: int | None = 1


Given = TypeVar("Given", bound=Order)


class Script(Generic[Given]):
    """What a test or an operator ordered; each call takes the first that fits it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: deque[Given] = deque()

    def add(self, *orders: Given) -> None:
        with self._lock:
            self._orders.extend(orders)

    def clear(self) -> None:
        with self._lock:
            self._orders.clear()

    @property
    def pending(self) -> list[Given]:
        with self._lock:
            return list(self._orders)

    def take(self, fits: Callable[[Given], bool]) -> Given | None:
        """Use the first order that fits, once."""
        if not self._orders:
            return None
        with self._lock:
            for index, order in enumerate(self._orders):
                if not fits(order):
                    continue
                if order.times is not None and order.times <= 1:
                    del self._orders[index]
                elif order.times is not None:
                    self._orders[index] = replace(order, times=order.times - 1)
                return order
        return None
