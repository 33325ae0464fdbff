"""`tessera ledger verify` at a million entries, as an operator runs it, beside a busy database's size in life.

python -m tests.bench.verify --entries 1000000 --database sqlite
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.clock import system_clock
from app.db import Database
from app.migrations.run import migrate
from app.vault import Vault
from tests import factories
from tests.bench import movements, seed
from tests.bench.databases import BOTH, fresh, main

ENTRIES, CARDS = 1_000_000, 100_000
LIMIT_S = 60
SECRET = "a" * 64


def run(*, entries: int = ENTRIES, databases: tuple[str, ...] = BOTH) -> Iterator[str]:
    """One line for each database."""
    for name, url, folder in fresh(databases):
        yield _line(name, url, folder, entries)


def _line(name: str, url: str, folder: Path, entries: int) -> str:
    _fill(url, entries)
    environ = {"TESSERA_DATABASE_URL": url, "TESSERA_SECRET_KEY": SECRET, "TESSERA_VAR_DIR": str(folder)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "app", "ledger", "verify", "--json"]
    with subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as verifying:
        most_kib = _watched(verifying)
        said, complained = verifying.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if verifying.returncode:
        raise SystemExit(f"the seeded ledger does not verify: {said[:500]} {complained[-500:]}")
    told = json.loads(said.splitlines()[-1])
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    limit_s = LIMIT_S * entries / ENTRIES
    verdict = "OK" if told["seconds"] <= limit_s else "MISSED"
    return (
        f"verify, {name + ':':12} {told['entries']:,} entries in {told['seconds']:.1f} s "
        f"({told['entries'] / max(told['seconds'], 0.1):,.0f}/s), {spent_s:.1f} s of processor, "
        f"{most_kib / 1024:.0f} MB at most  (limit {limit_s:.0f} s)  {verdict}"
    )


def _watched(process: "subprocess.Popen[str]") -> int:
    """The most memory it had, in KiB. The count that is kept for ended children begins with what their parent had."""
    most = 0
    while process.poll() is None:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
            most = max(most, int(next(line for line in lines if line.startswith("VmHWM")).split()[1]))
        time.sleep(0.2)
    return most


def _fill(url: str, entries: int) -> None:
    database = Database(url, info={"vault": Vault(SECRET)})
    migrate(database)
    now = system_clock()
    with database.unit_of_work() as session:
        programme = factories.programme(session, now=now).id
    cards = max(1, CARDS * entries // ENTRIES)
    seed.seed(database, seed.Crowd(programme_id=programme, cards=cards), now=now)
    movements.write(database, programme, entries=entries, now=now)
    database.close()


if __name__ == "__main__":
    sys.exit(main("tests.bench.verify", run, entries=ENTRIES))
