"""Many tills at once, over real sockets, through two server processes, on both databases."""

import itertools
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import func, select, text

from app.cards.models import Card, Programme
from app.clock import system_clock
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.db import Database
from app.ledger import service as ledger
from app.ledger import verify
from app.ledger.models import Entry
from app.migrations.run import migrate
from app.offers import service as offers
from app.world import World
from tests import factories
from tests.app.api.conftest import make_key
from tests.conftest import MovableClock, open_test_world, settings_for

ROOT = Path(__file__).parents[3]
THREADS = 50

Post = Callable[..., requests.Response]


@dataclass(kw_only=True)
class Table:
    """What one test works on."""

    programme: Programme
    card: Card


@dataclass(kw_only=True)
class House:
    """One database and the two processes that serve it."""

    world: World
    key: str
    servers: list[str]
    programmes: Iterator[int]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Started once for each kind of database; each test works on a programme of its own."""
    folder = tmp_path_factory.mktemp("races")
    url = _database(request, folder)
    world = open_test_world(settings_for(url, folder), MovableClock(system_clock()))
    migrate(world.database)
    command = [sys.executable, "-m", "tests.app.api.served", url, str(folder)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        ports = [process.stdout.readline().strip() for process in processes if process.stdout]
        yield House(
            world=world,
            key=make_key(world, "write"),
            servers=[f"http://127.0.0.1:{port}/api/v1" for port in ports],
            programmes=itertools.count(1),
        )
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        world.database.close()


def _database(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'tessera.db'}"
    address: str = request.getfixturevalue("postgres")
    admin = Database(address)
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE races"))
    admin.close()
    base, question, query = address.partition("?")
    return f"{base.rsplit('/', 1)[0]}/races{question}{query}"


@pytest.fixture
def shop(house: House) -> Table:
    """A programme with a card."""
    with house.world.database.unit_of_work() as session:
        programme = factories.programme(session, slug=f"shop-{next(house.programmes)}")
        return Table(programme=programme, card=factories.card(session, programme))


@pytest.fixture
def post(house: House) -> Post:
    """Post to the servers in turn; 503 promises that nothing was changed, so the same request is sent again."""
    turn, run = itertools.cycle(house.servers), secrets.token_hex(4)

    def send(path: str, body: dict[str, Any], idempotency_key: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {house.key}", "Idempotency-Key": f"{run} {idempotency_key}"}
        for _ in range(20):
            answer = requests.post(next(turn) + path, json=body, headers=headers, timeout=60)
            if answer.status_code != 503:
                break
            time.sleep(0.2)
        return answer

    return send


def at_once(work: Callable[[int], requests.Response], times: int) -> list[requests.Response]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(times)))


def outcomes(answers: list[requests.Response]) -> Counter[str]:
    return Counter(str(a.status_code) if a.ok else f"{a.status_code} {a.json()['code']}" for a in answers)


def balance(world: World, shop: Table) -> int:
    with world.database.reading() as session:
        assert verify.differences(session) == []
        return ledger.balance_of(session, shop.card.member_id)


def give(world: World, shop: Table, minor: int) -> None:
    sale = Sale(amount_minor=minor, currency="TRY")
    by = Actor(name="staff:x", channel="till")
    world.database.transact(lambda s: sales.earn(s, shop.card, sale, by=by, now=world.clock()))


def test_fifty_repeats_of_one_request_have_one_effect(house: House, shop: Table, post: Post) -> None:
    path = f"/cards/{shop.card.number}/earn"

    answers = at_once(lambda _: post(path, {"amount": "125.00"}, "the same"), THREADS)

    assert {(one.status_code, one.text) for one in answers} == {(201, answers[0].text)}
    assert Counter(one.headers.get("Idempotency-Replayed") for one in answers) == {None: 1, "true": THREADS - 1}
    assert balance(house.world, shop) == 12


def test_fifty_different_requests_with_one_key_have_one_effect(house: House, shop: Table, post: Post) -> None:
    path = f"/cards/{shop.card.number}/earn"

    answers = at_once(lambda n: post(path, {"amount": f"{n + 1}0.00"}, "the same"), THREADS)

    assert outcomes(answers) == {"201": 1, "422 idempotency_mismatch": THREADS - 1}
    with house.world.database.reading() as session:
        assert session.scalar(select(func.count()).where(Entry.card_id == shop.card.id)) == 1


def test_fifty_uses_of_a_single_use_offer_are_one(house: House, shop: Table, post: Post) -> None:
    now = system_clock()
    draft = offers.OfferDraft(
        programme=shop.programme, title="Cake", body="", starts_at=now, ends_at=now + timedelta(hours=1),
        timezone="Europe/Istanbul", limit_per_card=1,
    )  # fmt: skip
    with house.world.database.unit_of_work() as session:
        offer = offers.create(session, draft, by="staff:x", now=now).public_id
    path = f"/cards/{shop.card.number}/redeem"

    answers = at_once(lambda n: post(path, {"offer": offer}, f"use {n}"), THREADS)

    assert outcomes(answers) == {"201": 1, "409 already_used": THREADS - 1}


def test_the_last_use_of_a_limited_offer_goes_to_one_of_many_cards(house: House, shop: Table, post: Post) -> None:
    now = system_clock()
    with house.world.database.unit_of_work() as session:
        draft = offers.OfferDraft(
            programme=shop.programme, title="Cake", body="", starts_at=now, ends_at=now + timedelta(hours=1),
            timezone="Europe/Istanbul", limit_total=3,
        )  # fmt: skip
        offer = offers.create(session, draft, by="staff:x", now=now).public_id
    numbers = [
        post("/members", {"programme": shop.programme.slug, "name": f"Guest {n}"}, f"join {n}").json()["card"]["number"]
        for n in range(20)
    ]

    answers = at_once(lambda n: post(f"/cards/{numbers[n]}/redeem", {"offer": offer}, f"use {n}"), 20)

    assert outcomes(answers) == {"201": 3, "409 budget_spent": 17}


def test_a_hundred_spends_of_sixty_from_a_hundred_points_are_one(house: House, shop: Table, post: Post) -> None:
    give(house.world, shop, 100_000)
    path = f"/cards/{shop.card.number}/redeem"

    answers = at_once(lambda n: post(path, {"points": 60}, f"spend {n}"), 100)

    assert outcomes(answers) == {"201": 1, "422 insufficient": 99}
    assert balance(house.world, shop) == 40


def test_two_hundred_sales_at_once_sum_exactly(house: House, shop: Table, post: Post) -> None:
    path = f"/cards/{shop.card.number}/earn"

    answers = at_once(lambda n: post(path, {"amount": "10.00", "receipt": f"R{n}"}, f"sale {n}"), 200)

    assert outcomes(answers) == {"201": 200}
    assert sorted(one.json()["balance"] for one in answers) == list(range(1, 201))
    assert balance(house.world, shop) == 200


def test_one_receipt_from_many_tills_earns_once(house: House, shop: Table, post: Post) -> None:
    path = f"/cards/{shop.card.number}/earn"

    answers = at_once(lambda n: post(path, {"amount": "10.00", "receipt": "R1"}, f"till {n}"), 20)

    assert outcomes(answers) == {"201": 1, "409 duplicate_receipt": 19}
    assert balance(house.world, shop) == 1


def test_one_sale_is_undone_once_by_many(house: House, shop: Table, post: Post) -> None:
    earned = post(f"/cards/{shop.card.number}/earn", {"amount": "100.00"}, "sale").json()["transaction"]["id"]

    answers = at_once(lambda n: post(f"/transactions/{earned}/reverse", {"reason": "returned"}, f"undo {n}"), 20)

    assert outcomes(answers) == {"201": 1, "409 already_reversed": 19}
    assert balance(house.world, shop) == 0
