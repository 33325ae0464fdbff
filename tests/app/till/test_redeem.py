"""Points, rewards and offers at the till."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask

from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from tests import factories
from tests.app.till.conftest import Shop, Till


def offer(shop: Shop, **over: object) -> Offer:
    now = shop.world.clock()
    values: dict[str, object] = {
        "programme": shop.programme,
        "title": "Second cup free",
        "body": "Today only.",
        "starts_at": now + timedelta(seconds=1),
        "ends_at": now + timedelta(hours=2),
        "timezone": "Europe/Istanbul",
        **over,
    }
    with shop.world.database.unit_of_work() as session:
        made = offers.create(session, OfferDraft(**values), by="cli", now=now)  # type: ignore[arg-type]
    shop.world.clock.advance(seconds=2)  # type: ignore[attr-defined]
    with shop.world.database.unit_of_work() as session:
        offers.tick(session, now=shop.world.clock())
    return made


def test_a_reward_is_bought_by_one_press(till: Till, shop: Shop) -> None:
    page = till.done(till.redeem(shop.card, reward=shop.reward.public_id))

    assert shop.balance() == 20
    assert "−80 <span>points</span>" in page
    assert "Free coffee" in page


def test_rewards_out_of_reach_are_not_offered_and_the_next_is_announced(till: Till, shop: Shop) -> None:
    page = till.client.get(f"/till/cards/{shop.card.serial}").text

    assert f'value="{shop.reward.public_id}" data-pick="1"' in page
    assert page.count("data-pick=") == 1
    assert "50 more points for the next reward" in page


def test_points_are_used_by_number(till: Till, shop: Shop) -> None:
    till.done(till.redeem(shop.card, points="30"))

    assert shop.balance() == 70


def test_points_that_are_none_are_refused_beside_the_field(till: Till, shop: Shop) -> None:
    for points in ["", "0", "-5", "1.5", "x", "١", "9" * 30, "\x00"]:
        answer = till.redeem(shop.card, points=points)

        assert answer.status_code == 422
        assert 'id="e-points"' in answer.text
        assert shop.balance() == 100


def test_more_points_than_there_are_cannot_be_used(till: Till, shop: Shop) -> None:
    answer = till.redeem(shop.card, points="101")

    assert answer.status_code == 422
    assert "Has 100, needs 101." in answer.text
    assert shop.balance() == 100


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ({"reward": "rwd_unknown"}, 404),
        ({"reward": "x\x00"}, 404),
        ({"reward": "a" * 500}, 404),
        ({"offer": "off_unknown"}, 404),
        ({"offer": "'--"}, 404),
        ({"offer": "off_a", "reward": "rwd_a"}, 422),
        ({}, 422),
    ],
)
def test_what_is_not_there_cannot_be_redeemed(till: Till, shop: Shop, what: dict[str, str], status: int) -> None:
    assert till.redeem(shop.card, **what).status_code == status
    assert shop.balance() == 100


def test_another_programme_s_reward_is_not_there(till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other")
        foreign = catalogue.add(session, other, RewardDraft(name="Theirs", points=1), now=shop.world.clock())

    assert till.redeem(shop.card, reward=foreign.public_id).status_code == 404


def test_one_balance_is_spent_once_by_many_tills(app: Flask, shop: Shop) -> None:
    tills = [Till(app, shop.cashier) for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        codes = list(
            pool.map(lambda n: tills[n].redeem(shop.card, reward=shop.reward.public_id, key=f"t{n}"), range(6))
        )

    assert sorted(answer.status_code for answer in codes) == [303, 422, 422, 422, 422, 422]
    assert shop.balance() == 20


def test_an_offer_is_used_as_often_as_it_allows(till: Till, shop: Shop) -> None:
    made = offer(shop, limit_per_card=1)
    assert "Second cup free" in till.client.get(f"/till/cards/{shop.card.serial}").text

    page = till.done(till.redeem(shop.card, offer=made.public_id))
    again = till.redeem(shop.card, offer=made.public_id)

    assert "Second cup free" in page
    assert again.status_code == 409
    assert re.search(r"Used 2:00\sPM at Kadıköy\.", again.text)
    assert "disabled" in till.client.get(f"/till/cards/{shop.card.serial}").text


def test_an_offer_that_ended_since_the_page_was_drawn_is_refused(till: Till, shop: Shop) -> None:
    made = offer(shop)
    shop.world.clock.advance(hours=3)  # type: ignore[attr-defined]

    answer = till.redeem(shop.card, offer=made.public_id)

    assert answer.status_code == 409
    assert re.search(r"Ended 4:00\sPM\.", answer.text)


def test_a_repeated_redemption_is_answered_as_the_first_even_after_the_offer_ended(till: Till, shop: Shop) -> None:
    made = offer(shop)
    first = till.redeem(shop.card, offer=made.public_id, key="same")
    shop.world.clock.advance(hours=3)  # type: ignore[attr-defined]

    assert till.redeem(shop.card, offer=made.public_id, key="same").location == first.location
