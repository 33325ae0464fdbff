"""Named points at which a test may end or freeze this very process, to prove that nothing depends on what follows.

Nothing happens anywhere unless TESSERA_FAILPOINT names a point: `claim.committed=kill`, `sale.before_commit=stop`, and
with a count the n-th time it is reached: `settle.before_commit=kill@3`. A point costs one comparison.
"""

import os
import re
import signal
import threading
from dataclasses import dataclass, field

from app.errors import ConfigurationError

ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_FORM = re.compile(r"(?P<name>[a-z_.]+)=(?P<action>[a-z]+)(?:@(?P<nth>[1-9][0-9]*))?")


@dataclass(kw_only=True)
class _Armed:
    name: str
    action: str
    left: int
    lock: threading.Lock = field(default_factory=threading.Lock)


_armed: _Armed | None = None


def arm(text: str) -> None:
    """Arm one point; an empty text disarms.

    Raises: ConfigurationError, if the text does not have the form above.
    """
    global _armed  # noqa: PLW0603  one process, one point
    if not text:
        _armed = None
        return
    form = _FORM.fullmatch(text)
    if form is None or form["action"] not in ACTIONS:
        raise ConfigurationError(
            f"TESSERA_FAILPOINT {text!r} is not of the form name=kill, for example claim.committed=kill@2"
        )
    _armed = _Armed(name=form["name"], action=form["action"], left=int(form["nth"] or 1))


def reached(name: str) -> None:
    """The process is at this point; it ends or freezes here if a test has armed it."""
    if _armed is None or _armed.name != name:
        return
    with _armed.lock:
        _armed.left -= 1
        now = _armed.left == 0
    if now:
        os.kill(os.getpid(), ACTIONS[_armed.action])
