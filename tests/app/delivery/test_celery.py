"""Delivery by hints over a real Redis, which is flushed, frozen, restarted and taken away."""

import base64
import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from kombu.exceptions import OperationalError
from sqlalchemy import select

from app.delivery import broker as hints_by_broker
from app.delivery import nodes
from app.delivery.celery_runner import CeleryRunner
from app.delivery.engine import Engine
from app.delivery.hints import HintSender
from app.delivery.models import Node
from app.delivery.relief import Relief
from app.delivery.runner import Crew
from app.delivery.service import hint_sender
from app.outbox.rules import Lane
from app.sandbox.authority import Authority
from app.wallets.channel import Errand, Result
from app.world import World
from passes.outcome import Outcome
from tests.app.delivery.conftest import by_the_real_clock, until
from tests.app.delivery.vendor import Vendor
from tests.app.outbox.kit import Kit
from tests.chaos.servers import Broker
from tests.conftest import SECRET, settings_for


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def world(postgres_url: str, broker: Broker, tmp_path: Path) -> Iterator[World]:
    made = by_the_real_clock(postgres_url, tmp_path, broker_url=broker.url)
    yield made
    made.database.close()


@pytest.fixture
def engine(world: World, vendor: Vendor) -> Engine:
    return Engine(world=world, channels={"apple": vendor})


@pytest.fixture
def hints(world: World) -> Iterator[HintSender]:
    made = hint_sender(world)
    assert made is not None
    made.start()
    yield made
    made.stop()


@pytest.fixture
def runner(engine: Engine, hints: HintSender) -> Iterator[CeleryRunner]:
    made = CeleryRunner(engine, hints)
    yield made
    assert made.stop(20)


def hinted_until(fits: Callable[[], object], hints: HintSender, lane: Lane = Lane.URGENT, within_s: float = 40) -> bool:
    """What a sweep does each second, for as long as it takes."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        hints.now("*", lane)
        if until(fits, 0.5):
            return True
    return False


def test_a_hint_lets_a_worker_send_what_is_due(
    kit: Kit, vendor: Vendor, hints: HintSender, runner: CeleryRunner
) -> None:
    card_id = kit.card(channel="apple")
    runner.start()
    kit.change(card_id)

    hints.after_commit([("apple", Lane.URGENT)])

    assert until(lambda: vendor.shows == {1: 2})
    assert runner.heard() == {Lane.URGENT}
    assert runner.counts()["heard"] == 1


def test_a_task_carries_a_channel_and_a_lane_and_expires(world: World, broker: Broker) -> None:
    hints_by_broker.send(hints_by_broker.publisher(world.settings), hints_by_broker.DRAIN, "apple", 2, queue="bulk")

    [raw] = redis.Redis.from_url(broker.url).lrange("bulk", 0, -1)
    message = json.loads(raw)
    arguments, keywords, _ = json.loads(base64.b64decode(message["body"]))
    expires = datetime.fromisoformat(message["headers"]["expires"])
    assert (arguments, keywords) == (["apple", 2], {})
    assert message["content-type"] == "application/json"
    assert message["headers"]["eta"] is None
    assert 0 < (expires - datetime.now(UTC)).total_seconds() <= 30
    # nothing else was left behind: no result, no schedule
    found = redis.Redis.from_url(broker.url).scan_iter()
    assert {key for key in found if not key.startswith(b"_kombu")} == {b"bulk"}


def test_a_worker_takes_up_only_its_own_lanes(engine: Engine, kit: Kit, vendor: Vendor, hints: HintSender) -> None:
    urgent, bulk = kit.card(channel="apple", address_id=1), kit.card(channel="apple", address_id=2)
    runner = CeleryRunner(engine, hints, lanes=(Lane.URGENT,))
    runner.start()
    try:
        kit.change(bulk, Lane.BULK)
        kit.change(urgent)
        hints.now("apple", Lane.BULK)
        assert hinted_until(lambda: vendor.shows.get(1) == 2, hints)
        assert 2 not in vendor.shows
    finally:
        assert runner.stop(20)


def test_urgent_changes_leave_while_every_bulk_slot_is_stuck(
    kit: Kit, vendor: Vendor, hints: HintSender, runner: CeleryRunner
) -> None:
    stuck = threading.Event()

    def hang(errand: Errand) -> Result:
        if errand.claim.lane is Lane.BULK:
            stuck.wait(30)
        return Result(errand=errand, outcome=Outcome.DELIVERED)

    vendor.always = hang
    for number in range(2, 5):
        kit.change(kit.card(channel="apple", address_id=number), Lane.BULK)
    urgent = kit.card(channel="apple", address_id=1)
    runner.start()
    try:
        assert hinted_until(lambda: vendor.pushed, hints, Lane.BULK)
        for _ in range(10):
            hints.now("apple", Lane.BULK)
        kit.change(urgent)
        assert hinted_until(lambda: vendor.shows.get(1) == 2, hints)
    finally:
        stuck.set()


def test_what_this_release_does_not_know_is_passed_over(
    world: World, kit: Kit, vendor: Vendor, hints: HintSender, runner: CeleryRunner
) -> None:
    runner.start()
    app = hints_by_broker.publisher(world.settings)
    hints_by_broker.send(app, hints_by_broker.DRAIN, "samsung", 0, queue="urgent")
    hints_by_broker.send(app, hints_by_broker.DRAIN, "apple", 7, queue="urgent")
    card_id = kit.card(channel="apple")
    kit.change(card_id)

    assert hinted_until(lambda: vendor.shows == {1: 2}, hints)


def test_a_worker_hears_again_after_the_broker_was_away_and_came_back_empty(
    broker: Broker, kit: Kit, vendor: Vendor, hints: HintSender, runner: CeleryRunner
) -> None:
    card_id = kit.card(channel="apple")
    runner.start()
    kit.change(card_id)
    assert hinted_until(lambda: vendor.shows == {1: 2}, hints)

    broker.restart()
    kit.change(card_id)

    assert hinted_until(lambda: vendor.shows == {1: 3}, hints)


def test_a_flushed_broker_costs_one_sweep(
    broker: Broker, kit: Kit, vendor: Vendor, hints: HintSender, runner: CeleryRunner
) -> None:
    card_id = kit.card(channel="apple")
    kit.change(card_id)
    hints.now("apple", Lane.URGENT)
    assert until(lambda: redis.Redis.from_url(broker.url).llen("urgent") == 1)
    broker.flush()
    runner.start()

    assert hinted_until(lambda: vendor.shows == {1: 2}, hints)


def test_a_frozen_broker_refuses_a_hint_and_a_thawed_one_takes_the_next(
    broker: Broker, kit: Kit, vendor: Vendor, hints: HintSender, runner: CeleryRunner
) -> None:
    card_id = kit.card(channel="apple")
    runner.start()
    assert hinted_until(lambda: runner.counts()["heard"], hints)
    broker._process.send_signal(signal.SIGSTOP)
    try:
        hints.now("apple", Lane.URGENT)
        assert until(lambda: hints.counts()["failed"])
    finally:
        broker._process.send_signal(signal.SIGCONT)
    kit.change(card_id)

    assert hinted_until(lambda: vendor.shows == {1: 2}, hints)


def test_schedulers_send_while_nobody_hears_and_stop_when_workers_hear_again(
    broker: Broker, world: World, kit: Kit, engine: Engine, vendor: Vendor, hints: HintSender
) -> None:
    card_id = kit.card(channel="apple")
    crew = Crew(world)
    relief = Relief(engine, crew, hint=hints.now)
    relief.start()
    broker.stop()

    def swept_until(fits: Callable[[], object], within_s: float = 30) -> bool:
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            relief.look()
            if until(fits, 0.4):
                return True
        return False

    def degraded() -> list[Lane]:
        with world.database.reading() as session:
            return [one.lane for one in nodes.degraded(session)]

    try:
        kit.change(card_id)
        assert swept_until(lambda: vendor.shows == {1: 2})
        assert degraded() == [Lane.URGENT]

        broker._start()
        runner = CeleryRunner(engine, hints)
        runner.start()

        def a_beat_of_the_worker() -> bool:
            heard = runner.heard()
            with world.database.unit_of_work() as session:
                nodes.note_heard(session, heard, now_ms=kit.now_ms)
            return not degraded()

        try:
            assert swept_until(a_beat_of_the_worker)
        finally:
            assert runner.stop(20)
    finally:
        assert crew.stop(20)


def test_stopping_finishes_the_batch_in_hand(kit: Kit, vendor: Vendor, hints: HintSender, engine: Engine) -> None:
    card_id = kit.card(channel="apple")
    entered = threading.Event()

    def slow(errand: Errand) -> Result:
        entered.set()
        time.sleep(0.5)
        return Result(errand=errand, outcome=Outcome.DELIVERED)

    vendor.always = slow
    runner = CeleryRunner(engine, hints)
    runner.start()
    kit.change(card_id)
    assert hinted_until(entered.is_set, hints)

    assert runner.stop(20)

    target = kit.target(card_id)
    assert (target.done, target.lease) == (target.want, None)


def test_a_worker_shows_that_it_works_by_a_ping_that_comes_back(runner: CeleryRunner) -> None:
    runner._heard_at -= 60
    assert not runner.health().works
    runner.start()
    runner._heard_at -= 60
    assert until(lambda: runner.health().works)
    assert not runner.health().deaf


CHILD = """
import logging, sys
from pathlib import Path
from app.delivery.celery_runner import Patience
from app.delivery.service import Duties, serve
from app.settings import Settings
from app.world import open_world
url, broker, folder, secret = sys.argv[1:]
logging.basicConfig(level=logging.ERROR)
home = Path(folder)
settings = Settings(database_url=url, broker_url=broker, var_dir=home, certs_dir=home, secret_key=secret)
patience = Patience(ping_every_s=0.2, works_within_s=1.0, deaf_after_s=2.5)
sys.exit(serve(open_world(settings), Duties(worker=True, patience=patience)))
"""


class Rivals:
    """Others who wait for what a worker tells itself.

    A broker serves who has waited longest. The worker asks anew each second, and by then not all of these were served.
    """

    def __init__(self, broker: Broker, queue: str, count: int = 30) -> None:
        self._clients = [redis.Redis.from_url(broker.url) for _ in range(count)]
        self._queue = queue
        self.taken = 0
        for client in self._clients:
            threading.Thread(target=self._take, args=(client,), daemon=True).start()

    def _take(self, client: "redis.Redis") -> None:
        with contextlib.suppress(redis.RedisError):
            while client.brpop([self._queue], timeout=0):
                self.taken += 1


def test_a_worker_that_has_become_deaf_ends_so_that_a_new_start_mends_it(
    broker: Broker, world: World, tmp_path: Path
) -> None:
    arguments = [world.settings.database_url, broker.url, str(tmp_path), SECRET]
    worker = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stderr=subprocess.PIPE, text=True)

    def name_of_a_worker_that_works() -> str | None:
        with world.database.reading() as session:
            return session.scalar(select(Node.name).where(Node.role == "worker", Node.worked_at.is_not(None)))

    try:
        assert until(name_of_a_worker_that_works, 30)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(3)  # it hears itself, and goes on for longer than one that does not

        rivals = Rivals(broker, f"node.{name_of_a_worker_that_works()}")
        _, said = worker.communicate(timeout=20)
    finally:
        worker.kill()
        worker.wait()

    assert rivals.taken > 0
    assert worker.returncode == 1
    assert "the broker takes what is sent and nothing comes back; ending, so that a new start mends it" in said
    assert name_of_a_worker_that_works() is None  # it said good-bye


class Line:
    """A network path to the broker that can lose what is on its way without telling either end, as firewalls do."""

    def __init__(self, broker: Broker) -> None:
        self._to = int(broker.url.rpartition(":")[2].partition("/")[0])
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._server.getsockname()[1]}/0"
        self._open: list[tuple[threading.Event, socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_all(self) -> None:
        """Every connection of this moment stays open, and carries nothing from now on."""
        for alive, _, _ in self._open:
            alive.clear()

    def close(self) -> None:
        self._server.close()
        for _, one, other in self._open:
            one.close()
            other.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                alive = threading.Event()
                alive.set()
                self._open.append((alive, near, far))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(alive, one, other), daemon=True).start()

    def _carry(self, alive: threading.Event, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                if alive.is_set():
                    other.sendall(data)


def test_a_worker_whose_connection_died_without_a_word_hears_again(
    broker: Broker, world: World, kit: Kit, vendor: Vendor, hints: HintSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(hints_by_broker.REDIS_CONSUMER, "health_check_interval", 1)
    line = Line(broker)
    behind = World(
        settings=replace(world.settings, broker_url=line.url),
        database=world.database,
        clock=world.clock,
        vault=world.vault,
    )
    runner = CeleryRunner(Engine(world=behind, channels={"apple": vendor}), hints)
    card_id = kit.card(channel="apple")
    runner.start()
    try:
        kit.change(card_id)
        assert hinted_until(lambda: vendor.shows == {1: 2}, hints)
        line.lose_all()
        kit.change(card_id)
        assert hinted_until(lambda: vendor.shows == {1: 3}, hints)
    finally:
        assert runner.stop(30)
        line.close()


class EncryptedFront:
    """TLS in front of the broker, with a certificate of the sandbox's own authority."""

    def __init__(self, broker: Broker, authority: Authority) -> None:
        self._to = int(broker.url.rpartition(":")[2].partition("/")[0])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.server_identity())
        self._server = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        self.port = self._server.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._server, *self._open):
            one.close()

    def _accept(self) -> None:
        while self._server.fileno() >= 0:
            with contextlib.suppress(OSError):
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := one.recv(65_536):
                other.sendall(data)


def test_an_encrypted_broker_must_show_a_certificate_of_a_known_authority(
    broker: Broker, tmp_path: Path, postgres_url: str
) -> None:
    authority = Authority(tmp_path / "authority")
    front = EncryptedFront(broker, authority)
    address = f"rediss://127.0.0.1:{front.port}"

    def send_to(url: str) -> None:
        app = hints_by_broker.publisher(settings_for(postgres_url, tmp_path, broker_url=url))
        hints_by_broker.send(app, hints_by_broker.DRAIN, "apple", 0, queue="urgent")

    try:
        with pytest.raises(OperationalError, match="certificate verify failed"):
            send_to(f"{address}/0")
        # another database of the broker: kombu shares the connections of addresses that differ in nothing else
        send_to(f"{address}/1?ssl_cert_reqs=required&ssl_ca_certs={authority.ca_file}")
    finally:
        front.close()
    assert redis.Redis.from_url(broker.url.replace("/0", "/1")).llen("urgent") == 1
