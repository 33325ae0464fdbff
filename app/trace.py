"""The id that joins what belongs together: a till's request, its entry, the target, the send, and the phone's fetch.

Whoever begins something (a request, a command, a step of delivery) names it; whoever writes a row asks for the name.
"""

import os
import time
import uuid
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("trace", default="")


def begin(name: str = "") -> str:
    """Begin something new in this thread, under *name* or a name made for it; the name."""
    chosen = name or _made()
    _current.set(chosen)
    return chosen


def current() -> str:
    """What is going on in this thread; empty where nobody began anything."""
    return _current.get()


def moment_ms(name: str) -> int | None:
    """When a trace began, in epoch milliseconds, read from its name; None if we did not make that name."""
    try:
        made = uuid.UUID(name)
    except ValueError:
        return None
    return made.int >> 80 if made.version == 7 else None


def _made() -> str:
    """A UUIDv7: its first 48 bits are the time, so that what bears it is found by time, without an index of its own."""
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    digits = f"{number & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
