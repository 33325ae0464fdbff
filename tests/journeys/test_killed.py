"""kill -9 of any process during the story, then start again: balances exact, both phones current."""

import random
import threading
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.conftest import postgres_database
from tests.journeys.stage import SHOWN_WITHIN_S, Stage, balance_on, stage

EARNS = 24
SEED = 7


class Till(threading.Thread):
    """A till that repeats each sale with the same key until it is answered, as a till should."""

    def __init__(self, place: Stage, number: str, sales: int) -> None:
        super().__init__(daemon=True)
        self.place, self.number, self.sales = place, number, sales
        self.answered = 0
        self.given_up = threading.Event()

    def run(self) -> None:
        for sale in range(self.sales):
            key = str(uuid.uuid4())
            while not self.given_up.is_set() and not self._sent(sale, key):
                self.given_up.wait(0.05)

    def _sent(self, sale: int, key: str) -> bool:
        api = self.place.api
        try:
            answer = api.session.post(
                f"{api.base}/api/v1/cards/{self.number}/earn",
                json={"amount": "10.00", "receipt": f"K-{sale}"},
                headers={"Idempotency-Key": key},
                timeout=20,
            )
        except requests.RequestException:
            return False
        if answer.status_code == 201:
            self.answered += 1
        assert answer.status_code in {201, 409, 503}, answer.text
        return answer.status_code == 201


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_any_process_may_be_killed_at_any_time(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with ExitStack() as held:
        url = f"sqlite:///{tmp_path}/tessera.db"
        if database == "postgresql":
            url = held.enter_context(postgres_database(request.getfixturevalue("postgres")))
        place = held.enter_context(stage(tmp_path, url))
        iphone, android = place.iphone(), place.android()
        card = place.member()
        place.add_to_iphone(iphone, card)
        object_id = place.add_to_android(android, card)
        till = Till(place, card["number"], EARNS)
        dice = random.Random(SEED)

        till.start()
        for victim in ("deliver", "web", "deliver", "web"):
            till.join(dice.uniform(0.1, 0.6))
            place.product.kill(victim)
            place.product.start(victim)
        till.join(SHOWN_WITHIN_S)
        till.given_up.set()

        assert till.answered == EARNS
        assert place.api.get(f"cards/{card['number']}")["balance"] == EARNS
        assert iphone.wait_until(lambda p: p.shows(card["serial"], "balance") == EARNS, SHOWN_WITHIN_S), iphone.log
        assert android.wait_until(lambda p: balance_on(p, object_id) == EARNS, SHOWN_WITHIN_S), android.log
        assert "adds up" in place.product.tessera("ledger", "verify")


def test_the_parent_restarts_what_dies_and_takes_its_children_along(tmp_path: Path) -> None:
    with stage(tmp_path, f"sqlite:///{tmp_path}/tessera.db", "run") as place:
        iphone = place.iphone()
        card = place.member()
        place.add_to_iphone(iphone, card)

        place.api.earn(card["number"], "10.00")
        place.product.kill("run")
        place.product.start("run")

        assert place.api.get(f"cards/{card['number']}")["balance"] == 1
        assert iphone.wait_until(lambda p: p.shows(card["serial"], "balance") == 1, SHOWN_WITHIN_S), iphone.log
