"""Which credential pushes for a pass type, and the connection of each, for all threads of a process."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.errors import AppError
from app.wallets.apple import renewal
from app.wallets.apple.batches import Wake, Woken
from app.wallets.apple.client import ApnsClient
from app.wallets.apple.dial import Access
from app.wallets.apple.identities import Credential
from app.wallets.apple.issuer import issuer
from app.wallets.apple.line import TokenSource
from app.wallets.apple.tokens import ProviderTokens
from app.world import World
from passes.apple.push import Scope
from passes.outcome import Outcome

log = logging.getLogger(__name__)

REFUSED_FOR = timedelta(hours=1)


class _Slot(NamedTuple):
    """A connection has one process, one pass type or team, and one credential."""

    process: int
    name: str
    digest: str


class Sending(NamedTuple):
    """Pushes of one pass type that go out together."""

    wakes: Sequence[Wake]
    topic: str
    team: str
    lane: int
    sending_s: float


class Credentials:
    """Sends with the newest certificate, or with the one before it where APNs refuses the newest; or with a key."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._clients: dict[_Slot, ApnsClient] = {}
        self._refused: dict[str, datetime] = {}
        self._accepted: set[str] = set()
        self._news: list[Callable[[Session, datetime], None]] = []
        key_file, key_id = world.settings.apns_key_file, world.settings.apns_key_id
        self._tokens = ProviderTokens(key_file, key_id=key_id, clock=world.clock) if key_file and key_id else None

    def digest(self, topic: str) -> str:
        """A digest of what pushes for a pass type would be sent with now, or why there is nothing."""
        if self._tokens is not None:
            return self._tokens.digest()
        try:
            found = issuer(self._world).identities.credentials(topic, at=self._world.clock())
        except AppError as refusal:
            return refusal.public
        return " ".join(one.fingerprint for one in found)

    def send(self, sending: Sending) -> list[Woken | None]:
        """As `ApnsClient.send`.

        Raises: Busy `no_pass_certificate`; IdentityError, if the key is none.
        """
        if self._tokens is not None:
            slot = _Slot(os.getpid(), sending.team, self._tokens.digest())
            self._drop(sending.team, but={slot.digest})
            return _sent(self._client(slot, self._access, self._tokens.of(sending.team)), sending, sending.wakes)
        now = self._world.clock()
        candidates = issuer(self._world).identities.credentials(sending.topic, at=now)
        self._drop(sending.topic, but={one.fingerprint for one in candidates})
        newest, *older = [one for one in candidates if not self._is_refused(one, now)] or candidates[:1]
        woken = self._send_with(newest, sending, sending.wakes)
        for credential in older:
            again = [index for index, one in enumerate(woken) if one is not None and _is_refusal(one)]
            if not again:
                break
            self._note_refused(newest, sending.topic, woken[again[0]], now)
            for index, one in zip(
                again, self._send_with(credential, sending, [sending.wakes[i] for i in again]), strict=True
            ):
                woken[index] = one
        return woken

    def write_news(self, session: Session, now: datetime) -> None:
        """Write down which certificate APNs refused or took again, for pages and alarms."""
        with self._lock:
            news, self._news = self._news, []
        for note in news:
            note(session, now)

    def _send_with(self, credential: Credential, sending: Sending, wakes: Sequence[Wake]) -> list[Woken | None]:
        fingerprint = credential.fingerprint
        slot = _Slot(os.getpid(), sending.topic, fingerprint)
        woken = _sent(self._client(slot, lambda: self._access(credential)), sending, wakes)
        if fingerprint not in self._accepted and any(one and one.answer.status == 200 for one in woken):
            with self._lock:
                self._accepted.add(fingerprint)
                self._news.append(lambda session, _: renewal.note_accepted(session, fingerprint))
        return woken

    def _is_refused(self, credential: Credential, now: datetime) -> bool:
        until = self._refused.get(credential.fingerprint)
        return until is not None and now < until

    def _note_refused(self, credential: Credential, topic: str, woken: Woken | None, now: datetime) -> None:
        reason = woken.answer.reason if woken else ""
        fingerprint = credential.fingerprint
        log.error("APNs refuses the new certificate (%s); pushing with the one before", reason, extra={"topic": topic})
        with self._lock:
            self._refused[fingerprint] = now + REFUSED_FOR
            self._accepted.discard(fingerprint)
            self._news.append(
                lambda session, at: renewal.note_refused(session, fingerprint, pass_type=topic, reason=reason, now=at)
            )
            self._clients.pop(_Slot(os.getpid(), topic, fingerprint), None)

    def _access(self, credential: Credential | None = None) -> Access:
        settings = self._world.settings
        return Access(
            url=settings.apns_url,
            ca_file=settings.apns_ca_file,
            chain_pem=credential.chain_pem if credential else None,
            key_pem=credential.key_pem if credential else None,
        )

    def _client(self, slot: _Slot, access: Callable[[], Access], tokens: TokenSource | None = None) -> ApnsClient:
        with self._lock:
            if slot not in self._clients:
                self._clients[slot] = ApnsClient(access(), tokens=tokens)
            return self._clients[slot]

    def _drop(self, name: str, *, but: set[str]) -> None:
        """Let go connections of credentials that are no longer in use; who is still sending keeps one to the end."""
        with self._lock:
            for slot in [one for one in self._clients if one.name == name and one.digest not in but]:
                del self._clients[slot]


def _sent(client: ApnsClient, sending: Sending, wakes: Sequence[Wake]) -> list[Woken | None]:
    return client.send(wakes, topic=sending.topic, lane=sending.lane, sending_s=sending.sending_s)


def _is_refusal(woken: Woken) -> bool:
    return woken.answer.outcome is Outcome.REFUSED and woken.answer.scope is Scope.CREDENTIAL
