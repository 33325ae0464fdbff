"""A card that somebody else holds for longer than a till waits: 503, and nothing was changed, on both databases."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import bindparam, text

from app.db import Database
from tests.app.api.races.house import NUMBERS, TIMES, House
from tests.app.api.races.test_killed import everything


@contextmanager
def held(house: House, numbers: list[str]) -> Iterator[None]:
    """These cards, locked by a connection that has nothing to do with the servers, and by no rule of theirs."""
    other = Database(house.url)
    wanted = "SELECT id FROM card WHERE number IN :numbers"  # on SQLite whoever has begun to write holds all cards
    query = text(wanted if other.is_sqlite else f"{wanted} FOR UPDATE").bindparams(bindparam("numbers", expanding=True))
    with other.engine.connect() as connection:
        assert len(connection.execute(query, {"numbers": numbers}).all()) == len(numbers)
        yield
        connection.rollback()
    other.close()


def test_whoever_waits_too_long_for_a_card_is_told_and_nothing_was_changed(house: House) -> None:
    cards = house.cards(TIMES, points=100)
    works = [(f"/cards/{card}/{('earn', 'redeem')[n % 2]}", ({"amount": "10.00"}, {"points": 60})[n % 2])
             for n, card in enumerate(cards)]  # fmt: skip
    keys = [f"waits {next(NUMBERS)}" for _ in works]
    before = everything(house)

    with held(house, cards):
        answers = house.at_once(lambda n: house.send(house.ports[n % 2], "POST", *works[n], key=keys[n]), TIMES)

    assert Counter(one.outcome for one in answers) == {"503 busy": TIMES}
    assert {one.headers["Retry-After"] for one in answers} == {"2"}
    assert everything(house) == before
    again = house.at_once(lambda n: house.post(*works[n], keys[n]), TIMES)
    assert Counter(one.outcome for one in again) == {"201": TIMES}
    assert {one.headers.get("Idempotency-Replayed") for one in again} == {None}


def test_whoever_gets_the_card_in_time_is_served(house: House) -> None:
    card = house.card()
    released = threading.Event()

    def release() -> None:
        with held(house, [card]):
            released.set()
            time.sleep(1)

    holder = threading.Thread(target=release)
    holder.start()
    released.wait(10)
    answer = house.send(house.ports[0], "POST", f"/cards/{card}/earn", {"amount": "10.00"}, key=f"w{next(NUMBERS)}")
    holder.join()

    assert answer.outcome == "201"
    assert house.balance(card) == 1
