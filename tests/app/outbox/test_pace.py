from concurrent.futures import ThreadPoolExecutor

import pytest

from app.outbox import pace
from app.outbox.models import Sender
from app.outbox.pace import Pace, Slot
from app.outbox.rules import FOREVER_MS, Lane
from app.world import World
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import MovableClock

TWENTY = Pace(rate_per_s=20)


@pytest.fixture
def kit(any_world: World) -> Kit:
    return kit_for(any_world)


def reserve(kit: Kit, count: int, lane: Lane = Lane.URGENT) -> Slot | None:
    with kit.world.database.unit_of_work() as session:
        return pace.reserve(session, kit.sender_id, TWENTY, count=count, lane=lane, now_ms=kit.now_ms)


def sender(kit: Kit) -> Sender:
    with kit.world.database.reading() as session:
        return session.get_one(Sender, kit.sender_id)


def test_calls_of_all_workers_together_keep_to_the_pace(kit: Kit, clock: MovableClock) -> None:
    """Ten seconds of four workers who ask all the time: 20 a second, and the second that was promised ahead."""
    granted = 0
    for _ in range(100):
        with ThreadPoolExecutor(4) as pool:
            granted += sum(slot.count for slot in pool.map(lambda _: reserve(kit, 1), range(4)) if slot)
        clock.advance(milliseconds=100)
    assert 200 <= granted <= 221


def test_a_batch_is_told_when_it_may_begin(kit: Kit) -> None:
    first, second = reserve(kit, 4), reserve(kit, 4)
    assert first is not None
    assert second is not None
    assert (first.start_ms - kit.now_ms, first.interval_ms) == (0, 50)
    assert second.start_ms - kit.now_ms == 200


def test_bulk_leaves_room_for_what_is_urgent(kit: Kit, clock: MovableClock) -> None:
    """Seven tenths of 20 a second at most, over five seconds; asking only every 10 ms costs a little of it."""
    granted = 0
    for _ in range(500):
        granted += 1 if reserve(kit, 1, Lane.BULK) else 0
        clock.advance(milliseconds=10)
    assert 60 <= granted <= 71


def test_urgent_calls_may_wait_a_second_and_others_may_not(kit: Kit) -> None:
    assert reserve(kit, 10)
    assert reserve(kit, 1, Lane.BULK) is None
    assert reserve(kit, 1, Lane.NORMAL) is None
    assert reserve(kit, 1) is not None


def test_calls_beyond_what_was_reserved_are_paid_for_afterwards(kit: Kit) -> None:
    with kit.world.database.unit_of_work() as session:
        pace.charge(session, kit.sender_id, TWENTY, count=40)
    before = sender(kit).next_free
    with kit.world.database.unit_of_work() as session:
        pace.charge(session, kit.sender_id, TWENTY, count=0)
    assert sender(kit).next_free == before == 2_000


def test_a_vendor_that_says_too_fast_is_obeyed_and_the_pace_halved(kit: Kit, clock: MovableClock) -> None:
    with kit.world.database.unit_of_work() as session:
        pace.slow_down(session, kit.sender_id, retry_after_s=5, now_ms=kit.now_ms)
    assert reserve(kit, 1) is None
    clock.advance(seconds=5)
    slot = reserve(kit, 1)
    assert slot is not None
    assert slot.interval_ms == 100


def test_an_open_breaker_grants_nothing(kit: Kit) -> None:
    with kit.world.database.unit_of_work() as session:
        assert pace.open_until_mended(session, kit.sender_id, "No certificate.")
        assert not pace.open_until_mended(session, kit.sender_id, "No certificate.")
    assert reserve(kit, 1) is None
    assert sender(kit).breaker_until == FOREVER_MS


def test_a_storm_does_not_shorten_what_waits_for_an_operator(kit: Kit) -> None:
    with kit.world.database.unit_of_work() as session:
        pace.open_until_mended(session, kit.sender_id, "No certificate.")
        assert not pace.open_for_a_while(session, kit.sender_id, "Storm.", now_ms=kit.now_ms)
    assert sender(kit).breaker_reason == "No certificate."


def test_of_many_workers_one_probes_a_closing_breaker(kit: Kit, clock: MovableClock) -> None:
    with kit.world.database.unit_of_work() as session:
        pace.open_for_a_while(session, kit.sender_id, "Storm.", now_ms=kit.now_ms)
    clock.advance(seconds=31)

    def probe(_: int) -> bool | None:
        with kit.world.database.unit_of_work() as session:
            return pace.begin_probe(session, kit.sender_id, now_ms=kit.now_ms)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(map(str, pool.map(probe, range(4)))) == ["None", "None", "None", "True"]
