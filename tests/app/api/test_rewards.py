"""Rewards, holds and unique codes as integrators use them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.counter import visiting
from app.world import World
from tests.app.api.conftest import Api, Shop, problem

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def make(api: Api) -> Make:
    """A coffee for 100 points, unless it is said otherwise."""

    def work(**over: Any) -> dict[str, Any]:
        fields = {"programme": "kahve", "name": "Coffee", "points": 100, **over}
        answer = api.post("/rewards", {name: value for name, value in fields.items() if value is not ...})
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    return work


@pytest.fixture
def card(api: Api, shop: Shop) -> str:
    """The address of a card with 3,000 points."""
    api.post(f"/cards/{shop.card.number}/earn", {"amount": "30000.00"})
    return f"/cards/{shop.card.number}"


def test_a_reward_says_everything_that_was_said_of_it(api: Api, shop: Shop, make: Make) -> None:
    sent = {
        "kind": "discount", "value": "0.10", "points": 1, "flexible": True, "max_share": 50, "min_spend": "5.00",
        "stores": [shop.store.public_id], "limit_per_member_day": 2, "starts_at": "2026-11-20T10:00:00.000+00:00",
        "texts": {"tr": "Kahve"}, "goal_days": None, "tiers": [],
    }  # fmt: skip

    made = make(**sent)

    assert {name: made[name] for name in sent} == sent
    assert (made["unit"], made["active"], made["used"], made["stock"]) == ("points", True, 0, None)
    assert api.get(f"/rewards/{made['id']}").get_json() == made
    assert api.get("/rewards?programme=kahve").get_json()["items"] == [made]


def test_a_reward_is_changed_field_by_field_and_its_stock_by_what_came_or_went(api: Api, make: Make) -> None:
    made = make(stock=5, limit_total=10)

    changed = api.call("PATCH", f"/rewards/{made['id']}", {"points": 120, "limit_total": None, "stock_change": -2})
    over = api.call("PATCH", f"/rewards/{made['id']}", {"stock": 50})

    assert changed.status_code == 200, changed.text
    assert changed.get_json() == {**made, "points": 120, "limit_total": None, "stock": 3}
    problem(over, 409, "stock_counted")


@pytest.mark.parametrize(
    ("over", "code", "field"),
    [
        ({"kind": "money"}, "invalid_body", "kind"),
        ({"kind": "discount"}, "invalid_reward", "value"),
        ({"points": 0}, "invalid_body", "points"),
        ({"points": ...}, "invalid_reward", "points"),
        ({"value": "0.001"}, "invalid_amount", "value"),
        ({"unit": "stamps"}, "invalid_body", "unit"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "invalid_reward", "ends_at"),
        ({"price": 5}, "invalid_body", "price"),
    ],
)
def test_what_cannot_be_a_reward_is_refused_by_field(api: Api, shop: Shop, over: Any, code: str, field: str) -> None:
    body = {"programme": "kahve", "name": "Coffee", "points": 100, **over}
    answer = api.post("/rewards", {name: value for name, value in body.items() if value is not ...})

    assert field in problem(answer, 422, code)["errors"]


def test_a_discount_of_a_basket_says_what_it_takes_off(api: Api, card: str, make: Make) -> None:
    reward = make(kind="discount", points=1, value="0.10", flexible=True, max_share=50)

    done = api.post(f"{card}/redeem", {"reward": reward["id"], "basket": "20.00"}).get_json()

    assert (done["discount"], done["balance"], done["transaction"]["points"]) == ("10.00", 2_900, -100)
    assert done["transaction"]["reward"] == reward["id"]
    problem(api.post(f"{card}/redeem", {"reward": reward["id"]}), 422, "basket_needed")


def test_a_hold_is_placed_read_and_captured_in_part(api: Api, card: str) -> None:
    placed = api.post(f"{card}/holds", {"points": 500, "expires_in": 60}).get_json()
    taken = api.post(f"/holds/{placed['id']}/capture", {"points": 200}).get_json()

    assert (placed["units"], placed["state"], placed["balance"]) == (500, "open", 2_500)
    assert (taken["hold"]["state"], taken["hold"]["captured"], taken["balance"]) == ("captured", 200, 2_800)
    assert taken["transaction"]["kind"] == "capture"
    assert api.get(f"/holds/{placed['id']}").get_json() == taken["hold"]
    problem(api.post(f"/holds/{placed['id']}/capture", {}), 409, "hold_ended")
    problem(api.post(f"/holds/{placed['id']}/void", {}), 409, "hold_ended")


def test_a_held_reward_keeps_its_stock_until_it_is_let_go(api: Api, card: str, make: Make) -> None:
    reward = make(stock=1)
    held = api.post(f"{card}/holds", {"reward": reward["id"]}).get_json()

    problem(api.post(f"{card}/redeem", {"reward": reward["id"]}), 409, "out_of_stock")
    freed = api.post(f"/holds/{held['id']}/void", {}).get_json()

    assert (held["reward"], freed["state"], freed["balance"]) == (reward["id"], "voided", 3_000)
    assert api.get(f"/rewards/{reward['id']}").get_json()["stock"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"points": 3_001}, "insufficient"),
        ({"points": 5, "expires_in": 29}, "invalid_body"),
        ({"points": 5, "expires_in": 3_601}, "invalid_body"),
        ({}, "invalid_body"),
        ({"points": 5, "reward": "rwd_x"}, "invalid_body"),
    ],
)
def test_a_hold_that_cannot_be_is_refused(api: Api, card: str, body: dict[str, Any], code: str) -> None:
    problem(api.post(f"{card}/holds", body), 422, code)


def test_capturing_more_than_is_held_is_refused_and_the_hold_stays(api: Api, card: str) -> None:
    held = api.post(f"{card}/holds", {"points": 50}).get_json()

    problem(api.post(f"/holds/{held['id']}/capture", {"points": 51}), 422, "exceeds_hold")

    assert api.get(f"/holds/{held['id']}").get_json()["state"] == "open"


def test_the_same_hold_and_the_same_capture_are_answered_again(api: Api, card: str) -> None:
    held = [api.post(f"{card}/holds", {"points": 50}, headers={"Idempotency-Key": "hold 1"}) for _ in range(2)]
    path = f"/holds/{held[0].get_json()['id']}/capture"
    taken = [api.post(path, {}, headers={"Idempotency-Key": "take 1"}) for _ in range(2)]

    assert held[0].get_json() == held[1].get_json()
    assert taken[0].get_json() == taken[1].get_json()
    assert taken[0].get_json()["balance"] == 2_950


def test_another_programme_s_holds_rewards_and_batches_do_not_exist(
    api: Api, card: str, make: Make, shop: Shop, key_for: Any
) -> None:
    reward = make()
    held = api.post(f"{card}/holds", {"points": 50}).get_json()
    batch = api.post("/coupon-batches", {"programme": "kahve", "name": "B", "size": 1, "points": 5}).get_json()
    stranger = Api(client=api.client, key=key_for("write", shop.other))

    problem(stranger.get(f"/holds/{held['id']}"), 404, "unknown_hold")
    problem(stranger.post(f"/holds/{held['id']}/void", {}), 404, "unknown_hold")
    problem(stranger.get(f"/rewards/{reward['id']}"), 404, "unknown_reward")
    problem(stranger.get(f"/coupon-batches/{batch['id']}/codes"), 404, "unknown_batch")


def test_codes_are_made_read_forgotten_and_used_once(api: Api, card: str, shop: Shop) -> None:
    body = {"programme": "kahve", "name": "Flyer", "size": 3, "points": 25}
    batch = api.post("/coupon-batches", body).get_json()
    first = api.get(f"/coupon-batches/{batch['id']}/codes?limit=2").get_json()
    rest = api.get(f"/coupon-batches/{batch['id']}/codes?limit=2&cursor={first['next']}").get_json()
    code = rest["items"][0]

    done = api.post(f"{card}/redeem", {"coupon": code.lower(), "store": shop.store.public_id})
    again = problem(api.post(f"{card}/redeem", {"coupon": code}), 409, "already_used")
    forgotten = api.post(f"/coupon-batches/{batch['id']}/forget", {}).get_json()

    assert (batch["state"], len(first["items"]), rest["next"]) == ("ready", 2, None)
    assert (done.status_code, done.get_json()["balance"]) == (201, 3_025)
    assert again["detail"] == "Used 13:00 at Kadıköy"
    assert (forgotten["is_readable"], forgotten["used"]) == (False, 1)
    problem(api.get(f"/coupon-batches/{batch['id']}/codes"), 409, "downloaded")


def test_a_batch_that_was_called_back_gives_nothing(api: Api, card: str) -> None:
    batch = api.post("/coupon-batches", {"programme": "kahve", "name": "B", "size": 1, "points": 5}).get_json()
    code = api.get(f"/coupon-batches/{batch['id']}/codes").get_json()["items"][0]

    revoked = api.post(f"/coupon-batches/{batch['id']}/revoke", {}).get_json()

    assert revoked["state"] == "revoked"
    problem(api.post(f"{card}/redeem", {"coupon": code}), 409, "revoked")


def test_own_codes_give_a_reward_free_of_charge(api: Api, card: str, make: Make) -> None:
    reward = make(stock=1)
    body = {"programme": "kahve", "name": "Own", "codes": ["7k3m-9qx2-tds"], "reward": reward["id"]}
    assert api.post("/coupon-batches", body).status_code == 201

    done = api.post(f"{card}/redeem", {"coupon": "7K3M9QX2TDS"}).get_json()

    assert (done["balance"], done["transaction"]["reward"]) == (3_000, reward["id"])
    faulty = problem(api.post("/coupon-batches", {**body, "codes": ["7K3M9QX2TDT", "x"]}), 422, "invalid_code")
    assert faulty["errors"]["codes.0"] == "Its last character does not fit; it would be S."
    problem(api.post("/coupon-batches", body), 422, "invalid_code")


def test_a_batch_of_too_many_codes_is_refused(api: Api, shop: Shop) -> None:
    body = {"programme": "kahve", "name": "Many", "size": 1_000_001, "points": 5}

    problem(api.post("/coupon-batches", body), 422, "batch_too_large")


def test_ten_wrong_codes_lock_one_till_for_ten_minutes_and_no_other(api: Api, card: str, world: World) -> None:
    batch = api.post("/coupon-batches", {"programme": "kahve", "name": "B", "size": 1, "points": 5}).get_json()
    code = api.get(f"/coupon-batches/{batch['id']}/codes").get_json()["items"][0]
    for _ in range(10):
        problem(api.post(f"{card}/redeem", {"coupon": "7K3M9QX2TDS", "terminal": "1"}), 404, "unknown_code")

    locked = api.post(f"{card}/redeem", {"coupon": code, "terminal": "1"})

    problem(locked, 429, "locked")
    assert int(locked.headers["Retry-After"]) <= 600
    assert api.post(f"{card}/redeem", {"coupon": code, "terminal": "2"}).status_code == 201
    assert hasattr(world.clock, "advance")
    world.clock.advance(minutes=10)
    problem(api.post(f"{card}/redeem", {"coupon": code, "terminal": "1"}), 409, "already_used")


def test_a_place_is_booked_waited_for_cancelled_and_come_to(
    api: Api, card: str, make: Make, shop: Shop, world: World
) -> None:
    reward = make(kind="experience", points=50)
    start = world.clock() + timedelta(days=2)
    slot = api.post(
        f"/rewards/{reward['id']}/slots",
        {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=2)).isoformat(), "capacity": 1},
    ).get_json()
    wish = {"reward": reward["id"], "slot": slot["id"]}
    first = api.post(f"{card}/redeem", wish).get_json()
    problem(api.post(f"{card}/redeem", wish), 409, "slot_full")
    second = api.post(f"{card}/redeem", {**wish, "wait": True}).get_json()

    cancelled = api.post(f"/bookings/{first['booking']}/cancel", {})
    bookings = api.get(f"{card}/bookings").get_json()["items"]

    assert (first["booking_state"], second["booking_state"]) == ("taken", "waiting")
    assert (cancelled.status_code, cancelled.get_json()["balance"]) == (201, 2_950)
    assert [(one["id"], one["state"]) for one in bookings] == [(second["booking"], "taken")]
    assert api.get(f"/rewards/{reward['id']}/slots").get_json()["items"][0]["free"] == 0
    problem(api.post(f"/bookings/{second['booking']}/collect", {}), 409, "not_started")
    assert api.post(f"/rewards/{reward['id']}/slots/{slot['id']}/call_off", {}).get_json()["state"] == "called_off"
    assert visiting.settle_slots(world) == 1
    assert api.get(card).get_json()["balance"] == 3_000


def test_a_card_saves_for_a_reward(api: Api, card: str, make: Make) -> None:
    reward = make(name="Tent", points=5_000, goal_days=30)

    chosen = api.post(f"{card}/goal", {"reward": reward["id"]}).get_json()
    dropped = api.post(f"{card}/goal", {"reward": None}).get_json()

    assert (chosen["name"], chosen["has"], chosen["needs"]) == ("Tent", 3_000, 5_000)
    assert chosen["keeps_until"] == "2026-12-20T21:00:00.000+00:00"
    assert dropped["reward"] is None
