"""Two of every process on one PostgreSQL and one Redis: whatever dies or freezes, the phones end up current."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import requests
from sqlalchemy import select

from app.db import Database
from app.delivery import nodes
from app.delivery.models import Node
from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from tests.chaos.servers import Broker, Postgres
from tests.journeys.stage import Integrator, Stage, balance_on, stage, wait_for
from tests.ports import free_port

EVERYBODY = ("web", "worker", "worker-2", "scheduler", "scheduler-2")
ANSWER_WITHIN_S = 60
TILLS_HELD_UP_S = 20
CURRENT_WITHIN_S = 180
STEP_WITHIN_S = 120


@dataclass
class Holder:
    """A card on two phones, and what it should show."""

    card: dict[str, Any]
    iphone: ApplePhone
    android: GooglePhone
    object_id: str
    points: int = 0

    def is_current(self) -> bool:
        shown = self.iphone.shows(self.card["serial"], "balance")
        return bool(shown == self.points and balance_on(self.android, self.object_id) == self.points)


@dataclass
class House:
    """The stage with a second web process, its servers, and the holders of cards."""

    place: Stage
    broker: Broker
    postgres: Postgres
    second: Integrator
    holders: list[Holder] = field(default_factory=list)

    def earn(self, rounds: int = 1) -> None:
        """Ten points for everybody in each round, through one web process and the other in turn."""
        for number in range(rounds):
            for index, holder in enumerate(self.holders):
                door = self.place.api if (number + index) % 2 else self.second
                door.earn(holder.card["number"], "100.00")
                holder.points += 10

    def wait_until_current(self, within_s: float = CURRENT_WITHIN_S) -> None:
        wait_for(lambda: all(one.is_current() for one in self.holders), within_s)

    def nodes(self) -> list[Node]:
        with self.database() as database, database.reading() as session:
            return list(session.scalars(select(Node).where(Node.name != "readiness").order_by(Node.name)))

    def degraded(self) -> bool:
        with self.database() as database, database.reading() as session:
            return bool(nodes.degraded(session))

    def database(self) -> "Opened":
        return Opened(self.postgres.url)


class Opened:
    """A database for one look."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_fault: object) -> None:
        self._database.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("machines")
    with ExitStack() as held:
        broker = held.enter_context(Broker(folder / "broker"))
        postgres = held.enter_context(Postgres(folder / "postgres"))
        environ = {"TESSERA_BROKER_URL": broker.url}
        place = held.enter_context(stage(folder, postgres.url, *EVERYBODY, environ=environ))
        port = free_port()
        place.product.begin("web-2", TESSERA_LISTEN=f"127.0.0.1:{port}")
        second = Integrator(f"http://127.0.0.1:{port}", "")
        second.session.headers.update(place.api.session.headers)
        wait_for(lambda: is_ready(second.base), STEP_WITHIN_S)
        made = House(place=place, broker=broker, postgres=postgres, second=second)
        for number in range(2):
            iphone, android = place.iphone(f"iphone-{number}"), place.android(f"android-{number}")
            card = place.member(f"Member {number}")
            place.add_to_iphone(iphone, card)
            made.holders.append(Holder(card, iphone, android, place.add_to_android(android, card)))
        yield made


def is_ready(base: str) -> bool:
    try:
        return requests.get(f"{base}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


def test_what_is_earned_at_either_web_process_reaches_every_phone(house: House) -> None:
    house.earn(2)
    house.wait_until_current()
    roles = sorted(one.role for one in house.nodes())
    assert roles == ["scheduler", "scheduler", "web", "web", "worker", "worker"]


def test_a_worker_and_a_scheduler_killed_and_the_broker_flushed_cost_nothing(house: House) -> None:
    house.earn()
    house.place.product.kill("worker", "scheduler")
    house.broker.flush()
    house.earn()
    house.broker.restart()
    house.earn()

    house.wait_until_current()
    for name in ("worker", "scheduler"):
        house.place.product.begin(name)


def test_a_sale_whose_hint_was_never_sent_is_found_by_the_sweep(house: House) -> None:
    port = free_port()
    house.place.product.begin("web-3", TESSERA_LISTEN=f"127.0.0.1:{port}", TESSERA_FAILPOINT="hint.before=kill")
    dying = f"http://127.0.0.1:{port}"
    wait_for(partial(is_ready, dying), STEP_WITHIN_S)
    holder = house.holders[0]
    where = f"cards/{holder.card['number']}/earn"

    with pytest.raises(requests.ConnectionError):
        house.place.api.session.post(
            f"{dying}/api/v1/{where}",
            json={"amount": "100.00"},
            headers={"Idempotency-Key": "once"},
            timeout=ANSWER_WITHIN_S,
        )
    house.place.api.post(where, {"amount": "100.00"}, key="once")
    holder.points += 10

    house.wait_until_current()
    house.place.product.kill("web-3")


def test_a_frozen_broker_holds_no_till_up_and_schedulers_send_until_workers_hear_again(house: House) -> None:
    house.broker._process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        house.earn(2)
        assert time.monotonic() - began < TILLS_HELD_UP_S
        house.wait_until_current()
        wait_for(house.degraded, STEP_WITHIN_S)
    finally:
        house.broker._process.send_signal(signal.SIGCONT)

    wait_for(lambda: not house.degraded(), STEP_WITHIN_S)
    house.earn()
    house.wait_until_current()
    assert not house.degraded()


def test_after_a_restart_of_the_database_everybody_goes_on(house: House) -> None:
    house.earn()
    house.postgres.restart()
    for base in (house.place.api.base, house.second.base):
        wait_for(partial(is_ready, base), STEP_WITHIN_S)

    house.earn(2)

    house.wait_until_current()
    for name in (*EVERYBODY, "web-2"):
        assert house.place.product.processes[name].poll() is None, f"{name} ended"
    assert "adds up" in house.place.product.tessera("ledger", "verify")


def test_everybody_ends_in_order_when_asked_to(house: House) -> None:
    house.earn()
    processes = {name: one for name, one in house.place.product.processes.items() if one.poll() is None}
    living = {one.name for one in house.nodes() if _runs(one.name)}
    assert len(living) == 6
    for process in processes.values():
        process.send_signal(signal.SIGTERM)
    codes = {name: process.wait(STEP_WITHIN_S) for name, process in processes.items()}

    assert set(codes.values()) == {0}, codes
    assert living.isdisjoint(one.name for one in house.nodes())
    house.place.product.start("web", "worker", "scheduler")
    house.wait_until_current()


def _runs(name: str) -> bool:
    try:
        os.kill(int(name.rpartition(":")[2]), 0)
    except ProcessLookupError:
        return False
    return True
