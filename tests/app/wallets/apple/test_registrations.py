"""Registrations on both databases, and under the races that leave phones behind."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.cards import service as cards
from app.cards.models import Card, Installation, Programme
from app.clock import milliseconds
from app.outbox import service as outbox
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.wallets.apple import issues, registrations
from app.wallets.apple.changes import changes
from app.wallets.apple.models import Device, DeviceLog, Registration
from app.wallets.apple.registrations import Arrival
from app.world import World
from tests import factories
from tests.conftest import MovableClock

TYPE = "pass.com.example.kahve"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(factories.NOW)


@pytest.fixture
def card(any_world: World) -> Card:
    with any_world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session))


def arrival(card: Card, device: str = "phone", token: str = "ab" * 32) -> Arrival:
    return Arrival(library_identifier=device, push_token=token, pass_type=TYPE, card_id=card.id)


def register(world: World, one: Arrival) -> bool:
    """As the route does it: whoever loses at a unique key looks again."""
    for _ in range(5):
        try:
            return world.database.transact(lambda session: registrations.register(session, one, now=world.clock()))
        except IntegrityError:
            continue
    raise AssertionError("five collisions in a row")


def listed(world: World, tag: str | None = None, device: str = "phone") -> tuple[list[str], str] | None:
    found = changes(world.database, device=device, pass_type=TYPE, tag=tag, now=world.clock())
    return (list(found.serials), found.tag) if found.serials else None


def touch(world: World, card: Card) -> None:
    with world.database.unit_of_work() as session:
        cards.touch(session, cards.lock(session, card.id), lane=Lane.URGENT, now=world.clock())


def test_the_same_registration_many_times_at_once_is_one(any_world: World, card: Card) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: register(any_world, arrival(card)), range(16)))

    assert sorted(answers) == [False] * 15 + [True]
    with any_world.database.reading() as session:
        assert len(session.scalars(select(Device)).all()) == 1
        assert len(session.scalars(select(Registration)).all()) == 1
        assert len(session.scalars(select(Target)).all()) == 1


def test_a_change_that_commits_during_a_registration_is_owed_to_the_phone(any_world: World, card: Card) -> None:
    for number in range(10):
        together = threading.Barrier(2)

        def meet(work: Callable[[], object], barrier: threading.Barrier = together) -> None:
            barrier.wait(5)
            work()

        one = arrival(card, f"phone {number}", f"{number:064x}")
        racers = [
            threading.Thread(target=meet, args=(work,))
            for work in (lambda one=one: register(any_world, one), lambda: touch(any_world, card))
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(20)

    with any_world.database.reading() as session:
        version = session.get_one(Card, card.id).version
        targets = session.scalars(select(Target)).all()
    assert version == 11
    assert [one.want for one in targets] == [11] * 10
    assert all(one.done < one.want for one in targets)


def test_the_list_holds_every_changed_card_and_only_this_phones(any_world: World, card: Card) -> None:
    with any_world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        second, stranger = (factories.card(session, programme, name) for name in ("Bob", "Mallory"))
    register(any_world, arrival(card))
    register(any_world, arrival(second))
    register(any_world, arrival(stranger, "elsewhere", "cd" * 32))

    first = listed(any_world)
    assert first is not None
    assert listed(any_world, first[1]) is None
    touch(any_world, second)
    touch(any_world, stranger)
    then = listed(any_world, first[1])

    assert first[0] == [card.serial, second.serial]
    assert then is not None
    assert then[0] == [second.serial]


def test_a_tag_from_before_a_restored_backup_lists_what_differs(any_world: World, card: Card) -> None:
    register(any_world, arrival(card))
    touch(any_world, card)
    ahead = listed(any_world)
    with any_world.database.unit_of_work() as session:
        session.get_one(Card, card.id).version = 1

    assert ahead is not None
    assert listed(any_world, ahead[1]) is not None


def test_a_phone_whose_last_card_leaves_is_forgotten(any_world: World, card: Card) -> None:
    with any_world.database.unit_of_work() as session:
        second = factories.card(session, session.scalars(select(Programme)).one(), "Bob")
    register(any_world, arrival(card))
    register(any_world, arrival(second))

    def leave(one: Card) -> int:
        with any_world.database.unit_of_work() as session:
            registrations.unregister(session, library_identifier="phone", card_id=one.id, now=any_world.clock())
            return len(session.scalars(select(Device)).all())

    assert [leave(card), leave(second), leave(second)] == [1, 0, 0]


def test_a_dead_token_takes_only_phones_registered_before_its_death(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    register(any_world, arrival(card))
    died_at = clock.advance(minutes=1)
    with any_world.database.unit_of_work() as session:
        early = registrations.forget_token(session, "ab" * 32, dead_since=died_at - timedelta(hours=1), now=died_at)
        late = registrations.forget_token(session, "ab" * 32, dead_since=died_at, now=died_at)

    assert (early, late) == (0, 1)


def test_what_was_told_ten_minutes_ago_and_not_fetched_is_listed_until_it_is(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    issues.note(any_world.database, card.id, 1, "ab" * 32, clock())
    register(any_world, arrival(card))
    touch(any_world, card)
    told = listed(any_world)
    assert told is not None
    with any_world.database.unit_of_work() as session:
        target = session.scalars(select(Target)).one()
        target.done, target.told_at = 2, milliseconds(clock())
    clock.advance(minutes=10)

    assert listed(any_world, told[1]) == ([card.serial], told[1])
    with any_world.database.unit_of_work() as session:
        outbox.note_fetched(session, {card.id: 2}, now_ms=milliseconds(clock()))
    assert listed(any_world, told[1]) is None


def test_only_the_newest_complaints_are_kept(any_world: World, clock: MovableClock) -> None:
    for number in range(9):
        with any_world.database.unit_of_work() as session:
            registrations.keep_log(session, [("list:status-401", f"line {number}")], now=clock(), rows_max=5)

    with any_world.database.reading() as session:
        lines = list(session.scalars(select(DeviceLog.line).order_by(DeviceLog.id)))
    assert lines == [f"line {number}" for number in range(4, 9)]


def test_a_card_is_installed_from_its_first_phone_to_its_last(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    def stays() -> list[bool]:
        with any_world.database.reading() as session:
            rows = session.scalars(
                select(Installation).where(Installation.card_id == card.id).order_by(Installation.id)
            )
            return [row.gone_at is not None for row in rows]

    def leave(device: str) -> None:
        with any_world.database.unit_of_work() as session:
            registrations.unregister(session, library_identifier=device, card_id=card.id, now=clock())

    register(any_world, arrival(card))
    register(any_world, arrival(card, "tablet", "cd" * 32))
    leave("phone")
    assert stays() == [False]
    leave("tablet")
    leave("tablet")
    assert stays() == [True]

    register(any_world, arrival(card))
    assert stays() == [True, False]
    with any_world.database.unit_of_work() as session:
        registrations.forget_token(session, "ab" * 32, dead_since=clock(), now=clock())
    assert stays() == [True, True]
