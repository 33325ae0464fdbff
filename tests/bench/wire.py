"""A load generator that costs little itself: prepared requests over kept connections, and when they were answered."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

ANSWERS_WITHIN_S = 10


@dataclass(kw_only=True)
class Timings:
    """How long answers took, how long all of it took, and which statuses came."""

    took_s: list[float] = field(default_factory=list)
    whole_s: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return len(self.took_s) / self.whole_s

    def at(self, share: float) -> float:
        """The time, in seconds, within which this share of the answers came."""
        ordered = sorted(self.took_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def only(self, status: int) -> "Timings":
        """These timings, if every answer had this status."""
        if set(self.statuses) != {status}:
            raise SystemExit(f"expected nothing but {status}, got {self.statuses}")
        return self


class Connection:
    """One kept HTTP/1.1 connection."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self.host = parts.netloc
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), ANSWERS_WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def send(self, request: bytes) -> int:
        """Send a prepared request and read its answer to the end; the status."""
        self._socket.sendall(request)
        head, _, self._rest = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        status = int(head[9:12])
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if status not in {204, 304}:
            while len(self._rest) < length:
                self._rest += self._more()
            self._rest = self._rest[length:]
        return status

    def close(self) -> None:
        self._socket.close()

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._more()
        return self._rest

    def _more(self) -> bytes:
        found = self._socket.recv(262_144)
        if not found:
            raise SystemExit("the server closed the connection")
        return found


def request(host: str, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def one_after_another(base: str, requests: Sequence[bytes], *, clients: int = 1) -> Timings:
    """Each client sends its next request when its last was answered."""
    found = Timings()
    lock = threading.Lock()

    def work(mine: Sequence[bytes]) -> None:
        connection = Connection(base)
        for one in mine:
            began = time.perf_counter()
            _note(found, lock, connection.send(one), time.perf_counter() - began)
        connection.close()

    return _together([partial(work, requests[at::clients]) for at in range(clients)], found)


def offered(base: str, requests: Sequence[bytes], *, rate: float, clients: int = 32) -> Timings:
    """Requests become due at a steady rate; waiting for a free connection counts as part of the answer's time."""
    found = Timings()
    lock = threading.Lock()
    waiting = iter(enumerate(requests))
    began = time.perf_counter() + 0.1

    def work() -> None:
        connection = Connection(base)
        while True:
            with lock:
                number, one = next(waiting, (-1, b""))
            if number < 0:
                break
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            _note(found, lock, connection.send(one), time.perf_counter() - due)
        connection.close()

    return _together([work] * clients, found)


def _note(found: Timings, lock: threading.Lock, status: int, took_s: float) -> None:
    with lock:
        found.took_s.append(took_s)
        found.statuses[status] = found.statuses.get(status, 0) + 1


def _together(jobs: Sequence[Callable[[], None]], found: Timings) -> Timings:
    threads = [threading.Thread(target=job) for job in jobs]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.whole_s = time.perf_counter() - began
    return found
