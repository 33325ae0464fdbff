"""`python -m tests.bench`: every figure beside its limit, measured in the same run. Writes nothing into the tree."""

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import passkit, sales, signing
from tests.journeys.stage import stage

MEMBERS = 200


def main() -> int:
    began = time.monotonic()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    _section("Signing passes")
    for line in signing.run():
        print(line, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder,
        stage(Path(folder), f"sqlite:///{folder}/tessera.db") as place,
    ):
        _section("From the till to the phones (SQLite, one web and one delivering process, sandbox wallets)")
        for line in sales.till_to_phones(place):
            print(line, flush=True)
        cards = [place.member(f"Member {number}") for number in range(MEMBERS)]
        _section("Earning through the API (commits of SQLite with full durability)")
        for line in sales.earn(place, cards):
            print(line, flush=True)
        _section("The phones' web service (load generator on the same machine, delivery stopped)")
        place.product.kill("deliver")
        for line in passkit.figures(place, cards):
            print(line, flush=True)
    print(f"\n{time.monotonic() - began:.0f} s in all; load average now {os.getloadavg()[0]:.1f}")
    return 0


def _section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
