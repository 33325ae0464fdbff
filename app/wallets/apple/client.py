"""Pushes over HTTP/2: one kept connection for each credential of a process, and an answer for every push."""

import ssl
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import pycurl

from app.wallets.apple.batches import Batch, Wake, Woken
from app.wallets.apple.line import Line, TokenSource
from passes.apple.addresses import is_loopback
from passes.apple.push import DEADLINE_S, Failure, failed

KEEPALIVE_S = 60
IDLE_CLOSE_S = 30 * 60.0
SENDING_S = 40.0  # how long a batch may go on being sent where the caller names no end
OVERDUE = Woken(answer=failed(Failure.TIMEOUT), detail="no answer in time")


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where APNs is, and the certificate that speaks for the pass type; both PEMs are None where a token speaks."""

    url: str
    ca_file: Path | None = None
    chain_pem: bytes | None = None
    key_pem: bytes | None = None


class ApnsClient:
    """One credential's way to APNs, for all threads of a process. Its connection closes when nobody holds it."""

    def __init__(
        self,
        access: Access,
        *,
        tokens: TokenSource | None = None,
        deadline_s: float = DEADLINE_S,
        idle_close_s: float = IDLE_CLOSE_S,
    ) -> None:
        self._deadline_s = deadline_s
        deadline_ms = int(deadline_s * 1000)
        self._line = Line(access.url, lambda: _handle(access, deadline_ms), tokens=tokens, idle_close_s=idle_close_s)
        weakref.finalize(self, self._line.stop)

    def send(
        self, wakes: Sequence[Wake], *, topic: str, lane: int = 0, sending_s: float = SENDING_S
    ) -> list[Woken | None]:
        """Push, and wait for every answer or its deadline; one result for each, in order. Never raises for a fault.

        Lanes with smaller numbers go first. None stands for a push that could not be sent within *sending_s*.
        """
        if not wakes:
            return []
        batch = Batch(wakes, topic=topic, lane=lane, until=time.monotonic() + sending_s)
        self._line.submit(batch)
        # the line itself ends every request in time: this is for a line that broke down
        if batch.done.wait(sending_s + 2 * self._deadline_s):
            return batch.results
        return [one or OVERDUE for one in batch.results]

    def close(self) -> None:
        """Close the connection; the next `send` opens another."""
        self._line.stop()


def system_trust() -> str:
    """The machine's own certificate authorities, or those that come with `requests` where the machine has none."""
    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.openssl_cafile) if path and Path(path).is_file()), None) or str(
        certifi.where()
    )


def _handle(access: Access, deadline_ms: int) -> pycurl.Curl:
    """A handle of libcurl with everything set that all pushes share."""
    curl = pycurl.Curl()
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
    curl.setopt(pycurl.PIPEWAIT, 1)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.TIMEOUT_MS, deadline_ms)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, deadline_ms)
    curl.setopt(pycurl.MAXAGE_CONN, int(IDLE_CLOSE_S))
    curl.setopt(pycurl.TCP_NODELAY, 0)  # see Multi.flush
    curl.setopt(pycurl.TCP_KEEPALIVE, 1)
    curl.setopt(pycurl.TCP_KEEPIDLE, KEEPALIVE_S)
    curl.setopt(pycurl.TCP_KEEPINTVL, KEEPALIVE_S // 4)
    curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    curl.setopt(pycurl.CAINFO, str(access.ca_file or system_trust()))
    if is_loopback(urlsplit(access.url)):
        curl.setopt(pycurl.NOPROXY, "*")
    if access.chain_pem is not None and access.key_pem is not None:
        curl.setopt(pycurl.SSLCERTTYPE, "PEM")
        curl.setopt(pycurl.SSLCERT_BLOB, access.chain_pem)
        curl.setopt(pycurl.SSLKEY_BLOB, access.key_pem)
    return curl
