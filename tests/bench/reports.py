"""Building reports of a year with a million entries, and reading each of them: `python -m tests.bench.reports`.

The days of cards, which a job of their own keeps up to date all day, are there already. A report is read for the whole
year beside the year before, in all stores; the slowest is the one that counts.
"""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, text

from app.cards.models import Programme
from app.clock import milliseconds, system_clock
from app.db import insert_if_new
from app.habits import counting
from app.habits.models import HabitProgress
from app.ledger.models import Entry
from app.migrations.run import migrate
from app.reports import building, service
from app.reports.models import ReportDesk, ReportFlow
from app.reports.service import Wish
from app.reports.touched import Place
from app.world import World
from tests import factories
from tests.bench import movements, seed
from tests.bench.databases import BOTH, fresh, main
from tests.conftest import MovableClock, open_test_world, settings_for

ENTRIES, CARDS, STORES = 1_000_000, 100_000, 20
YEAR = timedelta(days=365)
BUILD_LIMIT_S, READ_LIMIT_S = 600, 2
CARD_DAYS = {
    "sqlite": "date((occurred_at + 10800000) / 1000, 'unixepoch')",
    "postgresql": "(to_timestamp((occurred_at + 10800000) / 1000) AT TIME ZONE 'UTC')::date",
}
FILL = """INSERT INTO card_day (programme_id, day, card_id, store_id, visits, spend_minor, earned, spent)
       SELECT programme_id, {day}, card_id, coalesce(store_id, 0), sum(CASE WHEN kind = 'earn' THEN 1 ELSE 0 END),
         sum(coalesce(amount_minor, 0)), sum(CASE WHEN points > 0 THEN points ELSE 0 END),
         -sum(CASE WHEN points < 0 THEN points ELSE 0 END)
       FROM entry GROUP BY 1, 2, 3, 4"""

INSTALLED = """INSERT INTO installation (programme_id, card_id, wallet, installed_at)
       SELECT programme_id, id, 'apple', :at FROM card WHERE id % 3 > 0"""


def run(*, entries: int = ENTRIES, databases: tuple[str, ...] = BOTH) -> Iterator[str]:
    """The build and the readings on each database."""
    for name, url, folder in fresh(databases):
        yield from _on(name, url, folder, entries)


def _on(name: str, url: str, folder: Path, entries: int) -> Iterator[str]:
    clock = MovableClock(system_clock())
    world = open_test_world(settings_for(url, folder), clock)
    programme = _filled(world, entries)
    limit_s = BUILD_LIMIT_S * entries / ENTRIES
    for what, anew in (("the first build", True), ("the build an hour later", False)):
        began = time.perf_counter()
        built = building.build(world, anew=anew)
        took = time.perf_counter() - began
        verdict = "OK" if took <= limit_s else "MISSED"
        yield (
            f"{name}: {what}: {built.days} days, {built.months} months of {entries:,} entries in {took:.1f} s  "
            f"(limit {limit_s:.0f} s)  {verdict}"
        )
        clock.advance(hours=1)
    _checked(world)
    yield from _readings(name, world, programme)
    world.database.close()


def _readings(name: str, world: World, programme: Programme) -> Iterator[str]:
    today = Place.of(programme, world.clock()).today
    first = str(today - YEAR + timedelta(days=1))
    took: dict[str, float] = {}
    for kind in service.kinds("en"):
        wish = Wish(name=kind, first=first, last=str(today), names_people=True)
        began = time.perf_counter()
        with world.database.reading() as session:
            service.report(session, programme, wish, now=world.clock())
        took[kind] = time.perf_counter() - began
    slowest = sorted(took, key=lambda one: -took[one])[:4]
    told = ", ".join(f"{one} {took[one]:.2f} s" for one in slowest)
    verdict = "OK" if max(took.values()) <= READ_LIMIT_S else "MISSED"
    yield f"{name}: reading {len(took)} reports, slowest first: {told}  (limit {READ_LIMIT_S} s each)  {verdict}"


def _checked(world: World) -> None:
    with world.database.reading() as session:
        entries = session.scalar(select(func.count()).select_from(Entry))
        assert session.scalar(select(func.sum(ReportDesk.entries))) == entries
        assert session.scalar(select(func.sum(ReportFlow.units))) == 0


def _filled(world: World, entries: int) -> Programme:
    migrate(world.database)
    now = world.clock()
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=now - YEAR)
        stores = [factories.store(session, programme, f"Store {number}", now=now).id for number in range(STORES)]
    cards = max(1, CARDS * entries // ENTRIES)
    seed.seed(world.database, seed.Crowd(programme_id=programme.id, cards=cards), now=now - YEAR)
    step_ms = int(YEAR.total_seconds() * 1000) // entries
    movements.write(
        world.database, programme.id, entries=entries, now=now - timedelta(minutes=30), step_ms=step_ms, stores=stores
    )
    with world.database.unit_of_work() as session:
        if not world.database.is_sqlite:
            session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text(FILL.format(day=CARD_DAYS[session.get_bind().dialect.name])))
        last = session.scalar(select(func.max(Entry.id)))
        whole = {"programme_id": counting.WHOLE_LEDGER, "entry_id": last, "changed_at": now}
        insert_if_new(session, HabitProgress, **whole, followed_at=now, night_step="", night_card_id=0)
        session.execute(text(INSTALLED), {"at": milliseconds(now - YEAR)})
    seed.analyze(world.database)
    return programme


if __name__ == "__main__":
    sys.exit(main("tests.bench.reports", run, entries=ENTRIES))
