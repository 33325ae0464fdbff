"""The best first: most value for the member, of equal ones what ends soonest; what cannot be used stands last."""

import re
from datetime import timedelta

from app.cards.models import Programme
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from tests.app.till.conftest import Shop, Till


def add_rewards(shop: Shop, *drafts: RewardDraft) -> None:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        for draft in drafts:
            catalogue.add(session, programme, draft, now=shop.world.clock())


def add_offers(shop: Shop, **ends_h: int) -> None:
    now = shop.world.clock()
    with shop.world.database.unit_of_work() as session:
        for title, hours in ends_h.items():
            draft = OfferDraft(
                programme=shop.programme, title=title, body="x", starts_at=now + timedelta(seconds=1),
                ends_at=now + timedelta(hours=hours), timezone="Europe/Istanbul", limit_per_card=1,
            )  # fmt: skip
            offers.create(session, draft, by="cli", now=now)
    shop.world.clock.advance(seconds=2)  # type: ignore[attr-defined]
    with shop.world.database.unit_of_work() as session:
        offers.tick(session, now=shop.world.clock())


def shown(till: Till, shop: Shop) -> list[str]:
    page = till.client.get(f"/till/cards/{shop.card.serial}").text
    buttons = re.findall(r'name="(?:reward|offer)" value="[^"]+"[^>]*>.*?<span class="title">([^<]+)', page, re.S)
    return [title for title in buttons if title != "Cake"]  # out of reach: what one can save for


def test_rewards_go_by_what_they_are_worth_not_by_what_they_cost(till: Till, shop: Shop) -> None:
    add_rewards(
        shop,
        RewardDraft(name="Dear and small", points=95, value_minor=3_000),
        RewardDraft(name="Cheap and large", points=60, value_minor=9_000),
    )

    assert shown(till, shop) == ["Free coffee", "Cheap and large", "Dear and small"]


def test_of_equal_worth_what_ends_soonest_comes_first(till: Till, shop: Shop) -> None:
    now = shop.world.clock()
    add_rewards(
        shop,
        RewardDraft(name="Any time", points=50, value_minor=20_000),
        RewardDraft(name="Next week", points=50, value_minor=20_000, ends_at=now + timedelta(days=7)),
        RewardDraft(name="Tomorrow", points=50, value_minor=20_000, ends_at=now + timedelta(days=1)),
    )

    assert shown(till, shop)[1:] == ["Tomorrow", "Next week", "Any time"]


def test_what_costs_no_points_comes_before_what_does(till: Till, shop: Shop) -> None:
    add_offers(shop, later=9, sooner=3)

    page = till.client.get(f"/till/cards/{shop.card.serial}").text

    assert shown(till, shop) == ["sooner", "later", "Free coffee"]
    assert len(re.findall("till-choice best", page)) == 1
    assert "Best for the customer" in page


def test_what_cannot_be_used_stands_last_with_its_reason_and_without_a_digit(till: Till, shop: Shop) -> None:
    add_offers(shop, once=9)
    add_rewards(shop, RewardDraft(name="Sold out", points=10, stock=0))
    page = till.client.get(f"/till/cards/{shop.card.serial}").text
    offer = re.search(r'name="offer" value="([^"]+)"', page)
    assert offer

    till.done(till.redeem(shop.card, offer=offer[1]))

    page = till.client.get(f"/till/cards/{shop.card.serial}").text
    assert shown(till, shop)[0] == "Free coffee"
    assert re.search(r"Used \d:\d\d\sPM at Kadıköy\.", page)
    assert "sold out" in page
    assert page.count('data-pick="') == 1


def test_a_reward_that_depends_on_the_basket_takes_the_amount_beside_it(till: Till, shop: Shop) -> None:
    draft = RewardDraft(name="Discount", points=1, flexible=True, kind="discount", value_minor=10, max_share=50)
    add_rewards(shop, draft)
    page = till.client.get(f"/till/cards/{shop.card.serial}").text
    reward = re.search(r'name="reward" value="([^"]+)"[^>]*>\s*<kbd>\d</kbd><span class="title">Discount', page)
    assert reward

    asked = till.redeem(shop.card, reward=reward[1])
    assert "What does the purchase cost?" in asked.text
    assert shop.balance() == 100

    till.done(till.redeem(shop.card, reward=reward[1], basket="10,00"))
    assert shop.balance() == 50


def test_a_basket_that_is_too_small_is_told_with_both_amounts(till: Till, shop: Shop) -> None:
    add_rewards(shop, RewardDraft(name="From fifty", points=10, min_spend_minor=5_000))
    page = till.client.get(f"/till/cards/{shop.card.serial}").text
    reward = re.search(r'name="reward" value="([^"]+)"[^>]*>\s*<kbd>\d</kbd><span class="title">From fifty', page)
    assert reward

    refused = till.redeem(shop.card, reward=reward[1], basket="42,00")

    assert refused.status_code == 409
    assert "Needs 50.00, basket 42.00." in refused.text
    assert shop.balance() == 100
