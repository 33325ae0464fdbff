"""What a purchase costs by many rules, and in a ledger that has grown; on both databases.

`python -m tests.bench.earning [--entries 1000000] [--database sqlite|postgresql]`. A purchase is asked about and booked
by the service itself, each time for another card and in a transaction of its own, as the API does it.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme, Store
from app.clock import system_clock
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.db import Database
from app.earning import service as earning
from app.earning.sale import Line
from app.migrations.run import migrate
from app.vault import Vault
from tests import factories
from tests.bench import movements, seed
from tests.bench.databases import BOTH, fresh, main
from tests.bench.wire import Timings

SMALL, LARGE, EACH = 10_000, 1_000_000, 10
ROUNDS = 600
WARM = 50
RATIO_LIMIT = 1.3
RULES, LINES = 20, 30
SECRET = "a" * 64
TILL = Actor(name="key:bench", channel="api")


@dataclass(frozen=True, kw_only=True)
class _Shop:
    """A programme whose members have moved points, with a store."""

    database: Database
    programme_id: int
    store: Store
    cards: list[int]


def run(*, entries: int = LARGE, databases: tuple[str, ...] = BOTH) -> Iterator[str]:
    """All lines, for one database after the other."""
    for name, url, _folder in fresh(databases):
        yield from _measured(name, url, entries)


def _measured(name: str, url: str, entries: int) -> Iterator[str]:
    database = Database(url, info={"vault": Vault(SECRET)})
    migrate(database)
    shop = _filled(database, "small", SMALL)
    small = _timed(shop, _earn, _plain)
    yield f"{name}: a purchase, one rule:           asked {_said(_timed(shop, _quote, _plain))}; booked {_said(small)}"
    grown = _timed(_filled(database, "large", entries - SMALL), _earn, _plain)
    for share in (0.5, 0.99):
        ratio = grown.at(share) / small.at(share)
        limit = f"  (at most {RATIO_LIMIT} x)  {'OK' if ratio <= RATIO_LIMIT else 'MISSED'}" if share == 0.5 else ""
        yield (
            f"{name}: booked p{share * 100:.0f} {small.at(share) * 1e3:6.2f} ms at {SMALL:,} entries, "
            f"{grown.at(share) * 1e3:6.2f} ms at {entries:,}: {ratio:.2f} x{limit}"
        )
    database.transact(lambda session: _publish(session, shop.programme_id))
    asked, booked = _timed(shop, _quote, _long), _timed(shop, _earn, _long)
    yield f"{name}: {LINES} lines by {RULES} rules:           asked {_said(asked)}; booked {_said(booked)}"
    database.close()


def _filled(database: Database, slug: str, entries: int) -> _Shop:
    now = system_clock()
    with database.unit_of_work() as session:
        programme = factories.programme(session, now=now, slug=slug)
        store = factories.store(session, programme, now=now)
        programme_id = programme.id
    seed.seed(database, seed.Crowd(programme_id=programme_id, cards=max(1, entries // EACH)), now=now)
    movements.write(database, programme_id, entries=entries, now=now)
    with database.reading() as session:
        cards = list(session.scalars(select(Card.id).where(Card.programme_id == programme_id)))
    return _Shop(database=database, programme_id=programme_id, store=store, cards=cards)


def _publish(session: Session, programme_id: int) -> None:
    """Twenty rules of which most look at each line: products, hours, stores, a cap for each day."""
    happy_hour = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "00:00", "to": "23:59"}
    rules: list[dict[str, Any]] = [{"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"}]
    for number in range(RULES - 2):
        only = {"categories": [f"category-{number % 6}"]}
        rules.append(
            {
                "kind": "multiplier", "name": f"Rule {number}", "factor": "1.5", "only": only, "no_end": True,
                "when": {"windows": [happy_hour]},
            }
        )  # fmt: skip
    rules.append({"kind": "cap", "name": "Day", "points": 10_000, "per": "day"})
    programme = session.get_one(Programme, programme_id)
    now = system_clock()
    earning.publish(session, programme, {"rules": rules}, starts_at=None, note="bench", by="bench", now=now)


def _plain(shop: _Shop, number: int) -> Sale:
    return Sale(amount_minor=12_000, currency="TRY", receipt=f"p-{number}", store=shop.store)


def _long(shop: _Shop, number: int) -> Sale:
    lines = tuple(
        Line(number=one + 1, amount_minor=1_000, product=f"sku-{one}", category=f"category-{one % 8}", quantity=1)
        for one in range(LINES)
    )
    return Sale(amount_minor=LINES * 1_000, currency="TRY", receipt=f"l-{number}", store=shop.store, lines=lines)


def _quote(session: Session, card: Card, sale: Sale, now: datetime) -> object:
    return sales.quote(session, card, sale, now=now)


def _earn(session: Session, card: Card, sale: Sale, now: datetime) -> object:
    return sales.earn(session, card, sale, by=TILL, now=now)


def _timed(
    shop: _Shop,
    work: Callable[[Session, Card, Sale, datetime], object],
    sale: Callable[[_Shop, int], Sale],
) -> Timings:
    """Each round another card, so that no page of the database is warm by accident."""
    dice = random.Random(7)
    found = Timings()
    for number in range(WARM + ROUNDS):
        card_id, bought = dice.choice(shop.cards), sale(shop, number)

        def done(session: Session, card_id: int = card_id, bought: Sale = bought) -> object:
            return work(session, session.get_one(Card, card_id), bought, system_clock())

        began = time.perf_counter()
        shop.database.transact(done)
        if number >= WARM:
            found.took_s.append(time.perf_counter() - began)
    return found


def _said(found: Timings) -> str:
    return f"p50 {found.at(0.5) * 1e3:5.2f} ms, p99 {found.at(0.99) * 1e3:5.2f} ms"


if __name__ == "__main__":
    sys.exit(main("tests.bench.earning", run, entries=LARGE))
