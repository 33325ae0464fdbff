"""One HTTP/2 connection to APNs: frames in and out, and each push from its beginning to its end.

A client of its own, because a campaign is a million of these: a push costs 10 µs of processor here, and 33 to 38 with
libcurl, which also hides what APNs says about streams (its limit, and which ones a GOAWAY left undone).
"""

import contextlib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from hpack import Decoder, HPACKError

from app.wallets.apple import frames, verdicts
from app.wallets.apple.batches import Batch, Woken
from app.wallets.apple.frames import Code, Form, Kind, ProtocolFault, Setting
from passes.apple.push import PUSH_BODY, Failure, answer

STREAMS_MAX = 1000
BODY_BYTES_MAX = 8 * 1024
BLOCK_BYTES_MAX = 64 * 1024
READ_BYTES = 256 * 1024
RECEIVE_WINDOW = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long we wait: for an answer, in a silence before asking for a sign of life, and unused before closing."""

    answer_s: float
    silence_s: float
    idle_s: float


class Push(NamedTuple):
    """One push under way."""

    batch: Batch
    at: int
    started_s: float


class Ended(NamedTuple):
    """A push that ended otherwise than with a plain success."""

    push: Push
    woken: Woken


@dataclass(kw_only=True)
class _Answer:
    """What has come of an answer that is no plain success."""

    status: int = 0
    content_type: str = ""
    body: bytearray = field(default_factory=bytearray)


class Link:
    """See the module. Belongs to one thread; every method may raise OSError or ProtocolFault: then it is lost.

    `live`: pushes under way by stream, the oldest first. `trusted`: APNs accepted a push of this credential.
    `leaving`: nothing may begin here any more. `undone`: pushes that APNs surely did not take.
    """

    def __init__(self, wire: ssl.SSLSocket, *, url: str, bearer: str | None, patience: Patience) -> None:
        self.wire = wire
        self.bearer = bearer
        self.live: dict[int, Push] = {}
        self.ended: list[Ended] = []
        self.undone: list[Push] = []
        self.goodbye: str | None = None
        self.trusted = bearer is None
        self.delivered = 0
        self._url = url
        self._patience = patience
        self._next = 1
        self._streams_max = STREAMS_MAX
        self._window = frames.WINDOW
        self._taken_bytes = 0
        self._is_plain = False  # answers are known not to use HPACK's dynamic table
        self._decoder = Decoder()
        self._answers: dict[int, _Answer] = {}
        self._block: tuple[int, int, bytearray] | None = None
        self._rest = b""
        self._out = bytearray()
        self._heard_at = time.monotonic()
        self._pinged_at: float | None = None
        self.has_settings = False
        self.is_closed = False
        wire.setblocking(False)
        self._out += frames.PREFACE
        self._out += frames.settings(
            {Setting.HEADER_TABLE_SIZE: 0, Setting.ENABLE_PUSH: 0, Setting.INITIAL_WINDOW_SIZE: RECEIVE_WINDOW}
        )
        self._out += frames.frame(Kind.WINDOW_UPDATE, RECEIVE_WINDOW.to_bytes(4))

    @property
    def leaving(self) -> bool:
        return self.goodbye is not None or self._next > frames.STREAM_ID_MAX

    @property
    def room(self) -> int:
        """How many pushes may begin now."""
        if self.leaving or not self.has_settings:
            return 0
        return max(0, min(self.streams - len(self.live), self._window // len(PUSH_BODY)))

    @property
    def streams(self) -> int:
        """How many pushes may be under way. APNs grants a bearer token one until it has seen a good one."""
        return min(self._streams_max, STREAMS_MAX) if self.trusted else 1

    @property
    def wants_to_write(self) -> bool:
        return bool(self._out)

    def begin(self, batch: Batch, count: int, form_for: Callable[[int], Form], now: float) -> None:
        """Begin the next *count* pushes of a batch; there must be room for them."""
        for _ in range(count):
            index = batch.todo.popleft()
            token, expires_s = batch.wakes[index]
            self.live[self._next] = Push(batch, index, now)
            self._out += form_for(expires_s).push(token, self._next)
            self._next += 2
        self._window -= count * len(PUSH_BODY)

    def write(self) -> None:
        """Let go what waits, as far as the network takes it."""
        try:
            while self._out:
                del self._out[: self.wire.send(self._out)]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError:
            self.read()  # why it was closed may be there to be read: an alert about our certificate
            raise

    def read(self) -> None:
        """Take in all that has come."""
        while True:
            try:
                came = self.wire.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if not came:
                raise ConnectionError(self.goodbye or "APNs closed the connection")
            self._heard_at, self._pinged_at = time.monotonic(), None
            self._take_in(came)

    def wait_s(self, now: float) -> float:
        """After how long `look_at_clock` has something to do."""
        if not self.has_settings:
            return max(0.0, self._heard_at + self._patience.answer_s - now)
        if self.live:
            return max(0.0, next(iter(self.live.values())).started_s + self._patience.answer_s - now)
        if self._pinged_at is not None:
            return max(0.0, self._pinged_at + self._patience.answer_s - now)
        return max(0.0, self._heard_at + self._patience.silence_s - now)

    def look_at_clock(self, now: float) -> None:
        """End pushes that took too long; ask for a sign of life after a silence.

        Raises: TimeoutError, if none comes.
        """
        if not self.has_settings and now - self._heard_at >= self._patience.answer_s:
            raise TimeoutError("timed out: nothing came after the handshake")
        overdue = [stream for stream, push in self.live.items() if now - push.started_s >= self._patience.answer_s]
        for stream in overdue:
            self._out += frames.frame(Kind.RST_STREAM, Code.CANCEL.to_bytes(4), stream=stream)
            self._end(stream, verdicts.failure(Failure.TIMEOUT, f"no answer in {self._patience.answer_s:g} s"))
        if self._pinged_at is not None:
            if now - self._pinged_at >= self._patience.answer_s:
                raise TimeoutError("the connection is silent")
        elif now - self._heard_at >= self._patience.silence_s:
            self._pinged_at = now
            self._out += frames.frame(Kind.PING, bytes(8))

    def lose(self, woken: Woken) -> None:
        """The connection is gone: everything under way ends with this."""
        for stream in list(self.live):
            self._end(stream, woken)

    def close(self) -> None:
        """Close the connection; what is under way must have ended."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self._out += frames.frame(Kind.GOAWAY, bytes(8))
            self.wire.send(self._out)
        self.wire.close()

    def _take_in(self, came: bytes) -> None:
        """Whole frames of what came; a plain success, as nearly all are, takes the short way."""
        data = self._rest + came if self._rest else came
        at, size, now = 0, len(data), self._heard_at
        while size - at >= frames.HEAD_BYTES:
            length = int.from_bytes(data[at : at + 3])
            body = at + frames.HEAD_BYTES
            end = body + length
            if length > frames.FRAME_BYTES_MAX:
                raise ProtocolFault("a frame longer than we allow, or no HTTP/2")
            if end > size:
                break
            kind, flags, stream = data[at + 3], data[at + 4], int.from_bytes(data[at + 5 : body])
            if (
                kind == Kind.HEADERS
                and flags == frames.WHOLE
                and length
                and data[body] == frames.STATUS_200
                and self._is_plain
            ):
                self._deliver(stream, now)
            else:
                self._obey(kind, flags, stream & frames.STREAM_ID_MAX, data[body:end])
            at = end
        self._rest = data[at:]

    def _deliver(self, stream: int, now: float) -> None:
        push = self.live.pop(stream, None)
        if push is not None:
            self.trusted = True
            self.delivered += 1
            push.batch.settle(push.at, _delivered(int((now - push.started_s) * 1000)))

    def _end(self, stream: int, woken: Woken) -> None:
        self._answers.pop(stream, None)
        push = self.live.pop(stream, None)
        if push is not None:
            took_ms = int((time.monotonic() - push.started_s) * 1000)
            self.ended.append(Ended(push, woken._replace(took_ms=took_ms)))

    def _obey(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        """Every frame but a plain success."""
        if self._block is not None and kind != Kind.CONTINUATION:
            raise ProtocolFault("a header block was interrupted")
        if not self.has_settings and kind != Kind.SETTINGS:
            raise ProtocolFault("the first frame was not SETTINGS")
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, flags, stream, body)

    def _on_settings(self, flags: int, _stream: int, body: bytes) -> None:
        if flags & frames.ACK:
            self._is_plain = True  # from here on the server's table has no room, as we asked
            return
        told = frames.read_settings(body)
        self._streams_max = told.get(Setting.MAX_CONCURRENT_STREAMS, self._streams_max)
        if told.get(Setting.INITIAL_WINDOW_SIZE, frames.WINDOW) < len(PUSH_BODY):
            raise ProtocolFault("a window that no push fits in")
        self.has_settings = True
        self._out += frames.frame(Kind.SETTINGS, flags=frames.ACK)

    def _on_headers(self, flags: int, stream: int, body: bytes) -> None:
        self._block = (stream, flags, bytearray(frames.without_padding(body, flags)))
        if flags & frames.END_HEADERS:
            self._end_of_headers()

    def _on_continuation(self, flags: int, stream: int, body: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            raise ProtocolFault("CONTINUATION of no header block")
        self._block[2].extend(body)
        if len(self._block[2]) > BLOCK_BYTES_MAX:
            raise ProtocolFault("a header block without end")
        if flags & frames.END_HEADERS:
            self._end_of_headers()

    def _end_of_headers(self) -> None:
        stream, flags, block = self._block or (0, 0, bytearray())
        self._block = None
        try:
            fields = {str(name): str(value) for name, value, *_ in self._decoder.decode(bytes(block))}
        except (HPACKError, ValueError) as problem:
            raise ProtocolFault(f"headers that cannot be read: {problem}") from problem
        status = int(fields.get(":status", "0")) if fields.get(":status", "0").isdecimal() else 0
        if stream in self.live and not 100 <= status < 200:
            told = self._answers.setdefault(stream, _Answer())
            told.status = told.status or status
            told.content_type = told.content_type or fields.get("content-type", "")
        if flags & frames.END_STREAM:
            self._end_of_stream(stream)

    def _on_data(self, flags: int, stream: int, body: bytes) -> None:
        self._taken_bytes += len(body)
        if self._taken_bytes > RECEIVE_WINDOW // 2:
            self._out += frames.frame(Kind.WINDOW_UPDATE, self._taken_bytes.to_bytes(4))
            self._taken_bytes = 0
        told = self._answers.get(stream)
        if told is None:
            return
        told.body += frames.without_padding(body, flags & frames.PADDED)
        if len(told.body) > BODY_BYTES_MAX:
            self._out += frames.frame(Kind.RST_STREAM, Code.CANCEL.to_bytes(4), stream=stream)
            self._end(stream, verdicts.answered(told.status, told.content_type, bytes(told.body), self._url))
        elif flags & frames.END_STREAM:
            self._end_of_stream(stream)

    def _end_of_stream(self, stream: int) -> None:
        told = self._answers.pop(stream, _Answer())
        if told.status == 200 and not told.body:
            self._deliver(stream, self._heard_at)
        else:
            self._end(stream, verdicts.answered(told.status, told.content_type, bytes(told.body), self._url))

    def _on_reset(self, _flags: int, stream: int, body: bytes) -> None:
        if stream not in self.live:  # some servers answer before they have read all, and then say they need no more
            return
        code = frames.number(body)
        if code == Code.REFUSED_STREAM:
            self._answers.pop(stream, None)
            self.undone.append(self.live.pop(stream))
        else:
            self._end(stream, verdicts.failure(Failure.CONNECTION_LOST, f"APNs reset the stream (code {code})"))

    def _on_ping(self, flags: int, _stream: int, body: bytes) -> None:
        if not flags & frames.ACK:
            self._out += frames.frame(Kind.PING, body[:8].ljust(8, b"\0"), flags=frames.ACK)

    def _on_goaway(self, _flags: int, _stream: int, body: bytes) -> None:
        last, code = frames.number(body), int.from_bytes(body[4:8])
        said = body[8:200].decode("utf-8", "replace")
        self.goodbye = f"APNs said goodbye (code {code}){': ' if said else ''}{said}"
        for stream in [one for one in self.live if one > last]:
            self.undone.append(self.live.pop(stream))

    def _on_window(self, _flags: int, stream: int, body: bytes) -> None:
        if stream == 0:
            self._window += frames.number(body)
            if self._window > frames.WINDOW_MAX:
                raise ProtocolFault("a window larger than HTTP/2 knows")

    def _on_promise(self, _flags: int, _stream: int, _body: bytes) -> None:
        raise ProtocolFault("a push from the server, which we did not allow")


_HANDLERS: dict[int, Callable[[Link, int, int, bytes], None]] = {
    Kind.DATA: Link._on_data,
    Kind.HEADERS: Link._on_headers,
    Kind.RST_STREAM: Link._on_reset,
    Kind.SETTINGS: Link._on_settings,
    Kind.PUSH_PROMISE: Link._on_promise,
    Kind.PING: Link._on_ping,
    Kind.GOAWAY: Link._on_goaway,
    Kind.WINDOW_UPDATE: Link._on_window,
    Kind.CONTINUATION: Link._on_continuation,
}


@cache
def _delivered(took_ms: int) -> Woken:
    """A campaign has a million of these, and few different ones."""
    return Woken(answer=answer(200), took_ms=took_ms)
