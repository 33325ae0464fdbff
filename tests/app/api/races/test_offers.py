"""Offers used with purchases by many tills at once, on both databases: the last of a budget is given once."""

from datetime import timedelta
from typing import Any

import pytest

from app.cards.models import Programme
from app.clock import system_clock
from app.offers import service as offers
from app.offers.drafts import BudgetDraft
from tests.app.api.races.books import differences
from tests.app.api.races.house import NUMBERS, House


def offer(house: House, **over: Any) -> str:
    now = system_clock()
    values: dict[str, Any] = {
        "title": f"Twenty-five off {next(NUMBERS)}", "body": "", "starts_at": now, "ends_at": now + timedelta(hours=1),
        "timezone": "Europe/Istanbul", "kind": "amount", "terms": {"amount": "25.00"}, "combines": "all", **over,
    }  # fmt: skip
    with house.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, house.programme.id)
        made = offers.create(session, offers.OfferDraft(programme=programme, **values), by="staff:x", now=now)
        offers.tick(session, now=now)
        return made.public_id


@pytest.mark.parametrize("period", ["all", "day"])
def test_the_last_use_that_a_budget_has_room_for_goes_to_one_of_many_tills(house: House, period: str) -> None:
    budgets = (BudgetDraft(measure="money", period=period, most=2_500),)
    numbers = house.cards(20)
    made = offer(house, budgets=budgets)

    found = house.outcomes(
        lambda n: house.post(f"/cards/{numbers[n]}/earn", {"amount": "100.00", "offers": [made]}), 20
    )

    assert found == {"201": 1, "409 budget_spent": 19}
    assert sum(house.balance(number) for number in numbers) == 7, "of 75.00; the others booked nothing"
    assert differences(house) == []


def test_of_fifty_purchases_with_a_single_use_offer_one_is_booked_with_it(house: House) -> None:
    number, made = house.card(), offer(house, limit_per_card=1)

    found = house.outcomes(lambda _: house.post(f"/cards/{number}/earn", {"amount": "100.00", "offers": [made]}), 50)

    assert found == {"201": 1, "409 already_used": 49}
    assert house.balance(number) == 7
    assert differences(house) == []


def test_two_offers_named_in_any_order_by_many_tills_make_nobody_wait_for_ever(house: House) -> None:
    numbers = house.cards(12)
    pair = [offer(house, limit_total=6), offer(house, limit_total=6)]

    found = house.outcomes(
        lambda n: house.post(f"/cards/{numbers[n]}/earn", {"amount": "100.00", "offers": pair[:: 1 if n % 2 else -1]}),
        12,
    )

    assert found == {"201": 6, "409 budget_spent": 6}
    assert differences(house) == []
