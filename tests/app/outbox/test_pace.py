import threading
import time
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
    assert first.start_ms == kit.now_ms
    assert second.start_ms - kit.now_ms == 200


def test_who_waited_for_another_reservation_is_judged_by_the_moment_after_it(kit: Kit, clock: MovableClock) -> None:
    waiting = threading.Event()

    def second() -> Slot | None:
        waiting.set()
        with kit.world.database.unit_of_work() as session:
            pace.await_turn(session, kit.sender_id)
            return pace.reserve(session, kit.sender_id, TWENTY, count=1, lane=Lane.BULK, now_ms=kit.now_ms)

    with ThreadPoolExecutor(1) as pool:
        with kit.world.database.unit_of_work() as session:
            assert pace.reserve(session, kit.sender_id, TWENTY, count=10, lane=Lane.URGENT, now_ms=kit.now_ms)
            found = pool.submit(second)
            waiting.wait()
            time.sleep(0.1)  # until it stands at the row
            clock.advance(seconds=1)
        assert found.result() is not None


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
    assert sender(kit).next_free == before == 2_000_000


def test_a_vendor_that_says_too_fast_is_obeyed_and_the_pace_halved(kit: Kit, clock: MovableClock) -> None:
    with kit.world.database.unit_of_work() as session:
        pace.slow_down(session, kit.sender_id, TWENTY, retry_after_s=5, now_ms=kit.now_ms)
    assert reserve(kit, 1) is None
    clock.advance(seconds=5)
    first, second = reserve(kit, 1), reserve(kit, 1)
    assert first is not None
    assert second is not None
    assert second.start_ms - first.start_ms == 100


def test_a_pace_that_is_still_too_fast_is_halved_again_after_a_minute_and_not_before(
    kit: Kit, clock: MovableClock
) -> None:
    given = []
    for wait_s in (0, 1, 58, 1):
        clock.advance(seconds=wait_s)
        with kit.world.database.unit_of_work() as session:
            pace.slow_down(session, kit.sender_id, TWENTY, retry_after_s=None, now_ms=kit.now_ms)
        given.append(sender(kit).slowed_to)
    assert given == [10, 10, 10, 5]


def test_a_pace_of_thousands_is_kept_as_exactly_as_one_of_twenty(kit: Kit, clock: MovableClock) -> None:
    fast = Pace(rate_per_s=3_000, burst=300, shared=False)
    granted = 0
    for _ in range(100):
        with kit.world.database.unit_of_work() as session:
            slot = pace.reserve(session, kit.sender_id, fast, count=100, lane=Lane.BULK, now_ms=kit.now_ms)
        granted += slot.count if slot else 0
        clock.advance(milliseconds=30)
    assert 8_900 <= granted <= 9_400


def test_a_bad_day_is_counted_over_all_processes_and_forgotten_after_half_a_minute(
    kit: Kit, clock: MovableClock
) -> None:
    def note(results: int, failed: int) -> bool:
        with kit.world.database.unit_of_work() as session:
            return pace.note_results(session, kit.sender_id, results=results, failed=failed, now_ms=kit.now_ms)

    assert not note(15, 0)
    clock.advance(seconds=5)
    assert not note(14, 14)
    clock.advance(seconds=5)
    assert note(1, 1)
    clock.advance(seconds=30)
    assert not note(19, 19)


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
