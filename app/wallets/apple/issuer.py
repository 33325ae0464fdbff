"""What one process keeps for issuing passes: credentials, artwork, finished archives, a limit on signing at once."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from app.errors import Busy
from app.wallets.apple.artwork import ArtworkCache
from app.wallets.apple.identities import Identities
from app.world import World

ARCHIVE_BYTES_KEPT = 32 * 1024 * 1024
WAIT_FOR_SIGNING_S = 0.25
RETRY_AFTER_S = 5
ISSUES_KEPT = 20_000
ISSUE_REMEMBERED = timedelta(hours=1)


class ArchiveCache:
    """Signed archives by what is visible in them, up to a number of bytes; the least recently used goes first."""

    def __init__(self, bytes_max: int = ARCHIVE_BYTES_KEPT) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[object, ...], content: bytes) -> None:
        with self._lock:
            self._bytes += len(content) - len(self._kept.pop(key, b""))
            self._kept[key] = content
            while self._bytes > self._bytes_max and self._kept:
                self._bytes -= len(self._kept.popitem(last=False)[1])


class Issues:
    """Which version of a card was handed out lately: a phone that registers next holds it and needs no push.

    Where several versions went out within the hour the oldest counts, because nobody knows which of them registers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._oldest: OrderedDict[int, tuple[int, datetime]] = OrderedDict()

    def note(self, card_id: int, version: int, now: datetime) -> None:
        with self._lock:
            before = self._oldest.pop(card_id, None)
            kept = before if before and now - before[1] < ISSUE_REMEMBERED else (version, now)
            self._oldest[card_id] = kept
            if len(self._oldest) > ISSUES_KEPT:
                self._oldest.popitem(last=False)

    def oldest(self, card_id: int, now: datetime) -> int | None:
        with self._lock:
            found = self._oldest.get(card_id)
        return found[0] if found and now - found[1] < ISSUE_REMEMBERED else None


class Issuer:
    """The kept things of one world."""

    def __init__(self, world: World) -> None:
        settings = world.settings
        self.identities = Identities(settings.certs_dir, password=settings.apple_key_password)
        self.artwork = ArtworkCache()
        self.archives = ArchiveCache()
        self.issues = Issues()
        # half of the web's threads at most, so that the till always finds one; never more than twice the processors
        self.signing_slots = max(1, min(settings.web_threads // 2, 2 * (os.cpu_count() or 1)))
        self._signing = threading.BoundedSemaphore(self.signing_slots)

    @contextmanager
    def signing(self) -> Iterator[None]:
        """A place at the signing table.

        Raises: Busy `too_many_passes`, if none is free soon: the phone tries again by itself.
        """
        if not self._signing.acquire(timeout=WAIT_FOR_SIGNING_S):
            text = "Very many cards are being fetched at the moment. Try again in a few seconds."
            raise Busy("too_many_passes", text, retry_after_s=RETRY_AFTER_S)
        try:
            yield
        finally:
            self._signing.release()


_ISSUERS: WeakKeyDictionary[World, Issuer] = WeakKeyDictionary()
_ISSUERS_LOCK = threading.Lock()


def issuer(world: World) -> Issuer:
    """What this process keeps for *world*; made once, and forgotten with it."""
    with _ISSUERS_LOCK:
        if world not in _ISSUERS:
            _ISSUERS[world] = Issuer(world)
        return _ISSUERS[world]
