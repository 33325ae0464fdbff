"""Money on cards through the API."""

from typing import Any

import pytest

from app.ledger import verify
from app.world import World
from tests.app.api.conftest import Api, Shop, problem


@pytest.fixture
def gift(api: Api, shop: Shop) -> dict[str, Any]:
    return issue(api, shop)


def issue(api: Api, shop: Shop, reference: str = "POS 1", amount: str = "500.00") -> dict[str, Any]:
    body = {"programme": shop.programme.slug, "amount": amount, "funding_reference": reference}
    answer = api.post("/gift-cards", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def test_a_gift_card_is_issued_paid_with_and_refunded(api: Api, gift: dict[str, Any], world: World) -> None:
    number = gift["number"]
    assert (gift["balance"], gift["currency"], gift["kind"]) == ("500.00", "TRY", "gift")
    assert gift["pin"].isdigit()

    paid = api.post(f"/cards/{number}/pay", {"amount": "320.50", "receipt": "R1"}).get_json()
    back = api.post(f"/transactions/{paid['transaction']['id']}/refund", {"amount": "100.00"}).get_json()

    assert (paid["balance"], paid["transaction"]["kind"]) == ("179.50", "pay")
    assert (back["balance"], back["transaction"]["kind"]) == ("279.50", "refund")
    assert api.get(f"/gift-cards/{number}").get_json()["balance"] == "279.50"
    with world.database.reading() as session:
        assert verify.differences(session) == []


def test_the_liability_equals_what_the_cards_hold(api: Api, shop: Shop, gift: dict[str, Any]) -> None:
    paid = api.post(f"/cards/{gift['number']}/pay", {"amount": "320.50"}).get_json()
    api.post(f"/transactions/{paid['transaction']['id']}/refund", {"amount": "100.00"})
    issue(api, shop, "POS 2", "20.00")

    found = api.get(f"/programmes/{shop.programme.slug}/liability").get_json()

    assert {name: found[name] for name in ("loaded", "paid", "refunded", "outstanding", "cards", "is_exact")} == {
        "loaded": "520.00", "paid": "320.50", "refunded": "100.00", "outstanding": "299.50", "cards": 2,
        "is_exact": True,
    }  # fmt: skip


def test_a_repeat_of_the_issue_is_the_same_card_with_the_same_pin(api: Api, shop: Shop) -> None:
    body = {"programme": shop.programme.slug, "amount": "50.00", "funding_reference": "POS 9"}
    first = api.post("/gift-cards", body, headers={"Idempotency-Key": "issue once"})
    again = api.post("/gift-cards", body, headers={"Idempotency-Key": "issue once"})

    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    problem(api.post("/gift-cards", body), 409, "duplicate_funding_reference")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"funding_reference": None}, "funding_reference_missing", "funding_reference"),
        ({"funding_reference": " "}, "funding_reference_missing", "funding_reference"),
        ({"amount": "-5.00"}, "invalid_body", "amount"),
        ({"amount": "0.00"}, "invalid_amount", "amount"),
        ({"amount": "10000.01"}, "over_limit", "amount"),
        ({"currency": "EUR"}, "currency_mismatch", "currency"),
        ({"expires_at": "2030-01-01T00:00:00Z"}, "invalid_body", "expires_at"),
        ({"amount": 5}, "invalid_body", "amount"),
        ({"colour": "red"}, "invalid_body", "colour"),
    ],
)
def test_a_wrong_load_says_what_is_wrong(api: Api, shop: Shop, change: dict[str, Any], code: str, field: str) -> None:
    body = {"amount": "50.00", "funding_reference": "POS 1", **change}

    found = problem(api.post(f"/cards/{shop.card.number}/load", body), 422, code)

    assert field in found["errors"]


def test_a_payment_above_the_balance_is_offered_in_part(api: Api, gift: dict[str, Any]) -> None:
    path = f"/cards/{gift['number']}/pay"

    offer = problem(api.post(path, {"amount": "600.00"}), 422, "partial_offered")
    paid = api.post(path, {"amount": offer["errors"]["payable"]}).get_json()

    assert paid["balance"] == "0.00"
    problem(api.post(path, {"amount": "1.00", "accept_partial": True}), 422, "insufficient")


def test_a_part_is_taken_when_that_is_said_beforehand(api: Api, gift: dict[str, Any]) -> None:
    paid = api.post(f"/cards/{gift['number']}/pay", {"amount": "600.00", "accept_partial": True}).get_json()

    assert (paid["transaction"]["amount"], paid["balance"]) == ("500.00", "0.00")


def test_wrong_pins_are_counted_although_each_is_refused(api: Api, shop: Shop) -> None:
    rich = issue(api, shop, "POS 3", "2000.00")
    path = f"/cards/{rich['number']}/pay"
    wrong = "000000" if rich["pin"] != "000000" else "000001"

    problem(api.post(path, {"amount": "600.00"}), 403, "pin_needed")
    for _try in range(5):
        again = {"Idempotency-Key": "one key for all tries"}
        problem(api.post(path, {"amount": "600.00", "pin": wrong}, headers=again), 403, "wrong_pin")
    problem(api.post(path, {"amount": "600.00", "pin": rich["pin"]}), 409, "pin_locked")
    fresh = api.post(f"/cards/{rich['number']}/pin", {}).get_json()["pin"]

    assert api.post(path, {"amount": "600.00", "pin": fresh}).status_code == 201


def test_a_stopped_card_pays_nothing_until_it_goes_on(api: Api, gift: dict[str, Any], world: World) -> None:
    path = f"/cards/{gift['number']}/pay"

    blocked = api.post(f"/gift-cards/{gift['number']}/block", {"reason": "stolen"}).get_json()
    problem(api.post(path, {"amount": "1.00"}), 409, "void_card")
    assert blocked["status"] == "voided"
    assert api.post(f"/gift-cards/{gift['number']}/unblock", {"reason": "found"}).get_json()["status"] == "active"

    assert api.post(path, {"amount": "1.00"}).status_code == 201


def test_a_lost_card_is_dead_and_its_money_is_on_the_new_one(api: Api, gift: dict[str, Any]) -> None:
    paid = api.post(f"/cards/{gift['number']}/pay", {"amount": "100.00"}).get_json()["transaction"]["id"]

    new = api.post(f"/gift-cards/{gift['number']}/replace", {"reason": "phone lost"}).get_json()

    assert (new["balance"], new["status"]) == ("400.00", "active")
    assert (new["number"], new["pin"]) != (gift["number"], gift["pin"])
    problem(api.post(f"/cards/{gift['number']}/pay", {"amount": "1.00"}), 409, "void_card")
    problem(api.post(f"/gift-cards/{gift['number']}/replace", {"reason": "again"}), 409, "void_card")
    assert api.get(f"/gift-cards/{gift['number']}").get_json()["status"] == "voided"
    back = api.post(f"/transactions/{paid}/refund", {"amount": "30.00"}).get_json()
    assert back["balance"] == "430.00"
    assert api.get(f"/gift-cards/{new['number']}").get_json()["balance"] == "430.00"


def test_a_member_with_money_is_settled_before_they_are_erased(api: Api, shop: Shop) -> None:
    member, number = shop.card.member.public_id, shop.card.number
    api.post(f"/cards/{number}/load", {"amount": "30.00", "funding_reference": "POS 5"})

    left = problem(api.call("DELETE", f"/members/{member}"), 409, "stored_value_left")
    assert left["errors"]["balance"] == "30.00"
    api.post(f"/cards/{number}/settle", {"how": "paid_out", "reason": "asked for"})

    assert api.call("DELETE", f"/members/{member}").status_code == 204
    assert api.call("DELETE", f"/members/{member}").status_code == 204


def test_what_another_programme_owns_is_unknown(bound: Api, api: Api, shop: Shop) -> None:
    body = {"programme": shop.other.slug, "amount": "5.00", "funding_reference": "X"}
    number = api.post("/gift-cards", body).get_json()["number"]

    load = {"amount": "5.00", "funding_reference": "Y"}
    for path, sent in (("pay", {"amount": "1.00"}), ("load", load), ("bind", {"name": "M"})):
        problem(bound.post(f"/cards/{number}/{path}", sent), 404, "unknown_card")
    for path in ("block", "unblock", "replace"):
        problem(bound.post(f"/gift-cards/{number}/{path}", {"reason": "x"}), 404, "unknown_card")
    problem(bound.get(f"/programmes/{shop.other.slug}/liability"), 404, "unknown_programme")


def test_limits_are_set_and_an_expiry_is_refused(api: Api, admin: Api, shop: Shop) -> None:
    path = f"/programmes/{shop.programme.slug}/value-limits"

    changed = admin.call("PUT", path, {"load_limit": "100.00", "pin_above": "0.00", "bearer_cap": "250.00"})

    assert changed.get_json() == {
        "currency": "TRY", "load_limit": "100.00", "pin_above": "0.00", "bearer_cap": "250.00"
    }  # fmt: skip
    assert api.get(path).get_json() == changed.get_json()
    found = problem(admin.call("PUT", path, {"expires_days": 365}), 422, "invalid_body")
    assert "never expires" in found["errors"]["expires_days"]
    problem(api.call("PUT", path, {}), 403, "scope_too_small")


def test_a_batch_of_bearer_cards_is_made_for_printing(api: Api, shop: Shop, world: World) -> None:
    body = {"programme": shop.programme.slug, "kind": "bearer", "name": "Spring flyers", "size": 12}

    made = api.post("/card-batches", body).get_json()

    numbers = {one["number"] for one in made["cards"]}
    assert len(numbers) == 12
    assert made["cards"][0]["barcode"] == f"LY1:{made['cards'][0]['number']}"
    assert api.get(f"/card-batches/{made['id']}").get_json() == made
    shown = api.get(f"/gift-cards/{made['cards'][0]['number']}").get_json()
    assert (shown["kind"], shown["balance"]) == ("bearer", "0.00")
    problem(api.post("/card-batches", {**body, "size": 501}), 422, "invalid_body")
    problem(api.get("/card-batches/bat_nothing"), 404, "unknown_batch")


def test_a_bearer_card_becomes_somebodys_and_keeps_what_it_did(api: Api, shop: Shop) -> None:
    body = {"programme": shop.programme.slug, "kind": "bearer", "name": "Flyers", "size": 2}
    first, second = (one["number"] for one in api.post("/card-batches", body).get_json()["cards"])
    for number in (first, second):
        api.post(f"/cards/{number}/earn", {"amount": "250.00"})

    new = api.post(f"/cards/{first}/bind", {"name": "Mehmet Demir", "phone": "+905331112233"}).get_json()
    known = api.post(f"/cards/{second}/bind", {"name": "Ayşe Yılmaz", "email": "AYSE@example.com"}).get_json()

    assert (new["number"], new["kind"], new["merged"]) == (first, "loyalty", False)
    assert api.get(f"/cards/{first}").get_json()["balance"] == 25
    assert (known["number"], known["merged"]) == (shop.card.number, True)
    assert api.get(f"/cards/{shop.card.number}").get_json()["balance"] == 25
    assert api.get(f"/cards/{second}").get_json()["status"] == "voided"
    assert {one["kind"] for one in api.get(f"/transactions?card={second}").get_json()["items"]} == {"merge", "earn"}
    problem(api.post(f"/cards/{first}/bind", {"name": "Somebody Else"}), 409, "already_personal")
    problem(api.post(f"/cards/{second}/bind", {"name": "Somebody Else"}), 409, "void_card")
