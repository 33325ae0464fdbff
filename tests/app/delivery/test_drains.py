import threading
import time
from collections.abc import Iterator

import pytest

from app.delivery.drains import Drains
from app.delivery.engine import Engine
from app.outbox.rules import Lane
from app.wallets.channel import Errand, Result
from app.world import World
from passes.outcome import Outcome
from tests.app.delivery.vendor import Vendor
from tests.app.outbox.kit import Kit
from tests.conftest import MovableClock


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


@pytest.fixture
def drains(world: World, vendor: Vendor, stopping: threading.Event) -> Drains:
    return Drains(Engine(world=world, channels={"apple": vendor}), stopping=stopping)


def due(kit: Kit, clock: MovableClock, cards: int, lane: Lane = Lane.URGENT) -> None:
    first = clock.at.microsecond + clock.at.second * 1_000_000 + 1
    for number in range(cards):
        kit.change(kit.card(channel="apple", address_id=first + number), lane)
    clock.advance(seconds=11)


def test_it_drains_until_nothing_is_due(kit: Kit, vendor: Vendor, drains: Drains, clock: MovableClock) -> None:
    due(kit, clock, 25)
    assert not drains.take_up("apple", Lane.URGENT)
    assert len(vendor.pushed) == 25
    assert len(vendor.batches) > 1


def test_when_its_time_is_over_it_says_that_there_is_more(
    kit: Kit, vendor: Vendor, drains: Drains, clock: MovableClock
) -> None:
    due(kit, clock, 25)
    assert drains.take_up("apple", Lane.URGENT, at_most_s=0)
    assert 0 < len(vendor.pushed) < 25


def test_a_process_that_stops_finishes_its_batch_and_takes_no_more(
    kit: Kit, vendor: Vendor, drains: Drains, clock: MovableClock, stopping: threading.Event
) -> None:
    due(kit, clock, 25)
    vendor.during_push = stopping.set
    drains.take_up("apple", Lane.URGENT)
    assert len(vendor.batches) == 1


def test_a_call_while_the_slot_is_taken_returns_at_once_and_its_row_is_sent_by_whoever_has_the_slot(
    kit: Kit, vendor: Vendor, drains: Drains, clock: MovableClock
) -> None:
    due(kit, clock, 1)
    entered, go_on = threading.Event(), threading.Event()

    def slow(errand: Errand) -> Result:
        entered.set()
        go_on.wait(15)
        return Result(errand=errand, outcome=Outcome.DELIVERED)

    vendor.always = slow
    holder = threading.Thread(target=drains.take_up, args=("apple", Lane.URGENT))
    holder.start()
    assert entered.wait(15)
    assert drains.busy() == {Lane.URGENT}
    due(kit, clock, 1)

    assert not drains.take_up("apple", Lane.URGENT)
    assert len(vendor.pushed) == 1
    go_on.set()
    holder.join(15)

    assert len(vendor.pushed) == 2
    assert drains.busy() == set()


def test_it_remembers_which_lanes_it_was_asked_for(drains: Drains) -> None:
    drains.take_up("*", Lane.BULK)
    assert drains.heard() == {Lane.BULK}
    assert drains.heard() == set()


def test_a_drain_that_hangs_is_no_sign_of_life(drains: Drains) -> None:
    with drains._working(Lane.URGENT):
        assert drains.busy() == {Lane.URGENT}
        drains._busy = {me: (lane, time.monotonic() - 61) for me, (lane, _) in drains._busy.items()}
        assert drains.busy() == set()
