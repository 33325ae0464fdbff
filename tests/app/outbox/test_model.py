"""Any order of changes, claims, answers, crashes and late arrivals ends with the vendor holding the newest version."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from app.cards.models import Card
from app.migrations import run as migrations
from app.outbox.claims import Claim
from app.outbox.rules import LEASE_MS, Lane
from tests.app.outbox.kit import kit_for
from tests.conftest import MovableClock, open_test_world, settings_for
from tests.factories import NOW


@dataclass
class Flight:
    """A send under way: the claimed row, and the version that was read after the claim."""

    claim: Claim
    version: int


class Delivery(RuleBasedStateMachine):
    """One card at a vendor that keeps whatever arrives last."""

    flights = Bundle("flights")
    fault = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name)
        self.clock = MovableClock(NOW)
        self.world = open_test_world(settings_for(f"sqlite:///{path / 'model.db'}", path), self.clock)
        migrations.migrate(self.world.database)
        self.kit = kit_for(self.world)
        self.card_id = self.kit.card()
        self.held = 1

    def teardown(self) -> None:
        """Whatever happened: once the faults stop, everything arrives."""
        try:
            for _ in range(6):
                self.clock.advance(milliseconds=LEASE_MS[Lane.BULK] + 1)
                for lane in Lane:
                    claim = self.kit.claim(lane)
                    if claim is not None:
                        self.held = self._version()
                        self.kit.settle(claim, self.held, maybe_sent=True)
            assert self.held == self._version()
            assert self.kit.target(self.card_id).done == self._version()
        finally:
            self.world.database.close()
            self.folder.cleanup()

    @rule(lane=st.sampled_from(list(Lane)))
    def change(self, lane: Lane) -> None:
        self.kit.change(self.card_id, lane)

    @rule(seconds=st.sampled_from([1, 6, 70]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @rule(target=flights, lane=st.sampled_from(list(Lane)))
    def claim(self, lane: Lane) -> object:
        found = self.kit.claim(lane)
        return Flight(found, self._version()) if found else None

    @rule(flight=flights)
    def arrives_at_the_vendor(self, flight: Flight | None) -> None:
        """Also late, also twice: the network owes us nothing."""
        if flight is not None and self.kit.target(self.card_id).lease is not None:
            self.held = flight.version

    @rule(flight=consumes(flights))
    def is_answered(self, flight: Flight | None) -> None:
        if flight is None:
            return
        self.held = flight.version
        wanted_now = self.kit.target(self.card_id).want
        acknowledged = wanted_now if self.fault == "acknowledges what is wanted now" else flight.version
        harmful = self.fault != "trusts late answers"
        self.kit.settle(flight.claim, acknowledged, maybe_sent=harmful)

    @rule(flight=consumes(flights), delay_ms=st.sampled_from([0, 5_000]))
    def fails(self, flight: Flight | None, delay_ms: int) -> None:
        if flight is not None:
            self.kit.settle(flight.claim, flight.version, "later", delay_ms=delay_ms, maybe_sent=True)

    @rule(flight=consumes(flights))
    def its_worker_dies(self, flight: Flight | None) -> None:
        """Nothing is settled; the lease runs out by itself."""

    @invariant()
    def wants_what_the_card_is(self) -> None:
        target = self.kit.target(self.card_id)
        assert target.want == self._version()
        assert 0 <= target.done <= target.want

    def _version(self) -> int:
        with self.world.database.reading() as session:
            return session.get_one(Card, self.card_id).version


QUICK = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def test_the_model_notices_acknowledging_more_than_was_sent() -> None:
    history = planted("acknowledges what is wanted now")
    history.change(lane=Lane.URGENT)
    history.wait(seconds=1)
    flight = history.claim(lane=Lane.URGENT)
    history.change(lane=Lane.URGENT)
    history.is_answered(flight=flight)
    with pytest.raises(AssertionError):
        history.teardown()


def test_the_model_notices_trust_in_late_answers() -> None:
    history = planted("trusts late answers")
    history.change(lane=Lane.URGENT)
    history.wait(seconds=1)
    slow = history.claim(lane=Lane.URGENT)
    history.wait(seconds=70)
    history.change(lane=Lane.URGENT)
    quick = history.claim(lane=Lane.URGENT)
    history.is_answered(flight=quick)
    history.is_answered(flight=slow)
    with pytest.raises(AssertionError):
        history.teardown()


def planted(fault: str) -> Delivery:
    machine = Delivery()
    machine.fault = fault
    return machine


def test_no_history_leaves_a_card_behind() -> None:
    run_state_machine_as_test(Delivery, settings=QUICK)
