"""Thanks for a visit, some time after it."""

import pytest

from app.campaigns import triggered
from tests.app.campaigns.crowd import outcome, recipients, settled
from tests.app.campaigns.occasions.street import Street

THANKS = {"on": "thanks", "minutes": 60, "rest_days": 7}


def test_thanks_come_after_their_time_and_then_not_for_a_while(street: Street) -> None:
    card = street.card()
    campaign = street.follows(THANKS)
    street.clock.advance(minutes=1)
    street.buys(card)
    street.clock.advance(minutes=59)
    assert triggered.soon(street.world) == 0

    street.clock.advance(minutes=2)
    assert triggered.soon(street.world) == 1
    settled(street.world)
    street.buys(card)
    street.clock.advance(minutes=62)
    assert street.due() == 0
    street.days_later(7).buys(card)
    street.clock.advance(minutes=62)
    assert street.due() == 1

    settled(street.world)
    assert outcome(street.world, campaign) == {"sent": 2}


def test_nobody_is_thanked_for_what_was_brought_back(street: Street) -> None:
    card = street.card()
    street.follows(THANKS)
    street.clock.advance(minutes=1)
    street.brings_back(street.buys(card))
    street.clock.advance(minutes=70)

    assert street.due() == 0


@pytest.mark.parametrize(("hours", "told"), [(2, 1), (24, 1), (26, 0), (240, 0)])
def test_a_day_late_is_too_late(street: Street, hours: int, told: int) -> None:
    card = street.card()
    campaign = street.follows(THANKS)
    street.clock.advance(minutes=1)
    street.buys(card)
    street.clock.advance(hours=hours)

    assert street.due() == told
    assert set(recipients(street.world, campaign)) == ({card.id} if told else set())


def test_two_visits_of_an_hour_are_one(street: Street) -> None:
    card = street.card()
    street.follows(THANKS)
    street.clock.advance(minutes=1)
    street.buys(card)
    street.clock.advance(seconds=9)
    second = street.buys(card)
    street.clock.advance(minutes=61)

    assert street.due() == 1
    assert street.occasions(card) == [f"thanks:{second}"]
