"""One credential's line to APNs: a thread, a connection that is kept, and what waits for it, the most urgent first.

All threads of a process that push with a credential share its line, so that a process has one connection for it.
"""

import logging
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

import pycurl

from app.wallets.apple import verdicts
from app.wallets.apple.batches import Batch, Woken
from app.wallets.apple.link import Link, Multi, Stream
from passes.apple.push import Failure, answer, failed, push_headers, push_path
from passes.outcome import Outcome

log = logging.getLogger(__name__)

STARTED_AT_ONCE = 128  # then answers are read: fewer open streams stay in the processor's cache
PAUSE_MAX_S = 60.0
HEADERS_KEPT = 64
PAUSING = "waiting before the next connection to APNs"


class TokenSource(Protocol):
    """Gives the bearer token of a team, and a new one where APNs says that the present one has expired."""

    def current(self) -> str: ...

    def renew(self, expired: str) -> None: ...


class Line:
    """See the module. `connect` makes a handle of libcurl that knows where APNs is and who we are."""

    def __init__(
        self, url: str, connect: Callable[[], pycurl.Curl], *, tokens: TokenSource | None, idle_close_s: float
    ) -> None:
        self._url = url
        self._connect = connect
        self._tokens = tokens
        self._idle_close_s = idle_close_s
        self._lock = threading.Lock()
        self._waiting: dict[int, deque[Batch]] = {}
        self._thread: threading.Thread | None = None
        self._bell: tuple[int, int] | None = None
        self._asleep = self._stopped = False
        self._spare: list[Stream] = []
        self._headers: dict[tuple[str, int, str | None], list[str]] = {}
        self._link: Link | None = None
        self._ending: list[Link] = []
        self._troubles = 0
        self._pause_until = 0.0
        self._busy_at = 0.0

    def submit(self, batch: Batch) -> None:
        """Hand in a batch; its `done` is set when every push has a result."""
        with self._lock:
            self._waiting.setdefault(batch.lane, deque()).append(batch)
            if self._thread is None:
                self._open()
            elif self._asleep:
                self._ring()

    def stop(self) -> None:
        """Close the connection soon; what is under way counts as lost. The next batch opens another."""
        with self._lock:
            self._stopped = True
            self._ring()

    def _open(self) -> None:
        self._stopped = False
        self._bell = os.pipe()
        self._thread = threading.Thread(target=self._run, name="apns-line", daemon=True)
        self._thread.start()

    # everything below happens on the line's own thread

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self._bell[0] if self._bell else -1, selectors.EVENT_READ)
                self._busy_at = time.monotonic()
                while not self._stopped and time.monotonic() - self._busy_at < self._idle_close_s:
                    self._turn(selector)
                if self._stopped:
                    self._answer_waiting(_CLOSED)
            except Exception:
                log.exception("the line to APNs broke down; it is opened anew with the next push")
                self._answer_waiting(_CLOSED)
            finally:
                self._tear_down()

    def _turn(self, selector: selectors.BaseSelector) -> None:
        now = time.monotonic()
        self._fill(selector, now)
        links = [*self._ending, self._link] if self._link else [*self._ending]
        if any(link.live for link in links):
            self._busy_at = now
        for link in links:
            link.multi.run_timers()
            link.multi.flush()
            link.fit_window()
        harvested = self._harvest(links)
        wait_s = 0.0 if harvested else self._sleep_s(links, now)
        for key, ready in selector.select(wait_s):
            if key.data is None:
                os.read(key.fd, 4096)
            else:
                key.data.act(key.fd, ready)
        self._asleep = False
        self._harvest(links)
        self._end_links()

    def _sleep_s(self, links: Sequence[Link], now: float) -> float:
        waits = [wait for link in links if (wait := link.multi.wait_s(now)) is not None]
        with self._lock:
            if self._stopped or (any(self._waiting.values()) and self._has_room()):
                return 0.0
            self._asleep = True
        return min([*waits, self._idle_close_s])

    def _has_room(self) -> bool:
        return self._link is None or self._link.room > 0

    def _fill(self, selector: selectors.BaseSelector, now: float) -> None:
        """Begin as many pushes as there is room for, the most urgent lane first."""
        budget = STARTED_AT_ONCE
        while budget and (batch := self._next_batch(now)) is not None:
            if now < self._pause_until:
                batch.settle_rest(_pause(self._pause_until - now))
                continue
            if self._link is None:
                bearer = self._tokens.current() if self._tokens else None
                self._link = Link(Multi(selector), bearer)
            self._link.wake_up(now)
            count = min(budget, self._link.room, len(batch.wakes) - batch.taken)
            if count <= 0:
                return
            self._begin(self._link, batch, count, now)
            budget -= count

    def _next_batch(self, now: float) -> Batch | None:
        with self._lock:
            for lane in sorted(self._waiting):
                queue = self._waiting[lane]
                while queue:
                    if queue[0].until <= now:
                        queue[0].settle_rest(None)
                    if queue[0].taken < len(queue[0].wakes):
                        return queue[0]
                    queue.popleft()
        return None

    def _begin(self, link: Link, batch: Batch, count: int, now: float) -> None:
        now_ms = int(now * 1000)
        first, batch.taken = batch.taken, batch.taken + count
        for index in range(first, batch.taken):
            token, expires_s = batch.wakes[index]
            stream = self._spare.pop() if self._spare else Stream(self._connect())
            headers = self._headers_for(batch.topic, expires_s, link.bearer)
            if stream.headers is not headers:
                stream.curl.setopt(pycurl.HTTPHEADER, headers)
                stream.headers = headers
            stream.batch, stream.index, stream.started_ms = batch, index, now_ms
            curl = stream.curl
            curl.setopt(pycurl.URL, self._url + push_path(token))
            link.live[curl] = stream
            link.multi.add(curl)
            link.newest = curl

    def _headers_for(self, topic: str, expires_s: int, bearer: str | None) -> list[str]:
        key = (topic, expires_s, bearer)
        if key not in self._headers:
            if len(self._headers) >= HEADERS_KEPT:
                self._headers.clear()
            named = push_headers(topic, expires_s=expires_s or None, provider_token=bearer)
            lines = [f"{name}: {value}" for name, value in named]
            self._headers[key] = [*lines, "content-type: application/json", "expect:", "accept:"]
        return self._headers[key]

    def _harvest(self, links: Sequence[Link]) -> bool:
        now_ms = int(time.monotonic() * 1000)
        harvested = False
        for link in links:
            answered, faulty = link.multi.finished()
            for curl in answered:
                stream = link.live[curl]
                if curl.getinfo(pycurl.RESPONSE_CODE) == 200 and not stream.body:
                    stream.batch.settle(stream.index, _delivered(now_ms - stream.started_ms))
                    link.trusted = link.answered = True
                    self._troubles = 0
                    self._put_back(link, stream)
                else:
                    self._judge(link, stream, verdicts.answered(curl, bytes(stream.body), self._url), now_ms)
            for curl, number, text in faulty:
                self._judge(link, link.live[curl], verdicts.faulty(number, text, self._url), now_ms)
            harvested |= bool(answered or faulty)
        return harvested

    def _put_back(self, link: Link, stream: Stream) -> None:
        del link.live[stream.curl]
        link.multi.remove(stream.curl)
        self._spare.append(stream)

    def _judge(self, link: Link, stream: Stream, woken: Woken, now_ms: int) -> None:
        """Everything but a plain success."""
        stream.body.clear()
        self._put_back(link, stream)
        told = woken.answer
        link.answered |= bool(told.status)
        if told.new_connection:
            self._replace(link, woken)
        elif told.status:
            self._troubles = 0
        stream.batch.settle(stream.index, woken._replace(took_ms=now_ms - stream.started_ms))

    def _replace(self, link: Link, woken: Woken) -> None:
        """Nothing new begins on a connection in trouble; what is under way there may still be answered.

        A first trouble that costs no waiting is mended at once, others with growing pauses. Whoever waits meanwhile is
        told so, or is refused as well where the credential was.
        """
        if link is not self._link:
            return
        self._link = None
        self._ending.append(link)
        told = woken.answer
        if told.new_provider_token and self._tokens and link.bearer:
            self._tokens.renew(link.bearer)
        unbegun = link.unbegun()
        at_once = self._troubles == 0 and told.retry_after_s == 0
        self._troubles += 1
        if not at_once:
            self._pause_until = time.monotonic() + min(PAUSE_MAX_S, 2.0 ** (self._troubles - 1))
        shared = woken
        if told.outcome is not Outcome.REFUSED:
            shared = _UNBEGUN if at_once else _pause(self._pause_until - time.monotonic())
        for stream in unbegun:
            self._put_back(link, stream)
            stream.batch.settle(stream.index, shared)
        if not at_once:
            self._answer_waiting(shared)

    def _answer_waiting(self, woken: Woken) -> None:
        with self._lock:
            for queue in self._waiting.values():
                while queue:
                    queue.popleft().settle_rest(woken)

    def _end_links(self) -> None:
        for link in [one for one in self._ending if not one.live]:
            self._ending.remove(link)
            link.multi.close()

    def _tear_down(self) -> None:
        for link in [*self._ending, self._link] if self._link else [*self._ending]:
            for stream in list(link.live.values()):
                self._put_back(link, stream)
                stream.batch.settle(stream.index, _CLOSED)
            link.multi.close()
        self._link = None
        self._ending.clear()
        for stream in self._spare:
            stream.curl.close()
        self._spare.clear()
        with self._lock:
            self._thread = None
            for descriptor in self._bell or ():
                os.close(descriptor)
            self._bell = None
            if any(self._waiting.values()):  # handed in while the line was ending
                self._open()

    def _ring(self) -> None:
        if self._bell:
            os.write(self._bell[1], b"\0")


_CLOSED = Woken(answer=failed(Failure.CONNECTION_LOST), detail="the line to APNs was closed")
_UNBEGUN = Woken(answer=failed(Failure.GOAWAY_UNPROCESSED), detail="the connection was replaced before it was sent")


@cache
def _delivered(took_ms: int) -> Woken:
    """A campaign has a million of these, and few different ones."""
    return Woken(answer=answer(200), took_ms=took_ms)


def _pause(left_s: float) -> Woken:
    told = failed(Failure.CONNECTION_LOST)
    return Woken(answer=verdicts.after(told, max(1, round(left_s))), detail=PAUSING)
