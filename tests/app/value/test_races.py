"""Money on cards, asked for by many tills at once through two server processes, on both databases."""

import itertools
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from app.cards.models import Programme
from app.clock import system_clock
from app.ledger import verify
from app.value import liability
from app.world import World
from tests import factories
from tests.app.api.conftest import make_key
from tests.conftest import MovableClock, open_test_world, postgres_database, settings_for

ROOT = Path(__file__).parents[3]
THREADS = 50
NUMBERS = itertools.count(1)


@dataclass(kw_only=True)
class House:
    """One database, the two processes that serve it, and a programme whose cards need no PIN."""

    world: World
    key: str
    servers: Iterator[str]
    programme: Programme

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        """To the servers in turn; 503 promises that nothing was changed, so the same request is sent again."""
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"race {next(NUMBERS)}"}
        for _ in range(20):
            answer = requests.post(next(self.servers) + path, json=body, headers=headers, timeout=60)
            if answer.status_code != 503:
                break
            time.sleep(0.2)
        return answer

    def card(self, amount: str) -> str:
        """The number of a new gift card with that much on it."""
        body = {"programme": self.programme.slug, "amount": amount, "funding_reference": f"F{next(NUMBERS)}"}
        number: str = self.post("/gift-cards", body).json()["number"]
        return number

    def left(self, number: str) -> str:
        """What is on a card, once the books were checked."""
        with self.world.database.reading() as session:
            assert verify.differences(session) == []
            assert liability.report(session, self.programme, now=self.world.clock()).is_exact
        headers = {"Authorization": f"Bearer {self.key}"}
        shown = requests.get(f"{next(self.servers)}/gift-cards/{number}", headers=headers, timeout=60).json()
        return str(shown["balance"])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("money")
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "tessera.db")
            url = f"sqlite:///{folder / 'tessera.db'}"
        else:
            url = stack.enter_context(postgres_database(request.getfixturevalue("postgres")))
        world = open_test_world(settings_for(url, folder), MovableClock(system_clock()))
        stack.callback(world.database.close)
        ports = [stack.enter_context(_server(url, folder)) for _ in range(2)]
        with world.database.unit_of_work() as session:
            programme = factories.programme(session)
        servers = itertools.cycle(f"http://127.0.0.1:{port}/api/v1" for port in ports)
        yield House(world=world, key=make_key(world, "write"), servers=servers, programme=programme)


@contextmanager
def _server(url: str, folder: Path) -> Iterator[str]:
    """A process that serves the database; its port."""
    command = [sys.executable, "-m", "tests.app.api.served", url, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def at_once(work: Callable[[int], requests.Response], times: int) -> Counter[str]:
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(work, range(times)))
    return Counter(str(a.status_code) if a.ok else f"{a.status_code} {a.json()['code']}" for a in answers)


def test_a_hundred_payments_of_sixty_from_a_hundred_are_one(house: House) -> None:
    number = house.card("100.00")

    found = at_once(lambda _: house.post(f"/cards/{number}/pay", {"amount": "60.00"}), 100)

    assert found == {"201": 1, "422 partial_offered": 99}
    assert house.left(number) == "40.00"


def test_fifty_loads_with_one_reference_are_one(house: House) -> None:
    number = house.card("1.00")
    body = {"amount": "60.00", "funding_reference": f"BANK {number}"}

    found = at_once(lambda _: house.post(f"/cards/{number}/load", body), 50)

    assert found == {"201": 1, "409 duplicate_funding_reference": 49}
    assert house.left(number) == "61.00"


def test_one_reference_loads_one_of_many_cards(house: House) -> None:
    numbers = [house.card("1.00") for _ in range(10)]
    body = {"amount": "60.00", "funding_reference": f"BANK {numbers[0]}"}

    found = at_once(lambda n: house.post(f"/cards/{numbers[n]}/load", body), 10)

    assert found == {"201": 1, "409 duplicate_funding_reference": 9}
    assert sorted(house.left(number) for number in numbers) == ["1.00"] * 9 + ["61.00"]


def test_refunds_at_once_never_exceed_the_payment(house: House) -> None:
    number = house.card("100.00")
    paid = house.post(f"/cards/{number}/pay", {"amount": "100.00"}).json()["transaction"]["id"]

    found = at_once(lambda _: house.post(f"/transactions/{paid}/refund", {"amount": "30.00"}), 20)

    assert found == {"201": 3, "422 exceeds_original": 17}
    assert house.left(number) == "90.00"


def test_a_stopped_card_pays_nothing_after_the_answer(house: House) -> None:
    number = house.card("100.00")

    def work(turn: int) -> requests.Response:
        if turn == 20:
            return house.post(f"/gift-cards/{number}/block", {"reason": "stolen"})
        return house.post(f"/cards/{number}/pay", {"amount": "1.00"})

    found = at_once(work, 40)

    paid = found["201"]
    assert found == Counter({"200": 1, "201": paid, "409 void_card": 39 - paid})
    assert house.left(number) == f"{100 - paid}.00"
    assert house.post(f"/cards/{number}/pay", {"amount": "1.00"}).json()["code"] == "void_card"


def test_a_lost_card_is_replaced_once_and_no_payment_is_lost(house: House) -> None:
    number = house.card("100.00")

    def work(turn: int) -> requests.Response:
        if turn % 10 == 5:
            return house.post(f"/gift-cards/{number}/replace", {"reason": "lost"})
        return house.post(f"/cards/{number}/pay", {"amount": "1.00"})

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(work, range(40)))

    new = [one.json() for one in answers if one.status_code == 201 and "pin" in one.json()]
    paid = sum(one.status_code == 201 and "pin" not in one.json() for one in answers)
    assert len(new) == 1
    assert {one.json()["code"] for one in answers if not one.ok} <= {"void_card"}
    assert (house.left(number), house.left(new[0]["number"])) == ("0.00", f"{100 - paid}.00")


def test_guessing_with_many_tills_at_once_gains_no_try(house: House) -> None:
    number = house.card("1000.00")

    found = at_once(lambda n: house.post(f"/cards/{number}/pay", {"amount": "600.00", "pin": f"{n:04d}x"}), 30)

    assert found == {"403 wrong_pin": 5, "409 pin_locked": 25}
    assert house.left(number) == "1000.00"
