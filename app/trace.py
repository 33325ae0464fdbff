"""The id that joins what belongs together: a till's request, its entry, the target, the send, and the phone's fetch.

Whoever begins something (a request, a command, a step of delivery) names it; whoever writes a row asks for the name.
"""

import uuid
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("trace", default="")


def begin(name: str = "") -> str:
    """Begin something new in this thread, under *name* or a name made for it; the name."""
    chosen = name or uuid.uuid4().hex
    _current.set(chosen)
    return chosen


def current() -> str:
    """What is going on in this thread; empty where nobody began anything."""
    return _current.get()
