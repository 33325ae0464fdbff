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
    listed = {name: value for name, value in body.items() if name not in {"reach", "change"}}
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
