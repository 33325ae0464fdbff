from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from app.delivery import silence, steps
from app.delivery.engine import Engine
from app.delivery.models import Silence
from app.outbox import service as outbox
from app.outbox.models import Target
from app.outbox.rules import REMINDER, Lane
from app.world import World
from tests.app.delivery.vendor import Vendor
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import MovableClock


@pytest.fixture
def kit(any_world: World) -> Kit:
    return kit_for(any_world, vendor="apple")


@pytest.fixture
def engine(kit: Kit, vendor: Vendor) -> Engine:
    return Engine(world=kit.world, channels={"apple": vendor})


@pytest.fixture
def card_id(kit: Kit, engine: Engine, clock: MovableClock) -> int:
    """A card whose phone was told of version 2 at this moment, and has not fetched it."""
    made = kit.card(channel="apple")
    kit.change(made)
    clock.advance(seconds=1)
    assert engine.drain("apple", Lane.URGENT)
    return made


def fetch(kit: Kit, card_id: int, version: int) -> None:
    with kit.world.database.unit_of_work() as session:
        outbox.note_fetched(session, {card_id: version}, now_ms=kit.now_ms)


def is_quiet(kit: Kit) -> bool:
    with kit.world.database.reading() as session:
        return session.scalar(select(Target.id).where(silence.is_quiet(kit.world.clock()))) is not None


def drained(engine: Engine, clock: MovableClock) -> bool:
    clock.advance(seconds=10)
    return engine.drain("apple", Lane.BULK)


def test_a_phone_that_never_fetches_is_told_after_six_hours_then_daily_for_a_week_and_is_quiet_then(
    kit: Kit, engine: Engine, vendor: Vendor, card_id: int, clock: MovableClock
) -> None:
    told = clock()
    reminded: list[float] = []
    quiet_from = None

    for _ in range(24 * 9 * 2):
        clock.advance(minutes=30)
        if steps.follow_up_silence(kit.world):
            assert drained(engine, clock)
            reminded.append((clock() - told) / timedelta(hours=1))
        if quiet_from is None and is_quiet(kit):
            quiet_from = (clock() - told) / timedelta(days=1)

    assert 6 < reminded[0] <= 7
    assert len(reminded) == 7
    assert all(24 < later - earlier <= 25 for earlier, later in pairwise(reminded))
    assert quiet_from is not None
    assert 7 < quiet_from < 7.1
    assert len(vendor.pushed) == 8


def test_a_phone_that_fetched_is_left_alone(kit: Kit, card_id: int, clock: MovableClock) -> None:
    fetch(kit, card_id, 2)
    clock.advance(days=2)
    assert steps.follow_up_silence(kit.world) == 0
    assert not is_quiet(kit)


def test_a_silence_ends_with_the_first_fetch_and_the_next_one_begins_anew(
    kit: Kit, engine: Engine, card_id: int, clock: MovableClock
) -> None:
    clock.advance(hours=7)
    assert steps.follow_up_silence(kit.world) == 1
    assert drained(engine, clock)
    fetch(kit, card_id, 2)
    clock.advance(days=6)
    kit.change(card_id)
    clock.advance(seconds=1)
    assert engine.drain("apple", Lane.URGENT)

    clock.advance(hours=5)
    assert steps.follow_up_silence(kit.world) == 0
    clock.advance(days=1, hours=2)
    assert not is_quiet(kit)
    assert steps.follow_up_silence(kit.world) == 1
    with kit.world.database.reading() as session:
        assert session.scalars(select(Silence.pushes)).all() == [1]


def test_a_fetch_while_the_reminder_waits_counts(kit: Kit, engine: Engine, card_id: int, clock: MovableClock) -> None:
    clock.advance(hours=7)
    assert steps.follow_up_silence(kit.world) == 1
    assert kit.target(card_id).trace == REMINDER

    fetch(kit, card_id, 2)

    assert kit.target(card_id).fetched == 2
    assert drained(engine, clock)
    clock.advance(days=2)
    assert steps.follow_up_silence(kit.world) == 0


def test_a_quiet_phone_is_still_told_of_a_change(
    kit: Kit, engine: Engine, vendor: Vendor, card_id: int, clock: MovableClock
) -> None:
    clock.advance(hours=7)
    steps.follow_up_silence(kit.world)
    drained(engine, clock)
    clock.advance(days=8)
    assert is_quiet(kit)

    kit.change(card_id)
    clock.advance(seconds=1)

    assert engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 3}


def test_a_change_that_waits_is_not_taken_for_silence(kit: Kit, card_id: int, clock: MovableClock) -> None:
    clock.advance(hours=7)
    kit.change(card_id)
    with kit.world.database.unit_of_work() as session:
        session.execute(update(Target).values(not_before=kit.now_ms + 10**9))
    assert steps.follow_up_silence(kit.world) == 0


def test_many_silent_phones_are_reminded_in_small_transactions(
    kit: Kit, engine: Engine, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [kit.card(channel="apple", address_id=number) for number in range(1, 8)]
    for card in cards:
        kit.change(card)
    clock.advance(seconds=1)
    while engine.drain("apple", Lane.URGENT):
        pass
    monkeypatch.setattr(silence, "STEP_ROWS", 3)
    clock.advance(hours=7)
    assert steps.follow_up_silence(kit.world) == 7
    assert steps.follow_up_silence(kit.world) == 0
