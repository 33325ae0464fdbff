"""The socket to Google: signed in as the service account, one try for each call, every answer read by `passes`."""

import hashlib
import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import requests
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import AuthorizedSession
from google.auth.transport.requests import Request as TransportRequest
from google.oauth2 import service_account

from app.clock import Clock
from app.db import Database
from app.errors import Busy
from app.settings import Settings
from app.world import World
from passes.errors import IdentityError
from passes.google import answers, api, batch
from passes.google.answers import Answer, Breaker, Scope, Step
from passes.google.api import Request
from passes.google.batch import Part
from passes.google.meaning import Meaning
from passes.google.save_link import Signer
from passes.outcome import Outcome

TIMEOUT_S = 15
NO_BATCHES_HERE = {404, 405, 501}
HEADERS = {"Accept-Encoding": "gzip", "User-Agent": "Tessera (gzip)", "Content-Type": "application/json; charset=utf-8"}
KEY_REFUSED = (
    "Google does not accept the service account's key. Make a new key for it, put the file where "
    "TESSERA_GOOGLE_CREDENTIALS points, and it is taken up by itself."
)
NOT_INVITED = (
    "Google refuses this service account: invite {email} in the Google Pay & Wallet console as a user with the "
    "Developer role, and check TESSERA_GOOGLE_ISSUER_ID."
)
NO_SUCH_ISSUER = "Google knows no issuer {issuer}; correct TESSERA_GOOGLE_ISSUER_ID."


@dataclass(frozen=True, kw_only=True)
class Account:
    """A service account's key file as it was last read."""

    stamp: tuple[int, int]
    digest: str
    signer: Signer
    session: AuthorizedSession
    transport: "TokenTransport"


class TokenTransport(TransportRequest):
    """How access tokens are fetched: as its parent does, but never for two minutes."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return super().__call__(*args, **{"timeout": TIMEOUT_S, **options})  # type: ignore[no-untyped-call]


class WalletCredentials(service_account.Credentials):
    """A service account that asks for tokens and nothing else.

    The library would also ask another host of Google's which regions the account is bound to, in the background and
    with the access token. Wallet has no regions, and no address is called that the settings do not name.
    """

    def _is_regional_access_boundary_lookup_required(self) -> bool:
        return False


_shared: "WeakKeyDictionary[Database, GoogleClient]" = WeakKeyDictionary()
_sharing = threading.Lock()


def shared_client(world: World) -> "GoogleClient":
    """The one client of this world in this process: the key is read once, and an access token serves for an hour."""
    with _sharing:
        client = _shared.get(world.database)
        if client is None:
            client = _shared[world.database] = GoogleClient(world.settings, world.clock)
        return client


class GoogleClient:
    """Calls the REST API; safe to share between threads. It repeats nothing but a call that needed a fresh token."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._fetching = threading.Lock()
        self._account: Account | None = None

    def account(self) -> Account:
        """The service account in use; its file is read again when it changes.

        Raises: Busy `google_not_configured`, with the reason in words.
        """
        path = self._settings.google_credentials
        if path is None:
            raise _not_configured("Google Wallet is not configured here.", "TESSERA_GOOGLE_CREDENTIALS is not set")
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            with self._lock:
                if self._account is None or self._account.stamp != stamp:
                    self._account = _load(path, stamp)
                return self._account
        except (OSError, ValueError, KeyError, TypeError, IdentityError, GoogleAuthError) as problem:
            words = "The service account's key file cannot be used."
            raise _not_configured(words, f"{path}: {problem}") from problem

    def call(self, request: Request, *, given_up: bool = False) -> Answer:
        """Ask once, and once more with a fresh token if that is what was missing.

        Never raises for what Google says or fails to say.
        """
        try:
            account = self.account()
            token = self._token(account)
            answer = self._once(account, request, refreshed=False, given_up=given_up)
            if answer.step is not Step.REFRESH_TOKEN:
                return answer
            self._token(account, refused=token)
            return self._once(account, request, refreshed=True, given_up=given_up)
        except RefreshError as problem:
            return _no_token(request, problem)
        except (requests.RequestException, TransportError) as problem:
            return answers.no_answer(request, type(problem).__name__)
        except Busy as problem:
            return _stopped(Meaning.UNAUTHENTICATED, f"{problem.public} {problem.detail}")

    def call_together(self, calls: Sequence[tuple[Request, bool]]) -> list[Answer] | None:
        """Ask for many at once, each with its *given_up* as in `call`; None if there is no batch endpoint.

        What was refused for want of a fresh token is asked once more.
        """
        try:
            account = self.account()
            token = self._token(account)
            found = self._together(account, calls, refreshed=False)
            stale = [at for at, one in enumerate(found or ()) if one.step is Step.REFRESH_TOKEN]
            if found is None or not stale:
                return found
            self._token(account, refused=token)
            again = self._together(account, [calls[at] for at in stale], refreshed=True) or []
            for at, answer in zip(stale, again, strict=False):
                found[at] = answer
            return found
        except RefreshError as problem:
            return [_no_token(request, problem) for request, _ in calls]
        except (requests.RequestException, TransportError) as problem:
            return [answers.no_answer(request, type(problem).__name__) for request, _ in calls]
        except Busy as problem:
            return [_stopped(Meaning.UNAUTHENTICATED, f"{problem.public} {problem.detail}")] * len(calls)

    def words_for_breaker(self, answer: Answer) -> str:
        """What an operator must mend before anything of this issuer can be sent; empty if nothing."""
        if not answer.opens:
            return ""
        if answer.meaning is Meaning.PERMISSION:
            return NOT_INVITED.format(email=self.account().signer.email)
        if answer.meaning is Meaning.MISSING_ISSUER:
            return NO_SUCH_ISSUER.format(issuer=self._settings.google_issuer_id)
        return KEY_REFUSED

    def _token(self, account: Account, *, refused: str = "") -> str:
        """A token that is valid and not the *refused* one, fetched by one thread for all.

        A token server may honour its newest token alone: threads that each fetched one would refuse each other.
        """
        credentials = account.session.credentials
        waited = self._fetching.acquire(timeout=TIMEOUT_S)  # a silent token server must not queue threads up for ever
        try:
            if not credentials.valid or credentials.token == refused:
                credentials.refresh(account.transport)
            return str(credentials.token)
        finally:
            if waited:
                self._fetching.release()

    def _once(self, account: Account, request: Request, *, refreshed: bool, given_up: bool) -> Answer:
        response = account.session.request(
            request.method,
            self._settings.google_wallet_url + request.path,
            params=list(request.query),
            data=request.content,
            headers=HEADERS,
            timeout=TIMEOUT_S,
            max_allowed_time=TIMEOUT_S * 2,
            allow_redirects=False,
        )
        return answers.read(
            request,
            response.status_code,
            response.headers,
            response.content,
            now=self._clock(),
            token_refreshed=refreshed,
            given_up=given_up,
        )

    def _together(
        self, account: Account, calls: Sequence[tuple[Request, bool]], *, refreshed: bool
    ) -> list[Answer] | None:
        boundary = secrets.token_hex(16)
        response = account.session.request(
            "POST",
            self._settings.google_wallet_url + batch.PATH,
            data=batch.encode([request for request, _ in calls], boundary=boundary),
            headers={**HEADERS, "Content-Type": f"multipart/mixed; boundary={boundary}"},
            timeout=TIMEOUT_S,
            max_allowed_time=TIMEOUT_S * 2,
            allow_redirects=False,
        )
        if response.status_code in NO_BATCHES_HERE:
            return None
        whole = Part(status=response.status_code, headers=response.headers, content=response.content)
        parts = batch.decode(response.headers.get("Content-Type", ""), response.content) if response.ok else {}
        found = []
        for number, (request, given_up) in enumerate(calls):
            part = parts.get(number) if response.ok else whole
            if part is None:
                found.append(answers.no_answer(request, "absent from the answer to its batch"))
                continue
            found.append(
                answers.read(
                    request, part.status, part.headers, part.content,
                    now=self._clock(), token_refreshed=refreshed, given_up=given_up,
                )
            )  # fmt: skip
        return found


def _load(path: Path, stamp: tuple[int, int]) -> Account:
    content = path.read_bytes()
    info: Mapping[str, Any] = json.loads(content)
    signer = Signer.from_pem(
        str(info["private_key"]).encode(), email=str(info["client_email"]), key_id=info.get("private_key_id")
    )
    credentials = WalletCredentials.from_service_account_info(info, scopes=[api.SCOPE])  # type: ignore[no-untyped-call]  # google-auth has no types
    # its own repetition after a 401 is switched off: one place decides what is tried again
    transport = TokenTransport(requests.Session())
    session = AuthorizedSession(credentials, refresh_status_codes=(), auth_request=transport)
    digest = hashlib.sha256(content).hexdigest()
    return Account(stamp=stamp, digest=digest, signer=signer, session=session, transport=transport)


def _no_token(request: Request, problem: RefreshError) -> Answer:
    if problem.retryable:
        return answers.no_answer(request, "no access token")
    return _stopped(Meaning.UNAUTHENTICATED, "the token server refused the key")


def _stopped(meaning: Meaning, message: str) -> Answer:
    return Answer(
        outcome=Outcome.TRY_AGAIN, meaning=meaning, step=Step.TELL_OPERATOR, scope=Scope.SENDER,
        breaker=Breaker.CREDENTIAL, opens=True, message=message,
    )  # fmt: skip


def _not_configured(public: str, detail: str) -> Busy:
    return Busy("google_not_configured", public, detail=detail, retry_after_s=600)
