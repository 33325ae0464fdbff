"""Values of a rotating barcode (RFC 6238, SHA-1, as Google Wallet computes them on the phone)."""

from datetime import datetime


def value(key_hex: str, at: datetime, *, period_ms: int = 30_000, digits: int = 8) -> str:
    """The digits that the phone shows at this moment."""
    raise NotImplementedError


def accepted_step(key_hex: str, shown: str, at: datetime, *, period_ms: int = 30_000, digits: int = 8) -> int | None:
    """The step in which `shown` was right (the current one or a neighbour), or None.

    Remember the step of each accepted code and refuse any not later, or a photograph works twice.
    """
    raise NotImplementedError
