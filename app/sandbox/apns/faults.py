"""What a test or an operator may order APNs to do wrong."""

import threading
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum


class FaultKind(Enum):
    ANSWER = "answer"  # status and reason instead of the true judgement; nothing is delivered unless status is 200
    SLOW = "slow"  # the true answer, after delay_s
    SILENT = "silent"  # taken, delivered to nobody, never answered
    LOST_ANSWER = "lost_answer"  # judged and delivered, never answered
    DROP = "drop"  # the TCP connection is cut, without TLS or HTTP/2 good-bye
    GOAWAY = "goaway"  # GOAWAY once the connection has seen after_streams streams; later ones are left undone
    REFUSE_STREAM = "refuse_stream"  # RST_STREAM REFUSED_STREAM
    REFUSE_HANDSHAKE = "refuse_handshake"  # a TLS alert instead of a handshake


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One order. `times` uses it up (None: for ever); `token` limits it to pushes for that device token.

    For GOAWAY: `after_streams` counts the streams of one connection, and `reason` travels in the frame.
    For REFUSE_HANDSHAKE `reason` names the alert
    (certificate_expired, certificate_revoked, handshake_failure…).
    """

    kind: FaultKind = FaultKind.ANSWER
    times: int | None = 1
    token: str | None = None
    status: int = 500
    reason: str = ""
    timestamp_ms: int | None = None
    delay_s: float = 0.0
    after_streams: int = 1


class Script:
    """Faults in the order they were given; each stream takes the first that fits it."""

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

    def take_for_stream(self, token: str, streams_seen: int) -> Fault | None:
        if not self._faults:
            return None
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.kind is FaultKind.REFUSE_HANDSHAKE or (fault.token and fault.token.lower() != token):
                    continue
                if fault.kind is FaultKind.GOAWAY and streams_seen < fault.after_streams:
                    continue
                return self._use(index)
        return None

    def take_for_handshake(self) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.kind is FaultKind.REFUSE_HANDSHAKE:
                    return self._use(index)
        return None

    def _use(self, index: int) -> Fault:
        fault = self._faults[index]
        if fault.times is not None:
            if fault.times <= 1:
                del self._faults[index]
            else:
                self._faults[index] = replace(fault, times=fault.times - 1)
        return fault
