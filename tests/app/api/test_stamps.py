"""Stamp cards and clubs over the API."""

from typing import Any

import pytest
from sqlalchemy import select

from app.staff.models import AuditEvent
from app.world import World
from tests.app.api.conftest import Api, Shop, problem

COFFEE: dict[str, Any] = {"programme": "kahve", "name": "Coffee card", "reward": "One free coffee", "size": 10}


def made(api: Api, **over: Any) -> str:
    answer = api.post("/stamp-cards", {**COFFEE, **over})
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


def test_a_stamp_card_is_made_listed_and_read(api: Api, shop: Shop) -> None:
    wanted = {
        **COFFEE, "gives": "amount", "per": "50.00", "item_kind": "category", "item": "coffee", "reward_kind":
        "amount_off", "reward_value": "45.50", "stores": [shop.store.public_id], "stamps_live_days": 90,
        "texts": {"tr": {"name": "Kahve kartı", "reward": "Bir kahve bizden"}},
    }  # fmt: skip

    answer = api.post("/stamp-cards", wanted)

    body = answer.get_json()
    assert answer.status_code == 201, answer.text
    assert {name: body[name] for name in ("per", "reward_value", "state", "stores", "cool_down_min")} == {
        "per": "50.00", "reward_value": "45.50", "state": "live", "stores": [shop.store.public_id],
        "cool_down_min": 10,
    }  # fmt: skip
    assert api.get(f"/stamp-cards/{body['id']}").get_json() == body
    assert api.get("/stamp-cards?programme=kahve").get_json()["items"] == [body]


@pytest.mark.parametrize("size", [-1, 0, 1, 51, 10**9])
def test_a_stamp_card_of_fewer_than_two_or_more_than_fifty_stamps_is_refused(api: Api, size: int) -> None:
    answer = api.post("/stamp-cards", {**COFFEE, "size": size})

    assert answer.status_code == 422
    assert set(answer.get_json()["errors"]) == {"size"}


def test_two_live_stamp_cards_for_one_item_are_refused_unless_it_is_said_which_wins(api: Api) -> None:
    latte = {"item_kind": "product", "item": "latte", "gives": "piece"}
    first = made(api, **latte)

    refused = problem(api.post("/stamp-cards", {**COFFEE, **latte, "name": "Second"}), 422, "two_for_one_item")
    api.post(f"/stamp-cards/{first}/end")

    assert set(refused["errors"]) == {"item", "priority"}
    made(api, **latte, name="Second", priority=1)
    made(api, **latte, name="Third", priority=2)


def test_stamps_fill_a_card_and_their_reward_is_used_and_undone(api: Api, shop: Shop) -> None:
    card, number = made(api), shop.card.number
    api.post(f"/cards/{number}/stamps", {"stamp_card": card, "count": 8})

    given = api.post(f"/cards/{number}/stamps", {"stamp_card": card, "count": 4, "store": shop.store.public_id})
    used = api.post(f"/cards/{number}/vouchers/redeem", {"stamp_card": card})
    again = api.post(f"/cards/{number}/vouchers/redeem", {"stamp_card": card})

    body = given.get_json()
    assert (given.status_code, body["stamps"], body["rewards"], body["vouchers"]) == (201, 2, 1, 1)
    assert body["transaction"]["points"] == 4
    assert (used.status_code, used.get_json()["vouchers"]) == (201, 0)
    problem(again, 409, "already_used")
    standing = api.get(f"/cards/{number}/stamps").get_json()["items"]
    assert [(one["shown"], one["stamps"]) for one in standing] == [("●●○○○○○○○○", 2)]


def test_a_retry_of_stamps_is_answered_as_the_first_time(api: Api, shop: Shop) -> None:
    card, number = made(api), shop.card.number
    key = {"Idempotency-Key": "tap-1"}

    first = api.post(f"/cards/{number}/stamps", {"stamp_card": card}, headers=key)
    second = api.post(f"/cards/{number}/stamps", {"stamp_card": card}, headers=key)

    assert second.get_json() == first.get_json()
    assert api.get(f"/cards/{number}/stamps").get_json()["items"][0]["stamps"] == 1


def test_more_than_fifty_stamps_need_a_key_that_may_manage(api: Api, admin: Api, shop: Shop) -> None:
    card, path = made(api), f"/cards/{shop.card.number}/stamps"

    problem(api.post(path, {"stamp_card": card, "count": 51}), 403, "needs_manager")

    assert admin.post(path, {"stamp_card": card, "count": 51}).get_json()["rewards"] == 5


def test_a_begun_stamp_card_keeps_its_size_and_may_change_its_words(api: Api, shop: Shop) -> None:
    card = made(api)
    api.post(f"/cards/{shop.card.number}/stamps", {"stamp_card": card})
    change = {name: value for name, value in COFFEE.items() if name != "programme"}

    problem(api.call("PUT", f"/stamp-cards/{card}", {**change, "size": 8}), 409, "stamp_card_in_use")
    renamed = api.call("PUT", f"/stamp-cards/{card}", {**change, "name": "Kahve kartı"})

    assert (renamed.status_code, renamed.get_json()["name"]) == (200, "Kahve kartı")


def test_what_another_programme_owns_is_not_there(bound: Api, api: Api, shop: Shop) -> None:
    foreign = made(api, programme="stranger")

    problem(bound.get(f"/stamp-cards/{foreign}"), 404, "unknown_stamp_card")
    problem(bound.post(f"/cards/{shop.card.number}/stamps", {"stamp_card": foreign}), 404, "unknown_stamp_card")
    problem(api.post(f"/cards/{shop.card.number}/stamps", {"stamp_card": foreign}), 409, "not_eligible")
    problem(api.post("/stamp-cards", {**COFFEE, "stores": [shop.other_store.public_id]}), 404, "unknown_store")


def test_a_card_joins_renews_and_leaves_a_club(api: Api, shop: Shop, world: World) -> None:
    club = api.post("/clubs", {"programme": "kahve", "slug": "wine", "name": "Wine club"}).get_json()["id"]
    path = f"/cards/{shop.card.number}/clubs"

    joined = api.post(path, {"club": club, "reference": "invoice 7"})
    renewed = api.post(f"{path}/renew", {"club": club})
    left = api.post(f"{path}/leave", {"club": club, "reason": "moved away"})

    assert (joined.status_code, joined.get_json()["last_day"]) == (201, "2027-11-20")
    assert (renewed.status_code, renewed.get_json()["last_day"]) == (201, "2028-11-20")
    assert (left.status_code, left.get_json()["is_running"]) == (200, False)
    assert [one["club"] for one in api.get(path).get_json()["items"]] == [club]
    problem(api.post(f"{path}/leave", {"club": club, "reason": "again"}), 409, "not_in_club")
    with world.database.reading() as session:
        actions = set(session.scalars(select(AuditEvent.action)))
    assert {"club_created", "club_joined", "club_renewed", "club_left"} <= actions


@pytest.mark.parametrize("since", ["0001-01-01", "9999-12-31"])
def test_a_membership_of_another_age_is_refused(api: Api, shop: Shop, since: str) -> None:
    club = api.post("/clubs", {"programme": "kahve", "slug": "wine", "name": "Wine club"}).get_json()["id"]

    refused = api.post(f"/cards/{shop.card.number}/clubs", {"club": club, "since": since})

    assert set(problem(refused, 422, "invalid_term")["errors"]) == {"since"}


def test_a_gated_link_is_for_a_club_or_a_tier_and_can_be_closed(api: Api, shop: Shop) -> None:
    club = api.post("/clubs", {"programme": "kahve", "slug": "wine", "name": "Wine club"}).get_json()["id"]
    link = {"programme": "kahve", "slug": "cellar", "title": "The cellar", "target_url": "https://shop.example/c"}

    for_club = api.post("/gated-links", {**link, "club": club})
    for_tier = api.post("/gated-links", {**link, "slug": "gold", "tier": "Gold"})

    assert (for_club.status_code, for_tier.status_code) == (201, 201)
    problem(api.post("/gated-links", {**link, "slug": "both", "club": club, "tier": "Gold"}), 422, "invalid_gated_link")
    problem(api.post("/gated-links", {**link, "club": club}), 409, "gated_link_exists")
    assert len(api.get("/gated-links?programme=kahve").get_json()["items"]) == 2
    closed = api.post(f"/gated-links/{for_club.get_json()['id']}/close")
    assert closed.get_json()["active"] is False
