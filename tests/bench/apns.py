"""The client of APNs against nginx's HTTP/2, which nobody here wrote: its speed, and its bad days.

`python -m tests.bench.apns [pushes]`. On bad days what counts is that every push ends with an answer, that whoever is
told "try again" gets through at last, and that the server saw each phone: nothing may be lost. Pushes that the server
saw twice are counted, and harmless.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

from app.sandbox.authority import Authority
from app.wallets.apple.batches import Wake, Woken
from app.wallets.apple.client import ApnsClient
from app.wallets.apple.dial import Access
from passes.outcome import Outcome
from tests.bench import h2_server

PUSHES = 60_000
GOAL = 45_000
BATCH = 500
THREADS = 2
TROUBLED = 4_000
ROUNDS_MAX = 40
TOPIC = "pass.com.example.kahve"

CONFIGURATION = """
daemon off; worker_processes 1; worker_shutdown_timeout 5s;
pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 64; }}
http {{
  log_format seen "$status $uri"; access_log {folder}/seen.log seen;
  keepalive_requests {requests}; http2_max_concurrent_streams {streams};
  limit_req_zone $server_port zone=slow:1m rate={rate}r/s;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{ limit_req zone=slow burst=1000000; try_files /none @taken; }}
    location @taken {{ return 200; }}
  }}
}}
"""


@dataclass(kw_only=True)
class Nginx:
    """An nginx with a fault; it may be told to reload, or killed and started again."""

    folder: Path
    command: list[str]
    port: int
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        self._process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, process_group=0)
        for _ in range(200):
            with closing(socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise SystemExit("nginx did not start")

    def reload(self) -> None:
        """New workers take over; the old one says GOAWAY."""
        if self._process:
            self._process.send_signal(signal.SIGHUP)

    def kill_and_start(self) -> None:
        """Nobody says anything."""
        self.kill()
        time.sleep(0.3)
        self.start()

    def kill(self) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    def seen(self) -> Counter[str]:
        """How often each path was answered with 200."""
        lines = (self.folder / "seen.log").read_text().splitlines()
        return Counter(path for status, path in (line.split() for line in lines) if status == "200")


@dataclass(frozen=True, kw_only=True)
class BadDay:
    """What is wrong, and what happens *during* it."""

    name: str
    requests: int = 1_000_000_000
    streams: int = 1000
    rate: int = 1_000_000
    during: Callable[[Nginx], None] | None = None


BAD_DAYS = (
    BadDay(name="GOAWAY after every 97 requests", requests=97),
    BadDay(name="one stream at a time", streams=1),
    BadDay(name="three streams at a time, GOAWAY after 50", streams=3, requests=50),
    BadDay(name="slow answers (1,000 a second)", rate=1_000),
    BadDay(name="reloaded twice midway", rate=2_000, during=lambda nginx: _repeatedly(nginx.reload)),
    BadDay(name="killed twice midway", rate=2_000, during=lambda nginx: _repeatedly(nginx.kill_and_start)),
)


def run(pushes: int = PUSHES) -> Iterator[str]:
    """One line for each figure; without nginx the bad days are left out, and said to be."""
    with tempfile.TemporaryDirectory(prefix="tessera-apns-") as name:
        authority = Authority(Path(name))
        certificate, key = authority.server_identity()
        with h2_server.running(Path(name), certificate, key) as server:
            yield _speed(server.url, authority.ca_file, pushes, server.name)
        nginx = shutil.which("nginx")
        if nginx is None:
            yield "nginx is not installed: its bad days were not tried"
            return
        for number, day in enumerate(BAD_DAYS):
            folder = Path(name) / f"day-{number}"
            folder.mkdir()
            with _nginx(nginx, folder, day, certificate, key) as server_of_the_day:
                yield _troubled(day, server_of_the_day, authority.ca_file)


def _speed(url: str, ca_file: Path, pushes: int, server: str) -> str:
    client = ApnsClient(Access(url=url, ca_file=ca_file))
    wakes = [Wake(f"{number:064x}") for number in range(pushes)]
    client.send(wakes[:1], topic=TOPIC)
    began, began_cpu = time.perf_counter(), time.process_time()
    results = _send(client, wakes)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    client.close()
    missed = sum(1 for one in results if one is None or one.answer.outcome is not Outcome.DELIVERED)
    return (
        f"{pushes / cpu_s:,.0f} pushes for each second of processor (at least {GOAL:,}): {cpu_s / pushes * 1e6:.1f} µs "
        f"each; {pushes / wall_s:,.0f}/s by the clock, {missed} missed (at most 0), one connection to {server}"
    )


def _send(client: ApnsClient, wakes: Sequence[Wake]) -> list[Woken | None]:
    """From several threads at once, as delivery does; results in the order of the wakes."""
    results: dict[int, list[Woken | None]] = {}
    firsts = iter(range(0, len(wakes), BATCH))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                first = next(firsts, None)
            if first is None:
                return
            results[first] = client.send(wakes[first : first + BATCH], topic=TOPIC)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for first in sorted(results) for one in results[first]]


def _troubled(day: BadDay, nginx: Nginx, ca_file: Path) -> str:
    client = ApnsClient(Access(url=f"https://127.0.0.1:{nginx.port}", ca_file=ca_file), deadline_s=5)
    wakes = [Wake(f"{number:064x}") for number in range(TROUBLED)]
    meddling = threading.Thread(target=day.during, args=(nginx,)) if day.during else None
    if meddling:
        meddling.start()
    told: Counter[str] = Counter()
    waiting, rounds = list(wakes), 0
    while waiting and rounds < ROUNDS_MAX:
        rounds += 1
        results = _send(client, waiting)
        told.update("unanswered" if one is None else one.answer.outcome.value for one in results)
        waiting = [wake for wake, one in zip(waiting, results, strict=True) if _is_due_again(one)]
        if waiting:
            time.sleep(0.25)
    if meddling:
        meddling.join()
    client.close()
    seen = nginx.seen()
    lost = sum(1 for wake in wakes if not seen[f"/3/device/{wake.push_token}"])
    twice = sum(count - 1 for count in seen.values())
    other = told.total() - told["delivered"] - told["try_again"]
    return (
        f"{day.name}: {lost + len(waiting)} of {TROUBLED:,} lost (at most 0), {other} without an answer or with a wrong"
        f" one (at most 0), {told['try_again']} told to try again, {twice} seen twice, {rounds} rounds"
    )


def _is_due_again(woken: Woken | None) -> bool:
    return woken is None or woken.answer.outcome is not Outcome.DELIVERED


def _repeatedly(action: Callable[[], None]) -> None:
    for _ in range(2):
        time.sleep(0.6)
        action()


@contextmanager
def _nginx(command: str, folder: Path, day: BadDay, certificate: Path, key: Path) -> Iterator[Nginx]:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    file = folder / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(
            folder=folder,
            requests=day.requests,
            streams=day.streams,
            rate=day.rate,
            port=port,
            certificate=certificate,
            key=key,
        )
    )
    made = Nginx(folder=folder, command=[command, "-c", str(file), "-p", str(folder)], port=port)
    made.start()
    try:
        yield made
    finally:
        made.kill()


def main() -> None:
    asked = sys.argv[1] if len(sys.argv) > 1 else str(PUSHES)
    if not re.fullmatch(r"\d{1,8}", asked):
        raise SystemExit("python -m tests.bench.apns [pushes]")
    for line in run(int(asked)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
