"""Sales over the API: quoted, booked with lines, returned by line, events, and what cannot be meant."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.cards.models import Programme
from app.earning import service as earning
from app.world import World
from tests import factories
from tests.app.api.conftest import Api, Shop

RULES = {
    "rules": [
        {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"},
        {"kind": "multiplier", "name": "Opening", "factor": "2", "no_end": True},
        {"kind": "exclusion", "name": "tobacco", "only": {"categories": ["tobacco"]}},
        {
            "kind": "discount",
            "name": "Books",
            "bands": [{"from": "0", "percent": "10"}],
            "only": {"categories": ["books"]},
        },
        {"kind": "bonus_money", "name": "Cash back", "percent": "5"},
        {"kind": "event", "name": "Review", "event": "review", "points": 25},
    ]
}
LINES = [
    {"product": "bread", "amount": "37.50"},
    {"product": "coffee", "amount": "89.90", "quantity": 3},
    {"number": 7, "category": "books", "amount": "50.60", "discount": "0.60"},
    {"category": "tobacco", "amount": "120.00"},
]


@pytest.fixture
def priced_shop(world: World, shop: Shop) -> Shop:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        earning.publish(session, programme, RULES, starts_at=None, note="", by="t", now=world.clock())
    return shop


def refusal(answer: TestResponse) -> tuple[int, str]:
    """Status and code."""
    return answer.status_code, answer.get_json()["type"].rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def at(shop: Shop, what: str) -> str:
    return f"/cards/{shop.card.number}/{what}"


def test_a_quote_is_what_is_booked_and_writes_nothing(api: Api, priced_shop: Shop) -> None:
    quoted = api.post(at(priced_shop, "quote"), {"lines": LINES}).get_json()
    again = api.post(at(priced_shop, "quote"), {"lines": LINES}).get_json()
    booked = api.post(at(priced_shop, "earn"), {"lines": LINES, "receipt": "R1"}).get_json()

    assert quoted == again
    assert booked["priced"] == {name: quoted[name] for name in booked["priced"]}
    assert (quoted["discount"], quoted["to_pay"], quoted["eligible"]) == ("5.00", "292.40", "172.40")
    assert (quoted["points"], quoted["bonus"], quoted["rules_version"]) == (34, "8.62", 2)
    assert [(line["number"], line["points"], line["discount"]) for line in quoted["lines"]] == [
        (1, 7, "0.00"), (2, 18, "0.00"), (7, 9, "5.00"), (4, 0, "0.00"),
    ]  # fmt: skip
    assert quoted["reasons"] == ["excluded: tobacco", "-10% Books", "base", "x2 Opening", "bonus: Cash back"]
    assert (booked["balance"], booked["transaction"]["amount"]) == (34, "292.40")


def test_somebody_without_a_card_can_be_told_what_they_would_earn(api: Api, priced_shop: Shop) -> None:
    answer = api.post("/quote", {"programme": priced_shop.programme.slug, "amount": "100.00"})

    assert answer.status_code == 200, answer.text
    assert (answer.get_json()["points"], answer.get_json()["balance"]) == (20, None)


def test_pieces_come_back_one_by_one_and_sum_to_what_was_earned(api: Api, priced_shop: Shop) -> None:
    sold = api.post(at(priced_shop, "earn"), {"lines": LINES}).get_json()["transaction"]["id"]

    steps = [
        api.post(at(priced_shop, "returns"), {"transaction": sold, "lines": [{"number": 2, "quantity": 1}]}).get_json()
        for _ in range(3)
    ]
    rest = api.post(at(priced_shop, "returns"), {"transaction": sold}).get_json()

    assert [step["transaction"]["points"] for step in steps] == [-6, -6, -6]
    assert (rest["transaction"]["points"], rest["balance"]) == (-16, 0)


def test_a_sale_is_found_by_its_receipt_at_its_store(api: Api, priced_shop: Shop) -> None:
    store = priced_shop.store.public_id
    api.post(at(priced_shop, "earn"), {"amount": "100.00", "receipt": "R7", "store": store})

    elsewhere = api.post(at(priced_shop, "returns"), {"receipt": "R7"})
    answer = api.post(at(priced_shop, "returns"), {"receipt": "R7", "store": store, "amount": "40.00"})

    assert refusal(elsewhere) == (404, "unknown_transaction")
    assert (answer.get_json()["transaction"]["points"], answer.get_json()["balance"]) == (-8, 12)


def test_a_return_is_refused_for_what_it_is(api: Api, priced_shop: Shop, world: World) -> None:
    with world.database.unit_of_work() as session:
        other = factories.card(session, session.get_one(Programme, priced_shop.programme.id), name="Bob").number
    sold = api.post(at(priced_shop, "earn"), {"lines": LINES}).get_json()["transaction"]["id"]
    spent = api.post(at(priced_shop, "redeem"), {"points": 1}).get_json()["transaction"]["id"]

    def take(body: dict[str, Any], number: str = priced_shop.card.number) -> tuple[int, str]:
        return refusal(api.post(f"/cards/{number}/returns", body))

    assert take({"transaction": "txn_nothing"}) == (404, "unknown_transaction")
    assert take({"transaction": sold}, other) == (403, "other_members_sale")
    assert take({"transaction": spent}) == (422, "not_a_sale")
    assert take({"transaction": sold, "lines": [{"number": 2, "quantity": 4}]}) == (422, "exceeds_original")
    assert take({"transaction": sold, "lines": [{"number": 9, "quantity": 1}]}) == (422, "unknown_line")
    assert take({"transaction": sold, "amount": "10.00"}) == (422, "unknown_line")
    assert take({}) == (422, "invalid_body")


def test_an_event_earns_once_for_its_number(api: Api, priced_shop: Shop) -> None:
    first = api.post(at(priced_shop, "events"), {"event": "review", "receipt": "v1"})
    second = api.post(at(priced_shop, "events"), {"event": "review", "receipt": "v1"})

    assert (first.status_code, first.get_json()["balance"]) == (201, 25)
    assert refusal(second) == (409, "duplicate_receipt")
    assert refusal(api.post(at(priced_shop, "events"), {"event": "sneeze"})) == (422, "unknown_event")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1000000000000"}, "amount"),
        ({"amount": "10.00", "lines": LINES}, "lines"),
        ({"lines": [{"amount": "1.00", "discount": "2.00"}]}, "lines.0.discount"),
        ({"lines": [{"amount": "1.001"}]}, "lines.0.amount"),
        ({"lines": [{"amount": "1.00", "number": 1}, {"amount": "1.00", "number": 1}]}, "lines"),
        ({"lines": [{"amount": "1.00", "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"amount": "1.00", "kind": "bribe"}]}, "lines.0.kind"),
        ({"amount": "10.00", "currency": "EUR"}, "currency"),
        ({"amount": "10.00", "paid_with_points": "x"}, "paid_with_points"),
    ],
)
@pytest.mark.parametrize("call", ["earn", "quote"])
def test_a_sale_that_cannot_be_meant_is_refused_by_field(
    api: Api, priced_shop: Shop, call: str, body: dict[str, Any], field: str
) -> None:
    answer = api.post(at(priced_shop, call), body)

    assert answer.status_code == 422, answer.text
    assert field in answer.get_json()["errors"]
