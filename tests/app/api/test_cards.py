"""Cards and transactions over the API: read, earn, redeem, undo."""

from datetime import timedelta
from typing import Any

import pytest

from app.cards.models import Programme
from app.ledger import service as ledger
from app.ledger import verify
from app.offers import service as offers
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from app.world import World
from tests.app.api.conftest import Api, Shop, problem
from tests.conftest import MovableClock


def an_offer(world: World, shop: Shop, **over: Any) -> str:
    """An offer that is live."""
    now = world.clock()
    values = {"starts_at": now, "ends_at": now + timedelta(hours=2), "timezone": "Europe/Istanbul", **over}
    with world.database.unit_of_work() as session:
        draft = offers.OfferDraft(programme=shop.programme, title="Free cake", body="With any tea", **values)
        offer = offers.create(session, draft, by="staff:x", now=now)
        offers.tick(session, now=now)
        return offer.public_id


def a_reward(world: World, programme_id: int, points: int = 10) -> str:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, programme_id)
        return catalogue.add(session, programme, RewardDraft(name="Coffee", points=points), now=world.clock()).public_id


@pytest.mark.parametrize("write", [str, str.lower, lambda n: f"{n[:4]}-{n[4:8]}-{n[8:]}", lambda n: f"LY1:{n}"])
def test_a_card_is_found_however_its_number_is_written(api: Api, shop: Shop, write: Any) -> None:
    answer = api.get(f"/cards/{write(shop.card.number)}")

    assert answer.status_code == 200, answer.text
    assert answer.get_json()["number"] == shop.card.number


def test_a_card_shows_its_member_offers_and_last_transactions(api: Api, shop: Shop, world: World) -> None:
    offer = an_offer(world, shop, limit_per_card=1, texts={"en": {"title": "Cake for nothing"}})
    api.post(f"/cards/{shop.card.number}/earn", {"amount": "125.00", "receipt": "A-1"})
    api.post(f"/cards/{shop.card.number}/redeem", {"offer": offer})

    card = api.get(f"/cards/{shop.card.number}").get_json()

    assert (card["balance"], card["version"], card["member"]["name"]) == (12, 3, "Ayşe Yılmaz")
    assert [(o["id"], o["title"], o["refusal"]) for o in card["offers"]] == [
        (offer, "Cake for nothing", "already_used")
    ]
    assert {(t["kind"], t["offer"], t["receipt"]) for t in card["transactions"]} == {
        ("offer", offer, None),
        ("earn", None, "A-1"),
    }


def test_a_sale_earns_and_says_what_it_did(api: Api, shop: Shop, clock: MovableClock) -> None:
    sale = {
        "amount": "2500.00",
        "currency": "TRY",
        "receipt": "A-1",
        "store": shop.store.public_id,
        "at": "2026-11-20T12:30:00+03:00",
    }

    answer = api.post(f"/cards/{shop.card.number}/earn", sale)

    assert answer.status_code == 201, answer.text
    body = answer.get_json()
    entry = body.pop("transaction")
    assert (body["balance"], body["tier"], body["warnings"]) == (250, "Silver", [])
    assert (body["priced"]["points"], body["priced"]["reasons"]) == (250, ["base"])
    assert (entry["kind"], entry["points"], entry["amount"], entry["currency"]) == ("earn", 250, "2500.00", "TRY")
    assert (entry["store"], entry["receipt"], entry["channel"]) == (shop.store.public_id, "A-1", "api")
    assert (entry["occurred_at"], entry["recorded_at"]) == (
        "2026-11-20T09:30:00.000+00:00",
        "2026-11-20T10:00:00.000+00:00",
    )
    assert api.get(f"/transactions/{entry['id']}").get_json() == entry


@pytest.mark.parametrize(
    ("sale", "code", "field"),
    [
        ({}, "invalid_body", "amount"),
        ({"amount": 12.5}, "invalid_body", "amount"),
        ({"amount": 12}, "invalid_body", "amount"),
        ({"amount": "12,50"}, "invalid_body", "amount"),
        ({"amount": "-1"}, "invalid_body", "amount"),
        ({"amount": "1e3"}, "invalid_body", "amount"),
        ({"amount": "NaN"}, "invalid_body", "amount"),
        ({"amount": "٣"}, "invalid_body", "amount"),
        ({"amount": "9" * 400}, "invalid_body", "amount"),
        ({"amount": ["1"]}, "invalid_body", "amount"),
        ({"amount": None}, "invalid_body", "amount"),
        ({"amount": "0.00"}, "invalid_amount", "amount"),
        ({"amount": "1.005"}, "invalid_amount", "amount"),
        ({"amount": "12.50\n"}, "invalid_body", "amount"),
        ({"amount": "999999999999"}, "amount_too_large", "amount"),
        ({"amount": "1", "currency": "EUR"}, "currency_mismatch", "currency"),
        ({"amount": "1", "currency": "try"}, "invalid_body", "currency"),
        ({"amount": "1", "receipt": ""}, "invalid_body", "receipt"),
        ({"amount": "1", "receipt": "a\tb"}, "invalid_body", "receipt"),
        ({"amount": "1", "receipt": "x" * 101}, "invalid_body", "receipt"),
        ({"amount": "1", "at": "2026-11-20T10:00:00"}, "invalid_body", "at"),
        ({"amount": "1", "at": "2026-11-20"}, "invalid_body", "at"),
        ({"amount": "1", "at": "2026-13-20T10:00:00Z"}, "invalid_body", "at"),
        ({"amount": "1", "at": "0001-01-01T00:00:00+14:00"}, "invalid_body", "at"),
        ({"amount": "1", "at": 1795168800}, "invalid_body", "at"),
        ({"amount": "1", "tip": "1"}, "invalid_body", "tip"),
    ],
)
def test_a_faulty_sale_is_refused_and_moves_nothing(
    api: Api, shop: Shop, world: World, sale: dict[str, Any], code: str, field: str
) -> None:
    answer = api.post(f"/cards/{shop.card.number}/earn", sale)

    assert field in problem(answer, 422, code)["errors"]
    with world.database.reading() as session:
        assert ledger.balance_of(session, shop.card.member_id) == 0


def test_a_receipt_earns_once_in_each_store(api: Api, shop: Shop) -> None:
    sale = {"amount": "100.00", "receipt": "A-1", "store": shop.store.public_id}
    api.post(f"/cards/{shop.card.number}/earn", sale)

    problem(api.post(f"/cards/{shop.card.number}/earn", sale), 409, "duplicate_receipt")
    assert api.post(f"/cards/{shop.card.number}/earn", {**sale, "store": None}).get_json()["balance"] == 20


def test_the_store_must_be_one_of_the_programme(api: Api, bound: Api, shop: Shop) -> None:
    path = f"/cards/{shop.card.number}/earn"

    problem(api.post(path, {"amount": "1", "store": "sto_none"}), 404, "unknown_store")
    problem(api.post(path, {"amount": "1", "store": shop.other_store.public_id}), 422, "wrong_store")
    problem(bound.post(path, {"amount": "1", "store": shop.other_store.public_id}), 404, "unknown_store")


def test_points_rewards_and_offers_are_redeemed(api: Api, shop: Shop, world: World) -> None:
    path = f"/cards/{shop.card.number}"
    reward, offer = a_reward(world, shop.programme.id), an_offer(world, shop)
    api.post(f"{path}/earn", {"amount": "1000.00"})

    answers = [api.post(f"{path}/redeem", body) for body in ({"points": 30}, {"reward": reward}, {"offer": offer})]

    assert [one.status_code for one in answers] == [201] * 3, [one.text for one in answers]
    assert [one.get_json()["balance"] for one in answers] == [70, 60, 60]
    entries = [one.get_json()["transaction"] for one in answers]
    assert [(e["kind"], e["points"], e["reward"], e["offer"]) for e in entries] == [
        ("spend", -30, None, None),
        ("spend", -10, reward, None),
        ("offer", 0, None, offer),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"points": 1, "reward": "rwd_x"},
        {"points": 0},
        {"points": -5},
        {"points": "5"},
        {"points": 1.5},
        {"points": True},
        {"points": 10**30},
        {"points": None},
        {"offer": 5},
    ],
)
def test_a_redemption_names_exactly_one_thing(api: Api, shop: Shop, body: dict[str, Any]) -> None:
    problem(api.post(f"/cards/{shop.card.number}/redeem", body), 422, "invalid_body")


def test_what_cannot_be_redeemed_is_refused_with_its_reason(
    api: Api, bound: Api, shop: Shop, world: World, clock: MovableClock
) -> None:
    path = f"/cards/{shop.card.number}/redeem"
    once, strange = an_offer(world, shop, limit_per_card=1), a_reward(world, shop.other.id)
    later = an_offer(world, shop, starts_at=clock() + timedelta(hours=1))

    assert "At most 0." in problem(api.post(path, {"points": 1}), 422, "insufficient")["errors"]["points"]
    problem(api.post(path, {"offer": later}), 409, "not_started")
    problem(api.post(path, {"reward": strange}), 409, "not_eligible")
    problem(bound.post(path, {"reward": strange}), 404, "unknown_reward")
    problem(api.post(path, {"reward": "rwd_none"}), 404, "unknown_reward")
    problem(api.post(path, {"offer": "off_none"}), 404, "unknown_offer")
    api.post(path, {"offer": once})
    problem(api.post(path, {"offer": once}), 409, "already_used")
    clock.advance(hours=3)
    problem(api.post(path, {"offer": once}), 409, "ended")


def test_a_transaction_is_undone_once_by_a_counter_entry(api: Api, shop: Shop, world: World) -> None:
    path = f"/cards/{shop.card.number}"
    earned = api.post(f"{path}/earn", {"amount": "1000.00"}).get_json()["transaction"]["id"]

    undone = api.post(f"/transactions/{earned}/reverse", {"reason": "returned"})

    assert undone.status_code == 201, undone.text
    body = undone.get_json()
    assert (body["kind"], body["reverses"], body["points"], body["note"]) == ("reverse", earned, -100, "returned")
    assert (body["balance"], body["transaction"]["id"], body["amount"]) == (0, body["id"], "-1000.00")
    problem(api.post(f"/transactions/{earned}/reverse", {"reason": "again"}), 409, "already_reversed")
    problem(api.post(f"/transactions/{body['id']}/reverse", {"reason": "again"}), 409, "not_reversible")
    problem(api.post("/transactions/txn_none/reverse", {"reason": "x"}), 404, "unknown_transaction")
    problem(api.post(f"/transactions/{earned}/reverse", {}), 422, "invalid_body")
    with world.database.reading() as session:
        assert verify.differences(session) == []


def test_a_cards_transactions_are_listed_newest_first(api: Api, shop: Shop, clock: MovableClock) -> None:
    for number in range(5):
        clock.advance(seconds=1)
        api.post(f"/cards/{shop.card.number}/earn", {"amount": "10.00", "receipt": f"R{number}"})

    first = api.get(f"/transactions?card={shop.card.number}&limit=3").get_json()
    rest = api.get(f"/transactions?card={shop.card.number}&limit=3&cursor={first['next']}").get_json()

    assert [one["receipt"] for one in first["items"] + rest["items"]] == ["R4", "R3", "R2", "R1", "R0"]
    assert rest["next"] is None
    problem(api.get(f"/transactions?card={shop.other_card.number}&cursor={first['next']}"), 422, "invalid_cursor")
    problem(api.get("/transactions"), 422, "invalid_query")


@pytest.mark.parametrize(
    "number", ["00000000000", "nonsense", "%00", "x" * 300, "7K3M9QX2TD%20S", "%F0%9F%8E%82", "%FF"]
)
def test_a_number_that_is_no_card_is_not_found(api: Api, number: str) -> None:
    for method, path in (("GET", f"/cards/{number}"), ("POST", f"/cards/{number}/earn")):
        answer = api.call(method, path, {"amount": "1"} if method == "POST" else None)
        assert answer.status_code == 404, answer.text
        assert answer.content_type == "application/problem+json"
