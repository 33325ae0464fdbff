"""Points that are about to be lost."""

from datetime import UTC, datetime, timedelta

from tests.app.campaigns.crowd import outcome, settled
from tests.app.campaigns.occasions.street import Street

EXPIRING = {"on": "points_expiring"}


def test_it_is_said_30_and_7_days_before(street: Street) -> None:
    card = street.card()
    street.gets(card, 100, until=street.clock() + timedelta(days=60))
    campaign = street.follows(EXPIRING)
    told = []
    for day in range(1, 61):
        if street.days_later(1).due():
            told.append(60 - day)
        settled(street.world)

    assert told == [30, 7]
    assert outcome(street.world, campaign) == {"sent": 2}


def test_points_that_were_spent_meanwhile_are_not_spoken_of(street: Street) -> None:
    card = street.card()
    street.gets(card, 100, until=street.clock() + timedelta(days=60))
    street.follows({**EXPIRING, "least": 101})

    assert street.days_later(40).due() == 0


def test_points_that_end_day_after_day_are_spoken_of_once_in_that_time(street: Street) -> None:
    card = street.card()
    for day in range(50, 60):
        street.gets(card, 10, until=street.clock() + timedelta(days=day))
    street.follows({**EXPIRING, "days": [30]})
    street.days_later(19)

    assert sum(street.days_later(1).due() for _ in range(15)) == 1


def test_ten_days_off_the_nearer_warning_alone_is_said(street: Street) -> None:
    card = street.card()
    street.gets(card, 100, until=street.clock() + timedelta(days=35))
    street.follows(EXPIRING)

    assert street.days_later(30).due() == 1
    assert street.occasions(card)[0].startswith("expiring:7:")


def test_points_that_are_spent_before_the_hour_of_the_message_are_not_spoken_of(street: Street) -> None:
    card = street.card()
    street.gets(card, 100, until=street.clock() + timedelta(days=8))
    campaign = street.follows(EXPIRING)
    street.clock.at = datetime(2026, 11, 22, 4, tzinfo=UTC)
    assert street.due() == 1
    street.days_later(0.1).spends(card, 100)

    street.clock.at = datetime(2026, 11, 22, 7, 0, 1, tzinfo=UTC)
    settled(street.world)

    assert outcome(street.world, campaign) == {"no_longer": 1}
