"""One credential's line to APNs: a thread, a connection that is kept, and what waits for it, the most urgent first.

All threads of a process that push with a credential share its line, so that a process has one connection for it.
"""

import logging
import os
import selectors
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from app.wallets.apple import dial, verdicts
from app.wallets.apple.batches import Batch, Woken
from app.wallets.apple.dial import Access
from app.wallets.apple.frames import Form, ProtocolFault
from app.wallets.apple.link import Link, Patience, Push
from passes.apple.push import Failure, failed, push_headers
from passes.outcome import Outcome

log = logging.getLogger(__name__)

STARTED_AT_ONCE = 256  # then answers are read, and what is urgent gets its turn
TOGETHER = 128
GATHER_S = 0.0005  # answers come together then, and next pushes go out together
PAUSE_MAX_S = 60.0
FORMS_KEPT = 64
PAUSING = "waiting before the next connection to APNs"
LOST = (OSError, ProtocolFault, dial.BadCredential, dial.BadTrust)


class TokenSource(Protocol):
    """Gives the bearer token of a team, and a new one where APNs says that the present one has expired."""

    def current(self) -> str: ...

    def renew(self, expired: str) -> None: ...


class Line:
    """See the module. The connection is opened with the first push, and closed after a time without any."""

    def __init__(self, access: Access, *, tokens: TokenSource | None, patience: Patience) -> None:
        self._access = access
        self._tokens = tokens
        self._patience = patience
        self._lock = threading.Lock()
        self._waiting: dict[int, deque[Batch]] = {}
        self._thread: threading.Thread | None = None
        self._bell: tuple[int, int] | None = None
        self._asleep = self._stopped = self._has_news = False
        self._context: ssl.SSLContext | None = None
        self._forms: dict[tuple[str, int, str | None], Form] = {}
        self._link: Link | None = None
        self._ending: list[Link] = []
        self._troubles = 0
        self._pause_until = 0.0
        self._busy_at = 0.0

    def submit(self, batch: Batch) -> None:
        """Hand in a batch; its `done` is set when every push has a result."""
        with self._lock:
            self._waiting.setdefault(batch.lane, deque()).append(batch)
            self._has_news = True
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
        with selectors.DefaultSelector() as self._selector:
            try:
                self._selector.register(self._bell[0] if self._bell else -1, selectors.EVENT_READ)
                self._busy_at = time.monotonic()
                while not self._stopped and time.monotonic() - self._busy_at < self._patience.idle_s:
                    self._turn()
                if self._stopped:
                    self._answer_waiting(_CLOSED)
            except Exception:
                log.exception("the line to APNs broke down; it is opened anew with the next push")
                self._answer_waiting(_CLOSED)
            finally:
                self._tear_down()

    def _turn(self) -> None:
        self._fill()
        links = self._links()
        for link in links:
            self._attempt(link, link.write)
            self._watch(link)
        if self._link and len(self._link.live) > 2 * TOGETHER:
            time.sleep(GATHER_S)
        for key, _ in self._selector.select(self._sleep_s(links)):
            if key.data is None:
                os.read(key.fd, 4096)
            else:
                self._attempt(key.data, key.data.read)
        self._asleep = False
        now = time.monotonic()
        for link in links:
            self._attempt(link, partial(link.look_at_clock, now))
            self._look_after(link, now)
        for link in [one for one in self._ending if not one.live]:
            self._close(link)

    def _links(self) -> list[Link]:
        return [*self._ending, self._link] if self._link else [*self._ending]

    def _attempt(self, link: Link, step: Callable[[], None]) -> None:
        if link.is_closed:
            return
        try:
            step()
        except LOST as problem:
            self._lose(link, verdicts.fault(problem, self._access.url))

    def _watch(self, link: Link) -> None:
        if link.is_closed:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.wants_to_write else 0)
        if self._selector.get_key(link.wire).events != events:
            self._selector.modify(link.wire, events, link)

    def _sleep_s(self, links: Sequence[Link]) -> float:
        now = time.monotonic()
        waits = [link.wait_s(now) for link in links if not link.is_closed]
        with self._lock:
            ends = [batch.until for queue in self._waiting.values() for batch in queue if batch.todo]
            if self._stopped or self._has_news:
                return 0.0
            self._asleep = True
        return max(0.0, min([*waits, *(end - now for end in ends), self._patience.idle_s]))

    def _fill(self) -> None:
        """Begin as many pushes as there is room for, the most urgent lane first."""
        self._has_news = False
        budget, now = STARTED_AT_ONCE, time.monotonic()
        while (batch := self._next_batch(now)) is not None:
            if now < self._pause_until:
                batch.settle_rest(_pause(self._pause_until - now))
                continue
            link = self._link or self._connect()
            if link is None:
                return
            if budget <= 0:
                self._has_news = True
                return
            count = min(budget, link.room, len(batch.todo))
            if count < _at_least(link, batch):
                return
            link.begin(batch, count, partial(self._form, link, batch.topic), now)
            self._busy_at = now
            budget -= count

    def _connect(self) -> Link | None:
        """A new connection; if there is none to be had, whoever waits is told why."""
        bearer = self._tokens.current() if self._tokens else None
        try:
            self._context = self._context or dial.tls_context(self._access)
            wire = dial.dial(self._access, self._context, deadline_s=self._patience.answer_s)
        except LOST as problem:
            self._trouble(None, verdicts.fault(problem, self._access.url))
            return None
        self._link = Link(wire, url=self._access.url, bearer=bearer, patience=self._patience)
        self._selector.register(wire, selectors.EVENT_READ, self._link)
        return self._link

    def _next_batch(self, now: float) -> Batch | None:
        with self._lock:
            for lane in sorted(self._waiting):
                queue = self._waiting[lane]
                while queue:
                    if queue[0].until <= now:
                        queue[0].settle_rest(None)
                    if queue[0].todo:
                        return queue[0]
                    queue.popleft()
        return None

    def _form(self, link: Link, topic: str, expires_s: int) -> Form:
        key = (topic, expires_s, link.bearer)
        if key not in self._forms:
            if len(self._forms) >= FORMS_KEPT:
                self._forms.clear()
            headers = push_headers(topic, expires_s=expires_s or None, provider_token=link.bearer)
            self._forms[key] = Form(self._access.authority, headers)
        return self._forms[key]

    def _look_after(self, link: Link, now: float) -> None:
        """Hand out what ended on a connection, and begin again what was not taken there."""
        if link.live:
            self._busy_at = now
        if link.delivered:
            self._troubles = link.delivered = 0
        for push, woken in link.ended:
            if woken.answer.new_connection:
                self._trouble(link, woken)
            elif woken.answer.status:
                self._troubles = 0
            push.batch.settle(push.at, woken)
        link.ended.clear()
        if link.leaving:
            self._trouble(link, verdicts.failure(Failure.GOAWAY_UNPROCESSED, link.goodbye or ""))
        for push in reversed(link.undone):
            self._begin_again(push)
        link.undone.clear()

    def _begin_again(self, push: Push) -> None:
        batch = push.batch
        if not batch.repeat(push.at):
            batch.settle(push.at, _NOT_TAKEN)
            return
        with self._lock:
            queue = self._waiting.setdefault(batch.lane, deque())
            if batch not in queue:
                queue.appendleft(batch)

    def _lose(self, link: Link, woken: Woken) -> None:
        """A connection is gone. One that lay idle, or had said goodbye, is no trouble."""
        if link.live or not link.has_settings:
            self._trouble(link, woken)
        elif link is self._link:
            self._link = None
        link.lose(woken)
        self._close(link)

    def _trouble(self, link: Link | None, woken: Woken) -> None:
        """Nothing new begins on a connection in trouble; what is under way there may still be answered.

        A first trouble that costs no waiting is mended at once, others with growing pauses. Whoever waits meanwhile is
        told so, or is refused as well where the credential was.
        """
        if link is not self._link:
            return
        if link is not None:
            self._link = None
            self._ending.append(link)
        told = woken.answer
        if told.new_provider_token and self._tokens and link and link.bearer:
            self._tokens.renew(link.bearer)
        at_once = self._troubles == 0 and told.retry_after_s == 0
        self._troubles += 1
        if at_once:
            return
        self._pause_until = time.monotonic() + min(PAUSE_MAX_S, 2.0 ** (self._troubles - 1))
        unheard = link is None or not link.has_settings
        same_for_all = unheard or told.outcome is Outcome.REFUSED
        self._answer_waiting(woken if same_for_all else _pause(self._pause_until - time.monotonic()))

    def _answer_waiting(self, woken: Woken) -> None:
        with self._lock:
            for queue in self._waiting.values():
                while queue:
                    queue.popleft().settle_rest(woken)

    def _close(self, link: Link) -> None:
        if link in self._ending:
            self._ending.remove(link)
        if not link.is_closed:
            self._selector.unregister(link.wire)
            link.close()

    def _tear_down(self) -> None:
        for link in self._links():
            link.lose(_CLOSED)
            for push, woken in link.ended:
                push.batch.settle(push.at, woken)
            self._close(link)
        self._link = None
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
_NOT_TAKEN = Woken(answer=failed(Failure.REFUSED_STREAM), detail="APNs refused it on one stream after another")


def _at_least(link: Link, batch: Batch) -> int:
    """How many pushes are worth a packet: a campaign that sends one for each answer costs half as much again."""
    if not link.live or batch.lane == 0:
        return 1
    return min(TOGETHER, len(batch.todo), max(1, link.streams // 4))


def _pause(left_s: float) -> Woken:
    told = failed(Failure.CONNECTION_LOST)
    return Woken(answer=verdicts.after(told, max(1, round(left_s))), detail=PAUSING)
