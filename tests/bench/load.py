"""What a server and its database spend while requests come: processor by kind of process, and what sessions await."""

import os
import threading
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import text

from app.db import Database

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOOK_EVERY_S = 0.05
WAITS = text("SELECT coalesce(wait_event_type || ' ' || wait_event, 'running') FROM pg_stat_activity "
             "WHERE state = 'active' AND pid <> pg_backend_pid()")  # fmt: skip
COMMITS = text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")


class Server:
    """A process and its descendants."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu_s(self) -> float:
        """Seconds of processor that they have used so far."""
        return sum(_cpu_s(pid) for pid in [self.pid, *descendants(self.pid)])


class Load:
    """Look at a server and at PostgreSQL for as long as the block runs."""

    def __init__(self, server: Server, url: str) -> None:
        self._server = server
        self._database = Database(url)
        self._over = threading.Event()
        self._waits: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._began = time.monotonic()
        self._before = self._spent()
        self._thread.start()

    def __exit__(self, *_fault: object) -> None:
        self._over.set()
        self._thread.join()
        self._took_s = time.monotonic() - self._began
        self._after = self._spent()
        self._database.close()

    def said(self, sales: int) -> str:
        """In words: processor by kind of process and sale, commits, and what the database's sessions were doing."""
        web, postgres, everything, commits = (
            (after - before) / self._took_s for before, after in zip(self._before, self._after, strict=True)
        )
        looks = sum(self._waits.values()) or 1
        doing = ", ".join(f"{name} {count * 100 // looks} %" for name, count in self._waits.most_common(4))
        each_ms = self._took_s / sales * 1e3
        return (
            f"cores used: web {web:.2f}, PostgreSQL {postgres:.2f}, all of the machine {everything:.2f} of "
            f"{os.cpu_count()}; a sale takes {web * each_ms:.1f} ms of web and {postgres * each_ms:.1f} ms of "
            f"PostgreSQL; {commits:.0f} commits/s; database sessions at work: {doing or 'none seen'}"
        )

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            with self._database.reading() as session:
                self._waits.update(session.scalars(WAITS))

    def _spent(self) -> tuple[float, float, float, float]:
        with self._database.reading() as session:
            commits = float(session.execute(COMMITS).scalar_one())
        postgres = sum(_cpu_s(pid) for pid in _named("postgres"))
        busy = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        everything = sum(int(busy[at]) for at in (0, 1, 2, 5, 6, 7)) / TICKS_PER_S
        return self._server.cpu_s(), postgres, everything, commits


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(one) for one in children.read_text().split()] if children.exists() else []
    return found + [below for one in found for below in descendants(one)]


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _named(name: str) -> list[int]:
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if _comm(path) == name]


def _comm(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
