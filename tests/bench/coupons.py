"""How long it takes to make a hundred thousand unique codes and to write them out: `python -m tests.bench.coupons`.

On SQLite, or on the database named as an argument, which must be migrated and empty.
"""

import sys
import tempfile
import time
from pathlib import Path

from app.coupons import batches, exchange
from app.coupons.batches import BatchDraft
from app.migrations.run import migrate
from tests import factories
from tests.conftest import MovableClock, open_test_world, settings_for

SIZE = 100_000
MOST_S = 60


def main(url: str | None) -> int:
    """Print both times; 1 if making takes longer than it may."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        database = url or f"sqlite:///{folder}/tessera.db"
        world = open_test_world(settings_for(database, Path(folder)), MovableClock(factories.NOW))
        migrate(world.database)
        with world.database.unit_of_work() as session:
            programme = factories.programme(session, slug=f"codes-{time.time_ns()}")
            draft = BatchDraft(name="Bench", gives="points", points=1, size=SIZE)
            batch = batches.ask(session, programme, draft, by="bench", now=factories.NOW)
        begun = time.perf_counter()
        while world.database.transact(lambda session: batches.make_chunk(session, batch.id)):
            pass
        made_s = time.perf_counter() - begun
        begun = time.perf_counter()
        rows = sum(part.count("\n") for part in exchange.lines(world.database, batch.public_id, now=world.clock)) - 1
        out_s = time.perf_counter() - begun
        world.database.close()
    sys.stdout.write(f"{SIZE:,} codes made in {made_s:.1f} s (at most {MOST_S}); ")
    sys.stdout.write(f"{rows:,} written out in {out_s:.1f} s\n")
    return 0 if made_s <= MOST_S and rows == SIZE else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else None))
