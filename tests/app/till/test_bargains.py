"""Offers beside the amount: picked before Enter, taken off with the purchase, and refused in one sentence."""

import re
from datetime import timedelta
from typing import Any

import pytest

from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft
from tests.app.till.conftest import Shop, Till


def an_offer(shop: Shop, **over: Any) -> Offer:
    now = shop.world.clock()
    values: dict[str, Any] = {
        "programme": shop.programme, "title": "A fifth off", "body": "", "starts_at": now - timedelta(hours=1),
        "ends_at": now + timedelta(days=1), "timezone": "Europe/Istanbul", "kind": "percent",
        "terms": {"percent": "20"}, **over,
    }  # fmt: skip
    with shop.world.database.unit_of_work() as session:
        made = offers.create(session, OfferDraft(**values), by="cli", now=now)
        offers.tick(session, now=now)
    return made


def deals(page: str) -> list[tuple[str, str, bool]]:
    """Title, what it does, and whether it can be ticked."""
    found = re.findall(r'<label class="till-deal.*?</label>', page, re.S)
    return [
        (
            re.search(r'class="title">([^<]+)', one)[1],  # type: ignore[index]
            re.search(r'class="cost num">([^<]+)', one)[1],  # type: ignore[index]
            "disabled" not in one,
        )
        for one in found
    ]


def opened(till: Till, shop: Shop) -> str:
    return till.client.get(f"/till/cards/{shop.card.serial}").text


def test_offers_stand_beside_the_amount_the_best_first_with_what_they_do(till: Till, shop: Shop) -> None:
    an_offer(shop, title="Ten off", kind="amount", terms={"amount": "10.00", "minimum": "50.00"})
    an_offer(shop, title="A fifth off")
    an_offer(shop, title="Double", kind="multiplier", terms={"factor": "2"})
    an_offer(shop, title="Afternoons", windows=[{"from": "04:00", "to": "05:00"}])

    page = opened(till, shop)

    assert deals(page) == [
        ("A fifth off", "−20 %", True), ("Ten off", "−10 TRY", True), ("Double", "2× points", True),
        ("Afternoons", "−20 %", False),
    ]  # fmt: skip
    assert "Valid 04–05 h." in page
    assert "From 50 TRY on" in page


def test_a_picked_offer_comes_off_the_purchase_and_the_cashier_reads_what_is_to_pay(till: Till, shop: Shop) -> None:
    made = an_offer(shop, limit_per_card=1)

    page = till.done(till.earn(shop.card, "100", **{f"with_{made.public_id}": "yes"}))

    assert "80.00" in page
    assert "Offer: A fifth off" in page
    again = opened(till, shop)
    assert re.search(r"Used \d\d?:\d\d.* at Kadıköy", again)


def test_an_offer_that_was_used_up_meanwhile_is_refused_and_stays_ticked_for_nobody(till: Till, shop: Shop) -> None:
    made = an_offer(shop, limit_per_card=1)
    picked = {f"with_{made.public_id}": "yes"}
    till.done(till.earn(shop.card, "100", **picked))

    answer = till.earn(shop.card, "50", **picked)

    assert answer.status_code == 409
    assert re.search(r"Used \d\d?:\d\d.* at Kadıköy", answer.text)


@pytest.mark.parametrize("amount", ["42", "49.99"])
def test_a_minimum_that_is_not_reached_is_said_with_both_amounts(till: Till, shop: Shop, amount: str) -> None:
    made = an_offer(shop, terms={"percent": "20", "minimum": "50.00"})

    answer = till.earn(shop.card, amount, **{f"with_{made.public_id}": "yes"})

    assert answer.status_code == 409
    assert f"Needs 50.00, basket {amount if '.' in amount else amount + '.00'}" in answer.text
    assert "checked" in answer.text


def test_the_offer_stays_picked_while_the_cashier_says_which_amount_was_meant(till: Till, shop: Shop) -> None:
    made = an_offer(shop)

    question = till.earn(shop.card, "1.250", **{f"with_{made.public_id}": "yes"}).text

    assert question.count(f'type="hidden" name="with_{made.public_id}"') == 2


def test_a_repeated_purchase_with_an_offer_is_answered_as_the_first(till: Till, shop: Shop) -> None:
    made = an_offer(shop, limit_per_card=1)
    picked = {f"with_{made.public_id}": "yes"}
    first = till.earn(shop.card, "100", key="same", **picked)

    assert till.earn(shop.card, "100", key="same", **picked).location == first.location
