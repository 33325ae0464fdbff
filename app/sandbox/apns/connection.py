"""One HTTP/2 connection of the APNs stand-in."""

import asyncio
import contextlib
import json
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Protocol

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from cryptography import x509
from cryptography.x509.oid import NameOID
from hyperframe.frame import GoAwayFrame

from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.apns.rules import Caller, Request, Verdict, from_headers
from app.sandbox.apns.wire import Wire

MAX_BODY_BYTES = 65_536
LINGER_S = 0.5  # after GOAWAY, for answers that are on their way


class Post(Protocol):
    """The post office behind the connections."""

    def fault_for(self, token: str, streams_seen: int) -> Fault | None: ...

    def judge(self, request: Request, caller: Caller) -> Verdict: ...

    def deliver(self, request: Request, verdict: Verdict, apns_id: str) -> None: ...

    def record(self, request: Request, answer: "Answered") -> None: ...

    def joined(self, connection: "ApnsConnection") -> None: ...

    def left(self, connection: "ApnsConnection") -> None: ...

    def over_limit(self) -> None: ...

    def stream_limit(self, *, proven: bool) -> int: ...

    def caller_from(self, certificate: bytes | None) -> Caller: ...


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What became of one stream; status 0 means no answer was sent."""

    status: int
    reason: str
    apns_id: str
    topic: str
    connection: int
    stream: int
    fault: str = ""


@dataclass
class _Stream:
    headers: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)


class ApnsConnection:
    def __init__(self, post: Post, number: int) -> None:
        self.number = number
        self.streams_seen = 0
        self._post = post
        self._streams: dict[int, _Stream] = {}
        self._last_stream: int | None = None  # set by GOAWAY: streams above are left undone
        self._proven = False
        self._limit = 0
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_outbound_headers=False,  # ours are right, and checking them costs a tenth of the speed
                normalize_outbound_headers=False,
            )
        )

    def opened(self, wire: Wire) -> None:
        self._wire = wire
        if wire.protocol != "h2":
            wire.abort()
            return
        self._caller = self._post.caller_from(wire.peer_certificate)
        self._proven = self._caller.certificate_topic is not None
        # The first SETTINGS name no limit, so that h2 does not kill a client that sends before it has read ours.
        settings = h2.settings.Settings(client=False)
        settings.pop(h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS, None)
        self._h2.local_settings = settings
        self._h2.initiate_connection()
        self.apply_stream_limit()
        self._post.joined(self)

    def lost(self) -> None:
        self._post.left(self)

    def received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except (h2.exceptions.ProtocolError, UnicodeDecodeError):
            self._flush()
            self._wire.close()
            return
        for event in events:
            self._on_event(event)
            if self._wire.closing:
                return
        self._flush()

    def apply_stream_limit(self) -> None:
        """Tell the client how many streams it may have open, if that has changed."""
        limit = self._post.stream_limit(proven=self._proven)
        if limit != self._limit:
            self._limit = limit
            with contextlib.suppress(h2.exceptions.ProtocolError):  # the client has just closed
                self._h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: limit})
        self._flush()

    def cut(self) -> None:
        self._wire.abort()

    def _on_event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self.streams_seen += 1
                if len(self._streams) >= self._limit:
                    self._post.over_limit()
                    self._h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                    return
                self._streams[event.stream_id] = _Stream([(str(n), str(v)) for n, v in event.headers])
            case h2.events.DataReceived():
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                stream = self._streams.get(event.stream_id)
                if stream is not None and len(stream.body) <= MAX_BODY_BYTES:
                    stream.body += event.data
            case h2.events.StreamEnded():
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    self._on_request(event.stream_id, from_headers(stream.headers, bytes(stream.body)))
            case h2.events.StreamReset():
                self._streams.pop(event.stream_id, None)
            case h2.events.ConnectionTerminated():
                self._flush()
                self._wire.close()

    def _on_request(self, stream: int, request: Request) -> None:
        if self._last_stream is not None and stream > self._last_stream:
            return
        fault = self._post.fault_for(request.token, self.streams_seen)
        if fault is None:
            self._settle(stream, request, self._post.judge(request, self._caller), Fault())
            return
        match fault.kind:
            case FaultKind.ANSWER:
                verdict = Verdict(status=fault.status, reason=fault.reason, timestamp_ms=fault.timestamp_ms)
                if fault.status == 200:
                    verdict = self._post.judge(request, self._caller)
                self._settle(stream, request, replace(verdict, delay_s=fault.delay_s), fault)
            case FaultKind.SLOW | FaultKind.LOST_ANSWER:
                verdict = self._post.judge(request, self._caller)
                self._settle(stream, request, replace(verdict, delay_s=fault.delay_s), fault)
            case FaultKind.GOAWAY:
                self._go_away(stream, request, fault)
            case FaultKind.REFUSE_STREAM:
                self._streams.pop(stream, None)
                self._h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
                self._record(stream, request, fault)
            case FaultKind.DROP:
                self._record(stream, request, fault)
                self._wire.abort()
            case _:
                self._record(stream, request, fault)

    def _settle(self, stream: int, request: Request, verdict: Verdict, fault: Fault) -> None:
        apns_id = request.headers.get("apns-id") or str(uuid.uuid4())
        lost = fault.kind is FaultKind.LOST_ANSWER
        if verdict.status == 200:
            self._post.deliver(request, verdict, apns_id)
        answered = Answered(
            status=0 if lost else verdict.status,
            reason=verdict.reason,
            apns_id=apns_id,
            topic=verdict.topic,
            connection=self.number,
            stream=stream,
            fault="" if fault == Fault() else fault.kind.value,
        )
        self._post.record(request, answered)
        if lost:
            return
        if verdict.delay_s:
            loop = asyncio.get_running_loop()
            loop.call_later(verdict.delay_s, self._answer, stream, verdict, apns_id, True)
        else:
            self._answer(stream, verdict, apns_id)

    def _answer(self, stream: int, verdict: Verdict, apns_id: str, late: bool = False) -> None:
        if self._wire.closing or self._streams.pop(stream, None) is None:
            return
        headers = [(":status", str(verdict.status)), ("apns-id", apns_id)]
        if verdict.status == 200:
            self._h2.send_headers(stream, headers, end_stream=True)
            if not self._proven:
                self._proven = True
                self.apply_stream_limit()
        else:
            body: dict[str, str | int] = {"reason": verdict.reason} if verdict.reason else {}
            if verdict.timestamp_ms is not None:
                body["timestamp"] = verdict.timestamp_ms
            content = json.dumps(body).encode() if body else b""
            self._h2.send_headers(stream, [*headers, ("content-type", "application/json")], end_stream=not content)
            if content:
                self._h2.send_data(stream, content, end_stream=True)
        if late:
            self._flush()

    def _go_away(self, stream: int, request: Request, fault: Fault) -> None:
        self._last_stream = stream
        self._settle(stream, request, self._post.judge(request, self._caller), fault)
        self._flush()
        content = b""
        if fault.reason:
            content = json.dumps({"reason": fault.reason, "timestamp": int(time.time() * 1000)}).encode()
        frame = GoAwayFrame(0, last_stream_id=self._last_stream, error_code=0, additional_data=content)
        # Written past h2, which would refuse to send the answers still owed after it.
        self._wire.write(frame.serialize())
        asyncio.get_running_loop().call_later(LINGER_S + fault.delay_s, self._wire.close)

    def _record(self, stream: int, request: Request, fault: Fault) -> None:
        answered = Answered(
            status=0,
            reason=fault.reason,
            apns_id=request.headers.get("apns-id", ""),
            topic=request.headers.get("apns-topic", ""),
            connection=self.number,
            stream=stream,
            fault=fault.kind.value,
        )
        self._post.record(request, answered)

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._wire.closing:
            self._wire.write(data)


def pass_type_of(certificate: x509.Certificate) -> str | None:
    names = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    return str(names[0].value) if names else None
