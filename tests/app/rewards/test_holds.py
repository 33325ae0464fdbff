"""Rewards in two steps: what is put aside with a hold is used up or free again, exactly once, on both databases."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from app.cards import service as cards
from app.cards.models import Member
from app.counter import timekeeping
from app.world import World
from tests.app.rewards.stall import Stall, at_once, refusal


def test_a_hold_over_midnight_is_captured_in_part_and_its_old_rest_expires(any_world: World) -> None:
    stall = Stall(any_world)
    midnight = datetime(2026, 11, 20, 21, tzinfo=UTC)  # of Istanbul
    stall.give(60, expires_at=midnight)
    stall.give(40)
    stall.clock.at = midnight - timedelta(minutes=2)
    held = stall.hold_points(80)

    stall.clock.at = midnight
    timekeeping.expire_lots(any_world)
    assert (stall.has(), stall.has(role="hold")) == (20, 80)

    stall.clock.at = midnight + timedelta(minutes=1)
    stall.capture(held, 50)
    assert stall.has() == 50
    timekeeping.expire_lots(any_world)

    assert (stall.has(), stall.has(role="hold")) == (40, 0)


def test_a_hold_reserves_stock_and_limits_and_a_void_frees_them_once(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=1, limit_per_member=1, limit_per_day=1)
    held = stall.hold(reward)

    taken = refusal(lambda: stall.redeem(reward))
    stall.void(held)
    again = refusal(lambda: stall.void(held))

    assert taken.code in {"limit_reached", "out_of_stock"}
    assert (again.status, again.code) == (409, "hold_ended")
    assert (stall.has(), stall.row(reward).stock, stall.state(held)) == (500, 1, "ended")
    assert stall.redeem(reward).balance == 400


def test_a_captured_hold_is_a_use_that_can_be_undone_once(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=1)
    held = stall.hold(reward)

    done = stall.capture(held)

    assert (done.hold.state, done.hold.captured, stall.state(held)) == ("captured", 100, "taken")
    assert refusal(lambda: stall.capture(held)).code == "hold_ended"
    stall.undo(done)
    assert (stall.has(), stall.row(reward).stock) == (500, 1)


def test_a_flexible_reward_is_captured_in_part_with_the_money_that_is_due(any_world: World) -> None:
    stall = Stall(any_world, points=3_000)
    reward = stall.offer(kind="discount", points=10, value_minor=100, flexible=True, max_share=50)
    held = stall.hold(reward, basket_minor=2_000)

    wrong = refusal(lambda: stall.capture(held, 55))
    done = stall.capture(held, 60)

    assert held.hold.amount == 100
    assert wrong.code == "whole_reward"
    assert done.taking is not None
    assert (done.taking.units, done.taking.value_minor, stall.has()) == (60, 600, 2_940)


@pytest.mark.parametrize(("units", "code"), [(101, "exceeds_hold"), (99, "whole_reward"), (0, "invalid_points")])
def test_a_capture_that_does_not_fit_leaves_the_hold_as_it_is(world: World, units: int, code: str) -> None:
    stall = Stall(world, points=500)
    held = stall.hold(stall.offer())

    refused = refusal(lambda: stall.capture(held, units))

    assert (refused.status, refused.code) == (422, code)
    assert stall.capture(held).balance == 400


def test_a_hold_lasts_thirty_seconds_to_an_hour(world: World) -> None:
    stall = Stall(world, points=500)
    reward = stall.offer()

    assert [refusal(lambda s=life: stall.hold(reward, life_s=s)).code for life in (29, 3_601)] == ["invalid_hold"] * 2
    assert [stall.hold(reward, life_s=life).hold.state for life in (30, 3_600)] == ["open"] * 2


def test_what_costs_nothing_cannot_be_held(world: World) -> None:
    stall = Stall(world)

    refused = refusal(lambda: stall.hold(stall.offer(points=None, about="Three cakes")))

    assert refused.code == "invalid_hold"


def test_when_its_time_is_over_a_hold_cannot_be_captured_and_is_swept_once(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=1)
    held = stall.hold(reward, life_s=30)
    stall.clock.advance(seconds=30)

    late = refusal(lambda: stall.capture(held))
    swept = [timekeeping.end_holds(any_world) for _ in range(3)]

    assert (late.status, late.code) == (409, "hold_ended")
    assert swept == [1, 0, 0]
    assert (stall.has(), stall.row(reward).stock, stall.state(held)) == (500, 1, "ended")


def test_capture_void_and_sweep_at_once_end_a_hold_once(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=1)
    for _ in range(5):
        held = stall.hold(reward)

        found = Counter(at_once([partial(stall.capture, held)] * 3 + [partial(stall.void, held)] * 3))

        assert found == {"done": 1, "hold_ended": 5}
        is_taken = stall.state(held) == "taken"
        assert (stall.row(reward).stock, stall.has(role="hold")) == (0 if is_taken else 1, 0)
        if is_taken:
            with any_world.database.unit_of_work() as session:
                session.merge(stall.row(reward)).stock = 1


def test_a_sweep_beside_captures_that_come_in_time_or_late_releases_once(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=1)
    held = stall.hold(reward, life_s=30)
    stall.clock.advance(seconds=31)

    found = Counter(at_once([lambda: timekeeping.end_holds(any_world)] * 3 + [lambda: stall.capture(held)] * 3))

    assert found == {"done": 3, "hold_ended": 3}
    timekeeping.end_holds(any_world)  # whoever found the card in use left it to the next run
    assert (stall.has(), stall.row(reward).stock, stall.row(reward).used) == (500, 1, 0)


def test_a_member_who_is_erased_beside_a_hold_leaves_books_that_add_up(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=1)

    def erase() -> None:
        stall.work(lambda s: cards.erase(s, s.get_one(Member, stall.card.member_id), now=stall.now))

    found = at_once([lambda: stall.hold(reward), erase, lambda: stall.hold(reward)])

    assert found[1] == "done"
    assert set(found) <= {"done", "card_not_active", "out_of_stock"}
    stall.clock.advance(seconds=301)
    timekeeping.end_holds(any_world)
    assert (stall.has(role="hold"), stall.row(reward).stock) == (0, 1)


def test_a_held_reward_of_a_card_that_was_voided_is_not_captured_but_let_go(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=1)
    held = stall.hold(reward)
    stall.work(lambda s: cards.erase(s, s.get_one(Member, stall.card.member_id), now=stall.now))

    refused = refusal(lambda: stall.capture(held))
    stall.void(held)

    assert (refused.status, refused.code) == (409, "card_not_active")
    assert stall.row(reward).stock == 1


def test_the_last_piece_goes_to_one_of_many_members(any_world: World) -> None:
    stall = Stall(any_world)
    reward = stall.offer(stock=1)
    members = [stall.member(100) for _ in range(12)]

    found = Counter(at_once([lambda c=card: stall.redeem(reward, c) for card in members]))

    assert found == {"done": 1, "out_of_stock": 11}
    assert stall.row(reward).stock == 0


def test_the_last_use_of_a_day_goes_to_one_of_many_members(any_world: World) -> None:
    stall = Stall(any_world)
    reward = stall.offer(limit_per_day=2)
    members = [stall.member(100) for _ in range(10)]

    found = Counter(at_once([lambda c=card: stall.hold(reward, c) for card in members]))

    assert found == {"done": 2, "limit_reached": 8}
