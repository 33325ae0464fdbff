import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from app.cards.models import Expansion, Programme
from app.delivery import nodes
from app.delivery.engine import Engine
from app.delivery.models import Node, Tally
from app.delivery.scheduler import Job, Scheduler
from app.delivery.threads import ThreadRunner
from app.outbox.rules import Lane
from app.wallets.channel import Errand, Result
from app.world import World
from passes.outcome import Outcome
from tests.app.delivery.conftest import by_the_real_clock, until
from tests.app.delivery.vendor import Vendor, says
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import SECRET


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    made = by_the_real_clock(sqlite_url, tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def runner(world: World, vendor: Vendor) -> Iterator[ThreadRunner]:
    made = ThreadRunner(Engine(world=world, channels={"apple": vendor}))
    yield made
    made.stop(10)


def test_a_worker_that_starts_while_somebody_else_writes_waits_for_its_turn(
    world: World, runner: ThreadRunner, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(world.database.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    starting = threading.Thread(target=runner.start)

    starting.start()
    assert until(lambda: "start waits" in caplog.text, 30)
    other.execute("ROLLBACK")
    other.close()

    starting.join(30)
    assert runner.health().works


def test_a_change_is_delivered_by_itself_and_once(kit: Kit, vendor: Vendor, runner: ThreadRunner) -> None:
    card_id = kit.card(channel="apple")
    for _ in range(5):
        kit.change(card_id)

    runner.start()

    assert until(lambda: vendor.shows == {1: 6})
    assert runner.stop(10)
    assert len(vendor.pushed) == 1


def test_urgent_changes_leave_while_every_other_worker_is_stuck(kit: Kit, vendor: Vendor, runner: ThreadRunner) -> None:
    stuck = threading.Event()

    def hang(errand: Errand) -> Result:
        if errand.claim.lane is Lane.BULK:
            stuck.wait(15)
        return Result(errand=errand, outcome=Outcome.DELIVERED)

    vendor.always = hang
    for n in range(2, 252):
        kit.change(kit.card(channel="apple", address_id=n), Lane.BULK)
    urgent = kit.card(channel="apple", address_id=1)
    runner.start()
    assert until(lambda: len(vendor.pushed) >= 200)

    kit.change(urgent)
    try:
        assert until(lambda: vendor.shows.get(1) == 2)
    finally:
        stuck.set()


def test_a_campaign_is_expanded_and_delivered(kit: Kit, vendor: Vendor, runner: ThreadRunner) -> None:
    for n in range(1, 6):
        kit.card(channel="apple", address_id=n)
    with kit.world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        session.add(
            Expansion(programme_id=programme.id, reason="design", created_at=kit.world.clock(), status="running")
        )
    scheduler = Scheduler(runner.engine, alone=True)
    runner.start()
    scheduler.start()
    try:
        assert until(lambda: vendor.shows == dict.fromkeys(range(1, 6), 2))
    finally:
        assert scheduler.stop(10)


def test_a_fault_in_a_step_is_counted_and_the_thread_goes_on(
    kit: Kit, vendor: Vendor, runner: ThreadRunner, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is full")

    runner.crew.guarded("look", fail)

    assert "a step of delivery failed" in caplog.text
    with kit.world.database.reading() as session:
        tally = session.scalars(select(Tally)).one()
    assert (tally.name, tally.label, tally.value) == ("fault", "look", 1)
    card_id = kit.card(channel="apple")
    runner.start()
    kit.change(card_id)
    assert until(lambda: vendor.shows == {1: 2})


def test_a_database_that_others_hold_is_one_line_and_no_fault(
    kit: Kit, runner: ThreadRunner, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    impatient = create_engine(sqlite_url, connect_args={"timeout": 0.05})

    def write() -> None:
        with impatient.begin() as connection:
            connection.exec_driver_sql("DELETE FROM node")

    other.execute("BEGIN IMMEDIATE")
    try:
        runner.crew.guarded("look", write)
    finally:
        other.close()
        impatient.dispose()

    [record] = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    with kit.world.database.reading() as session:
        assert session.scalars(select(Tally)).all() == []


def test_stopping_finishes_the_batch_in_hand(kit: Kit, vendor: Vendor, runner: ThreadRunner) -> None:
    card_id = kit.card(channel="apple")
    entered = threading.Event()

    def slow(errand: Errand) -> Result:
        entered.set()
        time.sleep(0.5)
        return Result(errand=errand, outcome=Outcome.DELIVERED)

    vendor.always = slow
    runner.start()
    kit.change(card_id)
    assert entered.wait(15)
    assert runner.stop(10)
    target = kit.target(card_id)
    assert (target.done, target.lease) == (target.want, None)


def test_what_a_killed_process_had_claimed_is_sent_by_the_next_one(
    kit: Kit, vendor: Vendor, runner: ThreadRunner
) -> None:
    card_id = kit.card(channel="apple")
    kit.change(card_id, Lane.BULK)
    claim = kit.claim(Lane.BULK, channel="apple")
    assert claim is not None
    assert len(claim.rows) == 1
    runner.start()
    assert until(lambda: vendor.shows == {1: 2})


def test_a_stopped_sender_is_tried_after_a_restart(kit: Kit, vendor: Vendor, runner: ThreadRunner) -> None:
    card_id = kit.card(channel="apple")
    kit.change(card_id, Lane.BULK)
    vendor.answers.append(says(Outcome.REFUSED, status=403, breaker="The certificate has expired."))
    runner.engine.drain("apple", Lane.BULK)
    assert not runner.engine.drain("apple", Lane.BULK)
    runner.start()
    assert until(lambda: vendor.shows == {1: 2})


CHILD = """
import sys
from pathlib import Path
from app.delivery.service import Duties, serve
from app.settings import Settings
from app.world import open_world
url, folder, secret = sys.argv[1:]
settings = Settings(database_url=url, var_dir=Path(folder), certs_dir=Path(folder), secret_key=secret)
sys.exit(serve(open_world(settings), Duties(worker=True, scheduler=True)))
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
print(child.pid, flush=True)
time.sleep(60)
"""


def beats(world: World) -> bool:
    with world.database.reading() as session:
        return session.scalars(select(Node)).first() is not None


def test_the_process_ends_in_order_when_it_is_asked_to(world: World, sqlite_url: str, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", CHILD, sqlite_url, str(tmp_path), SECRET])
    try:
        assert until(lambda: beats(world), 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_no_orphan_goes_on_sending_after_its_parent_was_killed(world: World, sqlite_url: str, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", PARENT, CHILD, sqlite_url, str(tmp_path), SECRET]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        try:
            assert until(lambda: beats(world), 30)
        finally:
            parent.kill()
            parent.wait()
        assert until(lambda: not alive(child), 30)


def alive(pid: int) -> bool:
    """Whether the process runs; an ended one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_several_workers_without_a_broker_share_the_rows(postgres_url: str, tmp_path: Path) -> None:
    worlds = [by_the_real_clock(postgres_url, tmp_path) for _ in range(2)]
    kit = kit_for(worlds[0], vendor="apple")
    vendors = [Vendor(), Vendor()]
    runners = [
        ThreadRunner(Engine(world=world, channels={"apple": vendor}))
        for world, vendor in zip(worlds, vendors, strict=True)
    ]
    for runner in runners:
        runner.start()
    for number in range(1, 61):
        kit.change(kit.card(channel="apple", address_id=number), Lane.BULK)

    pushed = lambda: [one.target.address_id for vendor in vendors for one in vendor.pushed]  # noqa: E731
    try:
        assert until(lambda: len(pushed()) >= 60, 40)
    finally:
        stopped = [runner.stop(20) for runner in runners]
        for world in worlds:
            world.database.close()
    assert stopped == [True, True]
    assert sorted(pushed()) == list(range(1, 61))


def test_schedulers_send_while_no_worker_is_alive_at_all(world: World, kit: Kit, vendor: Vendor) -> None:
    card_id = kit.card(channel="apple")
    scheduler = Scheduler(Engine(world=world, channels={"apple": vendor}))
    scheduler.start()
    try:
        kit.change(card_id)
        assert until(lambda: vendor.shows == {1: 2}, 40)
        with world.database.reading() as session:
            assert [one.lane for one in nodes.degraded(session)] == [Lane.URGENT]
            assert session.get_one(Tally, ("sweep_found", "0", "")).value == 1
    finally:
        assert scheduler.stop(20)


def test_what_comes_every_hour_comes_soon_after_the_start_too(world: World, kit: Kit, vendor: Vendor) -> None:
    came = threading.Event()
    hourly = Job(name="hourly", every_s=3600, work=lambda _world: came.set())
    engine = Engine(world=world, channels={"apple": vendor})
    scheduler = Scheduler(engine, alone=True, jobs=[hourly], first_after_s=0.1)

    scheduler.start()
    try:
        assert came.wait(20)
    finally:
        assert scheduler.stop(20)
