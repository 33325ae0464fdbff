"""What a purchase and a member are worth: of the purchases that are left, at the store and on the days asked about."""

from datetime import timedelta
from fractions import Fraction

import pytest

from app.counter import returns
from app.reports import building, valuing
from app.reports.outcome import Units
from app.world import World
from tests import factories
from tests.app.reports.reading import figure, read
from tests.app.results.stage import TILL, Stage
from tests.conftest import MovableClock

TODAY = "2026-11-20"
WORTH = {"margin": "0.5", "member_years": "2"}


@pytest.fixture
def stage(any_world: World, clock: MovableClock) -> Stage:
    stage = Stage(any_world, people=2)
    with any_world.database.unit_of_work() as session:
        valuing.change(session, session.merge(stage.programme), WORTH, by="staff:x", now=clock())
    return stage


def test_a_store_is_asked_about_its_own_purchases(stage: Stage, clock: MovableClock) -> None:
    first = stage.store
    stage.buys(0, "100.00")
    with stage.world.database.unit_of_work() as session:
        second = stage.store = factories.store(session, session.merge(stage.programme), "Moda")
    for hour in range(9):
        stage.buys(1, "50.00", after=timedelta(minutes=20 * hour))
    clock.advance(hours=4)
    building.build(stage.world)

    found = {
        store: read(stage.world, stage.programme, "value", first=TODAY, last=TODAY, store=store)
        for store in (None, first.public_id, second.public_id)
    }

    assert [figure(one, "mean_sale") for one in found.values()] == [
        Units(55_00, "TRY"), Units(100_00, "TRY"), Units(50_00, "TRY")
    ]  # fmt: skip
    assert [figure(one, "sales_per_year") for one in found.values()] == [5 * 365, 365, 9 * 365]
    assert figure(found[second.public_id], "clv") == Units(50_00 * 9 * 365, "TRY")


@pytest.mark.parametrize("name", ["value", "stores"])
def test_what_was_returned_whole_is_no_purchase_of_the_mean(stage: Stage, clock: MovableClock, name: str) -> None:
    sold = [stage.buys(0, "100.00", after=timedelta(minutes=20 * number)) for number in range(10)]
    for entry in sold[:5]:
        stage.brings_back(entry)
    stage.brings_back(sold[5], amount_minor=50_00)
    clock.advance(hours=5)
    building.build(stage.world)

    assert figure(read(stage.world, stage.programme, name), "mean_sale") == Units(90_00, "TRY")


@pytest.mark.parametrize("name", ["value", "stores"])
def test_a_return_of_yesterday_s_sale_is_not_paid_by_today_s(stage: Stage, clock: MovableClock, name: str) -> None:
    entry = stage.buys(0, "100.00")
    clock.advance(days=1)
    stage.world.database.transact(
        lambda session: returns.reverse(session, entry.id, reason="returned", by=TILL, now=clock(), store=stage.store)
    )
    stage.start = clock()
    stage.buys(1, "50.00", after=timedelta(0))
    building.build(stage.world)

    today = read(stage.world, stage.programme, name, first="2026-11-21", last="2026-11-21")
    yesterday = read(stage.world, stage.programme, name, first=TODAY, last=TODAY)

    assert figure(today, "mean_sale") == Units(50_00, "TRY")
    assert figure(yesterday, "mean_sale") is None


def test_days_that_are_still_to_come_do_not_thin_out_a_year(stage: Stage, clock: MovableClock) -> None:
    for hour in range(2):
        stage.buys(0, "100.00", after=timedelta(hours=hour))
    clock.advance(days=1, hours=3)
    building.build(stage.world)

    until_today = read(stage.world, stage.programme, "value", first=TODAY)
    far = read(stage.world, stage.programme, "value", first=TODAY, last="2027-11-19")
    ahead = read(stage.world, stage.programme, "value", first="2027-01-01", last="2027-01-31")

    assert figure(until_today, "sales_per_year") == figure(far, "sales_per_year") == Fraction(2 * 365, 2)
    assert [figure(ahead, name) for name in ("mean_sale", "sales_per_year", "clv")] == [None] * 3
