"""One bounded piece of delivery: claim a batch, read its faces, send with nothing open, write down what happened."""

import gc
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, runtime_checkable

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import failpoints
from app.clock import milliseconds, system_clock
from app.delivery import book, deciding, watch
from app.delivery.watch import Watch
from app.outbox import claims, pace, switches
from app.outbox.claims import Claim, SenderRef, Settlement
from app.outbox.models import Sender
from app.outbox.pace import Pace, Slot
from app.outbox.rules import Lane
from app.settings import Settings
from app.wallets.channel import Channel, Errand, Result
from app.world import World
from passes.google import batch
from passes.outcome import Outcome

log = logging.getLogger(__name__)

OUR_FAULT = "internal fault, see the log"
BULK_BATCH = 1_500
COLLECT_AFTER = 50_000
GOOGLE_BURST = 3


@runtime_checkable
class Credentialed(Protocol):
    """A channel that can tell one credential from the next, so that a stopped sender notices a new certificate."""

    def credential(self, sender_name: str) -> str:
        """A digest of the credential in use; never the credential itself."""


class Turn(NamedTuple):
    """Whose rows are served now, and the programmes whose sends are stopped."""

    channel: str
    sender: SenderRef
    lane: Lane
    stopped: frozenset[int]


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
            stopped = frozenset(one.programme_id for one in switches.stopped(session))
            if None in stopped:
                return False
            senders = claims.due_senders(session, channel=channel, lane=lane, now_ms=self._now_ms())
        worked = False
        for sender in self._in_turn(senders, channel, lane):
            turn = Turn(channel, sender, lane, frozenset(filter(None, stopped)))
            worked |= self._serve(turn)
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

    def _serve(self, turn: Turn) -> bool:
        aside, taken = self.world.database.transact(lambda session: self._take(session, turn))
        if taken is None:
            return aside > 0
        claim, slot = taken
        failpoints.reached("claim.committed")
        # the reserved moment lies at most a second ahead
        time.sleep(max(0, min(slot.start_ms - self._now_ms(), 1_000)) / 1000)
        errands, results = self._prepare(claim)
        results += self._push(claim, errands)
        failpoints.reached("push.done")
        self._settle(claim, errands, results, probe=slot.probe)
        return True

    def _take(self, session: Session, turn: Turn) -> tuple[int, tuple[Claim, Slot] | None]:
        """Claim a batch, if its sender may send now. Also: how many rows of stopped programmes were moved aside."""
        channel, sender, lane, stopped = turn
        if pace_of(channel, lane, self.world.settings) is not None:
            pace.await_turn(session, sender.id)
        now_ms = self._now_ms()
        aside = 0
        if stopped:
            aside = switches.set_aside(
                session, sender, channel=channel, lane=lane, programme_ids=stopped, now_ms=now_ms
            )
        probe = pace.begin_probe(session, sender.id, now_ms=now_ms)
        slot = None if probe is None else self._slot(session, turn, now_ms, probe=probe)
        if slot is None:
            return aside, None
        claim = claims.claim(
            session, sender, channel=channel, lane=lane, limit=slot.count, now_ms=now_ms,
            own_clock=self._own_clock, without=stopped,
        )  # fmt: skip
        if claim is not None and slot.start_ms > now_ms:
            book.add(session, {("rate_wait_ms", channel, ""): slot.start_ms - now_ms})
        return aside, (claim, slot) if claim else None

    def _slot(self, session: Session, turn: Turn, now_ms: int, *, probe: bool) -> Slot | None:
        channel, sender, lane, _ = turn
        budget = pace_of(channel, lane, self.world.settings)
        if budget is None or probe:
            most = batch_size(channel, lane, self.world.settings)
            return Slot(count=1 if probe else most, start_ms=now_ms, probe=probe)
        at_once = rows_in_a_call(channel, lane, self.world.settings)
        if at_once > 1 and pace.was_slowed(session, sender.id, now_ms=now_ms):
            at_once = 1  # Google said "too fast": a batch seems to count as its calls after all
        most = at_once if at_once > 1 else batch_size(channel, lane, self.world.settings)
        # reserved calls are not handed back, so no more are reserved than there are rows
        rows = claims.due_count(session, sender, channel=channel, lane=lane, limit=most, now_ms=now_ms)
        if not rows:
            return None
        slot = pace.reserve(session, sender.id, budget, count=-(-rows // at_once), lane=lane, now_ms=now_ms)
        return replace(slot, count=rows) if slot else None

    @property
    def _own_clock(self) -> bool:
        """PostgreSQL's clock counts leases, since all nodes share it; ours does where we are alone, or it was moved."""
        return self.world.database.is_sqlite or self.world.clock is not system_clock

    def _prepare(self, claim: Claim) -> tuple[list[Errand], list[Result]]:
        """Read the faces after the claim. One card that cannot be drawn must not hold up the others of its batch.

        If it is the database that does not answer, no card is at fault: all keep their lease until it runs out.
        """
        try:
            return self._read(claim), []
        except OperationalError:
            raise
        except Exception:
            log.exception("preparing a batch failed; going on row by row", extra={"channel": claim.channel})
        errands: list[Errand] = []
        results: list[Result] = []
        for target in claim.rows:
            try:
                errands += self._read(replace(claim, rows=[target]))
            except OperationalError:
                raise
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
        told, others = deciding.split(claim, results)
        others = deciding.guarded(claim, others, watch.DEAD_ADDRESSES)
        unsent = _without_result(claim, errands, results)
        pairs = [(one.errand.target.id, one.errand.version) for one in told]

        def work(session: Session) -> None:
            now = self.world.clock()
            now_ms = milliseconds(now)
            rest = [deciding.settlement(one, now_ms=now_ms, jitter=random.random()) for one in others]  # noqa: S311  spreads load
            lost = claims.settle(session, claim, pairs, rest + unsent, now_ms=now_ms)
            self.channels[claim.channel].settled(session, [*told, *others], now=now)
            self._judge_sender(session, claim.sender, told, others, now_ms, probe=probe)
            book.write(session, claim, told, others, now_ms=now_ms, lost=lost)
            failpoints.reached("settle.before_commit")

        self.world.database.transact(work)

    def _judge_sender(
        self,
        session: Session,
        sender: SenderRef,
        told: Sequence[Result],
        others: Sequence[Result],
        now_ms: int,
        *,
        probe: bool,
    ) -> None:
        self._spend(session, sender, others, now_ms)
        if told:
            self.watch.went_well(sender.id)
        fault = next((one.breaker for one in others if one.breaker), "")
        fault = fault or self.watch.refused_too_often(sender.id, others)
        if fault:
            if pace.open_until_mended(session, sender.id, fault):
                log.error("breaker opened until it is mended: %s", fault, extra={"sender": sender.name})
            return
        failed = sum(1 for one in others if one.outcome is Outcome.TRY_AGAIN)
        answered = len(told) + len(others)
        storm = pace.note_results(session, sender.id, results=answered, failed=failed, now_ms=now_ms)
        if storm or (probe and failed):
            if pace.open_for_a_while(session, sender.id, watch.STORM, now_ms=now_ms):
                log.warning("breaker opened: %s", watch.STORM, extra={"sender": sender.name})
        elif probe and answered and pace.close(session, sender.id):
            log.info("breaker closed", extra={"sender": sender.name})

    def _spend(self, session: Session, sender: SenderRef, results: Sequence[Result], now_ms: int) -> None:
        """Book what the sends cost beyond one call each, and obey a vendor that said "too fast"."""
        if sender.vendor != "google":
            return
        budget = Pace(rate_per_s=self.world.settings.google_rate)
        pace.charge(session, sender.id, budget, count=sum(int(one.facts.get("calls", 1)) - 1 for one in results))
        limited = [one for one in results if one.facts.get("rate_limited")]
        if limited:
            longest = max(one.retry_after_s or 0 for one in limited)
            pace.slow_down(session, sender.id, budget, retry_after_s=longest, now_ms=now_ms)

    def _now_ms(self) -> int:
        return milliseconds(self.world.clock())


def spare_the_collector() -> None:
    """For a process that delivers: its parts live as long as it does, and its batches are tuples without any ring.

    Looking through all of them again and again took a tenth of the processor time of a campaign.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def batch_size(channel: str, lane: Lane, settings: Settings) -> int:
    """How many rows are taken at once: few where somebody waits, and never more than a pace allows in half a second.

    A till waits behind SQLite's write lock for a whole batch of others: 1,500 rows take 7 ms to claim and 5 ms to
    settle. Batches of 2,000 cost a tenth less processor time than those of 1,000.
    """
    if channel == "google_class":
        return 2
    if channel == "google":
        return 10 if lane is Lane.URGENT else max(1, settings.google_rate // 2)
    if lane is Lane.BULK:
        return min(BULK_BATCH, max(1, settings.bulk_apple_rate // 2))
    return 10 if lane is Lane.URGENT else 100


def rows_in_a_call(channel: str, lane: Lane, settings: Settings) -> int:
    """How many rows go out in what counts as one call."""
    together = channel == "google" and lane is not Lane.URGENT and settings.google_batch_weight == "one"
    return batch.CALLS_MAX if together else 1


def pace_of(channel: str, lane: Lane, settings: Settings) -> Pace | None:
    """The rate that a lane of a channel keeps to; None where only the vendor's streams limit it.

    APNs names no limit: what bounds a campaign there are the phones, which all come back to our own web server.
    """
    if channel != "apple":
        return Pace(rate_per_s=settings.google_rate, burst=GOOGLE_BURST)
    if lane is not Lane.BULK:
        return None
    return Pace(rate_per_s=settings.bulk_apple_rate, burst=batch_size(channel, lane, settings), shared=False)


def _without_result(claim: Claim, errands: Sequence[Errand], results: Sequence[Result]) -> list[Settlement]:
    """What nothing was heard of: not sent because the lease was about to run out, or nothing left to send about."""
    if len(results) == len(claim.rows):
        return []
    answered = {one.errand.target.id for one in results}
    prepared = {one.target.id for one in errands}
    return [
        Settlement(target_id=one.id, action="waiting", version=one.done)
        if one.id in prepared
        else Settlement(target_id=one.id, action="gone", version=one.done, reason="nothing to send")
        for one in claim.rows
        if one.id not in answered
    ]
