"""How often phones may call, counted in the database: for all processes of all machines together."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db import insert_for
from app.errors import Busy
from app.wallets.apple.models import PhoneLimit
from app.world import World

KEYS_MAX = 10_000
KEPT = timedelta(hours=2)


@dataclass(kw_only=True)
class _Window:
    """What this process may still grant to a key; `refused` once the database has said that it is enough."""

    until: datetime
    left: int
    refused: bool = False


class Limit:
    """So many calls in a span for each key.

    Calls are taken from the database in blocks, of which a process grants the first without asking. A phone that
    behaves stays within it and costs no write, a flood costs one write for each block and none once it is refused, and
    P processes let at most P blocks too many through. A block of 0 asks for every call.
    """

    def __init__(self, name: str, calls: int, span: timedelta, *, block: int = 0) -> None:
        self._name = name
        self._calls = calls
        self._span = span
        self._block = block
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def take(self, world: World, key: str) -> bool:
        """Use one call up; False if there is none left in this span. A database that is busy refuses nobody."""
        now = world.clock()
        with self._lock:
            window = self._windows.pop(key, None)
            if window is None or now >= window.until:
                window = _Window(until=now + self._span, left=self._block)
            self._windows[key] = window
            if len(self._windows) > KEYS_MAX:
                self._windows.popitem(last=False)
            if window.left > 0 or window.refused:
                window.left -= 1
                return not window.refused
        return self._ask(world, key, window, now)

    def _ask(self, world: World, key: str, window: _Window, now: datetime) -> bool:
        calls = max(1, self._block)
        name = world.vault.blind(f"{self._name}:{key}")
        work: Callable[[Session], bool] = lambda session: count(  # noqa: E731
            session, name, calls=calls, most=self._calls, span=self._span, now=now
        )
        try:
            granted = world.database.transact(work)
        except (OperationalError, Busy):
            return True
        with self._lock:
            window.refused = not granted
            window.left += calls - 1 if granted else 0
        return granted


def count(session: Session, key: str, *, most: int, span: timedelta, now: datetime, calls: int = 1) -> bool:
    """Count calls under a key in the caller's transaction; whether they still are within *most* in a span."""
    session.execute(delete(PhoneLimit).where(PhoneLimit.since < now - KEPT))
    is_over = PhoneLimit.since <= now - span
    insert = insert_for(session, PhoneLimit).values(key=key, since=now, used=calls)
    again = {
        "used": case((is_over, calls), else_=PhoneLimit.used + calls),
        "since": case((is_over, insert.excluded.since), else_=PhoneLimit.since),
    }
    counted = insert.on_conflict_do_update(index_elements=["key"], set_=again).returning(PhoneLimit.used)
    return session.execute(counted).scalar_one() <= most
