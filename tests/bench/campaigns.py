"""A campaign to a million people: `python -m tests.bench.campaigns [--cards 1000000] [--database sqlite]`.

Measured, in a process of its own, are its planning (time with the rests that it leaves to tills, and memory), the pace
of sending, and what a second of the clock costs with a hundred campaigns alive. A till writes beside the planning.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select, text

from app.campaigns import policy, service
from app.campaigns.drafting import Draft
from app.campaigns.models import CampaignRun
from app.campaigns.policy import Policy
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.clock import system_clock
from app.migrations.run import migrate
from app.outbox.service import Lane
from app.world import World
from tests import factories
from tests.bench import seed
from tests.bench.databases import BOTH, fresh
from tests.conftest import MovableClock, open_test_world, settings_for

CARDS = 1_000_000
ALIVE = 100
SENT = 20_000
LIMIT_S = 60
LIMIT_MIB = 300
ZONES = ("Asia/Jakarta", "Asia/Jayapura", "Europe/Berlin", "Asia/Makassar")
PEOPLE = (
    # nine of ten agree and have the card in a wallet, one of twenty lives by a clock of their own
    "UPDATE member SET marketing_consent = (id % 10 <> 0), timezone = CASE WHEN id % 20 = 1 THEN 'Asia/Jakarta' "
    "WHEN id % 20 = 2 THEN 'Europe/Berlin' END",
    """INSERT INTO installation (programme_id, card_id, wallet, installed_at)
       SELECT programme_id, id, 'apple', 0 FROM card WHERE id % 10 <> 5""",
    """INSERT INTO habit (card_id, programme_id, visits, spend_minor, visits_365, spend_365_minor, product, category,
         counted_on) SELECT id, programme_id, id % 7, 0, 0, 0, '', '', '2026-11-20' FROM card""",
    """INSERT INTO preference (member_id, quiet_from, quiet_to, unwanted_topics, changed_at)
       SELECT id, '22:00', '08:00', '[]', 0 FROM member WHERE id % 50 = 3""",
)


def run(entries: int = CARDS, databases: tuple[str, ...] = BOTH) -> Iterator[str]:
    """Both databases, one after the other."""
    for name, url, folder in fresh(databases):
        yield from _on(name, url, folder, entries)


def _on(name: str, url: str, folder: Path, number: int) -> Iterator[str]:
    world = open_test_world(settings_for(url, folder), MovableClock(system_clock()))
    migrate(world.database)
    _seed(world, number)
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        policy.change(session, programme, Policy(quiet_from="00:00", quiet_to="00:00", approve_above=10_000_000),
                      by="bench", now=world.clock())  # fmt: skip
    run_id = _launched(world, "now")
    over = threading.Event()
    waits: list[float] = []
    till = threading.Thread(target=_till, args=(world, over, waits))
    till.start()
    found = _child("plan", url, folder, run_id)
    over.set()
    till.join()
    waits.sort()
    kept = found["seconds"] <= LIMIT_S and found["mib"] <= LIMIT_MIB
    yield (
        f"{name}: {found['planned']:,} people planned in {found['seconds']:.1f} s with its rests, "
        f"{found['processor']:.1f} s of its processor "
        f"({found['mib']:.0f} MiB at most), {'within' if kept else 'ABOVE'} the limits of {LIMIT_S} s and "
        f"{LIMIT_MIB} MiB; a till's write beside it {waits[len(waits) // 2] * 1000:.1f} ms, "
        f"p99 {waits[len(waits) * 99 // 100] * 1000:.1f} ms"
    )
    found = _child("send", url, folder, run_id)
    pace = found["sent"] / found["seconds"]
    told = f"{found['sent']:,} of them sent in {found['seconds']:.1f} s ({pace:,.0f}/s"
    yield f"{name}: {told}, {found['processor']:.1f} s of its processor)"
    for _ in range(ALIVE - 1):
        _launched(world, "2027-06-01T10:00")
    with world.database.unit_of_work() as session:
        session.execute(text("UPDATE recipient SET due_at = 9999999999999 WHERE state = 'planned'"))
    found = _child("tick", url, folder, run_id)
    yield f"{name}: {found['seconds'] * 1000:.0f} ms for the clock with {ALIVE} campaigns alive and nothing due"
    world.database.close()


def _seed(world: World, number: int) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=world.clock())
    seed.seed(world.database, seed.Crowd(programme_id=programme.id, cards=number), now=world.clock())
    if world.database.is_sqlite:
        seed.quickly(world.database)
    with world.database.unit_of_work() as session:
        if not world.database.is_sqlite:
            session.execute(text("SET LOCAL statement_timeout = 0"))
        for step in PEOPLE:
            session.execute(text(step))
    world.database.close()
    seed.analyze(world.database)


def _launched(world: World, local: str) -> int:
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        draft = Draft(programme=programme, name="Everybody", message={"title": "Hello", "body": "{points} points"},
                      send_local=local, goal={"metric": "purchase", "days": 14}, holdout_bp=1000)  # fmt: skip
        campaign = service.create(session, draft, by="bench", now=world.clock())
        service.launch(session, campaign, by="bench", now=world.clock())
        return session.scalars(select(CampaignRun.id).where(CampaignRun.campaign_id == campaign.id)).one()


def _till(world: World, over: threading.Event, waits: list[float]) -> None:
    """One card after the other changes, as a till's sale would change it, twenty a second."""
    world.database.serve_web()
    number = 0
    while not over.wait(0.05):
        number += 1
        began = time.perf_counter()
        with world.database.unit_of_work() as session:
            card = session.scalars(select(Card).order_by(Card.id).offset(number).limit(1)).one()
            cards.touch(session, card, lane=Lane.URGENT, now=world.clock())
        waits.append(time.perf_counter() - began)


def _child(what: str, url: str, folder: Path, run_id: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.campaigns_child", what, url, str(folder), str(run_id)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.campaigns", description=__doc__)
    parser.add_argument("--cards", type=int, default=CARDS)
    parser.add_argument("--database", choices=BOTH)
    chosen = parser.parse_args()
    for line in run(chosen.cards, (chosen.database,) if chosen.database else BOTH):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
