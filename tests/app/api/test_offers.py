"""Offers over the API: scheduled, read, called off."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.offers import service as offers
from app.staff.models import AuditEvent
from app.world import World
from tests.app.api.conftest import Api, Shop, problem
from tests.conftest import MovableClock

CAKE: dict[str, Any] = {
    "programme": "kahve",
    "title": "Free cake",
    "body": "With any tea",
    "starts_at": "2026-11-20T14:00:00+03:00",
    "ends_at": "2026-11-20T18:00:00+03:00",
}


def test_an_offer_is_scheduled_and_read_back(api: Api, shop: Shop) -> None:
    wanted = {
        **CAKE,
        "texts": {"tr": {"title": "Bedava pasta", "body": "Her çayla"}},
        "timezone": "Europe/Istanbul",
        "limit_per_card": 1,
        "limit_total": 100,
        "announce": False,
    }

    made = api.post("/offers", wanted)

    assert made.status_code == 201, made.text
    body = made.get_json()
    assert (body["state"], body["segment"], body["used"]) == ("scheduled", "all", 0)
    assert (body["starts_at"], body["ends_at"]) == ("2026-11-20T11:00:00.000+00:00", "2026-11-20T15:00:00.000+00:00")
    assert (body["limit_per_card"], body["limit_total"], body["announce"]) == (1, 100, False)
    assert body["texts"]["tr"]["title"] == "Bedava pasta"
    assert api.get(f"/offers/{body['id']}").get_json() == body
    listed = {name: value for name, value in body.items() if name not in {"reach", "change", "budgets", "forecast"}}
    assert api.get("/offers?programme=kahve").get_json()["items"] == [listed]


def test_an_offer_says_whom_it_reaches_and_how_long_that_takes(api: Api, shop: Shop) -> None:
    body = api.post("/offers", CAKE).get_json()

    assert body["reach"] == {
        "cards": 1,
        "apple_phones": 0,
        "google_cards": 0,
        "is_exact": True,
        "apple_seconds": 0,
        "google_seconds": 0,
    }
    assert body["change"] is None


def test_a_live_offer_says_how_far_it_has_come_and_can_be_stopped(
    api: Api, shop: Shop, world: World, clock: MovableClock
) -> None:
    offer = api.post("/offers", CAKE).get_json()["id"]
    too_early = api.post(f"/offers/{offer}/stop", {})
    clock.advance(hours=1)
    with world.database.unit_of_work() as session:
        offers.tick(session, now=clock())

    waiting = api.get(f"/offers/{offer}").get_json()["change"]
    stopped = api.post(f"/offers/{offer}/stop", {})
    again = api.post(f"/offers/{offer}/stop", {})

    assert (waiting["reason"], waiting["state"], waiting["touched"]) == ("offer_started", "waiting", 0)
    assert (stopped.status_code, stopped.get_json()["change"]["state"]) == (200, "stopped")
    assert stopped.get_json()["state"] == "live"
    for refused in (too_early, again):
        problem(refused, 409, "change_over")
    with world.database.reading() as session:
        actions = list(session.scalars(select(AuditEvent.action)))
    assert actions.count("offer_spreading_stopped") == 1


def test_an_offer_shows_on_the_card_from_its_start_to_its_end(
    api: Api, shop: Shop, world: World, clock: MovableClock
) -> None:
    offer = api.post("/offers", CAKE).get_json()["id"]

    def shown() -> list[str]:
        with world.database.unit_of_work() as session:
            offers.tick(session, now=clock())
        return [one["id"] for one in api.get(f"/cards/{shop.card.number}").get_json()["offers"]]

    before = shown()
    clock.advance(hours=1)
    during = shown()
    clock.advance(hours=4)
    assert (before, during, shown()) == ([], [offer], [])


def test_an_offer_can_be_for_a_tier_by_its_name_or_its_id(api: Api) -> None:
    tier = api.get("/programmes/kahve").get_json()["tiers"][1]

    by_name = api.post("/offers", {**CAKE, "segment": "Gold"}).get_json()
    by_id = api.post("/offers", {**CAKE, "segment": tier["id"]}).get_json()

    assert [by_name["segment"], by_id["segment"]] == [tier["id"]] * 2


def test_an_unknown_segment_is_refused_with_what_is_accepted(api: Api) -> None:
    for segment in ("seg_vip", "Platinum", "ALL"):
        errors = problem(api.post("/offers", {**CAKE, "segment": segment}), 422, "unknown_segment")["errors"]
        assert all(word in errors["segment"] for word in ('"all"', '"Silver"', '"Gold"'))


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"ends_at": CAKE["starts_at"]}, "ends_at"),
        ({"starts_at": "2026-11-19T10:00:00Z", "ends_at": "2026-11-19T11:00:00Z"}, "ends_at"),
        ({"ends_at": "2036-11-19T11:00:00Z"}, "ends_at"),
        ({"starts_at": "2026-11-20T14:00:00"}, "starts_at"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"title": ""}, "title"),
        ({"title": "   "}, "title"),
        ({"title": "x" * 61}, "title"),
        ({"body": "x" * 501}, "body"),
        ({"texts": {"xx": {"title": "a"}}}, "texts.xx"),
        ({"texts": {"tr": {"headline": "a"}}}, "texts.tr.headline"),
        ({"texts": {"tr": "a"}}, "texts.tr"),
        ({"timezone": "Mars"}, "timezone"),
        ({"limit_per_card": 0}, "limit_per_card"),
        ({"limit_total": 2**31}, "limit_total"),
        ({"announce": "no"}, "announce"),
        ({"segment": 3}, "segment"),
        ({"discount": 10}, "discount"),
    ],
)
def test_a_faulty_offer_is_refused_with_the_field_named(api: Api, over: dict[str, Any], field: str) -> None:
    answer = api.post("/offers", {**CAKE, **over})

    assert answer.status_code == 422, answer.text
    assert field in answer.get_json()["errors"]


def test_an_offer_is_called_off_once(api: Api, world: World, clock: MovableClock) -> None:
    offer = api.post("/offers", CAKE).get_json()["id"]

    cancelled = api.post(f"/offers/{offer}/cancel")

    assert (cancelled.status_code, cancelled.get_json()["state"]) == (200, "cancelled")
    problem(api.post(f"/offers/{offer}/cancel"), 409, "offer_over")
    problem(api.post("/offers/off_none/cancel"), 404, "unknown_offer")
    clock.at += timedelta(hours=2)
    with world.database.unit_of_work() as session:
        offers.tick(session, now=clock())
    assert api.get(f"/offers/{offer}").get_json()["state"] == "cancelled"


def test_an_offer_says_all_that_it_gives_and_may_cost(api: Api, shop: Shop) -> None:
    wanted = {
        **CAKE, "kind": "percent", "terms": {"percent": "20", "minimum": "50.00", "at_most": "30.00"},
        "windows": [{"weekdays": [1, 2, 3, 4, 5], "from": "15:00", "to": "17:00"}], "grace_min": 5,
        "stores": [shop.store.public_id], "tiers": ["Silver", "Gold"], "combines": "alone", "limit_per_card": 2,
        "budgets": [{"measure": "money", "period": "day", "most": "100.00"}, {"measure": "uses", "most": "50"}],
    }  # fmt: skip

    made = api.post("/offers", wanted)

    assert made.status_code == 201, made.text
    body = made.get_json()
    kept = {name: body[name] for name in ("kind", "terms", "windows", "grace_min", "stores", "combines")}
    assert kept == {name: wanted[name] for name in kept}
    assert (len(body["tiers"]), body["segment"]) == (2, "all")
    assert body["budgets"] == [
        {"measure": "money", "period": "day", "most": "100.00", "used": "0.00", "percent": 0},
        {"measure": "uses", "period": "all", "most": "50", "used": "0", "percent": 0},
    ]
    assert body["forecast"] == {"people": 0, "uses": 0, "points": 0, "money": "0.00"}


def test_the_forecast_is_the_most_that_limits_and_budgets_let_it_cost(api: Api, shop: Shop) -> None:
    gives = {"kind": "amount", "terms": {"amount": "25.00"}}
    bounds: list[dict[str, Any]] = [
        {}, {"limit_per_card": 3}, {"limit_per_card": 3, "limit_total": 2},
        {"limit_per_card": 3, "budgets": [{"measure": "money", "most": "40.00"}]},
    ]  # fmt: skip

    found = [api.post("/offers", {**CAKE, **gives, **one}).get_json()["forecast"] for one in bounds]

    assert [(one["people"], one["uses"], one["money"]) for one in found] == [
        (1, None, None), (1, 3, "75.00"), (1, 2, "50.00"), (1, 3, "40.00"),
    ]  # fmt: skip


def test_a_draft_goes_through_its_states_by_calls(api: Api, shop: Shop, clock: MovableClock) -> None:
    offer = api.post("/offers", {**CAKE, "draft": True}).get_json()
    assert offer["state"] == "draft"
    where = f"/offers/{offer['id']}"

    problem(api.post(f"{where}/schedule"), 409, "wrong_state")
    states = [api.post(f"{where}/{turn}").get_json()["state"] for turn in ("approve", "schedule", "pause", "resume")]
    assert states == ["approved", "scheduled", "paused", "scheduled"]
    changed = api.call("PATCH", where, {"title": "Free pie"})
    assert (changed.get_json()["state"], changed.get_json()["title"]) == ("draft", "Free pie")
    assert api.call("PATCH", where, {"limit_per_card": None, "limit_total": 7}).get_json()["limit_total"] == 7
    copy = api.post(f"{where}/duplicate")
    assert (copy.status_code, copy.get_json()["state"], copy.get_json()["title"]) == (201, "draft", "Free pie")
    assert api.post(f"{where}/archive").get_json()["state"] == "archived"
    problem(api.call("PATCH", where, {"title": "Again"}), 409, "wrong_state")


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"kind": "percent", "terms": {"percent": "110"}}, "terms.percent"),
        ({"kind": "amount", "terms": {"amount": "5,00"}}, "terms.amount"),
        ({"stores": ["sto_none"]}, "stores"),
        ({"tiers": ["Platinum"]}, "tiers"),
        ({"windows": [{"weekdays": []}]}, "windows.0.weekdays"),
        ({"grace_min": 16}, "grace_min"),
        ({"budgets": [{"measure": "uses", "most": "0"}]}, "budgets.0.most"),
        ({"budgets": [{"measure": "uses", "most": "-1"}]}, "budgets.0.most"),
        ({"budgets": [{"measure": "money", "most": "1.234"}]}, "budgets.0.most"),
        ({"budgets": [{"measure": "beans", "most": "1"}]}, "budgets.0.measure"),
        ({"windows": [{"last_on": "9999-12-31"}]}, "windows.0.last_on"),
        ({"needs_code": True, "kind": "bonus", "terms": {"points": 5}}, "needs_code"),
    ],
)
def test_what_an_offer_cannot_give_is_refused_with_the_field_named(
    api: Api, shop: Shop, over: dict[str, Any], field: str
) -> None:
    made = api.post("/offers", CAKE).get_json()["id"]
    for answer in (api.post("/offers", {**CAKE, **over}), api.call("PATCH", f"/offers/{made}", over)):
        assert answer.status_code == 422, answer.text
        assert field in answer.get_json()["errors"]


def test_an_offer_is_quoted_used_with_a_purchase_and_listed(
    api: Api, shop: Shop, world: World, clock: MovableClock
) -> None:
    gives = {"kind": "percent", "terms": {"percent": "20"}, "limit_per_card": 1}
    offer = api.post("/offers", {**CAKE, **gives}).get_json()["id"]
    card, sale = f"/cards/{shop.card.number}", {"amount": "100.00", "offers": [offer], "store": shop.store.public_id}

    early = api.post(f"{card}/quote", sale).get_json()
    problem(api.post(f"{card}/earn", sale), 409, "not_started")
    clock.advance(hours=1)
    with world.database.unit_of_work() as session:
        offers.tick(session, now=clock())
    quoted = api.post(f"{card}/quote", sale).get_json()
    sold = api.post(f"{card}/earn", sale).get_json()
    refused = problem(api.post(f"{card}/earn", sale), 409, "already_used")
    uses = api.get(f"/offers/{offer}/uses").get_json()["items"]

    assert (early["offers"][0]["refusal"], early["to_pay"]) == ("not_started", "100.00")
    assert early["offers"][0]["told"].startswith("Starts ")
    assert (quoted["to_pay"], quoted["discount"]) == ("80.00", "20.00")
    assert (
        sold["priced"]["offers"]
        == quoted["offers"]
        == [{"id": offer, "title": "Free cake", "discount": "20.00", "points": 0, "refusal": None, "told": None}]
    )
    assert "offers.0" in refused["errors"]
    assert [(one["discount"], one["sale"], one["card"]) for one in uses] == [
        ("20.00", sold["transaction"]["id"], shop.card.number)
    ]
    problem(api.post(f"{card}/earn", {**sale, "offers": ["off_none"]}), 422, "unknown_offer")


def test_the_forecast_of_a_segment_or_a_targeted_offer_counts_whom_it_can_come_to_before_it_begins(
    api: Api, shop: Shop
) -> None:
    everybody = api.post("/segments", {"programme": "kahve", "name": "All", "rules": {"all": []}}).get_json()["id"]
    rules = {"fact": "visits", "op": "at_least", "value": 9}
    nobody = api.post("/segments", {"programme": "kahve", "name": "Often", "rules": rules}).get_json()["id"]
    gives = {"kind": "gift", "terms": {"gift": "Cake", "cost": "10.00"}, "limit_per_card": 2, "draft": True}

    found = {
        name: api.post("/offers", {**CAKE, **gives, "segment": name}).get_json()["forecast"]
        for name in ("all", "targeted", everybody, nobody)
    }

    one = {"people": 1, "uses": 2, "points": 0, "money": "20.00"}
    assert found["all"] == found["targeted"] == found[everybody] == one
    assert found[nobody] == {"people": 0, "uses": 0, "points": 0, "money": "0.00"}


def test_a_segment_for_an_offer_of_several_tiers_says_what_becomes_of_them(api: Api, shop: Shop) -> None:
    offer = api.post("/offers", {**CAKE, "tiers": ["Silver", "Gold"]}).get_json()
    where = f"/offers/{offer['id']}"

    refused = api.call("PATCH", where, {"segment": "targeted"})
    kept = api.get(where).get_json()["tiers"]
    changed = api.call("PATCH", where, {"segment": "targeted", "tiers": []}).get_json()

    assert (refused.status_code, set(refused.get_json()["errors"])) == (422, {"tiers"})
    assert kept == offer["tiers"]
    assert (changed["segment"], changed["tiers"]) == ("targeted", [])


def test_an_offer_used_alone_says_what_it_takes_off_the_amount(api: Api, shop: Shop, world: World) -> None:
    offer = _live(api, world, kind="percent", terms={"percent": "20"})
    where = f"/cards/{shop.card.number}/redeem"

    refused = problem(api.post(where, {"offer": offer}), 409, "basket_needed")
    used = api.post(where, {"offer": offer, "basket": "42.00"})

    assert "say what the purchase costs" in refused["detail"]
    assert (used.status_code, used.get_json()["discount"]) == (201, "8.40")
    assert [one["discount"] for one in api.get(f"/offers/{offer}/uses").get_json()["items"]] == ["8.40"]


def test_a_code_takes_a_share_off_the_amount_that_comes_with_it(api: Api, shop: Shop, world: World) -> None:
    terms = {"percent": "10", "minimum": "20.00"}
    offer = _live(api, world, kind="percent", terms=terms, needs_code=True)
    asked = {"programme": "kahve", "name": "Flyer", "codes": ["7K3M9QX2TDS"], "offer": offer}
    assert api.post("/coupon-batches", asked).status_code == 201
    where, code = f"/cards/{shop.card.number}/redeem", {"coupon": "7K3M-9QX2-TDS"}

    problem(api.post(where, code), 409, "basket_needed")
    problem(api.post(where, {**code, "basket": "19.99"}), 409, "min_spend")
    used = api.post(where, {**code, "basket": "50.00"})

    assert (used.status_code, used.get_json()["discount"]) == (201, "5.00")
    problem(api.post(where, {**code, "basket": "50.00"}), 409, "already_used")


def test_no_codes_are_made_for_an_offer_that_goes_with_a_purchase_only(api: Api, shop: Shop, world: World) -> None:
    offer = _live(api, world, kind="product", terms={"products": ["tea"]})

    refused = api.post("/coupon-batches", {"programme": "kahve", "name": "Flyer", "size": 1, "offer": offer})

    assert (refused.status_code, refused.get_json()["code"]) == (422, "offer_needs_sale")
    assert set(refused.get_json()["errors"]) == {"offer"}


def _live(api: Api, world: World, **over: Any) -> str:
    now = world.clock()
    times = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=3)).isoformat()}
    made = api.post("/offers", {**CAKE, **times, **over})
    assert made.status_code == 201, made.text
    with world.database.unit_of_work() as session:
        offers.tick(session, now=now)
    return str(made.get_json()["id"])
