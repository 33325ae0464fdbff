"""The `tessera` command as an operator has it: a process with settings and folders of its own."""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port

PASSWORD = "correct horse battery"
WAIT_S = 120.0
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error, without the program's name."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0].removeprefix("tessera: ")

    def json(self) -> Any:
        assert self.code in {0, 1}, self.err
        return json.loads(self.out)


class Shell:
    """A folder with an installation, and the command in it."""

    def __init__(self, folder: Path, **over: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        own = {
            "TESSERA_VAR_DIR": str(folder / "var"),
            "TESSERA_CERTS_DIR": str(folder / "certs"),
            "TESSERA_DATABASE_URL": f"sqlite:///{folder / 'var' / 'tessera.db'}",
            "TESSERA_BASE_URL": self.base,
            "TESSERA_LISTEN": f"127.0.0.1:{self.port}",
            **over,
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("TESSERA_")}
        self.environ = {**others, **own}
        self._running: list[subprocess.Popen[bytes]] = []

    def __call__(self, *arguments: object, stdin: str | None = None, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end, in a process of its own."""
        files = {name: self.folder.parent / f"{self.folder.name}.{name}" for name in ("stdin", "stdout", "stderr")}
        files["stdin"].write_text(stdin or "", encoding="utf-8", newline="")
        asked = {
            "arguments": [str(argument) for argument in arguments],
            "environ": {**self.environ, **(env or {})},
            "folder": str(self.folder),
            **{name: str(file) for name, file in files.items()},
        }
        code = _forks().run(asked)
        return Ended(code=code, out=files["stdout"].read_text("utf-8"), err=files["stderr"].read_text("utf-8"))

    def begin(self, *arguments: object, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """Start a command whose end is awaited with `communicate`."""
        return subprocess.Popen(
            self.command(*arguments),
            env={**self.environ, **(env or {})},
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def serve(self, *arguments: object) -> "subprocess.Popen[bytes]":
        """Start a command that goes on; what it says is in `service.log`."""
        with (self.folder / "service.log").open("ab") as log:
            process = subprocess.Popen(
                self.command(*arguments), env=self.environ, cwd=self.folder, stdout=log, stderr=log
            )
        self._running.append(process)
        return process

    @staticmethod
    def command(*arguments: object) -> Sequence[str]:
        return [sys.executable, "-m", "app", *(str(argument) for argument in arguments)]

    @property
    def log(self) -> str:
        return (self.folder / "service.log").read_text(encoding="utf-8")

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base}/readyz", timeout=1).ok
        except requests.RequestException:
            return False

    def owner(self) -> None:
        """An installation with its first owner."""
        done = self("init", "--email", "owner@example.com", stdin=f"{PASSWORD}\n")
        assert done.code == 0, done.err

    def close(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Forks:
    """The process that forks one for each command; it ends with the process of the tests."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.app.commands.forks"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, asked: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=10)


@cache
def _forks() -> Forks:
    made = Forks()
    atexit.register(made.close)
    return made


def wait_for(what: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
    """The first true answer of *what*."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(0.03)
    raise AssertionError("it did not happen in time")
