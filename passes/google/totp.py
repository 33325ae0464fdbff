"""Values of a rotating barcode (RFC 6238 with SHA-1, as Google Wallet computes them on the phone)."""

import hmac
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def value(key_hex: str, at: datetime, *, period_ms: int = 30_000, digits: int = 8) -> str:
    """The digits that the phone shows at this moment."""
    return _value_of_step(bytes.fromhex(key_hex), _step(at, period_ms), digits)


def accepted_step(key_hex: str, shown: str, at: datetime, *, period_ms: int = 30_000, digits: int = 8) -> int | None:
    """The step in which `shown` was right (the current one or a neighbour), or None.

    Remember the step of each accepted code and refuse any that is not later, or a photograph works twice.
    """
    key, current, found = bytes.fromhex(key_hex), _step(at, period_ms), None
    # All three are compared, in constant time, so that the time taken tells nothing.
    for step in (current + 1, current - 1, current):
        if step >= 0 and hmac.compare_digest(
            _value_of_step(key, step, digits).encode(), shown.encode("utf-8", "replace")
        ):
            found = step
    return found


def _step(at: datetime, period_ms: int) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=period_ms)


def _value_of_step(key: bytes, step: int, digits: int) -> str:
    digest = hmac.digest(key, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)
