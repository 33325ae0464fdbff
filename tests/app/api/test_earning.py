"""The rules of earning through the API: read, published, tried out; and a card's movements explained."""

import json
from datetime import timedelta
from typing import Any

import pytest

from app.earning import service
from app.world import World
from tests import factories
from tests.app.api.conftest import Api, Shop, problem

BASE = {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"}
TUESDAY = {"kind": "multiplier", "name": "Tuesday", "factor": "2", "no_end": True,
           "when": {"windows": [{"weekdays": [2]}]}}  # fmt: skip
DOUBLE = {"rules": [BASE, TUESDAY]}
RULES = "/programmes/kahve/rules"
LATER = (factories.NOW + timedelta(days=2)).isoformat()


def publish(api: Api, **over: Any) -> dict[str, Any]:
    answer = api.post(RULES, {"rules": DOUBLE, **over})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_new_programme_has_the_rules_that_it_promises(api: Api) -> None:
    body = api.get(RULES).get_json()

    assert body["current"]["sentences"] == ["1 point for every TRY\u00a010.00"]
    assert body["current"]["rules"] == {"rules": [BASE]}
    assert [(one["number"], one["state"]) for one in body["versions"]] == [(1, "current")]


def test_rules_are_published_with_their_sentences_and_what_meets(api: Api, shop: Shop) -> None:
    made = publish(api, note="spring")

    assert (made["published"], made["number"], made["replaces"]) == (True, 2, [])
    assert made["sentences"] == ["1 point for every TRY\u00a010.00", "2× on Tuesdays"]
    assert made["overlaps"] == ["Tuesday and Gold meet on Tuesdays: best = 2×"]
    current = api.get(f"{RULES}?language=tr").get_json()["current"]
    assert (current["number"], current["note"], current["rules"]) == (2, "spring", DOUBLE)
    assert api.get(f"{RULES}/1").get_json()["state"] == "past"
    assert api.get("/programmes/kahve").get_json()["earn"] == {"points": 1, "per": "10.00"}


def test_a_repeated_publication_is_the_same_version(api: Api) -> None:
    headers = {"Idempotency-Key": "spring-rules"}

    first, again = (api.post(RULES, {"rules": DOUBLE}, headers=headers) for _ in range(2))

    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(api.get(RULES).get_json()["versions"]) == 2


def test_csv_is_taken_with_the_line_ends_of_every_system(api: Api) -> None:
    for end in ("\n", "\r\n", "\r"):
        csv = end.join(["at,amount", "2026-11-24 10:00,100.00", "2026-11-25 10:00,50.00", ""])
        answer = api.post(f"{RULES}/simulate", {"csv": csv}).get_json()
        assert (answer["receipts"], answer["unread"]) == (2, 0), repr(end)


def test_a_dry_run_describes_and_publishes_nothing(api: Api) -> None:
    made = publish(api, dry_run=True)

    assert (made["published"], made["number"], len(made["sentences"])) == (False, None, 2)
    assert [one["number"] for one in api.get(RULES).get_json()["versions"]] == [1]


def test_planned_rules_wait_and_are_replaced_by_sooner_ones(api: Api) -> None:
    publish(api, starts_at=LATER)
    states = [(one["number"], one["state"]) for one in api.get(RULES).get_json()["versions"]]

    assert states == [(2, "planned"), (1, "current")]
    assert publish(api)["replaces"] == [2]


def test_a_sale_earns_by_the_published_rules_and_an_earlier_one_keeps_its_own(api: Api, shop: Shop) -> None:
    number = shop.card.number
    api.post(f"/cards/{number}/earn", {"amount": "100.00"})
    publish(api, rules={"rules": [{**BASE, "points": 3}]})
    api.post(f"/cards/{number}/earn", {"amount": "100.00"})

    second, first = api.get(f"/cards/{number}/ledger").get_json()["items"]

    assert [(one["units"], one["available"], one["rules"]) for one in (first, second)] == [(10, 10, 1), (30, 40, 2)]


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"rules": [{**BASE, "per": "0"}]}, "rules.0.per"),
        ({"rules": [{**BASE, "per": "-10"}]}, "rules.0.per"),
        ({"rules": [{**BASE, "points": 1.5}]}, "rules.0.points"),
        ({"rules": [{**BASE, "colour": "red"}]}, "rules.0.colour"),
        ({"rules": [BASE, {**TUESDAY, "factor": 10**12}]}, "rules.1.factor"),
        ({"rules": [BASE, {**TUESDAY, "no_end": False}]}, "rules.1.no_end"),
        ({"rules": [BASE, {**TUESDAY, "when": {"stores": ["sto_stranger"]}}]}, "rules.1.when.stores"),
        ({"rules": [BASE, {**TUESDAY, "when": {"tiers": ["Diamond"]}}]}, "rules.1.when.tiers"),
        ({"rules": [BASE], "stacking": "newest"}, "stacking"),
        ({"rules": "all"}, "rules"),
        ({"rules": [[[[]]]]}, "rules.0.kind"),
    ],
)
def test_faulty_rules_are_refused_by_field(api: Api, rules: Any, field: str) -> None:
    for dry_run in (True, False):
        body = problem(api.post(RULES, {"rules": rules, "dry_run": dry_run}), 422, "invalid_rules")
        assert field in body["errors"]
    assert len(api.get(RULES).get_json()["versions"]) == 1


def test_rules_in_the_past_of_others_or_over_unseen_ones_are_refused(bound: Api, shop: Shop) -> None:
    problem(bound.post(RULES, {"rules": DOUBLE, "starts_at": "2020-01-01T00:00:00Z"}), 422, "invalid_rules")
    problem(bound.post("/programmes/stranger/rules", {"rules": DOUBLE}), 404, "unknown_programme")
    problem(bound.get(f"{RULES}/9"), 404, "unknown_version")
    problem(bound.post(RULES, {"rules": DOUBLE, "based_on": 7}), 409, "rules_changed")
    assert "colour" in problem(bound.post(RULES, {"rules": DOUBLE, "colour": 1}), 422, "invalid_body")["errors"]


def test_rules_are_tried_out_on_receipts_and_the_unreadable_are_named(api: Api) -> None:
    body = {
        "rules": DOUBLE,
        "point_value": "0.10",
        "receipts": [
            {"at": "2026-11-24T10:00:00+03:00", "amount": "178.00"},
            {"at": "2026-11-25T10:00:00+03:00", "amount": "-5"},
        ],
    }
    answer = api.post(f"{RULES}/simulate", body).get_json()

    assert (answer["receipts"], answer["spend"], answer["unread"]) == (1, "178.00", 1)
    assert (answer["draft"]["points"], answer["current"]["points"]) == (35, 17)
    assert (answer["draft"]["cost"], answer["draft"]["give_back_percent"]) == ("3.50", "1.9663")
    assert [one["row"] for one in answer["unread_rows"]] == [2]
    assert len(api.get(RULES).get_json()["versions"]) == 1


def test_rules_are_tried_out_on_the_programme_s_own_sales(api: Api, shop: Shop) -> None:
    number = shop.card.number
    lines = [{"amount": "60.00", "category": "food"}, {"amount": "40.00", "category": "tobacco"}]
    api.post(f"/cards/{number}/earn", {"amount": "100.00", "lines": lines, "store": shop.store.public_id})
    undone = api.post(f"/cards/{number}/earn", {"amount": "500.00"}).get_json()["transaction"]["id"]
    api.post(f"/transactions/{undone}/reverse", {"reason": "a mistake"})
    tobacco = {"kind": "exclusion", "name": "Tobacco", "only": {"categories": ["tobacco"]}}

    answer = api.post(f"{RULES}/simulate", {"rules": {"rules": [BASE, tobacco]}, "days": 7}).get_json()

    assert (answer["receipts"], answer["spend"], answer["unread"]) == (1, "100.00", 0)
    assert (answer["draft"]["points"], answer["current"]["points"]) == (6, 10)
    assert [(one["name"], one["points"]) for one in answer["draft"]["by_rule"]] == [("Purchases", 10), ("Tobacco", -4)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_body"),
        ({"days": 7, "csv": "at,amount\n"}, "invalid_body"),
        ({"days": 10**6}, "invalid_body"),
        ({"csv": "nothing of use"}, "invalid_receipts"),
        ({"days": 7, "point_value": "NaN"}, "invalid_body"),
        ({"days": 7, "rules": {"rules": [{}]}}, "invalid_rules"),
        ({"receipts": ["x"]}, "invalid_body"),
    ],
)
def test_a_trial_that_cannot_be_meant_is_refused(api: Api, body: dict[str, Any], code: str) -> None:
    problem(api.post(f"{RULES}/simulate", body), 422, code)


def test_a_trial_may_be_larger_than_other_bodies_and_has_a_limit_too(api: Api) -> None:
    csv = "at,amount,product\n" + f"2026-11-24 10:00,10.00,{'x' * 200}\n" * 1_500

    assert api.post(f"{RULES}/simulate", {"csv": csv}).get_json()["draft"]["points"] == 1_500
    problem(api.post(f"{RULES}/simulate", {"csv": "x" * 10_000_000}), 413, "too_large")
    problem(api.post(RULES, {"rules": DOUBLE, "note": "x" * 300_000}), 413, "too_large")


def test_the_description_shows_rules_that_can_be_published(api: Api) -> None:
    document = api.client.get("/api/openapi.json").get_json()
    described = document["components"]["schemas"]["NewRules"]["properties"]["rules"]["example"]

    assert described == json.loads(json.dumps(service.example("TRY")))
    assert api.post(RULES, {"rules": described}).status_code == 201


def test_a_card_s_movements_are_paged_by_unit_with_what_explains_them(api: Api, shop: Shop, world: World) -> None:
    path = f"/cards/{shop.card.number}"
    for amount in ("100.00", "50.00", "2.00"):
        api.post(f"{path}/earn", {"amount": amount})
    api.post(f"{path}/redeem", {"points": 4})

    first = api.get(f"{path}/ledger?unit=points&limit=3&language=tr").get_json()
    rest = api.get(f"{path}/ledger?unit=points&limit=3&cursor={first['next']}").get_json()

    items = first["items"] + rest["items"]
    assert [(one["kind"], one["units"], one["available"]) for one in items] == [
        ("spend", -4, 11), ("earn", 0, 15), ("earn", 5, 15), ("earn", 10, 10),
    ]  # fmt: skip
    assert rest["next"] is None
    assert items[3]["reasons"] == ["base"]
    assert items[3]["explained"] == ["Points for the purchase"]
    assert api.get(f"{path}/ledger?unit=TRY").get_json()["items"] == []
    problem(api.get(f"{path}/ledger?cursor={first['next']}"), 422, "invalid_cursor")
    problem(api.get(f"{path}/ledger?language=xx"), 422, "invalid_query")


def test_movements_of_another_programme_s_card_are_not_told(bound: Api, shop: Shop) -> None:
    problem(bound.get(f"/cards/{shop.other_card.number}/ledger"), 404, "unknown_card")
