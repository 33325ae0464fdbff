"""What a test or an operator may order APNs to do wrong."""

from dataclasses import dataclass
from enum import Enum

from app.sandbox.script import Order


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
class Fault(Order):
    """One order. `token` limits it to pushes for that device token.

    For GOAWAY: `after_streams` counts the streams of one connection, and `reason` travels in the frame.
    For REFUSE_HANDSHAKE `reason` names the alert
    (certificate_expired, certificate_revoked, handshake_failure…).
    """

    kind: FaultKind = FaultKind.ANSWER
    token: str | None = None
    status: int = 500
    reason: str = ""
    timestamp_ms: int | None = None
    delay_s: float = 0.0
    after_streams: int = 1


def fits_stream(fault: Fault, token: str, streams_seen: int) -> bool:
    """Whether a fault is meant for this push, the so-manieth of its connection."""
    if fault.kind is FaultKind.REFUSE_HANDSHAKE or (fault.token and fault.token.lower() != token):
        return False
    return fault.kind is not FaultKind.GOAWAY or streams_seen >= fault.after_streams


def fits_handshake(fault: Fault) -> bool:
    return fault.kind is FaultKind.REFUSE_HANDSHAKE
