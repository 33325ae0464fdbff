"""Pushes over HTTP/2: one kept connection for each credential, many streams on it, and an answer for every push.

libcurl is driven through `socket_action`: with `perform` and `select` the same work stalls whenever libcurl waits for a
timer of its own. A client belongs to one thread.
"""

import re
import selectors
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import certifi
import pycurl

from passes.apple.addresses import is_loopback
from passes.apple.push import DEADLINE_S, Failure, PushAnswer, PushRequest, Scope, answer, failed, push_request
from passes.outcome import Outcome

STREAMS_MAX = 1000
CONNECTIONS_MAX = 1
IDLE_CLOSE_S = 30 * 60
KEEPALIVE_S = 60
PAUSE_MAX_S = 60.0
BODY_BYTES_MAX = 8 * 1024

# What OpenSSL says when APNs ends a handshake because of our certificate; with TLS 1.3 that comes with the first read.
_CERTIFICATE_ALERT = re.compile(
    r"alert (?:bad certificate|unsupported certificate|certificate (?:revoked|expired|unknown|required)"
    r"|unknown ca|access denied|handshake failure)|certificate required",
    re.IGNORECASE,
)
# libcurl reports the alert "certificate expired", which is about ours, like a fault of the server's certificate.
_EXPIRED_ALERT = "SSL certificate verification failed"
HTTP2_STREAM_ERROR = 92  # CURLE_HTTP2_STREAM, which pycurl does not name
_CONFIGURATION_ERRORS = {pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where APNs is, and the certificate that speaks for the pass type; both PEMs are None where a token speaks."""

    url: str
    ca_file: Path | None = None
    chain_pem: bytes | None = None
    key_pem: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Wake:
    """One phone to be woken about one pass type."""

    push_token: str
    topic: str
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Woken:
    """What became of a push. `detail` says in words why nothing came back."""

    answer: PushAnswer
    took_ms: int = 0
    detail: str = ""


class TokenSource(Protocol):
    """Gives the bearer token of a team, and a new one where APNs says that the present one has expired."""

    def current(self) -> str: ...

    def renew(self, expired: str) -> None: ...


class ApnsClient:
    """One credential's way to APNs."""

    def __init__(self, access: Access, *, tokens: TokenSource | None = None, deadline_s: float = DEADLINE_S) -> None:
        self._access = access
        self._tokens = tokens
        self._deadline_s = deadline_s
        self._loop: _Loop | None = None
        self._spare: list[pycurl.Curl] = []
        self._trusted = False
        self._troubles = 0
        self._pause_until = 0.0

    def send(self, wakes: Sequence[Wake]) -> list[Woken]:
        """Push, and wait for every answer or the deadline; one result for each, in order. Never raises for a fault."""
        left_s = self._pause_until - time.monotonic()
        if left_s > 0:
            pause = replace(failed(Failure.CONNECTION_LOST), retry_after_s=max(1, round(left_s)))
            return [Woken(answer=pause, detail="waiting before the next connection to APNs")] * len(wakes)
        done: list[Woken] = []
        while len(done) < len(wakes):
            # APNs grants a bearer token one stream until it has seen a good one.
            alone = self._tokens is not None and not self._trusted
            batch = wakes[len(done) : len(done) + (1 if alone else STREAMS_MAX)]
            results = self._exchange(batch)
            done += results
            if self._after(results) and len(done) < len(wakes):
                done += [replace(results[-1], took_ms=0)] * (len(wakes) - len(done))
        return done

    def close(self) -> None:
        """Close the connection; the next `send` opens another."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        for curl in self._spare:
            curl.close()
        self._spare.clear()
        self._trusted = False

    def _exchange(self, wakes: Sequence[Wake]) -> list[Woken]:
        bearer = self._tokens.current() if self._tokens else None
        if self._loop is None:
            self._loop = _Loop()
        calls = [_Call(self._spare.pop() if self._spare else self._new_handle()) for _ in wakes]
        for call, wake in zip(calls, wakes, strict=True):
            request = push_request(wake.push_token, wake.topic, expires_at=wake.expires_at, provider_token=bearer)
            call.prepare(self._access.url, request)
        self._loop.run([call.curl for call in calls], until=time.monotonic() + self._deadline_s + 1)
        results = [call.result(self._loop.faults, self._access.url) for call in calls]
        for call in calls:
            self._loop.forget(call.curl)
        self._spare += [call.curl for call in calls]
        if bearer and self._tokens and any(one.answer.new_provider_token for one in results):
            self._tokens.renew(bearer)
        return results

    def _after(self, results: Sequence[Woken]) -> bool:
        """Learn from a batch; True if sending on makes no sense now."""
        if any(one.answer.status == 200 for one in results):
            self._trusted = True
        if not any(one.answer.new_connection for one in results):
            if any(one.answer.status for one in results):
                self._troubles = 0
            return False
        self.close()
        at_once = self._troubles == 0 and all(
            one.answer.retry_after_s == 0 for one in results if one.answer.new_connection
        )
        self._troubles += 1
        if not at_once:
            self._pause_until = time.monotonic() + min(PAUSE_MAX_S, 2.0 ** (self._troubles - 1))
        return True

    def _new_handle(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        access = self._access
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.PIPEWAIT, 1)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.TIMEOUT_MS, int(self._deadline_s * 1000))
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(self._deadline_s * 1000))
        curl.setopt(pycurl.MAXAGE_CONN, IDLE_CLOSE_S)
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.TCP_KEEPIDLE, KEEPALIVE_S)
        curl.setopt(pycurl.TCP_KEEPINTVL, KEEPALIVE_S // 2)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.CAINFO, str(access.ca_file or system_trust()))
        if is_loopback(urlsplit(access.url)):
            curl.setopt(pycurl.NOPROXY, "*")
        if access.chain_pem is not None and access.key_pem is not None:
            curl.setopt(pycurl.SSLCERTTYPE, "PEM")
            curl.setopt(pycurl.SSLCERT_BLOB, access.chain_pem)
            curl.setopt(pycurl.SSLKEY_BLOB, access.key_pem)
        return curl


def system_trust() -> str:
    """The machine's own certificate authorities, or those that come with `requests` where the machine has none."""
    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.openssl_cafile) if path and Path(path).is_file()), None) or str(
        certifi.where()
    )


class _Call:
    """One request on one easy handle."""

    def __init__(self, curl: pycurl.Curl) -> None:
        self.curl = curl
        self._body = bytearray()

    def prepare(self, url: str, request: PushRequest) -> None:
        self.curl.setopt(pycurl.URL, url + request.path)
        headers = [f"{name}: {value}" for name, value in request.headers]
        self.curl.setopt(pycurl.HTTPHEADER, [*headers, "content-type: application/json", "expect:", "accept:"])
        self.curl.setopt(pycurl.POST, 1)
        self.curl.setopt(pycurl.POSTFIELDS, request.body)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def result(self, faults: dict[pycurl.Curl, tuple[int, str]], url: str) -> Woken:
        took_ms = round(self.curl.getinfo(pycurl.TOTAL_TIME) * 1000)
        if self.curl not in faults:
            if self.curl.getinfo(pycurl.INFO_HTTP_VERSION) != pycurl.CURL_HTTP_VERSION_2_0:
                detail = f"{url} does not speak HTTP/2; is there a proxy between?"
                return Woken(answer=failed(Failure.CONNECTION_LOST), took_ms=took_ms, detail=detail)
            return Woken(answer=answer(self.curl.getinfo(pycurl.RESPONSE_CODE), bytes(self._body)), took_ms=took_ms)
        number, text = faults[self.curl]
        if number in _CONFIGURATION_ERRORS and text != _EXPIRED_ALERT:
            detail = f"the certificate of {url} is not trusted ({text}); check TESSERA_APNS_CA_FILE"
            return Woken(answer=_untrusted(), took_ms=took_ms, detail=detail)
        return Woken(answer=failed(_failure(number, text)), took_ms=took_ms, detail=text)

    def _take(self, data: bytes) -> int:
        """More than any answer of APNs is refused, which ends the transfer."""
        if len(self._body) + len(data) > BODY_BYTES_MAX:
            return 0
        self._body += data
        return len(data)


def _failure(number: int, text: str) -> Failure:
    if number == pycurl.E_SSL_CERTPROBLEM or text == _EXPIRED_ALERT or _CERTIFICATE_ALERT.search(text):
        return Failure.CERTIFICATE_REFUSED
    if number == pycurl.E_OPERATION_TIMEDOUT:
        return Failure.TIMEOUT
    if number == HTTP2_STREAM_ERROR and "REFUSED" in text:
        return Failure.REFUSED_STREAM
    return Failure.CONNECTION_LOST


def _untrusted() -> PushAnswer:
    return PushAnswer(
        outcome=Outcome.REFUSED, scope=Scope.CONFIGURATION, status=0, reason="ServerNotTrusted", new_connection=True
    )


class _Loop:
    """libcurl's multi interface over the machine's own selector."""

    def __init__(self) -> None:
        self.faults: dict[pycurl.Curl, tuple[int, str]] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_at: float | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, CONNECTIONS_MAX)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS_MAX)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def run(self, handles: Sequence[pycurl.Curl], *, until: float) -> None:
        """Drive all handles to their end; what is unfinished at *until* counts as timed out."""
        open_handles = set(handles)
        self.faults.clear()
        for curl in handles:
            self._multi.add_handle(curl)
        while open_handles:
            now = time.monotonic()
            if now >= until:
                self.faults.update(dict.fromkeys(open_handles, (pycurl.E_OPERATION_TIMEDOUT, "no answer in time")))
                return
            self._turn(until - now)
            open_handles -= self._finished()

    def forget(self, curl: pycurl.Curl) -> None:
        self._multi.remove_handle(curl)

    def close(self) -> None:
        self._multi.close()
        self._selector.close()

    def _turn(self, wait_s: float) -> None:
        if self._wake_at is not None:
            wait_s = min(wait_s, max(0.0, self._wake_at - time.monotonic()))
        for key, ready in self._selector.select(wait_s):
            flags = pycurl.CSELECT_IN if ready & selectors.EVENT_READ else 0
            flags |= pycurl.CSELECT_OUT if ready & selectors.EVENT_WRITE else 0
            self._multi.socket_action(key.fd, flags)
        if self._wake_at is not None and self._wake_at <= time.monotonic():
            self._wake_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _finished(self) -> set[pycurl.Curl]:
        ended: set[pycurl.Curl] = set()
        queued = 1
        while queued:
            queued, good, bad = self._multi.info_read()
            ended.update(good)
            for curl, number, text in bad:
                ended.add(curl)
                self.faults[curl] = (number, text)
        return ended

    def _watch(self, event: int, descriptor: int, _multi: Any, _data: Any) -> None:
        watched = descriptor in self._selector.get_map()
        if event == pycurl.POLL_REMOVE:
            if watched:
                self._selector.unregister(descriptor)
            return
        wanted = selectors.EVENT_READ if event in {pycurl.POLL_IN, pycurl.POLL_INOUT} else 0
        wanted |= selectors.EVENT_WRITE if event in {pycurl.POLL_OUT, pycurl.POLL_INOUT} else 0
        if watched:
            self._selector.modify(descriptor, wanted)
        else:
            self._selector.register(descriptor, wanted)

    def _set_timer(self, timeout_ms: int) -> None:
        self._wake_at = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
