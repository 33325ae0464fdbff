"""Rewards, offers, codes, stamps and holds, asked for by many tills at once, on both databases: each given once."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.cards.models import Programme
from app.clock import system_clock
from app.counter import timekeeping
from app.offers import service as offers
from app.world import World
from tests.app.api.races.house import NUMBERS, TIMES, Answer, House
from tests.conftest import MovableClock


def reward(house: House, **over: Any) -> str:
    body = {"programme": house.programme.slug, "name": f"Coffee {next(NUMBERS)}", "points": 100, **over}
    public_id: str = house.made("/rewards", body)["id"]
    return public_id


def codes(house: House, size: int = 1, **gives: Any) -> tuple[str, list[str]]:
    """A batch of codes, and the codes."""
    body = {"programme": house.programme.slug, "name": "Flyer", "size": size, **(gives or {"points": 7})}
    batch = house.made("/coupon-batches", body)["id"]
    return batch, house.get(f"/coupon-batches/{batch}/codes")["items"]


def offer(house: House, **limits: int) -> str:
    now = system_clock()
    with house.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, house.programme.id)
        draft = offers.OfferDraft(
            programme=programme, title=f"Cake {next(NUMBERS)}", body="", starts_at=now,
            ends_at=now + timedelta(hours=1), timezone="Europe/Istanbul", **limits,
        )  # fmt: skip
        return offers.create(session, draft, by="staff:x", now=now).public_id


@pytest.mark.parametrize("cards", [1, 50])
def test_of_fifty_redemptions_of_one_code_one_succeeds(house: House, cards: int) -> None:
    numbers = house.cards(cards)
    for code in codes(house, TIMES)[1]:
        found = house.outcomes(
            lambda n, code=code: house.post(f"/cards/{numbers[n % cards]}/redeem", {"coupon": code}), 50
        )

        assert found == {"201": 1, "409 already_used": 49}
    assert sum(house.balance(number) for number in numbers) == 7 * TIMES


def test_a_code_that_is_undone_while_others_try_it_is_used_by_one_at_a_time(house: House) -> None:
    gives = offer(house, limit_total=1)
    numbers = house.cards(6)
    for code in codes(house, TIMES, offer=gives)[1]:
        first = house.made(f"/cards/{numbers[0]}/redeem", {"coupon": code})["transaction"]["id"]

        def one(n: int, code: str = code, first: str = first) -> Answer:
            if n % 3 == 0:
                return house.post(f"/transactions/{first}/reverse", {"reason": "x"})
            return house.post(f"/cards/{numbers[n % 6]}/redeem", {"coupon": code})

        answers = house.at_once(one, 12)

        undone, used = (
            Counter(a.outcome for n, a in enumerate(answers) if bool(n % 3) is way) for way in (False, True)
        )
        assert undone == {"201": 1, "409 already_reversed": 3}
        assert used["201"] <= 1
        assert set(used) <= {"201", "409 already_used"}
        for answer in answers:
            if answer.status == 201 and answer.body["transaction"]["kind"] == "offer":
                house.made(f"/transactions/{answer.body['transaction']['id']}/reverse", {"reason": "x"})


def test_no_code_is_used_once_its_batch_is_known_to_be_called_back(house: House) -> None:
    card = house.card()
    for _ in range(TIMES):
        batch, all_codes = codes(house, 9)

        def one(n: int, batch: str = batch, all_codes: list[str] = all_codes) -> Answer:
            if n == 9:
                return house.post(f"/coupon-batches/{batch}/revoke", {})
            return house.post(f"/cards/{card}/redeem", {"coupon": all_codes[n]})

        found = house.outcomes(one, 10)

        used = found["201"]
        assert found == Counter({"200": 1, "201": used, "409 revoked": 9 - used})
        assert house.get(f"/coupon-batches/{batch}")["used"] == used
        assert {one(n).outcome for n in range(9)} <= {"409 revoked", "409 already_used"}


def test_the_last_piece_goes_to_one_of_twenty_members(house: House) -> None:
    cards = house.cards(20, points=100 * TIMES)
    for _ in range(TIMES):
        wanted = reward(house, stock=1)

        found = house.outcomes(lambda n, wanted=wanted: house.post(f"/cards/{cards[n]}/redeem", {"reward": wanted}), 20)

        assert found == {"201": 1, "409 out_of_stock": 19}
        assert house.get(f"/rewards/{wanted}")["stock"] == 0


@pytest.mark.parametrize("limit", ["limit_per_member", "limit_per_member_day", "limit_total", "limit_per_day"])
def test_a_limit_of_a_reward_holds_for_holds_and_redemptions_at_once(house: House, limit: str) -> None:
    card = house.card(points=1000 * TIMES)
    ways = f"/cards/{card}/redeem", f"/cards/{card}/holds"
    for _ in range(TIMES):
        wanted = reward(house, **{limit: 2})

        found = house.outcomes(lambda n, wanted=wanted: house.post(ways[n % 2], {"reward": wanted}), 8)

        assert found == {"201": 2, "409 limit_reached": 6}


def test_the_last_use_of_a_limited_offer_goes_to_one_of_twenty_cards(house: House) -> None:
    cards = house.cards(20)
    for _ in range(TIMES):
        wanted = offer(house, limit_total=1)

        found = house.outcomes(lambda n, wanted=wanted: house.post(f"/cards/{cards[n]}/redeem", {"offer": wanted}), 20)

        assert found == {"201": 1, "409 budget_spent": 19}


def test_a_single_use_offer_is_used_once_by_each_card(house: House) -> None:
    card = house.card()
    for _ in range(TIMES):
        wanted = offer(house, limit_per_card=1)

        found = house.outcomes(lambda _, wanted=wanted: house.post(f"/cards/{card}/redeem", {"offer": wanted}), 20)

        assert found == {"201": 1, "409 already_used": 19}


def test_one_reward_of_a_full_stamp_card_is_used_once_by_fifty(house: House) -> None:
    body = {"programme": house.programme.slug, "name": "Coffee card", "reward": "A coffee", "size": 5}
    stamps = house.made("/stamp-cards", {**body, "cool_down_min": 0})["id"]
    for card in house.cards(TIMES):
        house.made(f"/cards/{card}/stamps", {"stamp_card": stamps, "count": 7})
        found = house.outcomes(
            lambda _, card=card: house.post(f"/cards/{card}/vouchers/redeem", {"stamp_card": stamps}), 50
        )

        assert found == {"201": 1, "409 already_used": 49}


def test_a_hold_is_captured_voided_or_swept_once(house: House) -> None:
    """The sweep lives an hour ahead, so that for it the hold is over while both tills still may end it."""
    ahead = World(
        settings=house.world.settings, database=house.world.database, vault=house.world.vault,
        clock=MovableClock(system_clock() + timedelta(hours=1)),
    )  # fmt: skip
    for card in house.cards(TIMES, points=100):
        wanted = reward(house, stock=1)
        hold = house.made(f"/cards/{card}/holds", {"reward": wanted})["id"]

        def one(n: int, hold: str = hold) -> Answer:
            if n % 5 == 4:
                return Answer(status=200, text=str(timekeeping.end_holds(ahead)), headers={})
            return house.post(f"/holds/{hold}/{('capture', 'void')[n % 2]}", {})

        found = house.outcomes(one, 10)

        ended = house.get(f"/holds/{hold}")["state"]
        by_tills = 0 if ended == "expired" else 1
        assert found == Counter({"200": 2, "201": by_tills, "409 hold_ended": 8 - by_tills})
        left = house.get(f"/rewards/{wanted}")["stock"], house.balance(card)
        assert left == ((0, 0) if ended == "captured" else (1, 100))


def test_holds_of_one_card_hold_what_it_has_and_no_more(house: House) -> None:
    for card in house.cards(TIMES, points=100):
        found = house.outcomes(lambda _, card=card: house.post(f"/cards/{card}/holds", {"points": 30}), 20)

        assert found == {"201": 3, "422 insufficient": 17}


def test_places_that_are_given_up_at_once_go_to_who_waits(house: House) -> None:
    """Two places, ten members: the two who have one and half of those who wait give up at the same moment."""
    cards = house.cards(10, points=100 * TIMES)
    starts = datetime.now(UTC) + timedelta(days=9)
    wanted = reward(house, kind="experience", cancel_before_hours=1)
    for day in range(TIMES):
        window = {"starts_at": starts + timedelta(days=day), "ends_at": starts + timedelta(days=day, hours=2)}
        body = {name: at.isoformat() for name, at in window.items()}
        slot = house.made(f"/rewards/{wanted}/slots", {"capacity": 2, **body})["id"]
        asked = {"reward": wanted, "slot": slot, "wait": True}
        answers = house.at_once(lambda n, asked=asked: house.post(f"/cards/{cards[n]}/redeem", asked), 10)
        states = [answer.body["booking_state"] for answer in answers]
        assert Counter(states) == {"taken": 2, "waiting": 8}
        in_order = sorted(range(10), key=lambda n, states=states: (states[n], n))  # type: ignore[misc]
        leaving = [answers[n].body["booking"] for n in in_order[:6]]

        found = house.outcomes(lambda n, leaving=leaving: house.post(f"/bookings/{leaving[n]}/cancel", {}), 6)

        assert found == {"201": 6}
        staying = [house.get(f"/cards/{cards[n]}/bookings")["items"] for n in in_order[6:]]
        assert sum(any(one["slot"] == slot for one in items) for items in staying) == 2
        for n in in_order[6:]:
            house.made(f"/bookings/{answers[n].body['booking']}/cancel", {})
