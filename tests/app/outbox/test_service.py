from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from app import trace
from app.cards import ranges
from app.cards.models import Card
from app.cards.ranges import Audience, CardRange
from app.outbox import claims, service
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.world import World
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import MovableClock


@pytest.fixture
def kit(any_world: World) -> Kit:
    return kit_for(any_world)


def test_ten_changes_in_a_second_make_one_send(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    for _ in range(10):
        version = kit.change(card_id)
        clock.advance(milliseconds=90)
    clock.advance(milliseconds=200)

    claim = kit.claim_one()
    kit.settle(claim, version)

    assert kit.target(card_id).done == version
    clock.advance(hours=1)
    assert kit.claim() is None


def test_the_window_is_fixed_by_the_first_change_of_a_burst(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    started_ms = kit.now_ms
    for _ in range(5):
        kit.change(card_id)
        clock.advance(milliseconds=300)

    assert kit.target(card_id).not_before == started_ms + 1_000
    assert kit.target(card_id).dirty_since == started_ms


def test_a_waiting_row_keeps_the_more_urgent_lane(kit: Kit) -> None:
    card_id = kit.card()
    kit.change(card_id, Lane.URGENT)
    kit.change(card_id, Lane.BULK)

    assert kit.target(card_id).lane == Lane.URGENT


def test_a_row_waiting_in_bulk_becomes_urgent_and_sooner(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    kit.change(card_id, Lane.BULK)
    clock.advance(seconds=10)
    claim = kit.claim_one(Lane.BULK)
    kit.settle(claim, 0, "later", delay_ms=600_000)

    kit.change(card_id, Lane.URGENT)

    assert kit.target(card_id).lane == Lane.URGENT
    assert kit.target(card_id).not_before == kit.now_ms + 1_000


def test_a_leased_row_is_not_taken_from_its_worker_by_an_urgent_change(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    kit.change(card_id, Lane.BULK)
    clock.advance(seconds=10)
    claim = kit.claim_one(Lane.BULK)
    leased_until = kit.target(card_id).not_before

    kit.change(card_id, Lane.URGENT)

    assert kit.target(card_id).lease == claim.lease
    assert kit.target(card_id).not_before == leased_until


def test_two_callers_at_once_get_one_sender(kit: Kit) -> None:
    ready = Barrier(2)

    def ask(_: int) -> int:
        ready.wait()
        with kit.world.database.unit_of_work() as session:
            return service.sender_for(session, "apple", "pass.com.example.new").id

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask, range(2))
    assert first == second


def test_registering_again_is_the_same_row_and_never_lowers_what_is_done(kit: Kit) -> None:
    card_id = kit.card()
    before = kit.target(card_id)
    with kit.world.database.unit_of_work() as session:
        again = kit.register(session, card_id, channel="google", address_id=1, done=0)
    assert (again.id, again.done) == (before.id, before.done)


def test_an_address_that_comes_back_is_alive_again(kit: Kit) -> None:
    card_id = kit.card()
    with kit.world.database.unit_of_work() as session:
        service.retire(session, channel="google", address_id=1)
    kit.change(card_id)
    assert kit.target(card_id).state == "gone"

    with kit.world.database.unit_of_work() as session:
        target = kit.register(session, card_id, channel="google", address_id=1, done=1)

    assert (target.state, target.want, target.done) == ("live", 2, 1)


def test_a_change_that_commits_during_a_registration_does_not_leave_the_address_behind(kit: Kit) -> None:
    """Both start together, many times; whatever the order, the new address wants the newest version."""
    for round_no in range(25):
        card_id = kit.card(address_id=1, name=f"Round {round_no}")
        ready = Barrier(2)

        def register(card_id: int = card_id, ready: Barrier = ready) -> None:
            ready.wait()

            def work(session: service.Session) -> None:
                kit.register(session, card_id, channel="google", address_id=2, done=1)

            kit.world.database.transact(work)

        def change(card_id: int = card_id, ready: Barrier = ready) -> None:
            ready.wait()
            kit.change(card_id)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(register), pool.submit(change)]:
                done.result()
        with kit.world.database.reading() as session:
            version = session.get_one(Card, card_id).version
            wants = {one.want for one in session.query(Target).filter(Target.card_id == card_id)}
        assert wants == {version}


def test_a_range_wants_what_its_cards_are_now_and_nobody_elses(kit: Kit) -> None:
    inside = [kit.card(address_id=n) for n in range(1, 4)]
    outside = kit.card(address_id=9)
    with kit.world.database.unit_of_work() as session:
        some = CardRange(audience=Audience(programme_id=kit.programme_id), after_id=0, up_to_id=inside[-1])
        ranges.touch(session, some, now=kit.world.clock())
    assert [kit.target(one).want for one in inside] == [2, 2, 2]
    assert kit.target(outside).want == 1
    assert {kit.target(one).lane for one in inside} == {Lane.BULK}


def test_of_several_phones_those_that_had_been_told_are_credited_with_a_download(kit: Kit) -> None:
    card_id = kit.card(channel="apple")
    version = kit.change(card_id)
    with kit.world.database.unit_of_work() as session:
        told = kit.register(session, card_id, channel="apple", address_id=2, done=version)
        told.fetched = 1

    with kit.world.database.unit_of_work() as session:
        service.note_fetched(session, {card_id: version}, now_ms=kit.now_ms)

    with kit.world.database.reading() as session:
        fetched = {one.address_id: one.fetched for one in session.query(Target).filter(Target.card_id == card_id)}
    assert fetched == {1: 1, 2: version}


def test_the_only_phone_of_a_card_is_credited_with_a_download_before_it_was_told(kit: Kit) -> None:
    card_id = kit.card(channel="apple")
    version = kit.change(card_id)
    with kit.world.database.unit_of_work() as session:
        thrown_away = kit.register(session, card_id, channel="apple", address_id=2, done=1)
        thrown_away.state = "gone"

    with kit.world.database.unit_of_work() as session:
        service.note_fetched(session, {card_id: version}, now_ms=kit.now_ms)

    with kit.world.database.reading() as session:
        fetched = {one.address_id: one.fetched for one in session.query(Target).filter(Target.card_id == card_id)}
    assert fetched[1] == version


def test_a_change_for_many_gives_a_parked_address_another_chance(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    kit.change(card_id)
    clock.advance(seconds=1)
    claim = kit.claim_one()
    kit.settle(claim, 0, "parked", status=400)
    kit.change(card_id)
    assert kit.target(card_id).state == "parked"

    with kit.world.database.unit_of_work() as session:
        some = CardRange(audience=Audience(programme_id=kit.programme_id), after_id=0, up_to_id=card_id)
        ranges.touch(session, some, now=kit.world.clock())

    assert kit.target(card_id).state == "live"
    claims = [kit.claim(Lane.BULK), kit.claim(Lane.URGENT)]
    assert sum(len(one.rows) for one in claims if one) == 1


def test_a_phone_is_woken_for_bulk_changes_six_times_at_once_and_then_every_ten_minutes(
    kit: Kit, clock: MovableClock
) -> None:
    card_id = kit.card(channel="apple")
    waits_s = []
    for _ in range(8):
        version = kit.change(card_id, Lane.BULK)
        wait_ms = kit.target(card_id).not_before - kit.now_ms
        waits_s.append(wait_ms // 1000)
        clock.advance(milliseconds=wait_ms)
        claim = kit.claim_one(Lane.BULK, channel="apple")
        with kit.world.database.unit_of_work() as session:
            claims.settle(session, claim, [(claim.rows[0].id, version)], [], now_ms=kit.now_ms)

    assert waits_s[:6] == [10] * 6
    assert waits_s[6:] == [550, 600]
    kit.change(card_id, Lane.URGENT)
    assert kit.target(card_id).not_before == kit.now_ms + 1_000


def test_windows_are_an_installations_own(kit: Kit) -> None:
    kit.world.database.info["windows"] = (200, 300, 400)
    card_id = kit.card()
    kit.change(card_id, Lane.NORMAL)
    assert kit.target(card_id).not_before == kit.now_ms + 300


def test_what_raised_a_want_is_named(kit: Kit) -> None:
    card_id = kit.card()
    trace.begin("till-request-7")
    kit.change(card_id)
    assert kit.target(card_id).trace == "till-request-7"
