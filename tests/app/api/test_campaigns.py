"""Campaigns as an integrator drives them."""

from typing import Any

import pytest
from sqlalchemy import select

from app.campaigns import policy, working
from app.campaigns.policy import Policy
from app.cards.models import Card
from app.fraud.models import StaffCard
from app.world import World
from tests import factories
from tests.app.api.conftest import Api, Shop, problem
from tests.app.campaigns.crowd import an_offer, install, person
from tests.conftest import MovableClock

MESSAGE = {"title": "Coffee week", "body": "Come by"}


def body(shop: Shop, **over: Any) -> dict[str, Any]:
    values = {
        "programme": shop.programme.slug, "segment": "all", "message": MESSAGE, "send_at": "2026-11-21T12:00",
        "timezone_mode": "member", **over,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not ...}


def created(api: Api, shop: Shop, **over: Any) -> dict[str, Any]:
    answer = api.post("/campaigns", body(shop, **over))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def ready(world: World, shop: Shop, number: int = 1) -> list[Card]:
    """People who can be told."""
    with world.database.unit_of_work() as session:
        return [person(session, shop.programme, f"Person {one}") for one in range(number)]


def test_a_campaign_is_drafted_launched_and_sent(world: World, api: Api, shop: Shop, clock: MovableClock) -> None:
    ready(world, shop, 2)
    campaign = created(api, shop)
    launched = api.post(f"/campaigns/{campaign['id']}/launch")
    clock.at = factories.NOW.replace(day=21, hour=9)
    working.settle(world)
    sent = api.get(f"/campaigns/{campaign['id']}").get_json()

    assert (campaign["state"], campaign["kind"], campaign["goal"]) == (
        "draft",
        "once",
        {"metric": "purchase", "days": 14},
    )
    assert launched.status_code == 200, launched.text
    assert launched.get_json()["state"] == "queued"
    assert launched.get_json()["next_at"] == "2026-11-21T09:00:00.000+00:00"
    assert sent["state"] == "sent"
    assert sent["counts"] == {"planned": 3, "sent": 2, "waiting": 0, "suppressed": {"no_consent": 1}}


def test_recipients_come_by_pages_each_with_its_reason(world: World, api: Api, shop: Shop) -> None:
    ready(world, shop, 2)
    campaign = created(api, shop, send_at="now")
    api.post(f"/campaigns/{campaign['id']}/launch")
    working.settle(world)

    first = api.get(f"/campaigns/{campaign['id']}/recipients?limit=2").get_json()
    second = api.get(f"/campaigns/{campaign['id']}/recipients?limit=2&cursor={first['next']}").get_json()
    refused = api.get(f"/campaigns/{campaign['id']}/recipients?reason=no_consent").get_json()

    assert [one["state"] for one in first["items"]] == ["suppressed", "sent"]
    assert [one["state"] for one in second["items"]] == ["sent"]
    assert second["next"] is None
    assert [one["reason"] for one in refused["items"]] == ["no_consent"]


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"holdout": "0.6"}, "holdout"),
        ({"holdout": "-0.1"}, "holdout"),
        ({"holdout": 0.1}, "holdout"),
        ({"message": ...}, "message"),
        ({"message": {"title": "Hi {name}", "body": ""}}, "message.title"),
        ({"message": {"title": "Hi {points", "body": ""}}, "message.title"),
        ({"message": {"title": "x" * 61}}, "message.title"),
        ({"timezone_mode": "moon"}, "timezone_mode"),
        ({"quiet_hours": True}, "quiet_hours"),
        ({"quiet_hours": {"from": "25:00", "to": "09:00"}}, "quiet_hours"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"recurrence": {"every": "week", "weekdays": [8]}}, "recurrence.weekdays.0"),
        ({"send_at": ..., "recurrence": {"every": "day"}}, "send_at"),
        ({"recurrence": {"every": "day", "until": "2026-01-01"}}, "recurrence.until"),
        ({"trigger": {"on": "full_moon"}}, "trigger.on"),
        ({"goal": {"metric": "fame", "days": 3}}, "goal.metric"),
        ({"priority": 101}, "priority"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_faulty_campaign_is_refused_by_the_name_of_the_field(
    api: Api, shop: Shop, over: dict[str, Any], field: str
) -> None:
    answer = api.post("/campaigns", body(shop, **over))

    assert answer.status_code == 422, answer.text
    assert field in answer.get_json()["errors"]


@pytest.mark.parametrize(("segment", "code"), [("seg_nothing", "unknown_segment"), ("Platinum", "unknown_segment")])
def test_an_unknown_segment_is_refused(api: Api, shop: Shop, segment: str, code: str) -> None:
    answer = api.post("/campaigns", body(shop, segment=segment))

    assert answer.status_code in {404, 422}
    assert answer.get_json()["code"] == code


def test_a_campaign_without_a_name_is_called_by_what_it_says(world: World, api: Api, shop: Shop) -> None:
    offer = an_offer(world, shop.programme)

    assert created(api, shop, name="Tea")["name"] == "Tea"
    assert created(api, shop)["name"] == created(api, shop)["message"]["title"]
    assert created(api, shop, message=None, offer=offer.public_id)["name"] == offer.title


def test_a_time_in_the_past_is_refused_unless_it_is_to_go_now(world: World, api: Api, shop: Shop) -> None:
    ready(world, shop)
    campaign = created(api, shop, send_at="2026-11-19T12:00")

    problem(api.post(f"/campaigns/{campaign['id']}/launch"), 422, "in_the_past")
    at_once = api.post(f"/campaigns/{campaign['id']}/launch?now=true")

    assert at_once.status_code == 200
    assert at_once.get_json()["state"] == "queued"


def test_an_instant_is_kept_as_the_programme_s_wall_clock(api: Api, shop: Shop) -> None:
    campaign = created(api, shop, send_at="2026-12-24T07:00:00Z")

    assert campaign["send_at"] == "2026-12-24T10:00"


@pytest.mark.parametrize(
    "send_at",
    [
        "9999-12-31T22:00",
        "0001-01-01T00:30",
        "0001-01-01T00:30:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2200-01-01T10:00",
    ],
)
def test_a_time_that_no_calendar_reckons_with_is_refused(api: Api, shop: Shop, send_at: str) -> None:
    assert set(problem(api.post("/campaigns", body(shop, send_at=send_at)), 422, "invalid_campaign")["errors"]) == {
        "send_at"
    }


def test_an_unknown_zone_is_the_programme_s_with_a_warning(api: Api, shop: Shop) -> None:
    campaign = created(api, shop, timezone="Moon/Tycho")

    assert campaign["timezone"] == "Europe/Istanbul"
    assert any("Moon/Tycho" in one for one in campaign["warnings"])


def test_holding_nobody_back_is_allowed_with_a_warning(api: Api, shop: Shop) -> None:
    campaign = created(api, shop, holdout="0")

    assert campaign["holdout"] == "0"
    assert any("held back" in one for one in campaign["warnings"])


def test_half_is_the_most_that_is_held_back(api: Api, shop: Shop) -> None:
    assert created(api, shop, holdout="0.5")["holdout"] == "0.5"
    assert created(api, shop, holdout="0.1")["holdout"] == "0.1"


def test_an_empty_audience_cannot_be_launched(api: Api, shop: Shop) -> None:
    gold = next(tier.name for tier in shop.programme.tiers if tier.name == "Gold")
    campaign = created(api, shop, segment=gold)

    problem(api.post(f"/campaigns/{campaign['id']}/launch"), 422, "empty_audience")


def test_without_a_goal_nothing_is_launched(world: World, api: Api, shop: Shop) -> None:
    ready(world, shop)
    campaign = created(api, shop, goal=None)

    problem(api.post(f"/campaigns/{campaign['id']}/launch"), 422, "goal_needed")


def test_many_people_need_a_second_person_who_is_not_the_author(world: World, api: Api, admin: Api, shop: Shop) -> None:
    ready(world, shop, 3)
    with world.database.unit_of_work() as session:
        policy.change(session, shop.programme, Policy(approve_above=2), by="staff:x", now=world.clock())
    campaign = created(api, shop)
    place = f"/campaigns/{campaign['id']}"

    problem(api.post(f"{place}/launch"), 409, "approval_needed")
    problem(api.post(f"{place}/approve"), 403, "own_campaign")
    approved = admin.post(f"{place}/approve")
    launched = api.post(f"{place}/launch")

    assert approved.get_json()["state"] == "approved"
    assert launched.get_json()["state"] == "queued"


def test_an_audience_that_grew_by_more_than_a_fifth_is_approved_again(
    world: World, api: Api, admin: Api, shop: Shop
) -> None:
    ready(world, shop, 4)
    campaign = created(api, shop)
    place = f"/campaigns/{campaign['id']}"
    admin.post(f"{place}/approve")
    ready(world, shop, 2)

    problem(api.post(f"{place}/launch"), 409, "audience_grew")

    assert api.get(place).get_json()["state"] == "draft"
    assert api.get(place).get_json()["approved_at"] is None


def test_an_edit_makes_a_scheduled_campaign_a_draft_without_approval(
    world: World, api: Api, admin: Api, shop: Shop
) -> None:
    ready(world, shop)
    campaign = created(api, shop)
    place = f"/campaigns/{campaign['id']}"
    admin.post(f"{place}/approve")
    api.post(f"{place}/launch")

    changed = api.call("PATCH", place, {"message": {"title": "Tea week"}})

    assert changed.status_code == 200, changed.text
    found = changed.get_json()
    assert (found["state"], found["approved_at"], found["next_at"], found["revision"]) == ("draft", None, None, 2)
    assert found["send_at"] == "2026-11-21T12:00"


def test_what_was_sent_is_neither_edited_nor_stopped(world: World, api: Api, shop: Shop) -> None:
    ready(world, shop)
    campaign = created(api, shop, send_at="now")
    place = f"/campaigns/{campaign['id']}"
    api.post(f"{place}/launch")
    working.settle(world)

    problem(api.call("PATCH", place, {"name": "Other"}), 409, "campaign_over")
    problem(api.post(f"{place}/cancel"), 409, "campaign_over")
    problem(api.post(f"{place}/pause"), 409, "campaign_over")
    problem(api.post(f"{place}/launch"), 409, "campaign_over")


def test_a_campaign_that_is_being_sent_is_not_edited(world: World, api: Api, shop: Shop, clock: MovableClock) -> None:
    ready(world, shop)
    clock.advance(hours=10)  # 23:00 in Istanbul
    campaign = created(api, shop, send_at="now")
    place = f"/campaigns/{campaign['id']}"
    api.post(f"{place}/launch")
    working.settle(world)

    problem(api.call("PATCH", place, {"name": "Other"}), 409, "campaign_under_way")
    stopped = api.post(f"{place}/cancel?reason=a+mistake").get_json()

    assert stopped["state"] == "stopped"
    assert stopped["counts"]["waiting"] == 1


def test_pause_and_resume(world: World, api: Api, shop: Shop) -> None:
    ready(world, shop)
    place = f"/campaigns/{created(api, shop)['id']}"
    problem(api.post(f"{place}/pause"), 409, "campaign_not_sending")
    api.post(f"{place}/launch")

    paused = api.post(f"{place}/pause").get_json()["state"]
    problem(api.post(f"{place}/pause"), 409, "campaign_under_way")
    resumed = api.post(f"{place}/resume").get_json()["state"]
    problem(api.post(f"{place}/resume"), 409, "campaign_not_paused")

    assert (paused, resumed) == ("paused", "queued")


def test_a_forecast_says_how_many_when_and_why_not(world: World, api: Api, shop: Shop) -> None:
    ready(world, shop, 3)
    campaign = created(api, shop, send_at="2026-11-21T23:00", holdout="0")

    found = api.get(f"/campaigns/{campaign['id']}/forecast").get_json()

    assert (found["audience"], found["told"], found["moved"]) == (4, 3, 3)
    assert found["reasons"] == {"no_consent": 1}
    assert found["waves"] == [{"local": "2026-11-22T09:00", "first_at": "2026-11-22T06:00:00.000+00:00", "people": 3}]


def test_a_test_goes_to_staff_cards_alone_and_counts_nowhere(world: World, api: Api, shop: Shop) -> None:
    campaign = created(api, shop, message={"title": "Hi {first_name}"})
    place = f"/campaigns/{campaign['id']}"
    problem(api.post(f"{place}/test", {"card": shop.card.number}), 422, "not_a_staff_card")
    with world.database.unit_of_work() as session:
        session.add(StaffCard(card_id=shop.card.id, staff="stf_x", linked_by="staff:x", created_at=world.clock()))
        install(session, session.get_one(Card, shop.card.id))

    sent = api.post(f"{place}/test", {"card": shop.card.number})

    assert sent.status_code == 200, sent.text
    assert sent.get_json()["counts"]["planned"] == 0
    with world.database.reading() as session:
        assert session.scalars(select(Card.version).where(Card.id == shop.card.id)).one() == 2


def test_another_programme_s_campaign_is_not_there(api: Api, bound: Api, shop: Shop) -> None:
    theirs = api.post("/campaigns", {"programme": "stranger", "message": MESSAGE, "send_at": "now"}).get_json()

    for step in ("", "/forecast", "/recipients"):
        problem(bound.get(f"/campaigns/{theirs['id']}{step}"), 404, "unknown_campaign")
    for step in ("approve", "launch", "pause", "resume", "cancel"):
        problem(bound.post(f"/campaigns/{theirs['id']}/{step}"), 404, "unknown_campaign")


def test_campaigns_are_listed_by_state(api: Api, shop: Shop) -> None:
    created(api, shop)

    assert len(api.get("/campaigns?state=draft").get_json()["items"]) == 1
    assert api.get("/campaigns?state=sent").get_json()["items"] == []


def test_a_recurring_campaign_waits_for_its_next_day(world: World, api: Api, shop: Shop) -> None:
    ready(world, shop)
    campaign = created(
        api, shop, send_at=..., recurrence={"every": "week", "weekdays": [1, 5], "at": "10:00"}, timezone_mode="store"
    )

    launched = api.post(f"/campaigns/{campaign['id']}/launch").get_json()

    assert launched["kind"] == "recurring"
    assert launched["next_at"] == "2026-11-23T07:00:00.000+00:00"
