"""Who stays away is invited back three times at most, after their own rhythm, until they buy."""

from datetime import UTC, datetime

import pytest

from app.campaigns.occasions.absence import _step
from app.cards.models import Card
from tests.app.campaigns.crowd import outcome, recipients, settled
from tests.app.campaigns.occasions.street import Street

WIN_BACK = {"on": "win_back"}


def bought(street: Street) -> Card:
    card = street.card()
    street.buys(card)
    return card


def days_told(street: Street, until: int) -> list[int]:
    """On which days from now somebody is due."""
    told = []
    for day in range(1, until + 1):
        if street.days_later(1).due():
            told.append(day)
            settled(street.world)
    return told


def test_it_is_said_after_30_60_and_90_days_and_never_again(street: Street) -> None:
    bought(street)
    campaign = street.follows(WIN_BACK)
    street.days_later(28)

    assert days_told(street, 70) == [2, 32, 62]
    assert outcome(street.world, campaign) == {"sent": 3}


def test_a_purchase_ends_it_and_the_days_begin_anew(street: Street) -> None:
    card = bought(street)
    street.follows(WIN_BACK)
    assert street.days_later(31).due() == 1

    sale = street.buys(card)
    assert street.days_later(29).due() == 0
    assert street.days_later(2).due() == 1
    street.brings_back(sale)
    street.days_later(1).due()

    first, second, third = street.occasions(card)
    assert (first, second) == ("win_back:2026-11-20:30", "win_back:2026-12-21:30")
    assert third == "win_back:2026-11-20:60"


@pytest.mark.parametrize(
    ("gap", "away", "step"),
    [
        (None, 29, None), (None, 30, 30), (10, 30, 30), (15, 30, 30), (20, 39, None), (20, 40, 30), (20, 69, None),
        (20, 70, 60), (20, 100, 90), (None, 43, 30), (None, 44, None), (None, 60, 60), (None, 103, 90),
        (None, 104, None), (None, 400, None),
    ],
)  # fmt: skip
def test_the_first_step_comes_after_twice_the_usual_gap(gap: int | None, away: int, step: int | None) -> None:
    assert _step([30, 60, 90], gap, away) == step


def test_the_usual_gap_of_a_member_is_heeded(street: Street) -> None:
    card = bought(street)
    for _ in range(2):
        street.days_later(20).buys(card)
    street.follows(WIN_BACK)

    assert street.days_later(39).due() == 0
    assert street.days_later(1).due() == 1


def test_nobody_who_never_bought_is_missed(street: Street) -> None:
    street.card()
    street.follows(WIN_BACK)

    assert street.days_later(31).due() == 0


def test_ten_days_off_a_step_is_said_late_and_once(street: Street) -> None:
    bought(street)
    campaign = street.follows(WIN_BACK)

    assert street.days_later(40).due() == 1
    assert street.due() == 0
    settled(street.world)
    assert outcome(street.world, campaign) == {"sent": 1}


def test_who_buys_before_the_hour_of_the_message_is_not_missed(street: Street) -> None:
    buys, stays = bought(street), bought(street)
    campaign = street.follows(WIN_BACK)
    street.clock.at = datetime(2026, 12, 20, 4, tzinfo=UTC)  # three hours before it leaves
    assert street.due() == 2
    street.days_later(0.1)
    street.buys(buys)
    street.due()

    street.clock.at = datetime(2026, 12, 20, 7, 0, 5, tzinfo=UTC)
    settled(street.world)

    told = recipients(street.world, campaign)
    assert (told[buys.id].state, told[buys.id].reason) == ("suppressed", "no_longer")
    assert told[stays.id].state == "sent"
