"""The day at a till: whose figures it shows, which day it is, and that they are the ledger's own sums."""

import re
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.counter import paying
from app.counter.moves import Actor
from app.ledger.models import Account, Entry, Posting
from app.staff.guards import identity_of
from app.till.day import summary
from app.till.desk import Desk
from app.value.service import NewLoad
from app.world import World
from tests import factories
from tests.app.till.conftest import Shop, Till
from tests.conftest import MovableClock


@pytest.fixture
def world(any_world: World) -> World:
    """Everything here runs on both databases."""
    return any_world


def desk_of(shop: Shop, *, manager: bool = True) -> Desk:
    who = identity_of(shop.manager if manager else shop.cashier)
    return Desk(who=who, programme=shop.programme, store=shop.store)


def day_of(shop: Shop, clock: MovableClock, *, manager: bool = True) -> summary.Day:
    with shop.world.database.reading() as session:
        desk = desk_of(shop, manager=manager)
        return summary.of_day(session, desk, summary.today(desk, clock()), now=clock())


def by_the_ledger(shop: Shop) -> dict[str, int]:
    """What members can spend, wait for or owe, as the legs at this store have moved it."""
    query = (
        select(Account.unit, func.sum(Posting.amount))
        .join(Account, Account.id == Posting.account_id)
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Account.member_id.is_not(None), Account.role != "hold", Entry.store_id == shop.store.id)
        .group_by(Account.unit)
    )
    with shop.world.database.reading() as session:
        return {row[0]: int(row[1]) for row in session.execute(query) if row[1]}


def a_busy_day(till: Till, manager_till: Till, shop: Shop, clock: MovableClock) -> None:
    till.done(till.earn(shop.card, "1000", receipt="A-1"))
    till.done(till.earn(shop.card, "250,50"))
    till.done(till.redeem(shop.card, reward=shop.reward.public_id))
    manager_till.done(manager_till.earn(shop.card, "12000"))
    undone = manager_till.earn(shop.card, "40")
    manager_till.done(undone)
    manager_till.done(manager_till.undo(undone.location.partition("done=")[2]))
    with shop.world.database.unit_of_work() as session:
        load = NewLoad(amount_minor=5_000, currency="TRY", reference="cash-1")
        by = Actor(name=f"staff:{shop.cashier.public_id}", channel="till")
        paying.load(session, shop.card, load, by=by, now=clock(), store=shop.store)


def test_every_unit_of_the_day_is_the_sum_of_the_ledger_s_legs(
    till: Till, manager_till: Till, shop: Shop, clock: MovableClock
) -> None:
    a_busy_day(till, manager_till, shop, clock)

    day = day_of(shop, clock)

    assert {one.unit: one.total for one in day.together.moved if one.total} == by_the_ledger(shop)
    assert set(by_the_ledger(shop)) >= {"points", "TRY"}
    for one in day.together.moved:
        assert sum(person.unit(one.unit).total for person in day.people) == one.total
    assert day.together.sales == (("TRY", 4, 1_329_050),)
    assert day.together.returned == (("TRY", 1, -4_000),)
    assert (day.together.rewards, day.together.undone) == (1, 1)
    assert day.together.unit("points").of(summary.USED) == -80
    assert day.together.unit("TRY").of(summary.LOADED) == 5_000


def test_what_was_put_aside_and_used_later_is_counted_once(till: Till, shop: Shop, clock: MovableClock) -> None:
    page = till.done(till.redeem(shop.card, reserve=shop.reward.public_id))
    hold = re.search(r'name="hold" value="([^"]+)"', page)
    assert hold is not None
    till.done(till.send(f"/till/cards/{shop.card.serial}/hold", key=till.key(), hold=hold[1], act="capture"))

    together = day_of(shop, clock).together

    assert (together.rewards, together.unit("points").total) == (1, -80)
    assert by_the_ledger(shop) == {"points": -80}


def test_a_cashier_sees_their_own_and_a_manager_the_store_s(
    till: Till, manager_till: Till, shop: Shop, clock: MovableClock
) -> None:
    a_busy_day(till, manager_till, shop, clock)

    own, all_of_it = day_of(shop, clock, manager=False), day_of(shop, clock)

    assert own.together.sales == (("TRY", 2, 125_050),)
    assert [one.name for one in own.people] == ["Cashier"]
    assert [one.name for one in all_of_it.people] == ["Cashier", "Manager"]
    assert "Manager" not in till.client.get("/till/day.txt").text
    page = manager_till.client.get("/till/day.txt").text
    assert "Cashier" in page
    assert all(len(line) <= 42 for line in page.splitlines())


def test_another_store_s_sales_are_not_in_it(app: Flask, shop: Shop, clock: MovableClock) -> None:
    with shop.world.database.unit_of_work() as session:
        far = factories.staff(session, "manager", email="far@example.com", store=shop.other_store)
    there = Till(app, far)
    there.done(there.earn(shop.card, "500"))

    assert day_of(shop, clock).together.sales == ()


@pytest.mark.parametrize(("hours", "on"), [(10.99, "2026-11-20"), (11.01, "2026-11-21")])
def test_the_day_ends_at_midnight_of_the_store(
    till: Till, shop: Shop, clock: MovableClock, hours: float, on: str
) -> None:
    clock.advance(hours=hours - 1)  # 24 o'clock in Istanbul is 21 o'clock UTC, eleven hours after ten
    till.done(till.earn(shop.card, "10"))
    clock.advance(hours=5)

    with shop.world.database.reading() as session:
        found = summary.of_day(session, desk_of(shop), date.fromisoformat(on), now=clock())

    assert len(found.together.sales) == 1
    assert (found.until is None) == (on == "2026-11-20")


def test_an_unfinished_day_says_until_when(till: Till, shop: Shop, clock: MovableClock) -> None:
    page = till.client.get("/till/day").text

    assert "until 2:00" in page
    assert "the day is not over" in page
    assert "the day is not over" not in till.client.get("/till/day?on=2026-11-19").text


@pytest.mark.parametrize(
    "on", ["2026-11-21", "9999-12-31", "1999-01-01", "0001-01-01", "yesterday", "2026-02-30", "\x00"]
)
def test_a_day_that_cannot_be_is_refused(till: Till, on: str) -> None:
    answer = till.client.get("/till/day", query_string={"on": on})

    assert answer.status_code == 422


def test_a_form_that_is_not_known_is_not_found(till: Till) -> None:
    assert till.client.get("/till/day.pdf").status_code == 404


def test_the_day_is_a_range_of_the_primary_key(shop: Shop, clock: MovableClock) -> None:
    desk = desk_of(shop)
    start = clock()
    compiled = summary._sums(desk, start, start).compile(
        shop.world.database.engine, compile_kwargs={"literal_binds": True}
    )

    with shop.world.database.reading() as session:
        if shop.world.database.is_sqlite:
            plan = " ".join(row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
        else:  # a small table is read whole, unless that is forbidden
            session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = " ".join(row[0] for row in session.execute(text(f"EXPLAIN {compiled}")))

    is_range = "SEARCH entry USING INDEX sqlite_autoindex_entry_1 (id>? AND id<?)" in plan
    assert is_range or "Index Cond: (((id)::text >=" in plan, plan
    assert "SCAN entry" not in plan
