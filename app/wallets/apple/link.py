"""One HTTP/2 connection and its streams: libcurl's multi interface over a selector that connections share.

libcurl is driven through `socket_action`: with `perform` and `select` the same work stalls whenever libcurl waits for a
timer of its own.
"""

import os
import selectors
import socket
import time
from collections import deque
from typing import Any

import pycurl

from app.wallets.apple.batches import Batch
from passes.apple.push import PUSH_BODY

CONNECTIONS_MAX = 1
STREAMS_MAX = 1000
RESTED_AFTER_S = 1.0
BODY_BYTES_MAX = 8 * 1024


class Multi:
    """One connection's streams. Belongs to one thread."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._asked_ms: deque[int] = deque(maxlen=1)  # only libcurl's last wish counts
        self._wake_at: float | None = None
        self._sockets: dict[int, socket.socket] = {}
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, CONNECTIONS_MAX)
        self._multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS_MAX)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        # called for every stream that is added; `append` is no Python code
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._asked_ms.append)
        self.add = self._multi.add_handle
        self.remove = self._multi.remove_handle

    def wait_s(self, now: float) -> float | None:
        """How long libcurl can wait from *now*; None for as long as nothing arrives."""
        self._note_timer(now)
        return None if self._wake_at is None else max(0.0, self._wake_at - now)

    def run_timers(self) -> None:
        """Start what was added, and end what took too long."""
        now = time.monotonic()
        self._note_timer(now)
        if self._wake_at is not None and self._wake_at <= now:
            self._wake_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def act(self, descriptor: int, ready: int) -> None:
        """Read or write what a socket is ready for."""
        flags = pycurl.CSELECT_IN if ready & selectors.EVENT_READ else 0
        flags |= pycurl.CSELECT_OUT if ready & selectors.EVENT_WRITE else 0
        self._multi.socket_action(descriptor, flags)

    def flush(self) -> None:
        """Let go what the kernel gathered: a fifth less processor time than a packet for each push, and no delay."""
        for one in self._sockets.values():
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)

    def finished(self) -> tuple[list[pycurl.Curl], list[tuple[pycurl.Curl, int, str]]]:
        """The streams that ended since the last question: answered ones, and those with a fault."""
        answered: list[pycurl.Curl] = []
        faulty: list[tuple[pycurl.Curl, int, str]] = []
        queued = 1
        while queued:
            queued, good, bad = self._multi.info_read(1000)
            answered += good
            faulty += bad
        return answered, faulty

    def close(self) -> None:
        """Close the connection. All streams must have been removed."""
        self._multi.close()
        for descriptor in list(self._sockets):
            self._forget(descriptor)

    def _note_timer(self, now: float) -> None:
        if self._asked_ms:
            asked_ms = self._asked_ms.pop()
            self._wake_at = None if asked_ms < 0 else now + asked_ms / 1000

    def _watch(self, event: int, descriptor: int, _multi: Any, _data: Any) -> None:
        watched = descriptor in self._selector.get_map()
        if event == pycurl.POLL_REMOVE:
            if watched:
                self._selector.unregister(descriptor)
            self._forget(descriptor)
            return
        wanted = selectors.EVENT_READ if event in {pycurl.POLL_IN, pycurl.POLL_INOUT} else 0
        wanted |= selectors.EVENT_WRITE if event in {pycurl.POLL_OUT, pycurl.POLL_INOUT} else 0
        if watched:
            self._selector.modify(descriptor, wanted, self)
        else:
            self._selector.register(descriptor, wanted, self)
            self._sockets.update(_tcp(descriptor))

    def _forget(self, descriptor: int) -> None:
        if descriptor in self._sockets:
            self._sockets.pop(descriptor).close()


def _tcp(descriptor: int) -> dict[int, socket.socket]:
    """Our own hold on libcurl's socket, to set what libcurl cannot; empty for what is no TCP socket."""
    try:
        held = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return {}
    if held.type == socket.SOCK_STREAM and held.family in {socket.AF_INET, socket.AF_INET6}:
        return {descriptor: held}
    held.close()
    return {}


class Stream:
    """A handle of libcurl that is used again and again."""

    __slots__ = ("batch", "body", "curl", "headers", "index", "started_ms")

    def __init__(self, curl: pycurl.Curl) -> None:
        self.curl = curl
        self.body = bytearray()
        self.headers: list[str] = []
        self.batch: Batch
        self.index = 0
        self.started_ms = 0
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDS, PUSH_BODY)
        curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def _take(self, data: bytes) -> int:
        """More than any answer of APNs is refused, which ends the transfer."""
        if len(self.body) + len(data) > BODY_BYTES_MAX:
            return 0
        self.body += data
        return len(data)


class Link:
    """One connection. `window`: how many streams the server seems to allow; `trusted`: it has accepted a push."""

    def __init__(self, multi: Multi, bearer: str | None) -> None:
        self.multi = multi
        self.bearer = bearer
        self.live: dict[pycurl.Curl, Stream] = {}
        self.newest: pycurl.Curl | None = None
        self.window = 1
        self.is_bounded = False
        self.answered = False
        self.trusted = bearer is None
        self.used_at = 0.0

    @property
    def room(self) -> int:
        """How many streams may be begun. APNs grants a bearer token one until it has seen a good one."""
        return (self.window if self.trusted else 1) - len(self.live)

    def fit_window(self) -> None:
        """Learn the server's limit, which libcurl keeps to itself: streams beyond it are held back, not begun.

        From one stream on the window doubles until something is held back; then it feels its way. What waits inside
        libcurl cannot be overtaken by something urgent, so as little as possible is put there.
        """
        if not self.answered or self.newest is None or self.newest not in self.live:
            return
        if self.newest.getinfo(pycurl.PRETRANSFER_TIME_T):
            if len(self.live) >= self.window:
                more = self.window // 4 + 1 if self.is_bounded else self.window
                self.window = min(STREAMS_MAX, self.window + more)
        else:
            self.is_bounded = True
            self.window = max(1, len(self.live) - len(self.unbegun()))

    def wake_up(self, now: float) -> None:
        """After a rest one push goes alone: libcurl reads what the server said meanwhile only with the first answer."""
        if not self.live and now - self.used_at > RESTED_AFTER_S:
            self.window, self.answered, self.is_bounded = 1, False, False
        self.used_at = now

    def unbegun(self) -> list[Stream]:
        return [one for curl, one in self.live.items() if not curl.getinfo(pycurl.PRETRANSFER_TIME_T)]
