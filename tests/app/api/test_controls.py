"""Limits, notices, corrections and joined cards over the API."""

from typing import Any

import pytest

from app.cards.models import Card
from app.counter import own_cards
from app.fraud import service as fraud
from app.world import World
from tests import factories
from tests.app.api.conftest import Api, Shop, make_key, problem
from tests.conftest import MovableClock

LIMITS = "/programmes/kahve/limits"


@pytest.fixture
def admin(api: Api, world: World) -> Api:
    return Api(client=api.client, key=make_key(world, "admin"))


@pytest.fixture
def second(shop: Shop, world: World) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, session.merge(shop.programme), "Ayşe Y", email="other@example.com")


def earn(api: Api, card: Card, amount: str = "1000.00") -> Any:
    return api.post(f"/cards/{card.number}/earn", {"amount": amount})


def balance(api: Api, card: Card) -> int:
    found: int = api.get(f"/cards/{card.number}").get_json()["balance"]
    return found


def adjust(api: Api, shop: Shop, units: int, **body: Any) -> Any:
    return api.post(f"/cards/{shop.card.number}/adjustments", {"units": units, "reason": "counted twice", **body})


def test_limits_are_read_set_and_felt_by_the_next_purchase(admin: Api, shop: Shop) -> None:
    usual = admin.get(LIMITS).get_json()
    assert (usual["card_per_hour"], usual["tell_sales_per_day"], usual["soon_min"]) == (None, 5, 10)

    set_to = admin.call("PUT", LIMITS, {"card_per_hour": 1, "open_from": "08:00", "open_to": "22:00"}).get_json()

    assert set_to == {**usual, "card_per_hour": 1, "open_from": "08:00", "open_to": "22:00"}
    assert admin.get(LIMITS).get_json() == set_to
    assert earn(admin, shop.card).status_code == 201
    problem(earn(admin, shop.card), 409, "limit_reached")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"card_per_hour": 0}, "card_per_hour"),
        ({"card_per_hour": "3"}, "card_per_hour"),
        ({"per_year": 3}, "per_year"),
        ({"open_from": "08:00"}, "open_to"),
        ({"open_from": "8", "open_to": "22:00"}, "open_from"),
        ({"open_from": "08:00", "open_to": "22:00+03"}, "open_to"),
        ({"open_from": "24:00", "open_to": "22:00"}, "open_from"),
        ({"corrections": {"boss": 3}}, "corrections.boss.key"),
        ({"corrections": {"support": -1}}, "corrections.support.value"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused_by_field(
    admin: Api, shop: Shop, body: dict[str, Any], field: str
) -> None:
    answer = admin.call("PUT", LIMITS, body)

    errors = answer.get_json()["errors"]
    assert answer.status_code == 422
    assert any(name == field or name.startswith(field.partition(".")[0]) for name in errors), errors


def test_a_notice_is_listed_in_words_and_dismissed_once_with_a_reason(admin: Api, shop: Shop) -> None:
    admin.call("PUT", LIMITS, {"card_per_hour": 1})
    earn(admin, shop.card)
    earn(admin, shop.card)

    [notice] = admin.get("/notices?programme=kahve").get_json()["items"]

    assert (notice["kind"], notice["card"]) == ("card_limit", shop.card.number)
    assert notice["text"] == "The card earned 1 times in an hour; the next was refused."
    path = f"/notices/{notice['id']}/dismiss"
    problem(admin.post(path, {"reason": "ok"}), 422, "reason_missing")
    assert admin.post(path, {"reason": "a birthday party"}).get_json()["dismissed_because"] == "a birthday party"
    problem(admin.post(path, {"reason": "once more"}), 409, "already_dismissed")
    assert admin.get("/notices").get_json()["items"] == []
    assert len(admin.get("/notices?state=dismissed").get_json()["items"]) == 1


def test_another_programme_s_key_sees_no_notice_and_no_correction(admin: Api, shop: Shop, world: World) -> None:
    stranger = Api(client=admin.client, key=make_key(world, "admin", shop.other))
    asked = adjust(admin, shop, 9_000).get_json()
    adjust(admin, shop, 1)
    [notice] = admin.get("/notices").get_json()["items"]

    assert stranger.get("/notices").get_json()["items"] == []
    assert stranger.get("/adjustments").get_json()["items"] == []
    refused = stranger.post(f"/notices/{notice['id']}/dismiss", {"reason": "not mine"})
    problem(refused, 404, "unknown_notice")
    refused = stranger.post(f"/adjustments/{asked['id']}/approve")
    problem(refused, 404, "unknown_adjustment")


def test_a_correction_within_the_limit_is_booked_and_told(admin: Api, shop: Shop) -> None:
    done = adjust(admin, shop, 250).get_json()

    assert (done["state"], done["transaction"]["kind"], balance(admin, shop.card)) == ("done", "adjust", 250)
    assert [one["kind"] for one in admin.get("/notices").get_json()["items"]] == ["adjusted"]
    too_much = problem(adjust(admin, shop, -251), 422, "insufficient")
    assert too_much["detail"] == "Has 250, needs 251."


def test_above_the_limit_another_key_with_more_scope_decides(admin: Api, shop: Shop, world: World) -> None:
    admin.call("PUT", LIMITS, {"corrections": {"integrator": 100}})
    asked = adjust(admin, shop, 250).get_json()
    assert (asked["state"], asked["transaction"], balance(admin, shop.card)) == ("waiting", None, 0)
    path = f"/adjustments/{asked['id']}"
    writer, other = (Api(client=admin.client, key=make_key(world, scope)) for scope in ("write", "admin"))

    problem(admin.post(f"{path}/approve"), 403, "needs_second_person")
    problem(writer.post(f"{path}/approve"), 403, "scope_too_small")
    assert [one["id"] for one in admin.get("/adjustments").get_json()["items"]] == [asked["id"]]
    assert other.post(f"{path}/approve").get_json()["state"] == "done"

    assert balance(admin, shop.card) == 250
    problem(other.post(f"{path}/refuse"), 409, "already_decided")
    assert admin.get("/adjustments").get_json()["items"] == []


def test_money_waits_for_a_second_key_however_little(admin: Api, shop: Shop, world: World) -> None:
    asked = adjust(admin, shop, 1, unit="TRY").get_json()
    other = Api(client=admin.client, key=make_key(world, "admin"))

    assert asked["state"] == "waiting"
    assert other.post(f"/adjustments/{asked['id']}/refuse").get_json()["state"] == "refused"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"units": 0}, "invalid_points"),
        ({"units": 1, "reason": "no"}, "reason_missing"),
        ({"units": 1, "unit": "stars"}, "unknown_unit"),
        ({"units": 1.5}, "invalid_body"),
        ({"units": 10**10}, "invalid_body"),
        ({"units": 1, "reason": "a\u0000b"}, None),
    ],
)
def test_corrections_that_cannot_be_meant_are_refused(
    admin: Api, shop: Shop, body: dict[str, Any], code: str | None
) -> None:
    answer = admin.post(f"/cards/{shop.card.number}/adjustments", {"reason": "counted", **body})

    assert answer.status_code in {400, 422}
    assert code is None or answer.get_json()["code"] == code


def test_two_cards_are_joined_and_parted(admin: Api, shop: Shop, second: Card) -> None:
    earn(admin, second)
    path = f"/cards/{second.number}/merge"

    made = admin.post(path, {"into": shop.card.number, "reason": "same person"}).get_json()

    assert (made["card"], made["into"], made["units"]) == (second.number, shop.card.number, {"points": 100})
    assert (balance(admin, shop.card), balance(admin, second)) == (100, 0)
    problem(earn(admin, second), 409, "card_not_active")
    assert admin.get(f"/cards/{second.number}").get_json()["status"] == "voided"
    parted = admin.post(f"/merges/{made['id']}/undo").get_json()
    assert parted["undone_at"] is not None
    assert (balance(admin, shop.card), balance(admin, second)) == (0, 100)
    problem(admin.post(f"/merges/{made['id']}/undo"), 409, "already_undone")


def test_joining_is_refused_where_it_makes_no_sense(admin: Api, shop: Shop, second: Card) -> None:
    path = f"/cards/{second.number}/merge"

    problem(admin.post(path, {"into": second.number, "reason": "same"}), 422, "same_card")
    problem(admin.post(path, {"into": shop.other_card.number, "reason": "x y z"}), 422, "wrong_programme")
    problem(admin.post(path, {"into": "99999", "reason": "same person"}), 404, "unknown_card")
    problem(admin.post(path, {"into": shop.card.number, "reason": "x"}), 422, "reason_missing")
    problem(admin.post("/merges/mrg_x/undo"), 404, "unknown_merge")


def test_a_second_purchase_within_minutes_is_remarked(api: Api, shop: Shop, clock: MovableClock) -> None:
    first = earn(api, shop.card).get_json()
    clock.advance(minutes=4)

    assert (first["warnings"], earn(api, shop.card).get_json()["warnings"]) == ([], ["soon_again"])


def test_cards_of_people_who_work_here_are_found_by_their_address(api: Api, shop: Shop, world: World) -> None:
    with world.database.unit_of_work() as session:
        staff = factories.staff(session, "cashier", email="Ayse@example.com")

    assert (own_cards.link(world), own_cards.link(world)) == (1, 0)

    with world.database.reading() as session:
        assert own_cards.of_staff(session, f"staff:{staff.public_id}") == [shop.card.number]
        assert fraud.open_notices(session, shop.programme.id) == []
