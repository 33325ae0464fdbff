"""What one process keeps for issuing passes: credentials, pictures, finished archives, what cards share."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from app.db import Database
from app.wallets import messages
from app.wallets import programme as shared
from app.wallets.apple.artwork import ArtworkCache
from app.wallets.apple.fetched import FetchNotes
from app.wallets.apple.identities import Credential, Identities
from app.wallets.apple.places import Places
from app.wallets.apple.stencil import Stencil
from app.wallets.messages import Words
from app.wallets.programme import Facts
from app.wallets.view import NO_WORDS
from app.world import World
from passes.apple.bundle import Artwork

ARCHIVE_BYTES_KEPT = 32 * 1024 * 1024
CREDENTIAL_TRUSTED = timedelta(seconds=1)
FACTS_TRUSTED_S = 10.0
KINDS_KEPT = 256
WORDS_KEPT = 500

Archive = tuple[bytes, bytes]


class ArchiveCache:
    """Signed archives by what is visible in them, up to a number of bytes; the least recently used goes first.

    An archive is kept as the entries that it shares with all passes of its design, which are not counted, and its own.
    """

    def __init__(self, bytes_max: int = ARCHIVE_BYTES_KEPT) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], Archive] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> Archive | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[object, ...], archive: Archive) -> None:
        with self._lock:
            self._bytes += len(archive[1]) - len(self._kept.pop(key, (b"", b""))[1])
            self._kept[key] = archive
            while self._bytes > self._bytes_max and self._kept:
                self._bytes -= len(self._kept.popitem(last=False)[1][1])


class KindCache:
    """What passes of one kind share: pictures and the text around their own values. The oldest goes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], tuple[Artwork, Stencil]] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> tuple[Artwork, Stencil] | None:
        return self._kept.get(key)

    def put(self, key: tuple[object, ...], kind: tuple[Artwork, Stencil]) -> None:
        with self._lock:
            self._kept[key] = kind
            while len(self._kept) > KINDS_KEPT:
                self._kept.popitem(last=False)


class FactsCache:
    """What a programme's cards share, kept while its revision stands.

    A phone keeps what it is given for a version of a card until the card's next version, so a pass must never be drawn
    from older facts than those that its version was raised for. `programme.revision` is raised in the transaction that
    opens or closes an offer or changes the design, and the bulk change that raises the cards' versions comes after it.
    The revision is read in the same statement as the card's version: whoever sees the new version sees the new revision
    and reads the facts anew. Facts newer than the card's version are harmless; the version follows, and a push with it.
    Clocks close what a revision does not: an offer whose end has come is left out at that moment. What changes without
    a revision (a row mended by hand) is seen after some seconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[int, tuple[Facts, float]] = {}

    def get(self, programme_id: int, revision: int) -> Facts:
        """The facts as of *revision* or later."""
        found = self._kept.get(programme_id)
        if found and found[0].revision >= revision and time.monotonic() - found[1] < FACTS_TRUSTED_S:
            return found[0]
        began = time.monotonic()
        with self._database.reading() as session:
            facts = shared.facts(session, [programme_id])[programme_id]
        self._kept[programme_id] = facts, began
        return facts


class WordsCache:
    """The words of campaigns, by id; they never change. All go when there are too many."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[int, Words] = {}

    def get(self, text_id: int | None) -> Mapping[int, Words]:
        """The words of that id, ready for `view.draw`."""
        if text_id is None:
            return NO_WORDS
        if text_id not in self._kept:
            with self._database.reading() as session:
                found = messages.words_of(session, [text_id])
            if len(self._kept) >= WORDS_KEPT:
                self._kept = {}
            self._kept = {**self._kept, **found}
        return self._kept


class Issuer:
    """The kept things of one world."""

    def __init__(self, world: World) -> None:
        settings = world.settings
        self.identities = Identities(settings.certs_dir, password=settings.apple_key_password)
        self.artwork = ArtworkCache()
        self.archives = ArchiveCache()
        self.kinds = KindCache()
        self.facts = FactsCache(world.database)
        self.words = WordsCache(world.database)
        self.fetched = FetchNotes(world.database, world.clock)
        # a web process has one processor: two that sign at once would only take turns with the till's thread
        self.places = Places(seats=1)
        self._credentials: dict[tuple[str, str], tuple[Credential, datetime]] = {}

    def credential(self, pass_type: str, team: str, now: datetime) -> Credential:
        """As `identities.credential`, which looks at files and certificate each time: at most once a second.

        Raises: as `identities.credential`.
        """
        found = self._credentials.get((pass_type, team))
        if found and timedelta(0) <= now - found[1] < CREDENTIAL_TRUSTED:
            return found[0]
        credential = self.identities.credential(pass_type, at=now, team=team)
        self._credentials[pass_type, team] = credential, now
        return credential


_ISSUERS: WeakKeyDictionary[World, Issuer] = WeakKeyDictionary()
_ISSUERS_LOCK = threading.Lock()


def issuer(world: World) -> Issuer:
    """What this process keeps for *world*; made once, and forgotten with it."""
    with _ISSUERS_LOCK:
        if world not in _ISSUERS:
            _ISSUERS[world] = Issuer(world)
        return _ISSUERS[world]
