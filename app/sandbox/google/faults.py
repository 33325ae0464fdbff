"""What a test or an operator may order Google to do wrong."""

import threading
from collections import deque
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One order. `times` uses it up (None: for ever).

    `operation` is a name such as loyaltyObject.patch, loyaltyClass.addMessage, issuer.get, jwt.insert, token, rootKeys;
    without one it fits every call of the REST API. `resource_id` limits it further.
    `status` 0 leaves the true answer (with `latency_s`, a slow one). `apply` carries the call out first. `drop` cuts
    the connection instead of answering: with `apply`, an answer lost after the change was made.
    """

    operation: str | None = None
    resource_id: str | None = None
    times: int | None = 1
    status: int = 0
    reason: str = "backendError"
    message: str = "Scripted fault"
    retry_after_s: int | None = None
    latency_s: float = 0.0
    apply: bool = False
    drop: bool = False


APART = {"token", "rootKeys", "save", "batch"}  # not the REST API: only faults that name them fit


class Script:
    """Faults in the order they were given; each call takes the first that fits it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: deque[Fault] = deque()

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    @property
    def pending(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def take(self, operation: str, resource_id: str) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(self._faults):
                fits = fault.operation == operation or (fault.operation is None and operation not in APART)
                if not fits or fault.resource_id not in (None, resource_id):
                    continue
                if fault.times is not None and fault.times <= 1:
                    del self._faults[index]
                elif fault.times is not None:
                    self._faults[index] = replace(fault, times=fault.times - 1)
                return fault
        return None
