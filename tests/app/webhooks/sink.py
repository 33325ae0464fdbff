"""A receiver of webhooks on this machine: keeps what it is sent and answers as it is told."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Sink:
    """`answer` is asked for each request: a status, or (status, headers, body)."""

    port: int = 0
    scheme: str = "http"
    answer: Callable[[Received], Any] = lambda _: 204
    received: list[Received] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    connections: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    @property
    def neighbour(self) -> str:
        return f"127.0.0.1:{self.port}"

    def wait_for(self, count: int, within_s: float = 60.0) -> list[Received]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, within_s), len(self.received)
            return list(self.received)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self._sink.connections += 1

    @property
    def _sink(self) -> Sink:
        sink: Sink = self.server.sink  # type: ignore[attr-defined]  # set by `sink`
        return sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        one = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with self._sink.changed:
            self._sink.received.append(one)
            self._sink.changed.notify_all()
        told = self._sink.answer(one)
        status, headers, content = told if isinstance(told, tuple) else (told, {}, b"")
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    do_GET = do_CONNECT = do_POST  # a proxy would be asked like this; it must be seen

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def sink(identity: tuple[Path, Path] | None = None) -> Iterator[Sink]:
    """A running sink; over TLS with (certificate, key)."""
    made = Sink(scheme="https" if identity else "http")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]  # clients that hang up are wanted here
    server.sink = made  # type: ignore[attr-defined]  # read by the handler
    if identity:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*identity)
        context.sni_callback = lambda _socket, name, _context: made.names.append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sleeping(seconds: float, then: int = 204) -> Callable[[Received], int]:
    """An answer that takes its time."""

    def answer(_: Received) -> int:
        time.sleep(seconds)
        return then

    return answer
