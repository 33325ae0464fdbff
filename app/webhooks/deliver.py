"""Bringing webhooks to their endpoints: several at a time, none of them in another's way.

A turn serves one endpoint: claim a few of its messages, close the transaction, send them one after the other, settle.
An endpoint has one turn at a time in a process and goes to the end of the queue after it. Endpoints that failed last
time may hold half of the threads at most, so that the others always find a free one.
"""

import logging
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from app import failpoints
from app.clock import milliseconds
from app.webhooks import addresses, signing, turns
from app.webhooks.addresses import Refused, Resolver
from app.webhooks.sending import ANSWER_WITHIN_S, Answer, Line
from app.webhooks.turns import LEASE_MS, Sent, Turn
from app.world import World

LOGGER = logging.getLogger(__name__)

THREADS = 16
TURN_S = 5.0
ROUND_S = 5.0
LOOK_EVERY_S = 0.2
PAUSE_AFTER_FAULT_S = 1.0


class Deliverer:
    """The threads that send, and which endpoints they serve. One for each process; made again in each test."""

    def __init__(
        self, *, resolve: Resolver = addresses.system_resolver, ca_file: Path | None = None, threads: int = THREADS
    ) -> None:
        self._resolve = resolve
        self._ca_file = ca_file
        self._threads = threads
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._served: dict[tuple[str, int], tuple[Future[None], bool]] = {}

    def deliver_due(self, world: World) -> bool:
        """Serve every endpoint that something is due for, for a few seconds at most; True if there was work.

        An answer that is still awaited when the time is over is awaited by the next round.
        """
        deadline = time.monotonic() + ROUND_S
        worked = False
        while True:
            worked = self._start(world) or worked
            running = self._running()
            if not running:
                return worked
            if time.monotonic() >= deadline:
                return True
            wait(running, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED)

    def close(self) -> None:
        """Finish the turns in hand and end the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _start(self, world: World) -> bool:
        """Give each endpoint that waits a turn of its own; whether there was one that had none."""
        now_ms = milliseconds(world.clock())
        with world.database.reading() as session:
            due = turns.due(session, now_ms=now_ms)
        begun = False
        with self._lock:
            self._forget_done()
            for endpoint_id, is_failing in due:
                place = (world.database.url, endpoint_id)
                if place in self._served or not self._has_room(is_failing):
                    continue
                self._served[place] = (self._executor().submit(self._serve, world, endpoint_id), is_failing)
                begun = True
        return begun

    def _has_room(self, is_failing: bool) -> bool:
        failing = sum(one for _, one in self._served.values())
        return len(self._served) < self._threads and not (is_failing and failing >= max(1, self._threads // 2))

    def _running(self) -> list["Future[None]"]:
        with self._lock:
            self._forget_done()
            return [future for future, _ in self._served.values()]

    def _forget_done(self) -> None:
        for place in [place for place, (future, _) in self._served.items() if future.done()]:
            del self._served[place]

    def _executor(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="webhook")
        return self._pool

    def _serve(self, world: World, endpoint_id: int) -> None:
        try:
            self._turn(world, endpoint_id)
        except Exception:
            LOGGER.exception("a webhook's turn failed; its messages are tried again when their lease is over")
            time.sleep(PAUSE_AFTER_FAULT_S)  # what failed before anything was claimed would fail again at once

    def _turn(self, world: World, endpoint_id: int) -> None:
        began, now_ms = time.monotonic(), milliseconds(world.clock())
        turn = world.database.transact(lambda session: turns.take(session, endpoint_id, now_ms=now_ms))
        if turn is None:
            return
        sent = self._send(world, turn, began)
        failpoints.reached("webhook.before_settle")
        world.database.transact(lambda session: turns.settle(session, turn, sent, now=world.clock()))

    def _send(self, world: World, turn: Turn, began: float) -> list[Sent]:
        """Send until something fails or the turn is over; the rest is given back unsent."""
        try:
            to = addresses.destination(turn.url, allowed=world.settings.webhook_allow, resolve=self._resolve)
        except Refused as refusal:
            return [Sent(parcel=turn.parcels[0], answer=Answer(status=0, reason=refusal.code, took_ms=0))]
        sent: list[Sent] = []
        if time.monotonic() - began > LEASE_MS / 1000 - ANSWER_WITHIN_S:
            return sent  # name servers took so long that somebody else may hold the messages before we are done
        line = Line(to, ca_file=self._ca_file)
        try:
            for parcel in turn.parcels:
                timestamp_s = milliseconds(world.clock()) // 1000
                headers = signing.headers(
                    turn.secrets, message_id=parcel.event, timestamp_s=timestamp_s, body=parcel.body
                )
                answer = line.send(parcel.body, headers)
                failpoints.reached("webhook.sent")
                sent.append(Sent(parcel=parcel, answer=answer))
                if not answer.is_taken or time.monotonic() - began > TURN_S:
                    break
        finally:
            line.close()
        return sent


DELIVERER = Deliverer()


def deliver_due(world: World) -> bool:
    """Send what is due to the endpoints; True if there was something. The chore of every process that delivers."""
    return DELIVERER.deliver_due(world)
