"""Four tills, three drainers and a bulk change, each role a process, on one SQLite file: with and without the gate.

`python -m tests.bench.turns` prints both; `python -m tests.bench.turns ROLE URL GATE` is one of its processes.
"""

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sqlalchemy import select, text

from app.cards.models import Card
from app.clock import system_clock
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.db import Database
from app.errors import Busy
from app.gate import Priority
from app.migrations.run import migrate
from app.vault import Vault
from tests import factories
from tests.bench.seed import Crowd, seed
from tests.bench.wire import Timings

CARDS = 20_000
TILLS, DRAINERS = 4, 3
LASTS_S = 6.0
THINKS_S = 0.02
SENDS_S = 0.002
BATCH, CHUNK = 100, 200
LIMIT_MS = 50
SECRET = "bench secret, long enough for the vault"
TILL = Actor(name="key:bench", channel="api")
CLAIM = text("UPDATE target SET not_before = not_before + 1 WHERE id BETWEEN :at AND :at + :rows - 1")
TOUCH = text(
    "UPDATE card SET version = version + 1, modified_at = modified_at + 1000 WHERE id BETWEEN :at AND :at + :rows"
)
WANT = text("UPDATE target SET want = want + 1 WHERE card_id BETWEEN :at AND :at + :rows")


def run() -> Iterator[str]:
    """The time of a sale's transaction at each of four tills, beside its limit."""
    with tempfile.TemporaryDirectory(prefix="tessera-turns-") as folder:
        url = f"sqlite:///{folder}/tessera.db"
        _prepare(url)
        for gate, name in (("without", "SQLite's own wait"), ("with", "the gate of app.gate")):
            timings, others = _measure(url, gate)
            fits = "OK" if timings.at(0.99) * 1e3 < LIMIT_MS else "MISSED"
            limit = f"(limit p99 {LIMIT_MS} ms)  {fits}" if gate == "with" else "(for comparison)"
            yield (
                f"a sale's transaction, {name + ':':22} {timings.rate:4,.0f}/s  p50 {timings.at(0.5) * 1e3:6.1f} ms  "
                f"p99 {timings.at(0.99) * 1e3:6.1f} ms  max {timings.at(1) * 1e3:6.1f} ms  {limit}; "
                f"meanwhile drainers {others['drainer']:,.0f} rows/s, bulk change {others['bulk']:,.0f} cards/s"
            )


def _prepare(url: str) -> None:
    database = Database(url, info={"vault": Vault(SECRET)})
    migrate(database)
    with database.unit_of_work() as session:
        programme = factories.programme(session, tiers=(), now=system_clock())
    seed(database, Crowd(programme_id=programme.id, cards=CARDS), now=system_clock())
    database.close()


def _measure(url: str, gate: str) -> tuple[Timings, dict[str, float]]:
    command = [sys.executable, "-m", "tests.bench.turns"]
    processes = {
        role: subprocess.Popen([*command, role, url, gate], stdout=subprocess.PIPE, text=True)
        for role in ("tills", "drainer", "bulk")
    }
    found = {role: process.communicate()[0].split() for role, process in processes.items()}
    timings = Timings(took_s=[float(one) for one in found.pop("tills")], whole_s=LASTS_S)
    return timings, {role: float(words[0]) / LASTS_S for role, words in found.items()}


def _tills(database: Database) -> None:
    database.serve_web()
    took: list[float] = []
    with database.reading() as session:
        cards = list(session.scalars(select(Card).limit(500)))

    def sell() -> None:
        sale = Sale(amount_minor=1000, currency="TRY")
        card = random.choice(cards)
        began = time.perf_counter()
        database.transact(lambda session: sales.earn(session, card, sale, by=TILL, now=datetime.now(UTC)))
        took.append(time.perf_counter() - began)
        time.sleep(random.uniform(0, 2 * THINKS_S))

    _together(sell, TILLS)
    print(*(f"{one:.6f}" for one in took))


def _drain(database: Database) -> None:
    rows: list[int] = []

    def claim_and_settle() -> None:
        at = random.randrange(1, CARDS - BATCH)
        for _ in range(2):
            with database.unit_of_work() as session:
                session.execute(CLAIM, {"at": at, "rows": BATCH})
            time.sleep(SENDS_S)
        rows.append(BATCH)

    _together(claim_and_settle, DRAINERS)
    print(sum(rows))


def _expand(database: Database) -> None:
    cards: list[int] = []

    def chunk() -> None:
        at = random.randrange(1, CARDS - CHUNK)
        began = time.perf_counter()
        with database.unit_of_work(Priority.BULK) as session:
            for statement in (TOUCH, WANT):
                session.execute(statement, {"at": at, "rows": CHUNK})
        cards.append(CHUNK)
        time.sleep(time.perf_counter() - began)

    _together(chunk, 1)
    print(sum(cards))


def _together(step: Callable[[], None], threads: int) -> None:
    over = time.monotonic() + LASTS_S

    def loop() -> None:
        while time.monotonic() < over:
            try:
                step()
            except Busy as refusal:
                print(refusal, file=sys.stderr)

    running = [threading.Thread(target=loop) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def main(role: str, url: str, gate: str) -> None:
    database = Database(url, info={"vault": Vault(SECRET)})
    if gate == "without":
        database._gate = None
    {"tills": _tills, "drainer": _drain, "bulk": _expand}[role](database)
    database.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(*sys.argv[1:])
    else:
        for line in run():
            print(line, flush=True)
