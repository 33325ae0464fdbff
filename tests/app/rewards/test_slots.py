"""Experiences: places, waiting lists, who does not come, and dates that are called off, on both databases."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.counter import visiting
from app.counter.rewarding import Redeemed
from app.rewards import slots
from app.rewards.models import Reward, Slot
from app.world import World
from tests.app.rewards.stall import Stall, at_once, refusal


def tasting(stall: Stall, **over: Any) -> Reward:
    return stall.offer(kind="experience", name="Tasting", points=50, **over)


def book(stall: Stall, reward: Reward, slot: Slot, *, waits: bool = False, points: int = 50) -> tuple[Any, Redeemed]:
    card = stall.member(points)
    return card, stall.redeem(reward, card, slot=slot.public_id, waits=waits)


def test_a_full_date_takes_who_waits_and_the_first_moves_up_when_one_cancels(any_world: World) -> None:
    stall = Stall(any_world)
    reward = tasting(stall)
    slot = stall.slot(reward, capacity=1)
    who, first = book(stall, reward, slot)
    _, second = book(stall, reward, slot, waits=True)
    _, third = book(stall, reward, slot, waits=True)

    full = refusal(lambda: book(stall, reward, slot))
    stall.cancel(first)

    assert (full.code, full.public) == ("slot_full", "All 1 places of this date are taken.")
    assert [stall.state(one) for one in (first, second, third)] == ["returned", "taken", "waiting"]
    assert (stall.has(who), stall.row(slot).taken) == (50, 1)


def test_who_waits_can_leave_and_frees_no_place(any_world: World) -> None:
    stall = Stall(any_world)
    reward = tasting(stall)
    slot = stall.slot(reward)
    book(stall, reward, slot)
    who, waiting = book(stall, reward, slot, waits=True)

    stall.cancel(waiting)

    assert (stall.has(who), stall.row(slot).taken) == (50, 1)


def test_entry_is_once_and_only_around_the_date(world: World) -> None:
    stall = Stall(world)
    reward = tasting(stall)
    slot = stall.slot(reward, capacity=2, in_h=48)
    _, came = book(stall, reward, slot)
    _, late = book(stall, reward, slot)

    assert refusal(lambda: stall.collect(came)).code == "not_started"
    stall.clock.advance(hours=47)
    assert stall.collect(came).collected_at == stall.now
    assert refusal(lambda: stall.collect(came)).code == "already_used"
    stall.clock.advance(hours=3)
    assert refusal(lambda: stall.collect(late)).code == "ended"


@pytest.mark.parametrize(("rule", "gets_back"), [("keep", 0), ("give_back", 50)])
def test_of_who_does_not_come_the_price_is_kept_or_given_back(any_world: World, rule: str, gets_back: int) -> None:
    stall = Stall(any_world)
    reward = tasting(stall, no_show=rule)
    slot = stall.slot(reward, capacity=2)
    absent, _ = book(stall, reward, slot)
    present, came = book(stall, reward, slot)
    waiting, _ = book(stall, reward, slot, waits=True)
    stall.clock.advance(hours=48)
    stall.collect(came)
    stall.clock.advance(hours=2)

    for _ in range(3):
        visiting.settle_slots(any_world)

    assert [stall.has(one) for one in (absent, present, waiting)] == [gets_back, 0, 50]
    assert stall.row(slot).settled_at == stall.now


def test_a_date_that_is_called_off_gives_everybody_the_price_back(any_world: World) -> None:
    stall = Stall(any_world)
    reward = tasting(stall, stock=10)
    slot = stall.slot(reward, capacity=2)
    guests = [book(stall, reward, slot, waits=True)[0] for _ in range(4)]

    stall.work(lambda s: slots.call_off(s, s.get_one(Slot, slot.id), now=stall.now))
    for _ in range(3):
        visiting.settle_slots(any_world)

    assert [stall.has(one) for one in guests] == [50] * 4
    assert (stall.row(reward).stock, stall.row(reward).used) == (10, 0)
    assert refusal(lambda: book(stall, reward, slot)).code == "ended"


def test_a_hold_takes_a_place_or_none(any_world: World) -> None:
    stall = Stall(any_world)
    reward = tasting(stall)
    slot = stall.slot(reward)
    book(stall, reward, slot)

    full = refusal(lambda: stall.hold(reward, stall.member(50), slot=slot.public_id, waits=True))

    assert (full.code, stall.row(slot).taken) == ("slot_full", 1)


def test_a_place_that_was_held_while_its_date_was_called_off_is_paid_back(any_world: World) -> None:
    stall = Stall(any_world)
    reward = tasting(stall)
    slot = stall.slot(reward)
    guest = stall.member(50)
    held = stall.hold(reward, guest, slot=slot.public_id)

    stall.work(lambda s: slots.call_off(s, s.get_one(Slot, slot.id), now=stall.now))
    visiting.settle_slots(any_world)
    stall.capture(held)
    for _ in range(2):
        visiting.settle_slots(any_world)

    assert (stall.has(guest), stall.row(slot).settled_at) == (50, stall.now)


def test_until_when_a_place_can_be_cancelled_is_the_rewards_to_say(world: World) -> None:
    stall = Stall(world)
    reward = tasting(stall, cancel_before_h=24)
    slot = stall.slot(reward, in_h=48)
    _, booked = book(stall, reward, slot)
    stall.clock.advance(hours=24)

    assert refusal(lambda: stall.cancel(booked)).code == "too_late"


def test_an_experience_needs_a_date_of_its_own(world: World) -> None:
    stall = Stall(world, points=500)
    reward, other = tasting(stall), tasting(stall)
    foreign = stall.slot(other)

    assert refusal(lambda: stall.redeem(reward)).code == "needs_slot"
    assert refusal(lambda: stall.redeem(reward, slot=foreign.public_id)).code == "unknown_slot"


def test_the_last_place_goes_to_one_and_the_others_wait_in_line(any_world: World) -> None:
    stall = Stall(any_world)
    reward = tasting(stall)
    slot = stall.slot(reward, capacity=3)
    guests = [stall.member(50) for _ in range(9)]

    at_once([lambda c=card: stall.redeem(reward, c, slot=slot.public_id, waits=True) for card in guests])

    with any_world.database.reading() as session:
        assert states(session, slot) == {"taken": 3, "waiting": 6}


def test_cancelling_beside_booking_leaves_no_free_place_with_somebody_waiting(any_world: World) -> None:
    stall = Stall(any_world)
    reward = tasting(stall)
    slot = stall.slot(reward, capacity=2)
    booked = [book(stall, reward, slot)[1] for _ in range(2)]
    guests = [stall.member(50) for _ in range(4)]

    at_once(
        [lambda b=one: stall.cancel(b) for one in booked]
        + [lambda c=card: stall.redeem(reward, c, slot=slot.public_id, waits=True) for card in guests]
    )

    with any_world.database.reading() as session:
        assert states(session, slot) == {"returned": 2, "taken": 2, "waiting": 2}
    assert stall.row(slot).taken == 2


def states(session: Session, slot: Slot) -> Counter[str]:
    rows = session.execute(slots.select(slots.Taking.state).where(slots.Taking.slot_id == slot.id))
    return Counter(row.state for row in rows)
