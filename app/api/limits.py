"""How fast one key may call: a bucket of calls that refills steadily, kept in this process."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

BURST = 1_200
PER_SECOND = 600
KEYS_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What is left for a key; `wait_s` is 0 if this call may go on."""

    limit: int
    remaining: int
    full_in_s: int
    wait_s: int

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.full_in_s),
        }


class Buckets:
    """One bucket for each key; safe to share between threads."""

    def __init__(self, *, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = burst
        self._per_second = per_second
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, *, at_s: float | None = None) -> Allowance:
        """Count one call at a moment of a steady clock."""
        now = time.monotonic() if at_s is None else at_s
        with self._lock:
            left, since = self._left.pop(key, (float(self._burst), now))
            left = min(float(self._burst), left + max(0.0, now - since) * self._per_second)
            allowed = left >= 1
            left -= 1 if allowed else 0
            self._left[key] = (left, now)
            if len(self._left) > KEYS_REMEMBERED:
                self._left.popitem(last=False)
        full_in_s = -int(-(self._burst - left) // self._per_second)
        wait_s = 0 if allowed else max(1, round((1 - left) / self._per_second))
        return Allowance(limit=self._burst, remaining=int(left), full_in_s=full_in_s, wait_s=wait_s)
