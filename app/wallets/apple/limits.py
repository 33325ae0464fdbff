"""How often somebody may call: counted in this process, so that a flood costs no database write."""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta


class Allowance:
    """So many calls in a span for each key; the keys that called longest ago are forgotten first."""

    def __init__(self, calls: int, span: timedelta, *, keys_max: int = 10_000) -> None:
        self._calls = calls
        self._span = span
        self._keys_max = keys_max
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def take(self, key: str, now: datetime) -> bool:
        """Use one call up; False if there is none left in this span."""
        with self._lock:
            since, used = self._windows.pop(key, (now, 0))
            if now - since >= self._span:
                since, used = now, 0
            self._windows[key] = (since, used + 1)
            if len(self._windows) > self._keys_max:
                self._windows.popitem(last=False)
            return used < self._calls
