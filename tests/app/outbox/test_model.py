"""Any order of changes, claims, answers, freezes, crashes, registrations and switches ends with every wallet current.

One card in two wallets: Google keeps whatever arrives last, so a late arrival does harm; an iPhone that is woken
fetches what is true at that moment. What the wallets hold is kept here and never read from the database.
"""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update

from app.cards.models import Card
from app.outbox import claims, service, switches
from app.outbox.claims import Claim, SenderRef, Settlement
from app.outbox.models import Target
from app.outbox.rules import LEASE_MS, Lane
from app.world import World
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import MovableClock

CHANNELS = ("google", "apple")
NUMBERS = itertools.count(1)
lanes = st.sampled_from(list(Lane))


@dataclass
class Flight:
    """A send under way: the rows under one lease (here: one), and the version that was read after the claim."""

    claim: Claim
    version: int

    @property
    def channel(self) -> str:
        return self.claim.channel


class Delivery(RuleBasedStateMachine):
    """All histories share a database; each has a programme and senders of its own."""

    world: World
    clock: MovableClock
    fault = ""
    flights = Bundle("flights")

    def __init__(self) -> None:
        super().__init__()
        number = next(NUMBERS)
        self.kit: Kit = kit_for(self.world, name=f"issuer-{number}", slug=f"programme-{number}")
        with self.world.database.unit_of_work() as session:
            pass_type = f"pass.com.example.p{number}"
            apple = SenderRef(service.sender_for(session, "apple", pass_type).id, "apple", pass_type)
        self.senders = {"google": self.kit.sender, "apple": apple}
        self.card_id = self.kit.card(channel="google", address_id=1)
        self.holds = {"google": 1, "apple": 1}
        with self.world.database.unit_of_work() as session:
            self._register(session, "apple")
        self.stopped = False

    def teardown(self) -> None:
        """Whatever happened: once the faults stop, everything arrives."""
        self._resume()
        with self.world.database.unit_of_work() as session:
            for target in self._targets(session):
                target.state = "live" if target.state == "parked" else target.state
        for _ in range(7):
            self.clock.advance(milliseconds=LEASE_MS[Lane.BULK] + 1)
            for channel, lane in itertools.product(CHANNELS, Lane):
                claim = self._claim(channel, lane)
                if claim is not None:
                    flight = Flight(claim, self._version())
                    self._arrive(flight)
                    self._settle(flight, "done", flight.version)
        for target in self._read():
            if target.state != "gone":
                assert self.holds[target.channel] == target.done == target.want == self._version()

    @rule(lane=lanes)
    def change(self, lane: Lane) -> None:
        self.kit.change(self.card_id, lane)

    @rule(target=flights, channel=st.sampled_from(CHANNELS), lane=lanes)
    def change_and_claim(self, channel: str, lane: Lane) -> Flight | MultipleResults[Flight]:
        """What nearly always happens next, so that histories are long in what matters."""
        self.change(lane=lane)
        self.wait(seconds=10)
        return self.claim(channel=channel)

    @rule(seconds=st.sampled_from([1, 10, 70]))
    def wait(self, seconds: int) -> None:
        """With 70 seconds every lease runs out: whoever holds one was frozen, and wakes with an old answer."""
        self.clock.advance(seconds=seconds)

    @rule(target=flights, channel=st.sampled_from(CHANNELS))
    def claim(self, channel: str) -> Flight | MultipleResults[Flight]:
        for lane in Lane:
            found = self._claim(channel, lane)
            if found is not None:
                return Flight(found, self._version())
        return multiple()

    @rule(flight=flights)
    def arrives(self, flight: Flight) -> None:
        """Also late, also twice, as long as somebody will hear of it: the network owes us nothing."""
        if self._target(flight.channel).lease is not None:
            self._arrive(flight)

    @rule(flight=consumes(flights))
    def is_answered(self, flight: Flight) -> None:
        self._arrive(flight)
        wanted_now = self._target(flight.channel).want
        acknowledged = wanted_now if self.fault == "acknowledges what is wanted now" else flight.version
        self._settle(flight, "done", acknowledged)

    @rule(flight=consumes(flights), delay_ms=st.sampled_from([0, 5_000]))
    def fails(self, flight: Flight, delay_ms: int) -> None:
        self._settle(flight, "later", flight.version, delay_ms=delay_ms)

    @rule(flight=consumes(flights))
    def is_refused(self, flight: Flight) -> None:
        self._settle(flight, "parked", flight.version, sent=False)

    @rule(flight=consumes(flights))
    def is_gone(self, flight: Flight) -> None:
        self._settle(flight, "gone", flight.version, sent=False)

    @rule(flight=consumes(flights))
    def its_worker_dies(self, flight: Flight) -> None:
        """Nothing is settled; the lease runs out by itself."""

    @rule(channel=st.sampled_from(CHANNELS))
    def registers_again(self, channel: str) -> None:
        """A phone names itself anew, with whatever it holds by then."""
        with self.world.database.unit_of_work() as session:
            self._register(session, channel)

    @precondition(lambda self: not self.stopped)
    @rule()
    def an_operator_stops_the_programme(self) -> None:
        self.stopped = True
        with self.world.database.unit_of_work() as session:
            switches.stop(session, programme_id=self.kit.programme_id, reason="test", by="ops", now_ms=self.kit.now_ms)

    @precondition(lambda self: self.stopped)
    @rule()
    def the_operator_lets_it_go_on(self) -> None:
        self._resume()

    @invariant()
    def wants_what_the_card_is(self) -> None:
        for target in self._read():
            assert 0 <= target.done <= target.want
            assert target.want == self._version() or target.state == "gone"

    @invariant()
    def a_wallet_has_what_is_marked_as_done(self) -> None:
        """Google's may be older for as long as somebody still owes the row a send."""
        for target in self._read():
            owed = target.want > target.done or target.lease is not None
            assert target.done <= self.holds[target.channel] or (target.channel == "google" and owed)

    def _arrive(self, flight: Flight) -> None:
        self.holds[flight.channel] = flight.version if flight.channel == "google" else self._version()

    def _claim(self, channel: str, lane: Lane) -> Claim | None:
        now_ms = self.kit.now_ms
        with self.world.database.unit_of_work() as session:
            halted = [one.programme_id for one in switches.stopped(session) if one.programme_id is not None]
            claim = claims.claim(
                session, self.senders[channel], channel=channel, lane=lane, limit=10, now_ms=now_ms, without=halted
            )
        assert claim is None or not self.stopped
        return claim

    def _settle(self, flight: Flight, action: str, version: int, *, delay_ms: int = 0, sent: bool = True) -> None:
        (row,) = flight.claim.rows
        content = flight.channel == "google" and sent and self.fault != "trusts late answers"
        plain = action == "done" and flight.channel == "apple"
        one = Settlement(target_id=row.id, action=action, version=version, delay_ms=delay_ms, maybe_sent=content)
        told, rest = ([(row.id, version)], []) if plain else ([], [one])
        with self.world.database.unit_of_work() as session:
            claims.settle(session, flight.claim, told, rest, now_ms=self.kit.now_ms)
            if self.fault == "forgets to make the row due again":
                owed = update(Target).where(Target.id == row.id, Target.want > Target.done, Target.lease.is_(None))
                session.execute(owed.values(not_before=1 << 50))

    def _register(self, session: object, channel: str) -> None:
        held = self.holds[channel]
        done = self._version() if self.fault == "believes that a phone has the newest" else held
        service.ensure_target(
            session, channel=channel, sender_id=self.senders[channel].id, card_id=self.card_id,
            address_id=1, want=self._version(), done=done, now_ms=self.kit.now_ms,
        )  # type: ignore[arg-type]  # fmt: skip

    def _resume(self) -> None:
        self.stopped = False
        with self.world.database.unit_of_work() as session:
            switches.resume(session, programme_id=self.kit.programme_id)

    def _targets(self, session: object) -> list[Target]:
        return list(session.scalars(select(Target).where(Target.card_id == self.card_id)))  # type: ignore[attr-defined]

    def _read(self) -> list[Target]:
        with self.world.database.reading() as session:
            return self._targets(session)

    def _target(self, channel: str) -> Target:
        return next(one for one in self._read() if one.channel == channel)

    def _version(self) -> int:
        with self.world.database.reading() as session:
            return session.get_one(Card, self.card_id).version


def model(world: World, clock: MovableClock, fault: str = "") -> type[Delivery]:
    return type("Delivery", (Delivery,), {"world": world, "clock": clock, "fault": fault})


def histories(count: int, steps: int, *, derandomize: bool = False) -> settings:
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=derandomize,
        phases=[Phase.generate],
    )


def test_no_history_leaves_a_card_behind(any_world: World, clock: MovableClock) -> None:
    run_state_machine_as_test(model(any_world, clock), settings=histories(20, 25))


@pytest.mark.parametrize("fault", ["acknowledges what is wanted now", "forgets to make the row due again"])
def test_a_search_finds_planted_faults(world: World, clock: MovableClock, fault: str) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(model(world, clock, fault), settings=histories(100, 30, derandomize=True))


def test_the_model_notices_acknowledging_more_than_was_sent(world: World, clock: MovableClock) -> None:
    history = model(world, clock, "acknowledges what is wanted now")()
    history.change(lane=Lane.URGENT)
    history.wait(seconds=1)
    flight = history.claim(channel="google")
    history.change(lane=Lane.URGENT)
    history.is_answered(flight=flight)
    with pytest.raises(AssertionError):
        history.teardown()


def test_the_model_notices_trust_in_late_answers(world: World, clock: MovableClock) -> None:
    history = model(world, clock, "trusts late answers")()
    history.change(lane=Lane.URGENT)
    history.wait(seconds=1)
    slow = history.claim(channel="google")
    history.wait(seconds=70)
    history.change(lane=Lane.URGENT)
    quick = history.claim(channel="google")
    history.is_answered(flight=quick)
    history.is_answered(flight=slow)
    with pytest.raises(AssertionError):
        history.teardown()


def test_the_model_notices_a_row_that_is_not_made_due_again(world: World, clock: MovableClock) -> None:
    history = model(world, clock, "forgets to make the row due again")()
    history.change(lane=Lane.URGENT)
    history.wait(seconds=1)
    flight = history.claim(channel="apple")
    history.change(lane=Lane.URGENT)
    history.is_answered(flight=flight)
    with pytest.raises(AssertionError):
        history.teardown()


def test_the_model_notices_a_registration_that_believes_too_much(world: World, clock: MovableClock) -> None:
    history = model(world, clock, "believes that a phone has the newest")()
    history.change(lane=Lane.URGENT)
    history.wait(seconds=1)
    history.is_gone(flight=history.claim(channel="apple"))
    history.registers_again(channel="apple")
    with pytest.raises(AssertionError):
        history.a_wallet_has_what_is_marked_as_done()
