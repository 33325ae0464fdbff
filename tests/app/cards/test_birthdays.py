"""Birthdays are found by a digest, and nobody can have one whenever it suits them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app.cards import birthdays, people
from app.cards import service as cards
from app.cards.models import Card, Member
from app.errors import Conflict
from app.world import World
from tests import factories
from tests.conftest import MovableClock


def joined(world: World, **over: Any) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session), now=world.clock(), **over)


def member_of(world: World, card: Card) -> Member:
    with world.database.reading() as session:
        return session.get_one(Member, card.member_id)


def say(world: World, card: Card, birthday: str | None) -> bool:
    with world.database.unit_of_work() as session:
        return birthdays.change(session, session.get_one(Member, card.member_id), birthday, now=world.clock())


def test_a_birthday_said_when_joining_is_found_by_its_digest_alone(any_world: World) -> None:
    card = joined(any_world, birthday="04-23")

    member = member_of(any_world, card)
    with any_world.database.reading() as session:
        wanted = birthdays.digest(session, card.programme_id, "04-23")
        other = birthdays.digest(session, card.programme_id + 1, "04-23")
        row = str(session.execute(text("SELECT * FROM member")).all())
    assert member.birthday_index == wanted != other
    assert member.birthday_set_at == any_world.clock()
    assert "04-23" not in row


def test_a_birthday_can_be_changed_once_a_year_and_taken_away_at_any_time(
    any_world: World, clock: MovableClock
) -> None:
    card = joined(any_world, birthday="04-23")

    clock.advance(days=10)
    assert say(any_world, card, "05-01")
    clock.advance(days=364)
    with pytest.raises(Conflict, match="birthday_changed") as refusal:
        say(any_world, card, "06-01")
    assert "2027-11-30" in refusal.value.public
    assert say(any_world, card, None)
    with pytest.raises(Conflict, match="birthday_changed"):
        say(any_world, card, "06-01")
    clock.advance(days=1)
    assert say(any_world, card, "06-01")

    member = member_of(any_world, card)
    assert member.birthday_set_at == clock()
    with any_world.database.reading() as session:
        assert people.of(session, member).birthday == "06-01"
        assert member.birthday_index == birthdays.digest(session, card.programme_id, "06-01")


def test_saying_the_same_birthday_again_does_not_make_it_newer(any_world: World, clock: MovableClock) -> None:
    card = joined(any_world, birthday="04-23")
    before = member_of(any_world, card).birthday_set_at

    clock.advance(days=100)

    assert not say(any_world, card, "04-23")
    assert member_of(any_world, card).birthday_set_at == before


def test_an_erased_member_keeps_no_birthday(any_world: World) -> None:
    card = joined(any_world, birthday="04-23")

    with any_world.database.unit_of_work() as session:
        cards.erase(session, session.get_one(Member, card.member_id), now=any_world.clock())

    member = member_of(any_world, card)
    assert (member.birthday_index, member.birthday_set_at, member.birthday_changed_at) == ("", None, None)


@pytest.mark.parametrize(
    ("day", "kept"),
    [
        (date(2027, 2, 28), ["02-28", "02-29"]),
        (date(2028, 2, 28), ["02-28"]),
        (date(2028, 2, 29), ["02-29"]),
        (date(2027, 3, 1), ["03-01"]),
    ],
)
def test_29_february_is_kept_on_the_28th_in_other_years(day: date, kept: list[str]) -> None:
    assert birthdays.kept_on(day) == kept


@pytest.mark.parametrize(("days", "known"), [(30, True), (29, False), (None, False)])
def test_a_birthday_counts_when_it_was_said_30_days_before(days: int | None, known: bool) -> None:
    starts = datetime(2026, 12, 24, tzinfo=UTC)

    assert birthdays.is_known_long_enough(starts - timedelta(days=days) if days else None, starts) is known


def test_members_from_before_get_their_digests_once(any_world: World) -> None:
    known, without = joined(any_world, birthday="02-29"), None
    with any_world.database.unit_of_work() as session:
        without = factories.card(session, session.get_one(Card, known.id).programme, "Can Demir")
        session.execute(update(Member).values(birthday_index=None, birthday_set_at=None))

    assert birthdays.fill(any_world, chunk=1) == 2
    assert birthdays.fill(any_world, chunk=1) == 0

    with any_world.database.reading() as session:
        rows = dict(session.execute(select(Member.id, Member.birthday_index)).all())
        wanted = birthdays.digest(session, known.programme_id, "02-29")
    assert rows == {known.member_id: wanted, without.member_id: ""}
    assert member_of(any_world, known).birthday_set_at == member_of(any_world, known).created_at
