"""A cashier's day on SQLite and on PostgreSQL: the same screens, the same points, and no search through all sales."""

import re

import pytest
from sqlalchemy import text

from app.cards.models import Programme
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning.sale import Line
from app.stamps import service as stamps
from app.stamps.drafts import StampCardDraft
from app.till import queries
from app.world import World
from tests.app.till.conftest import Shop, Till
from tests.app.till.test_redeem import offer


@pytest.fixture
def world(any_world: World) -> World:
    """Everything here runs on both databases."""
    return any_world


def later(shop: Shop) -> None:
    shop.world.clock.advance(seconds=20)  # type: ignore[attr-defined]


def test_a_day_at_the_till(till: Till, shop: Shop) -> None:
    made = offer(shop, limit_per_card=1)
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        draft = StampCardDraft(programme=programme, name="Coffee card", reward="A coffee", size=10)
        stamp_card = stamps.create(session, draft, by="cli", now=shop.world.clock())
        bought = Sale(
            amount_minor=12_000, currency="TRY", receipt="R-1", store=shop.store,
            lines=(Line(number=1, amount_minor=9_000, product="Beans", quantity=3), Line(number=2, amount_minor=3_000)),
        )  # fmt: skip
        sales.earn(session, shop.card, bought, by=Actor(name="key:pos", channel="api"), now=shop.world.clock())
    address = f"/till/cards/{shop.card.serial}"

    later(shop)
    till.done(till.redeem(shop.card, offer=made.public_id))
    assert re.search(r"Used \d:\d\d\sPM at Kadıköy\.", till.client.get(address).text)
    later(shop)
    till.done(till.send(f"{address}/stamp", key=till.key(), stamp_card=stamp_card.public_id, count="10"))
    later(shop)
    till.done(till.redeem(shop.card, stamp_card=stamp_card.public_id))
    later(shop)
    held = till.done(till.redeem(shop.card, reserve=shop.reward.public_id))
    assert shop.balance() == 32
    found = re.search(r'name="hold" value="([^"]+)"', held)
    assert found
    later(shop)
    till.done(till.send(f"{address}/hold", key=till.key(), hold=found[1], act="capture"))
    later(shop)
    sale = till.scan("R-1").location
    shown = till.send(sale, key=till.key(), act="reckon", **{"pieces-1": "2"}).text
    assert "−6" in shown
    till.done(till.send(sale, key=till.key(), act="some", **{"pieces-1": "2"}))
    assert shop.balance() == 26
    later(shop)
    asked = till.send(sale, key=till.key(), act="all")
    assert asked.status_code == 303
    assert shop.balance() == 20
    assert "Taken back" in till.client.get("/till").text


def test_a_receipt_is_found_by_its_index(shop: Shop) -> None:
    plan_by = "EXPLAIN QUERY PLAN" if shop.world.database.is_sqlite else "EXPLAIN"
    wanted = queries.sales_of_receipt(shop.programme.id, {0, shop.store.id}, "R-1")
    with shop.world.database.unit_of_work() as session:
        if plan_by == "EXPLAIN":
            session.execute(text("SET LOCAL enable_seqscan = off"))  # a table of three rows is read whole otherwise
        statement = wanted.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(str(row) for row in session.execute(text(f"{plan_by} {statement}")))

    assert "uq_entry_receipt" in plan
