"""Which versions phones have downloaded, and who signed them: collected in the process, written some times a second."""

import contextlib
import threading
from collections.abc import Mapping
from functools import partial

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.clock import Clock, milliseconds
from app.db import Database
from app.errors import Busy
from app.outbox import service as outbox
from app.wallets.apple import renewal

WRITE_AFTER_S = 0.2
ROWS_MAX = 500


class FetchNotes:
    """Notes of downloads on their way to the database; safe to share between threads.

    A download has no transaction of its own: with one for each, a thousand phones a second would make a thousand
    commits. What a crash or a busy database loses is harmless: a phone that seems not to have fetched is listed and
    told once more.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[int, str]] = {}

    def note(self, card_id: int, version: int, signed_with: str = "") -> None:
        """A phone has this version of the card now; without *signed_with* it had it before."""
        with self._lock:
            is_first = not self._seen
            before = self._seen.get(card_id, (-1, ""))
            self._seen[card_id] = max(version, before[0]), signed_with or before[1]
        if is_first:
            timer = threading.Timer(WRITE_AFTER_S, self.write)
            timer.daemon = True
            timer.start()

    def write(self) -> None:
        """Write what was noted, in chunks that no till waits for."""
        with self._lock:
            seen, self._seen = self._seen, {}
        now_ms = milliseconds(self._clock())
        notes = sorted(seen.items())
        for at in range(0, len(notes), ROWS_MAX):
            chunk = dict(notes[at : at + ROWS_MAX])
            with contextlib.suppress(OperationalError, Busy):
                self._database.transact(partial(_write, seen=chunk, now_ms=now_ms))


def _write(session: Session, *, seen: Mapping[int, tuple[int, str]], now_ms: int) -> None:
    versions = {card_id: version for card_id, (version, _) in seen.items()}
    outbox.note_fetched(session, versions, now_ms=now_ms)
    renewal.note_signed(session, {card_id: by for card_id, (_, by) in seen.items() if by})
