"""Birthdays: known for 30 days, kept once in 365, on the 28th where there is no 29 February, at ten by their clock."""

from datetime import UTC, datetime

import pytest

from app.campaigns import service
from app.cards import birthdays
from app.cards.models import Card, Member
from tests.app.campaigns.crowd import again, outcome, recipients, settled
from tests.app.campaigns.occasions.street import Street

BIRTHDAY = {"on": "birthday"}


def at(street: Street, text: str) -> Street:
    street.clock.at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return street


def says(street: Street, card: Card, birthday: str) -> None:
    with street.world.database.unit_of_work() as session:
        birthdays.change(session, session.get_one(Member, card.member_id), birthday, now=street.clock())


def test_it_is_said_at_ten_by_the_members_clock(street: Street) -> None:
    here = street.card(birthday="12-25")
    east = street.card("Budi Santoso", birthday="12-25", zone="Asia/Jakarta")
    street.card("Can Demir", birthday="12-26")
    campaign = street.follows(BIRTHDAY)

    at(street, "2026-12-24T20:00").due()
    at(street, "2026-12-25T09:00").due()
    settled(street.world)

    found = recipients(street.world, campaign)
    assert {one: row.due_at for one, row in found.items() if one in {here.id, east.id}} == {
        here.id: datetime(2026, 12, 25, 7, 0, tzinfo=UTC),
        east.id: datetime(2026, 12, 25, 3, 0, tzinfo=UTC),
    }
    assert street.occasions(here) == ["birthday:2026-12-25"]


@pytest.mark.parametrize(("joined", "told"), [("2026-11-24T21:00", 1), ("2026-11-25T10:00", 0)])
def test_a_birthday_that_was_said_less_than_30_days_before_brings_nothing(
    street: Street, joined: str, told: int
) -> None:
    card = at(street, joined).card(birthday="12-25")
    street.follows(BIRTHDAY)

    for day in range(24, 32):
        at(street, f"2026-12-{day}T09:00").due()

    assert len(street.occasions(card)) == told


def test_a_birthday_that_was_changed_less_than_30_days_before_brings_nothing(street: Street) -> None:
    card = street.card(birthday="06-01")
    street.follows(BIRTHDAY)
    at(street, "2026-12-10T09:00")
    says(street, card, "12-25")

    assert at(street, "2026-12-25T09:00").due() == 0


def test_nobody_has_two_birthdays_in_365_days(street: Street) -> None:
    card = street.card(birthday="12-25")
    street.follows(BIRTHDAY)
    at(street, "2026-12-25T09:00").due()
    says(street, card, "06-01")

    assert at(street, "2027-06-01T09:00").due() == 0
    assert at(street, "2028-06-01T09:00").due() == 1
    assert street.occasions(card) == ["birthday:2026-12-25", "birthday:2028-06-01"]


def test_another_campaign_does_not_congratulate_once_more(street: Street) -> None:
    street.card(birthday="12-25")
    first = street.follows(BIRTHDAY, priority=90)
    second = street.follows(BIRTHDAY, priority=10)

    at(street, "2026-12-25T09:00").due()

    assert (sum(outcome(street.world, first).values()), sum(outcome(street.world, second).values())) == (1, 0)


def test_running_a_day_again_tells_nobody_twice_and_the_next_year_once_more(street: Street) -> None:
    card = street.card(birthday="12-25")
    campaign = street.follows(BIRTHDAY)

    for hour in (6, 8, 9, 20):
        at(street, f"2026-12-25T{hour:02}:00").due()
        settled(street.world)
    at(street, "2027-12-25T09:00").due()
    settled(street.world)

    assert outcome(street.world, campaign) == {"sent": 2}
    assert street.occasions(card) == ["birthday:2026-12-25", "birthday:2027-12-25"]


@pytest.mark.parametrize(
    ("day", "told"),
    [("2027-02-27", 0), ("2027-02-28", 1), ("2027-03-01", 1), ("2028-02-28", 0), ("2028-02-29", 1)],
)
def test_29_february_is_kept_on_the_28th_in_other_years(street: Street, day: str, told: int) -> None:
    card = street.card(birthday="02-29")
    street.follows(BIRTHDAY)

    # the day before is brought in where the member's clock may be ahead, and leaves on its own day
    at(street, f"{day}T09:00").due()

    on = [occasion for occasion in street.occasions(card) if occasion.removeprefix("birthday:") <= day]
    assert len(on) == told


@pytest.mark.parametrize(("days_late", "told"), [(0, 1), (3, 1), (4, 0), (10, 0)])
def test_three_days_late_is_still_said_ten_days_late_is_not(street: Street, days_late: int, told: int) -> None:
    street.card(birthday="12-25")
    campaign = street.follows(BIRTHDAY)

    at(street, "2026-12-25T09:00").days_later(days_late).due()
    settled(street.world)

    assert outcome(street.world, campaign)["sent"] == told


def test_days_before_the_birthday(street: Street) -> None:
    card = street.card(birthday="12-25")
    campaign = street.follows({**BIRTHDAY, "days_before": 3, "at": "17:30"})

    at(street, "2026-12-22T09:00").due()

    assert recipients(street.world, campaign)[card.id].due_at == datetime(2026, 12, 22, 14, 30, tzinfo=UTC)


def test_who_was_not_congratulated_by_a_stopped_campaign_is_by_the_next_one(street: Street) -> None:
    card = street.card(birthday="12-25")
    at(street, "2026-12-25T05:00")
    first = street.follows(BIRTHDAY)
    assert street.due() == 1
    settled(street.world)
    with street.world.database.unit_of_work() as session:
        service.stop(session, again(session, first), by="staff:author", now=street.clock())
    settled(street.world)

    second = street.follows(BIRTHDAY)
    assert street.due() == 1
    at(street, "2026-12-25T09:00")
    settled(street.world)
    third = street.follows(BIRTHDAY)

    assert street.due() == 0
    assert outcome(street.world, first) == {"stopped": 1}
    assert outcome(street.world, second) == {"sent": 1}
    assert outcome(street.world, third) == {}
    assert street.occasions(card) == ["birthday:2026-12-25", "birthday:2026-12-25"]
