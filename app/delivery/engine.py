"""One bounded piece of delivery: claim a batch, read its faces, send with nothing open, write down what happened."""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.delivery import book, deciding, watch
from app.delivery.watch import Watch
from app.outbox import claims, pace
from app.outbox.claims import Claim, Claimed, SenderRef, Settlement
from app.outbox.models import Sender
from app.outbox.pace import Pace, Slot
from app.outbox.rules import Lane
from app.wallets.channel import Channel, Errand, Result
from app.world import World
from passes.outcome import Outcome

log = logging.getLogger(__name__)

OUR_FAULT = "internal fault, see the log"


@runtime_checkable
class Credentialed(Protocol):
    """A channel that can tell one credential from the next, so that a stopped sender notices a new certificate."""

    def credential(self, sender_name: str) -> str:
        """A digest of the credential in use; never the credential itself."""


@dataclass(kw_only=True)
class Engine:
    """The senders' side of the house. Its methods may be called by any number of threads and processes at once."""

    world: World
    channels: Mapping[str, Channel]
    watch: Watch = field(default_factory=Watch)
    _last_served: dict[tuple[str, Lane], int] = field(default_factory=dict)

    def drain(self, channel: str, lane: Lane) -> bool:
        """Serve each sender that has due rows in this lane with one batch; False if there was nothing to do."""
        with self.world.database.reading() as session:
            senders = claims.due_senders(session, channel=channel, lane=lane, now_ms=self._now_ms())
        worked = False
        for sender in self._in_turn(senders, channel, lane):
            worked |= self._serve(channel, sender, lane)
            self._last_served[channel, lane] = sender.id
        return worked

    def credentials(self) -> dict[int, str]:
        """A digest of the credential each sender uses now, by sender id, where its channel can tell."""
        with self.world.database.reading() as session:
            senders = list(session.scalars(select(Sender).where(Sender.breaker_failures > 0)))
        tell = {
            name: channel.credential for name, channel in self.channels.items() if isinstance(channel, Credentialed)
        }
        return {one.id: tell[one.vendor](one.name) for one in senders if one.vendor in tell}

    def _in_turn(self, senders: Sequence[SenderRef], channel: str, lane: Lane) -> list[SenderRef]:
        last = self._last_served.get((channel, lane), 0)
        return sorted(senders, key=lambda one: (one.id <= last, one.id))

    def _serve(self, channel: str, sender: SenderRef, lane: Lane) -> bool:
        taken = self._claim(channel, sender, lane)
        if taken is None:
            return False
        claim, slot = taken
        # the reserved moment lies at most a second ahead
        time.sleep(max(0, min(slot.start_ms - self._now_ms(), 1_000)) / 1000)
        errands, results = self._prepare(claim)
        results += self._push(claim, errands)
        self._settle(claim, errands, results, probe=slot.probe)
        return True

    def _claim(self, channel: str, sender: SenderRef, lane: Lane) -> tuple[Claim, Slot] | None:
        def work(session: Session) -> tuple[Claim, Slot] | None:
            now_ms = self._now_ms()
            most = batch_size(channel, lane, self.world.settings.google_rate)
            count = claims.due_count(
                session, channel=channel, sender_id=sender.id, lane=lane, limit=most, now_ms=now_ms
            )
            probe = pace.begin_probe(session, sender.id, now_ms=now_ms) if count else None
            if probe is None:
                return None
            slot = self._slot(session, sender, 1 if probe else count, lane, probe=probe)
            if slot is None:
                return None
            claim = claims.claim(session, sender, channel=channel, lane=lane, limit=slot.count, now_ms=now_ms)
            return (claim, slot) if claim else None

        return self.world.database.transact(work)

    def _slot(self, session: Session, sender: SenderRef, count: int, lane: Lane, *, probe: bool) -> Slot | None:
        now_ms = self._now_ms()
        if sender.vendor != "google" or probe:
            return Slot(count=count, start_ms=now_ms, interval_ms=0, probe=probe)
        budget = Pace(rate_per_s=self.world.settings.google_rate)
        return pace.reserve(session, sender.id, budget, count=count, lane=lane, now_ms=now_ms)

    def _prepare(self, claim: Claim) -> tuple[list[Errand], list[Result]]:
        """Read the faces after the claim. One card that cannot be drawn must not hold up the others of its batch."""
        try:
            return self._read(claim), []
        except Exception:
            log.exception("preparing a batch failed; going on row by row", extra={"channel": claim.channel})
        errands: list[Errand] = []
        results: list[Result] = []
        for target in claim.rows:
            try:
                errands += self._read(replace(claim, rows=[target]))
            except Exception:
                log.exception("this row cannot be prepared and is parked", extra={"target": target.id})
                blank = Errand(claim, target, target.done, None)
                results.append(Result(errand=blank, outcome=Outcome.REFUSED, reason=OUR_FAULT))
        return errands, results

    def _read(self, claim: Claim) -> list[Errand]:
        with self.world.database.reading() as session:
            return self.channels[claim.channel].prepare(session, claim, now=self.world.clock())

    def _push(self, claim: Claim, errands: Sequence[Errand]) -> list[Result]:
        if not errands or self._now_ms() >= claim.send_until_ms:
            return []
        try:
            return self.channels[claim.channel].push(errands)
        except Exception:
            log.exception("sending a batch failed", extra={"channel": claim.channel})
            return [Result(errand=one, outcome=Outcome.TRY_AGAIN, reason=OUR_FAULT) for one in errands]

    def _settle(self, claim: Claim, errands: Sequence[Errand], results: list[Result], *, probe: bool) -> None:
        answered = {one.errand.target.id for one in results}
        unsent = {one.target.id for one in errands} - answered
        rest = [_unsent(one) if one.id in unsent else _vanished(one) for one in claim.rows if one.id not in answered]
        results = deciding.guarded(results, watch.DEAD_ADDRESSES)

        def work(session: Session) -> None:
            now = self.world.clock()
            now_ms = milliseconds(now)
            rows = [deciding.settlement(one, now_ms=now_ms, jitter=random.random()) for one in results]  # noqa: S311  spreads load
            lost = claims.settle(session, claim, rows + rest, now_ms=now_ms)
            told = [_marked(one) if one.errand.target.id in lost else one for one in results]
            self.channels[claim.channel].settled(session, told, now=now)
            self._judge_sender(session, claim.sender, results, now_ms, probe=probe)
            book.write(session, results, now_ms=now_ms, lost=len(lost))

        self.world.database.transact(work)

    def _judge_sender(
        self, session: Session, sender: SenderRef, results: Sequence[Result], now_ms: int, *, probe: bool
    ) -> None:
        sender_id = sender.id
        self._spend(session, sender_id, results, now_ms)
        fault = next((one.breaker for one in results if one.breaker), "")
        fault = fault or self.watch.refused_too_often(sender_id, results)
        if fault:
            if pace.open_until_mended(session, sender_id, fault):
                log.error("breaker opened until it is mended: %s", fault, extra={"sender": sender.name})
            return
        storm = self.watch.note(sender_id, results, now_ms=now_ms)
        if probe and any(one.outcome is Outcome.TRY_AGAIN for one in results):
            storm = watch.STORM
        if storm:
            if pace.open_for_a_while(session, sender_id, storm, now_ms=now_ms):
                log.warning("breaker opened: %s", storm, extra={"sender": sender.name})
        elif probe and results and pace.close(session, sender_id):
            log.info("breaker closed", extra={"sender": sender.name})

    def _spend(self, session: Session, sender_id: int, results: Sequence[Result], now_ms: int) -> None:
        """Book what the sends cost beyond one call each, and obey a vendor that said "too fast"."""
        extra = sum(int(one.facts.get("calls", 1)) - 1 for one in results)
        pace.charge(session, sender_id, Pace(rate_per_s=self.world.settings.google_rate), count=extra)
        limited = [one for one in results if one.facts.get("rate_limited")]
        if limited:
            longest = max(one.retry_after_s or 0 for one in limited)
            pace.slow_down(session, sender_id, retry_after_s=longest, now_ms=now_ms)

    def _now_ms(self) -> int:
        return milliseconds(self.world.clock())


def batch_size(channel: str, lane: Lane, google_rate: int) -> int:
    """How many rows are taken at once: few where somebody waits, and never more than a pace allows in half a second."""
    if channel == "google_class":
        return 2
    if channel == "google":
        return 10 if lane is Lane.URGENT else max(1, google_rate // 2)
    # 500 at once were a fifth faster on SQLite (2,390 rows/s, not 1,950), and a till waits for the whole batch
    return 10 if lane is Lane.URGENT else 100


def _marked(result: Result) -> Result:
    return result._replace(facts={**result.facts, "lost": True})


def _unsent(target: Claimed) -> Settlement:
    """Prepared in time and not sent: the lease was about to run out."""
    return Settlement(target_id=target.id, action="waiting", version=target.done)


def _vanished(target: Claimed) -> Settlement:
    """Nothing to prepare: its card or address is gone."""
    return Settlement(target_id=target.id, action="gone", version=target.done, reason="nothing to send")
