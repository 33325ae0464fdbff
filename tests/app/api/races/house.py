"""One database, the server processes on it, and what tills ask of them at the same moment."""

import http.client
import itertools
import json
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.cards.models import Programme
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.world import World
from tests import factories

ROOT = Path(__file__).parents[4]
TIMES = 20
TILLS = 50
TILL = Actor(name="staff:x", channel="till")
NUMBERS = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server said."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def outcome(self) -> str:
        """The status, and the code of a refusal."""
        return str(self.status) if self.status < 400 else f"{self.status} {self.body['code']}"


@dataclass(kw_only=True)
class House:
    """The world on a database, the ports of the servers there, a key for them, and a programme."""

    world: World
    url: str
    folder: Path
    key: str
    ports: list[int]
    programme: Programme
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(TILLS))
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    def __post_init__(self) -> None:
        self._turn = itertools.cycle(self.ports)

    def post(self, path: str, body: Any, key: str | None = None) -> Answer:
        """To the servers in turn, under a new key unless one is given. 503 promises that nothing was changed, so the
        same request is sent again."""
        key = key or f"race {next(NUMBERS)}"
        for _ in range(20):
            answer = self.send(next(self._turn), "POST", path, body, key=key)
            if answer.status != 503:
                break
            time.sleep(0.2)
        return answer

    def made(self, path: str, body: Any) -> Any:
        """What came of a request that is not refused."""
        answer = self.post(path, body)
        assert answer.status in {200, 201}, answer.text
        return answer.body

    def get(self, path: str) -> Any:
        answer = self.send(next(self._turn), "GET", path)
        assert answer.status == 200, answer.text
        return answer.body

    def send(self, port: int, method: str, path: str, body: Any = None, *, key: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = f"{self.run} {key}"
        return ask(port, method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)

    def at_once(self, work: Callable[[int], Answer], times: int) -> list[Answer]:
        """Answers to so many requests, of which up to fifty begin at the same moment."""
        assert times <= TILLS or times % TILLS == 0, "a till would wait for others that never come"
        start = threading.Barrier(min(times, TILLS))

        def one(number: int) -> Answer:
            start.wait(60)
            return work(number)

        return list(self.pool.map(one, range(times)))

    def outcomes(self, work: Callable[[int], Answer], times: int) -> Counter[str]:
        return Counter(answer.outcome for answer in self.at_once(work, times))

    def cards(self, count: int, *, points: int = 0, programme: Programme | None = None) -> list[str]:
        """Numbers of new cards with so many points each."""
        now = self.world.clock()
        with self.world.database.unit_of_work() as session:
            owner = session.get_one(Programme, (programme or self.programme).id)
            made = [factories.card(session, owner, f"Guest {next(NUMBERS)}", now=now) for _ in range(count)]
            for card in made if points else ():
                sales.earn(session, card, Sale(amount_minor=points * 1000, currency="TRY"), by=TILL, now=now)
            return [card.number for card in made]

    def card(self, points: int = 0) -> str:
        return self.cards(1, points=points)[0]

    def balance(self, number: str) -> int:
        balance: int = self.get(f"/cards/{number}")["balance"]
        return balance


def ask(port: int, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body=None if body is None else body.encode(), headers=headers)
        response = connection.getresponse()
        return Answer(status=response.status, text=response.read().decode(), headers=dict(response.getheaders()))
    finally:
        connection.close()


@contextmanager
def process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A module of the tests in a process of its own, ended at the end."""
    command = [sys.executable, "-m", module, *arguments]
    started = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def line_of(started: subprocess.Popen[str]) -> str:
    """The next line that a process writes."""
    assert started.stdout is not None
    return started.stdout.readline().strip()
