"""Messages leave the cards when their time is over, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.cards.models import Card
from app.delivery import departures
from app.outbox.models import Sender, Target
from app.world import World
from tests import factories
from tests.app.wallets import telling
from tests.conftest import MovableClock

WORDS = {"title": "Points wait", "body": "Come by."}


@pytest.fixture
def card_ids(any_world: World) -> list[int]:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        ids = [factories.card(session, programme, f"Member {number}").id for number in range(5)]
        sender = Sender(vendor="apple", name=programme.pass_type_identifier)
        session.add(sender)
        session.flush()
        session.add_all(
            Target(channel=channel, sender_id=sender.id, card_id=one, address_id=one, want=1, done=1)
            for one in ids
            for channel in ("apple", "google")
        )
        return ids


def say(world: World, card_ids: list[int], lasts: timedelta) -> None:
    with world.database.unit_of_work() as session:
        telling.say(session, card_ids, WORDS, now=world.clock(), lasts=lasts)
        session.execute(update(Target).values(done=Target.want))


def versions(world: World) -> list[int]:
    with world.database.reading() as session:
        return list(session.scalars(select(Card.version).order_by(Card.id)))


def owed(world: World) -> list[tuple[str, int]]:
    with world.database.reading() as session:
        found = session.execute(select(Target.channel, Target.card_id).where(Target.want > Target.done))
        return sorted((channel, card) for channel, card in found)


def test_a_card_is_touched_once_when_its_message_ends_and_only_apples_phones_are_told(
    any_world: World, card_ids: list[int], clock: MovableClock
) -> None:
    say(any_world, card_ids[:2], timedelta(hours=1))
    say(any_world, card_ids[2:3], timedelta(hours=5))
    assert departures.follow(any_world) == 0
    clock.advance(hours=1)

    assert departures.follow(any_world) == 2
    assert versions(any_world) == [3, 3, 2, 1, 1]
    assert owed(any_world) == [("apple", card_ids[0]), ("apple", card_ids[1])]
    clock.advance(minutes=1)
    assert departures.follow(any_world) == 0


def test_ten_days_late_everything_is_made_good(any_world: World, card_ids: list[int], clock: MovableClock) -> None:
    say(any_world, card_ids[:2], timedelta(hours=1))
    say(any_world, card_ids[2:3], timedelta(hours=5))
    clock.advance(days=10)
    assert departures.follow(any_world) == 3
    clock.advance(minutes=1)
    assert departures.follow(any_world) == 0


def test_many_that_end_at_one_instant_are_taken_chunk_by_chunk(
    any_world: World, card_ids: list[int], clock: MovableClock
) -> None:
    say(any_world, card_ids, timedelta(hours=1))
    clock.advance(hours=1)
    with any_world.database.reading() as session:
        before = session.scalars(select(Card.id)).all()

    assert departures.follow(any_world, chunk=2) == len(before) == 5
    assert versions(any_world) == [3] * 5


def test_it_waits_while_the_phones_have_enough_to_catch_up_with(
    any_world: World, card_ids: list[int], clock: MovableClock
) -> None:
    say(any_world, card_ids, timedelta(hours=1))
    clock.advance(hours=1)
    with any_world.database.unit_of_work() as session:
        session.execute(update(Target).values(want=Target.done + 1, lane=2))
    assert departures.follow(any_world, pause_rows=3) == 0
    with any_world.database.unit_of_work() as session:
        session.execute(update(Target).values(done=Target.want))
    clock.advance(seconds=11)
    assert departures.follow(any_world, pause_rows=3) == 5


def test_a_second_process_that_comes_at_the_same_time_touches_nothing(
    any_world: World, card_ids: list[int], clock: MovableClock
) -> None:
    say(any_world, card_ids, timedelta(hours=1))
    clock.advance(hours=1)
    assert [departures.follow(any_world), departures.follow(any_world)] == [5, 0]
    assert versions(any_world) == [3] * 5
