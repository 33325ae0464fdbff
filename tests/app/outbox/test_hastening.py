"""What waits out a long backoff, and when it need not wait so long."""

import pytest
from sqlalchemy import update

from app.outbox import hastening, pace
from app.outbox.models import Sender, Target
from app.outbox.rules import Lane
from app.world import World
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import MovableClock

MINUTES_10 = 600_000


@pytest.fixture
def kit(any_world: World) -> Kit:
    return kit_for(any_world)


def failed(kit: Kit, cards: int, *, times: int = 3, **over: object) -> list[int]:
    """Cards whose change could not be brought across several times, and that wait for ten minutes now."""
    ids = [kit.card(address_id=number, name=f"Member {number}") for number in range(1, cards + 1)]
    for card_id in ids:
        kit.change(card_id)
    for _ in range(times):
        with kit.world.database.unit_of_work() as session:
            session.execute(update(Target).values(not_before=kit.now_ms))
        claim = kit.claim()
        assert claim is not None
        kit.settle(claim, 0, "later", delay_ms=MINUTES_10, **over)
    return ids


def hasten(kit: Kit) -> int:
    with kit.world.database.unit_of_work() as session:
        expected = bool(hastening.waiting(session, now_ms=kit.now_ms))
        done = hastening.hasten(session, now_ms=kit.now_ms)
    assert expected == (done > 0)
    return done


def heard(kit: Kit, *, results: int, failed: int = 0) -> None:
    with kit.world.database.unit_of_work() as session:
        pace.note_results(session, kit.sender_id, results=results, failed=failed, now_ms=kit.now_ms)


def test_of_a_sender_that_nobody_heard_of_one_row_is_tried_at_a_time(kit: Kit) -> None:
    failed(kit, 3)

    assert hasten(kit) == 1
    assert hasten(kit) == 0
    claim = kit.claim_one()
    assert hasten(kit) == 0
    kit.settle(claim, 2)
    assert hasten(kit) == 1


def test_of_a_sender_that_works_five_are_tried_at_a_time(kit: Kit) -> None:
    failed(kit, 7)
    heard(kit, results=4)

    assert hasten(kit) == 5
    assert hasten(kit) == 0
    claim = kit.claim()
    assert claim is not None
    kit.settle(claim, 2)
    assert hasten(kit) == 2


def test_those_tried_longest_ago_come_first(kit: Kit, clock: MovableClock) -> None:
    first, second = failed(kit, 2)
    with kit.world.database.unit_of_work() as session:
        session.execute(update(Target).where(Target.card_id == second).values(last_at=kit.now_ms - 1))

    hasten(kit)

    assert [claimed.card_id for claimed in kit.claim_one().rows] == [second]
    assert kit.target(first).not_before > kit.now_ms


def test_half_a_minute_passes_after_the_last_failure(kit: Kit, clock: MovableClock) -> None:
    failed(kit, 1)
    heard(kit, results=9, failed=1)

    assert hasten(kit) == 0
    clock.advance(seconds=24)
    assert hasten(kit) == 0
    clock.advance(seconds=6)
    assert hasten(kit) == 1


def test_what_the_vendor_asked_to_wait_for_is_waited_for(kit: Kit, clock: MovableClock) -> None:
    failed(kit, 1, asked_ms=120_000)

    clock.advance(seconds=119)
    assert hasten(kit) == 0
    clock.advance(seconds=1)
    assert hasten(kit) == 1


def test_a_row_that_was_sent_too_fast_waits_for_a_minute(kit: Kit, clock: MovableClock) -> None:
    failed(kit, 1, status=429)

    clock.advance(seconds=59)
    assert hasten(kit) == 0
    clock.advance(seconds=1)
    assert hasten(kit) == 1


def test_rows_that_failed_once_or_twice_wait_as_they_should(kit: Kit) -> None:
    failed(kit, 1, times=2)

    assert hasten(kit) == 0


def test_an_open_breaker_decides_itself_whom_it_tries(kit: Kit) -> None:
    failed(kit, 1)
    with kit.world.database.unit_of_work() as session:
        pace.open_for_a_while(session, kit.sender_id, "trouble", now_ms=kit.now_ms)

    assert hasten(kit) == 0


def test_one_sender_s_trouble_is_not_another_s(kit: Kit) -> None:
    failed(kit, 1)
    with kit.world.database.unit_of_work() as session:
        other = Sender(vendor="apple", name="pass.com.example.other", next_free=0)
        session.add(other)
        session.flush()
        pace.note_results(session, other.id, results=5, failed=5, now_ms=kit.now_ms)

    assert hasten(kit) == 1
    assert kit.claim(Lane.URGENT) is not None
