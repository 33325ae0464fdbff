"""Writers to one SQLite file take turns: between threads, between processes, and when somebody dies or hangs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db import Database
from app.errors import Busy
from app.gate import Gate, Priority

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from app.gate import Gate, Priority
gate = Gate(sys.argv[1], timeout_s=5)
with gate.turn(Priority.WORKER):
    print("held", flush=True)
    sys.stdin.read()
"""
COUNTER = """
import sys
from app.db import Database
from sqlalchemy import text
database = Database(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with database.unit_of_work() as session:
        n = session.execute(text("SELECT n FROM tally")).scalar_one()
        session.execute(text("UPDATE tally SET n = :n"), {"n": n + 1})
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "tessera.db")


@contextmanager
def another_process(path: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has the turn until its input is closed."""
    command = [sys.executable, "-c", HOLDER, path]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def waiting_behind(gate: Gate, *arrivals: Priority) -> list[str]:
    """Let these arrive one after the other while the turn is taken; the order in which they are served."""
    served: list[str] = []
    threads = []
    with gate.turn(Priority.BULK):
        for number, priority in enumerate(arrivals):
            thread = threading.Thread(target=note_turn, args=(gate, priority, served, f"{priority.name} {number}"))
            thread.start()
            threads.append(thread)
            until(lambda number=number: len(gate._waiting) == number + 1)
    for thread in threads:
        thread.join()
    return served


def note_turn(gate: Gate, priority: Priority, served: list[str], name: str) -> None:
    with gate.turn(priority):
        served.append(name)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_threads_are_served_by_priority_and_then_in_order(path: str) -> None:
    arrivals = (Priority.BULK, Priority.WORKER, Priority.WEB, Priority.WORKER, Priority.WEB)

    served = waiting_behind(Gate(path, timeout_s=5), *arrivals)

    assert served == ["WEB 2", "WEB 4", "WORKER 1", "WORKER 3", "BULK 0"]


def test_a_turn_within_a_turn_does_not_hang(path: str) -> None:
    gate = Gate(path, timeout_s=0.1)

    with gate.turn(Priority.WEB), gate.turn(Priority.WEB):
        pass

    with gate.turn(Priority.WEB):
        assert gate._depth == 1


def test_who_waits_too_long_is_told_and_leaves_the_queue(path: str) -> None:
    gate, other = Gate(path, timeout_s=0.05), Gate(path, timeout_s=5)

    with other.turn(Priority.WORKER), pytest.raises(Busy), gate.turn(Priority.WEB):
        raise AssertionError("unreachable")

    assert gate._waiting == []
    with gate.turn(Priority.WEB), pytest.raises(Busy), ThreadPoolExecutor(1) as pool:
        pool.submit(note_turn, gate, Priority.WEB, [], "late").result()
    with other.turn(Priority.WORKER):
        pass


def test_another_process_is_waited_for(path: str) -> None:
    gate = Gate(path, timeout_s=10)
    with another_process(path) as holder:
        threading.Timer(0.2, holder.stdin.close).start()  # type: ignore[union-attr]
        began = time.monotonic()
        with gate.turn(Priority.WEB):
            assert time.monotonic() - began > 0.1


def test_a_process_that_is_killed_gives_the_turn_back(path: str) -> None:
    gate = Gate(path, timeout_s=10)
    with another_process(path) as holder:
        threading.Timer(0.1, holder.kill).start()

        with gate.turn(Priority.WEB):
            holder.wait()


def test_a_process_that_is_frozen_keeps_others_waiting_no_longer_than_they_want(path: str) -> None:
    gate = Gate(path, timeout_s=0.1)
    with another_process(path) as holder:
        holder.send_signal(signal.SIGSTOP)

        for _ in range(3):
            with pytest.raises(Busy), gate.turn(Priority.WEB):
                raise AssertionError("unreachable")


def test_a_web_process_comes_before_others_that_asked_earlier(path: str) -> None:
    web, worker, holder = (Gate(path, timeout_s=5) for _ in range(3))
    web.of_web = True
    served: list[str] = []
    with holder.turn(Priority.WORKER):
        early = threading.Thread(target=note_turn, args=(web, Priority.WEB, served, "web"))
        early.start()
        until(lambda: web._is_fetching)
        time.sleep(0.05)
        threads = [
            threading.Thread(target=note_turn, args=(worker, Priority.WORKER, served, f"worker {n}")) for n in range(3)
        ]
        for asked, thread in enumerate(threads, start=1):
            thread.start()
            until(lambda count=asked: len(worker._waiting) == count)
    for thread in (early, *threads):
        thread.join()

    assert served == ["web", "worker 0", "worker 1", "worker 2"]


def test_others_are_not_shut_out_by_a_web_process_that_never_rests(path: str) -> None:
    web, worker = Gate(path, timeout_s=10), Gate(path, timeout_s=10)
    web.of_web = True
    over = threading.Event()

    def sell() -> None:
        while not over.is_set():
            with web.turn(Priority.WEB):
                time.sleep(0.001)

    tills = [threading.Thread(target=sell) for _ in range(4)]
    for till in tills:
        till.start()
    served: list[str] = []
    for number in range(5):
        note_turn(worker, Priority.WORKER, served, f"worker {number}")
    over.set()
    for till in tills:
        till.join()

    assert len(served) == 5


def test_a_fork_has_a_gate_of_its_own(path: str) -> None:
    gate = Gate(path, timeout_s=5)
    with gate.turn(Priority.WEB):
        child = os.fork()
        if child == 0:
            gate._timeout_s = 0.2
            try:
                with gate.turn(Priority.WEB):
                    os._exit(1)  # the parent has the turn
            except Busy:
                os._exit(0)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    with gate.turn(Priority.WEB):
        pass


def test_a_database_that_was_closed_may_be_used_again(path: str) -> None:
    database = Database(f"sqlite:///{path}")
    for _ in range(2):
        with database.unit_of_work() as session:
            session.execute(text("CREATE TABLE IF NOT EXISTS tally (n INTEGER)"))
        database.close()


def test_processes_and_threads_at_once_lose_nothing(path: str) -> None:
    database = Database(f"sqlite:///{path}")
    with database.unit_of_work() as session:
        session.execute(text("CREATE TABLE tally (n INTEGER)"))
        session.execute(text("INSERT INTO tally VALUES (0)"))
    command = [sys.executable, "-c", COUNTER, f"sqlite:///{path}", "60"]
    others = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]

    def count(_: int) -> None:
        with database.unit_of_work() as session:
            n = session.execute(text("SELECT n FROM tally")).scalar_one()
            session.execute(text("UPDATE tally SET n = :n"), {"n": n + 1})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(120)))
    assert [other.wait(60) for other in others] == [0, 0]

    with database.reading() as session:
        assert session.execute(text("SELECT n FROM tally")).scalar_one() == 240
    database.close()
