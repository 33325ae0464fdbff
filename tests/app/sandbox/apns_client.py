"""A small HTTP/2 client that shows every frame, for asking APNs things that no library would."""

import json
import socket
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.settings

PASS_TYPE = "pass.com.example.card"
TOKEN = "ab" * 32
HEADERS = {"apns-topic": PASS_TYPE, "apns-push-type": "background", "apns-priority": "5"}


@dataclass
class Answer:
    status: int = 0
    apns_id: str = ""
    body: bytes = b""
    reset: int | None = None
    ended: bool = False

    @property
    def reason(self) -> str:
        return str(self.json.get("reason", ""))

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body)) if self.body else {}


@dataclass
class ApnsClient:
    url: str
    ca_file: Path
    identity: Path | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    goaway: h2.events.ConnectionTerminated | None = None
    closed: bool = False

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.set_alpn_protocols(["h2"])
        if self.identity:
            context.load_cert_chain(self.identity / "certificate.pem", self.identity / "key.pem")
        parts = urlsplit(self.url)
        plain = socket.create_connection((parts.hostname, parts.port), timeout=30)
        try:
            self.socket = context.wrap_socket(plain, server_hostname=parts.hostname)
        except BaseException:
            plain.close()
            raise
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
        )
        self.h2.initiate_connection()
        self._flush()

    @property
    def stream_limit(self) -> int:
        return self.h2.remote_settings.get(h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS, -1)

    def send(
        self,
        token: str = TOKEN,
        body: bytes = b"{}",
        *,
        method: str = "POST",
        path: str | None = None,
        more: tuple[tuple[str, str], ...] = (),
        **changes: str | None,
    ) -> int:
        """Send one push (underscores in *changes* are hyphens, None leaves a header out); its stream."""
        headers: dict[str, str | None] = {**HEADERS, **{name.replace("_", "-"): v for name, v in changes.items()}}
        stream = self.h2.get_next_available_stream_id()
        lines = [
            (":method", method),
            (":scheme", "https"),
            (":authority", "127.0.0.1"),
            (":path", path or f"/3/device/{token}"),
            *[(name, value) for name, value in headers.items() if value is not None],
            *more,
        ]
        self.h2.send_headers(stream, lines, end_stream=not body)
        while body:
            part, body = body[:16_000], body[16_000:]
            self.h2.send_data(stream, part, end_stream=not body)
        self.answers[stream] = Answer()
        self._flush()
        return stream

    def push(self, token: str = TOKEN, body: bytes = b"{}", **changes: Any) -> Answer:
        stream = self.send(token, body, **changes)
        self.read_until(lambda: self.answers[stream].ended)
        return self.answers[stream]

    def read_until(self, done: Any, timeout_s: float = 5.0) -> bool:
        """Read frames until done() or the end of the connection or of the time; what done() says then."""
        ends_at = time.monotonic() + timeout_s
        while not done() and not self.closed and time.monotonic() < ends_at:
            self.socket.settimeout(max(0.01, ends_at - time.monotonic()))
            try:
                data = self.socket.recv(65_536)
            except TimeoutError:
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
                break
            for event in self.h2.receive_data(data):
                self._on(event)
            self._flush()
        return bool(done())

    def _on(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                headers = {str(name): str(value) for name, value in event.headers}
                self.answers[event.stream_id].status = int(headers[":status"])
                self.answers[event.stream_id].apns_id = headers.get("apns-id", "")
            case h2.events.DataReceived():
                self.answers[event.stream_id].body += event.data
            case h2.events.StreamEnded():
                self.answers[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.answers[event.stream_id].reset = int(event.error_code)
                self.answers[event.stream_id].ended = True
            case h2.events.ConnectionTerminated():
                self.goaway = event

    def _flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
