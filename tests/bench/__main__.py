"""`python -m tests.bench [NAMES]`: every figure beside its limit, measured in the same run.

Without names everything is measured, with the shorter of the campaigns; `python -m tests.bench.scale --cards 1000000`
is the longer.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.bench import (
    apns,
    campaigns,
    earning,
    fanout,
    passkit,
    reports,
    sales,
    scale,
    scan,
    segments,
    signing,
    tiers,
    tills,
    verify,
)
from tests.journeys.stage import stage


def till_to_phones() -> Iterator[str]:
    """One web and one delivering process on SQLite, with sandbox wallets."""
    with (
        tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder,
        stage(Path(folder), f"sqlite:///{folder}/tessera.db") as place,
    ):
        yield from sales.till_to_phones(place)


SECTIONS: dict[str, tuple[str, Callable[[], Iterable[str]]]] = {
    "signing": ("Signing passes", signing.run),
    "apns": ("Pushes on one connection, against servers that are not ours where they are installed", apns.run),
    "fanout": ("From due rows in the database to settled rows", fanout.run),
    "phones": ("From the till to the phones", till_to_phones),
    "tills": ("Earning at the till", tills.run),
    "earning": ("A purchase by many rules, and in a ledger of a million entries", earning.run),
    "scan": ("From a scan to the member on the screen", scan.run),
    "segments": ("Counting who fits rules among 1,000,000 members", segments.run),
    "tiers": ("Judging the tiers of 100,000 members", tiers.run),
    "verify": ("Verifying a ledger of a million entries", verify.run),
    "reports": ("Building the reports of a year, and reading them", reports.run),
    "herd": ("The phones' web service", passkit.run),
    "campaigns": ("Planning and sending a campaign to a million people", campaigns.run),
    "scale": ("A campaign, what a till feels of it, and what size does", scale.run),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAMES", help=", ".join(SECTIONS))
    chosen = parser.parse_args().names or list(SECTIONS)
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"there is no {sorted(unknown)[0]}; there are {', '.join(SECTIONS)}")
    began = time.monotonic()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    for name in chosen:
        title, lines = SECTIONS[name]
        print(f"\n{title}\n{'-' * len(title)}", flush=True)
        for line in lines():
            print(line, flush=True)
    print(f"\n{time.monotonic() - began:.0f} s in all; load average now {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
