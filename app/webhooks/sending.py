"""One request to one endpoint: to the addresses that were judged, in ten seconds, and nothing of the answer is kept."""

import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pycurl

from app.webhooks.addresses import Destination

CONNECT_WITHIN_S = 5
ANSWER_WITHIN_S = 10
ANSWER_BYTES_MAX = 64 * 1024
USER_AGENT = "Tessera-Webhooks/1"
FAULTS = {
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_COULDNT_CONNECT: "unreachable",
    pycurl.E_PEER_FAILED_VERIFICATION: "certificate",
    pycurl.E_SSL_CACERT_BADFILE: "certificate",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_GOT_NOTHING: "no_answer",
    pycurl.E_RECV_ERROR: "no_answer",
    pycurl.E_SEND_ERROR: "no_answer",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: a status, or 0 and in one word why there is none."""

    status: int
    reason: str
    took_ms: int

    @property
    def is_taken(self) -> bool:
        """Whether the endpoint has it."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint asks to be told nothing any more."""
        return self.status == 410


class Line:
    """The way to one destination, kept open between the messages of one turn. It belongs to one thread."""

    def __init__(self, to: Destination, *, ca_file: Path | None = None) -> None:
        self._to = to
        self._taken = 0
        self._opened: list[socket.socket] = []
        self._curl = pycurl.Curl()
        self._set_up(ca_file)

    def close(self) -> None:
        self._curl.close()

    def send(self, body: bytes, headers: Sequence[str]) -> Answer:
        """Post one body and wait for its answer; never raises for what the other side does."""
        self._taken = 0
        self._curl.setopt(pycurl.POSTFIELDS, body)
        self._curl.setopt(
            pycurl.HTTPHEADER, [*headers, "content-type: application/json", f"user-agent: {USER_AGENT}", "expect:"]
        )
        began, fault = time.monotonic(), ""
        try:
            self._curl.perform()
        except pycurl.error as problem:
            fault = FAULTS.get(problem.args[0], f"curl {problem.args[0]}")
        finally:
            self._close_own()
        status = int(self._curl.getinfo(pycurl.RESPONSE_CODE))
        if fault and self._taken > ANSWER_BYTES_MAX:
            fault = ""  # the status is known, and the rest of so long an answer is of no interest
        reason = fault or f"status {status}"
        return Answer(status=0 if fault else status, reason=reason, took_ms=int((time.monotonic() - began) * 1000))

    def _set_up(self, ca_file: Path | None) -> None:
        to, curl = self._to, self._curl
        curl.setopt(pycurl.URL, to.url)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS | pycurl.PROTO_HTTP)
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_WITHIN_S)
        curl.setopt(pycurl.TIMEOUT, ANSWER_WITHIN_S)
        curl.setopt(pycurl.PROXY, "")  # an empty one also keeps the environment's proxies out
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.CAINFO, str(ca_file) if ca_file else _system_trust())
        curl.setopt(pycurl.WRITEFUNCTION, self._take)
        shown = [f"[{one}]" if ":" in one else one for one in to.addresses]
        if to.host not in to.addresses:
            curl.setopt(pycurl.RESOLVE, [f"{to.host}:{to.port}:{','.join(shown)}"])
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open)

    def _open(self, _purpose: int, address: Any) -> Any:
        """Refuse every address but those that were judged, however libcurl has come by it."""
        family, kind, protocol, place = address
        if place[0] not in self._to.addresses or place[1] != self._to.port:
            return pycurl.SOCKET_BAD
        made = socket.socket(family, kind, protocol)
        self._opened.append(made)
        return made

    def _close_own(self) -> None:
        """pycurl goes on with a copy of each socket that it is given."""
        while self._opened:
            self._opened.pop().close()

    def _take(self, piece: bytes) -> int:
        self._taken += len(piece)
        return len(piece) if self._taken <= ANSWER_BYTES_MAX else 0


def _system_trust() -> str:
    """The machine's own certificate authorities, or certifi's where the machine has none."""
    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.openssl_cafile) if path and Path(path).is_file()), None) or str(
        certifi.where()
    )
