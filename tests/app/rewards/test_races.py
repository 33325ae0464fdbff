"""Rewards and codes, asked for by many tills at once through two server processes, on both databases."""

import itertools
from typing import Any

import requests

from tests import factories
from tests.app.value.test_races import House, at_once, house

__all__ = ["house"]  # the fixture: one database and two processes that serve it

NAMES = itertools.count(1)


def members(house: House, count: int) -> list[str]:
    """Numbers of cards with 100 points each."""
    with house.world.database.unit_of_work() as session:
        programme = session.merge(house.programme)
        numbers = [factories.card(session, programme, f"Guest {next(NAMES)}").number for _ in range(count)]
    for number in numbers:
        assert house.post(f"/cards/{number}/earn", {"amount": "1000.00"}).status_code == 201
    return numbers


def made(house: House, path: str, **body: Any) -> Any:
    answer = house.post(path, {"programme": house.programme.slug, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def codes(house: House, **body: Any) -> list[str]:
    batch = made(house, "/coupon-batches", name="Flyer", **body)
    return [str(one) for one in read(house, f"/coupon-batches/{batch['id']}/codes")["items"]]


def read(house: House, path: str) -> Any:
    headers = {"Authorization": f"Bearer {house.key}"}
    return requests.get(next(house.servers) + path, headers=headers, timeout=60).json()


def test_of_fifty_redemptions_of_one_code_one_succeeds(house: House) -> None:
    cards = members(house, 5)
    code = codes(house, size=1, points=7)[0]

    found = at_once(lambda n: house.post(f"/cards/{cards[n % 5]}/redeem", {"coupon": code}), 50)

    assert found == {"201": 1, "409 already_used": 49}


def test_the_last_piece_goes_to_one_of_twenty_members(house: House) -> None:
    cards = members(house, 20)
    reward = made(house, "/rewards", name="Coffee", points=100, stock=1)["id"]

    found = at_once(lambda n: house.post(f"/cards/{cards[n]}/redeem", {"reward": reward}), 20)

    assert found == {"201": 1, "409 out_of_stock": 19}


def test_one_hold_is_captured_or_voided_once_by_many(house: House) -> None:
    card = members(house, 1)[0]
    reward = made(house, "/rewards", name="Coffee", points=100, stock=1)["id"]
    hold = made_hold(house, card, reward)
    ends = ("capture", "void")

    found = at_once(lambda n: house.post(f"/holds/{hold}/{ends[n % 2]}", {}), 20)

    assert found == {"201": 1, "409 hold_ended": 19}
    left = read(house, f"/rewards/{reward}")["stock"], read(house, f"/cards/{card}")["balance"]
    assert left in {(0, 0), (1, 100)}


def test_a_hundred_holds_of_one_card_hold_what_it_has_and_no_more(house: House) -> None:
    card = members(house, 1)[0]

    found = at_once(lambda _: house.post(f"/cards/{card}/holds", {"points": 30}), 60)

    assert found == {"201": 3, "422 insufficient": 57}


def made_hold(house: House, card: str, reward: str) -> str:
    answer = house.post(f"/cards/{card}/holds", {"reward": reward})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
