"""Tiers over the API."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.staff.models import AuditEvent
from app.tiers import nightly
from app.world import World
from tests.app.api.conftest import Api, Shop, make_key, problem

TIERS: list[dict[str, Any]] = [
    {"name": "Silver", "threshold": "2000.00", "multiplier": "1"},
    {"name": "Gold", "threshold": "6000.00", "multiplier": "1.5"},
]
PATH = "/programmes/kahve/tiers"


@pytest.fixture
def admin(api: Api, world: World) -> Api:
    return Api(client=api.client, key=make_key(world, "admin"))


def put(api: Api, **body: Any) -> Any:
    return api.call("PUT", PATH, {"tiers": TIERS, **body})


def earn(api: Api, shop: Shop, amount: str) -> Any:
    return api.post(f"/cards/{shop.card.number}/earn", {"amount": amount}).get_json()


def tier_of(api: Api, shop: Shop) -> Any:
    return api.get(f"/cards/{shop.card.number}/tier").get_json()


def test_tiers_are_read_with_their_rules_and_members(api: Api, shop: Shop) -> None:
    earn(api, shop, "2500.00")

    body = api.get(PATH).get_json()

    assert body["policy"] == {
        "metric": "spend", "window": "rolling", "months": 12, "validity_months": 12, "grace_days": 30,
        "drop": "one_step", "strict": False,
    }  # fmt: skip
    assert [(tier["name"], tier["threshold"], tier["members"]) for tier in body["tiers"]] == [
        ("Silver", "2000.00", 1), ("Gold", "6000.00", 0),
    ]  # fmt: skip


def test_w8_the_sale_that_lifts_earns_at_the_old_tier_and_the_next_at_the_new_one(api: Api, shop: Shop) -> None:
    lifting = earn(api, shop, "6000.00")
    following = earn(api, shop, "100.00")

    assert (lifting["transaction"]["points"], lifting["tier"]) == (600, "Gold")
    assert (following["transaction"]["points"], following["tier"]) == (15, "Gold")


def test_a_dry_run_says_who_would_move_and_changes_nothing(admin: Api, shop: Shop, world: World) -> None:
    earn(admin, shop, "1500.00")
    lower = [{**TIERS[0], "threshold": "1000.00"}, TIERS[1]]

    told = put(admin, tiers=lower, dry_run=True).get_json()

    assert told["saved"] is False
    assert told["preview"] == {
        "members": 1, "up": 1, "down": 0, "moves": [{"from": None, "to": "Silver", "members": 1}],
    }  # fmt: skip
    assert told["tiers"][0]["threshold"] == "2000.00"
    saved = put(admin, tiers=lower).get_json()
    assert (saved["saved"], saved["recalculating"], saved["tiers"][0]["threshold"]) == (True, True, "1000.00")
    nightly.work(world)
    assert tier_of(admin, shop)["tier"] == "Silver"
    with world.database.reading() as session:
        assert session.scalars(select(AuditEvent.action).where(AuditEvent.action == "tiers_changed")).all()


def test_tiers_and_policy_are_changed_together(admin: Api, shop: Shop) -> None:
    body = put(
        admin, tiers=[{"name": "Regular", "threshold": "3"}], policy={"metric": "visits", "months": 6}
    ).get_json()

    assert (body["policy"]["metric"], body["policy"]["months"], body["policy"]["grace_days"]) == ("visits", 6, 30)
    assert [(tier["name"], tier["threshold"]) for tier in body["tiers"]] == [("Regular", "3")]
    earn(admin, shop, "1.00")
    told = tier_of(admin, shop)
    assert (told["counts"], told["metric"], told["to_next"]) == ("visits", "1", "2")


def test_what_is_missing_is_money_where_money_counts(api: Api, shop: Shop) -> None:
    earn(api, shop, "2500.50")

    told = tier_of(api, shop)

    assert (told["counts"], told["metric"], told["to_next"]) == ("spend", "2500.50", "3499.50")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tiers": [TIERS[1], TIERS[0]]}, "tiers.1.threshold"),
        ({"tiers": [TIERS[0], {**TIERS[1], "threshold": "2000.00"}]}, "tiers.1.threshold"),
        ({"tiers": [{**TIERS[0], "threshold": "two"}]}, "tiers.0.threshold"),
        ({"tiers": [{**TIERS[0], "threshold": "²"}], "policy": {"metric": "visits"}}, "tiers.0.threshold"),
        ({"tiers": [{**TIERS[0], "id": "tier_999999"}]}, "tiers.0.id"),
        ({"tiers": [{"name": "Silver"}]}, "tiers.0.threshold"),
        ({"policy": {"months": 0}}, "policy.months"),
        ({"policy": {"validity_months": 0}}, "policy.validity_months"),
        ({"policy": {"grace_days": -1}}, "policy.grace_days"),
        ({"policy": {"metric": "smiles"}}, "policy.metric"),
        ({"policy": {"window": 12}}, "policy.window"),
        ({"tiers": None}, "tiers"),
        ({"dry_run": "yes"}, "dry_run"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(admin: Api, shop: Shop, body: dict[str, Any], field: str) -> None:
    answer = put(admin, **body)

    assert answer.status_code == 422, answer.text
    assert field in answer.get_json()["errors"]


def test_a_tier_in_use_is_not_deleted(admin: Api, shop: Shop) -> None:
    earn(admin, shop, "2500.00")

    refused = problem(put(admin, tiers=[TIERS[1]]), 409, "tier_in_use")

    assert refused["detail"].startswith("Members who have the tier Silver: 1.")


def test_a_key_that_may_only_write_changes_no_tiers(api: Api, shop: Shop) -> None:
    problem(put(api), 403, "scope_too_small")


def test_a_tier_is_given_until_a_day_and_taken_back(api: Api, shop: Shop, world: World) -> None:
    until = (world.clock() + timedelta(days=30)).date().isoformat()
    path = f"/cards/{shop.card.number}/tier"

    given = api.post(path, {"tier": "Gold", "until": until, "reason": "Hotel partner"})

    assert given.status_code == 200, given.text
    assert given.get_json()["grant"] == {"tier": "Gold", "until": until, "reason": "Hotel partner"}
    assert (tier_of(api, shop)["tier"], tier_of(api, shop)["valid_to"]) == ("Gold", until)
    assert api.get(f"/cards/{shop.card.number}").get_json()["tier"] == "Gold"
    assert api.post(path, {"tier": None}).get_json()["tier"] is None
    with world.database.reading() as session:
        events = list(session.scalars(select(AuditEvent.action).where(AuditEvent.subject.like("card:%"))))
    assert events == ["tier_granted", "tier_grant_ended"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"tier": "Gold", "until": "2020-01-01", "reason": "Partner"}, 422, "invalid_grant"),
        ({"tier": "Gold", "until": "31.12.2026", "reason": "Partner"}, 422, "invalid_body"),
        ({"tier": "Gold", "until": "9999-12-31", "reason": "Partner"}, 422, "invalid_grant"),
        ({"tier": "Gold", "reason": "Partner"}, 422, "invalid_grant"),
        ({"tier": "Gold", "until": "2026-12-31", "reason": ""}, 422, "invalid_grant"),
        ({"tier": "Diamond", "until": "2026-12-31", "reason": "Partner"}, 404, "unknown_tier"),
    ],
)
def test_a_faulty_grant_is_refused(api: Api, shop: Shop, body: dict[str, Any], status: int, code: str) -> None:
    problem(api.post(f"/cards/{shop.card.number}/tier", body), status, code)


def test_a_stranger_s_card_is_unknown(api: Api, world: World, shop: Shop) -> None:
    own = Api(client=api.client, key=make_key(world, "write", programme=shop.other))

    problem(own.get(f"/cards/{shop.card.number}/tier"), 404, "unknown_card")
    problem(own.get(PATH), 404, "unknown_programme")
