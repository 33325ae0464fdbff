"""Bearer tokens from an APNs key (.p8): one for each team, shared by all threads, renewed in time and not too often."""

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.clock import Clock
from passes.apple.provider_token import PROVIDER_TOKEN_LIFE, provider_token
from passes.errors import IdentityError

RENEW_NOT_BEFORE = timedelta(minutes=20)


@dataclass(frozen=True, kw_only=True)
class _Minted:
    text: str
    at: datetime


class ProviderTokens:
    """The tokens that one .p8 file makes."""

    def __init__(self, key_file: Path, *, key_id: str, clock: Clock) -> None:
        self._key_file = key_file
        self._key_id = key_id
        self._clock = clock
        self._lock = threading.Lock()
        self._minted: dict[str, _Minted] = {}

    def digest(self) -> str:
        """Changes with the key."""
        return hashlib.sha256(self._key_id.encode() + b"\0" + self._key()).hexdigest()

    def of(self, team: str) -> "TeamToken":
        """The view of one team, as a client needs it."""
        return TeamToken(self, team)

    def current(self, team: str) -> str:
        """The team's token, made anew every 45 minutes.

        Raises: IdentityError, if the file is no APNs key.
        """
        now = self._clock()
        with self._lock:
            minted = self._minted.get(team)
            if minted is None or now - minted.at >= PROVIDER_TOKEN_LIFE:
                minted = self._minted[team] = self._mint(team, now)
            return minted.text

    def renew(self, team: str, expired: str) -> None:
        """Make a new token in place of one that APNs calls expired, unless somebody has done so already.

        APNs refuses renewals within 20 minutes: a token that young is expired only by a clock that is wrong.
        """
        now = self._clock()
        with self._lock:
            minted = self._minted.get(team)
            if minted is not None and minted.text == expired and now - minted.at >= RENEW_NOT_BEFORE:
                self._minted[team] = self._mint(team, now)

    def _mint(self, team: str, now: datetime) -> _Minted:
        return _Minted(text=provider_token(self._key(), key_id=self._key_id, team=team, at=now), at=now)

    def _key(self) -> bytes:
        try:
            return self._key_file.read_bytes()
        except OSError as problem:
            raise IdentityError(f"{self._key_file} cannot be read: {problem.strerror}") from None


class TeamToken:
    """One team's token."""

    def __init__(self, tokens: ProviderTokens, team: str) -> None:
        self._tokens = tokens
        self._team = team

    def current(self) -> str:
        return self._tokens.current(self._team)

    def renew(self, expired: str) -> None:
        self._tokens.renew(self._team, expired)
