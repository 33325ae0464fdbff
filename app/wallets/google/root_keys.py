"""Google's root keys as this process last fetched them: kept while they may be, fetched anew when they must be."""

import logging
import re
import threading
from datetime import datetime, timedelta

import requests

from app.clock import Clock
from passes.google import root_keys
from passes.google.callback import Refusal, RefusedCallback
from passes.google.root_keys import RootKeys

log = logging.getLogger(__name__)

TIMEOUT_S = 10
DEFAULT_MAX_AGE_S = 3600
BETWEEN_FETCHES = timedelta(minutes=1)
MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})", re.ASCII)


class KeyRing:
    """The keys by which callbacks are believed; safe to share between threads."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: RootKeys | None = None
        self._refresh_at: datetime | None = None
        self._tried_at: datetime | None = None

    def current(self) -> RootKeys:
        """The keys to verify with; an old set goes on while Google cannot be reached and its keys are unexpired.

        Raises: RefusedCallback `no_root_keys`, if there are none.
        """
        with self._lock:
            now = self._clock()
            if self._keys is None or (self._refresh_at is not None and now >= self._refresh_at):
                self._fetch(now)
            if self._keys is None or not self._keys.live(now):
                raise RefusedCallback(Refusal.NO_ROOT_KEYS, "Google's root keys could not be fetched")
            return self._keys

    def renewed(self) -> RootKeys | None:
        """A fresh set after a signature that did not hold; None within a minute of the last try, whoever asks.

        Anybody can send rubbish here, and must not make us call Google each time.
        """
        with self._lock:
            fetched = self._fetch(self._clock())
            return self._keys if fetched else None

    def _fetch(self, now: datetime) -> bool:
        if self._tried_at is not None and now - self._tried_at < BETWEEN_FETCHES:
            return False
        self._tried_at = now
        try:
            answer = requests.get(self._url, timeout=TIMEOUT_S, allow_redirects=False)
            answer.raise_for_status()
            keys = root_keys.parse(answer.content)
        except (requests.RequestException, RefusedCallback) as problem:
            log.warning("Google's root keys could not be fetched: %s", problem)
            return False
        found = MAX_AGE.search(answer.headers.get("Cache-Control", ""))
        max_age_s = int(found[1]) if found else DEFAULT_MAX_AGE_S
        self._keys, self._refresh_at = keys, keys.refresh_at(fetched_at=now, max_age_s=max_age_s)
        return True
