"""As of when a report is, and that its figures and its table say the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.cards import holding
from app.cards.models import Card
from app.counter import returns, sales
from app.counter.pricing import Sale
from app.habits import counting
from app.reports import building, cohorts, monthly
from app.world import World
from tests.app.reports.reading import cell, figure, read
from tests.app.results.stage import TILL, Stage
from tests.conftest import MovableClock

NOW = timedelta(0)


def carried(world: World, card: Card) -> None:
    """The card comes into a wallet."""
    with world.database.unit_of_work() as session:
        holding.installed(session, card.id, wallet="apple", now=world.clock())


@pytest.fixture
def stage(any_world: World, clock: MovableClock) -> Stage:
    """Three members, whose programme was swept two and a half hours ago; one bought twice since."""
    stage = Stage(any_world, people=3)
    building.work(any_world)
    clock.advance(hours=2)
    stage.start = clock()
    carried(any_world, stage.cards[0])
    for _time in range(2):
        stage.buys(0, "100.00", after=NOW)
    clock.advance(minutes=30)
    building.work(any_world)
    return stage


def test_the_month_that_is_not_over_is_counted_as_its_figures_are(stage: Stage) -> None:
    repeat = read(stage.world, stage.programme, "repeat", first="2026-11-01")
    members = read(stage.world, stage.programme, "members", first="2026-11-01")

    for name in ("buyers", "repeaters", "repeat_rate", "frequency"):
        assert cell(repeat, name) == figure(repeat, name), name
    for name in ("enrolments", "active_members", "installed", "active_cards"):
        assert cell(members, name) == figure(members, name), name
    assert (cell(repeat, "buyers"), cell(repeat, "sales"), cell(members, "active_cards")) == (1, 2, 1)


def test_a_sale_between_two_builds_is_in_the_figures_and_in_the_table(stage: Stage, clock: MovableClock) -> None:
    stage.start = clock()
    stage.buys(1, "50.00", after=NOW)
    counting.follow(stage.world)

    repeat = read(stage.world, stage.programme, "repeat", first="2026-11-01")

    assert figure(repeat, "buyers") == cell(repeat, "buyers") == 2


def test_one_store_s_table_says_what_its_figures_say(stage: Stage) -> None:
    for name, column in (("repeat", "buyers"), ("members", "active_members")):
        report = read(stage.world, stage.programme, name, first="2026-11-01", store=stage.store.public_id)

        assert cell(report, column) == figure(report, column) == 1


@pytest.mark.parametrize("name", ["cohorts", "redemption", "deferral"])
def test_what_is_counted_by_night_is_as_of_that_night(stage: Stage, clock: MovableClock, name: str) -> None:
    swept_at = clock() - timedelta(hours=2, minutes=30)

    assert read(stage.world, stage.programme, name).built_at == swept_at

    clock.advance(days=1)
    building.work(stage.world)

    assert read(stage.world, stage.programme, name).built_at == clock()


@pytest.mark.parametrize("name", ["repeat", "members", "units"])
def test_what_is_counted_every_hour_is_as_of_that_hour(stage: Stage, clock: MovableClock, name: str) -> None:
    assert read(stage.world, stage.programme, name).built_at == clock()


def test_a_sale_that_arrives_late_is_in_last_month_within_the_hour(any_world: World, clock: MovableClock) -> None:
    clock.at = yesterday = datetime(2026, 11, 30, 9, tzinfo=UTC)
    stage = Stage(any_world, people=2)
    clock.advance(days=1)
    building.work(any_world)
    sale = Sale(amount_minor=100_00, currency="TRY", store=stage.store, occurred_at=yesterday + timedelta(hours=1))
    any_world.database.transact(
        lambda session: sales.earn(session, stage.cards[0], sale, by=TILL, now=clock() + timedelta(minutes=10))
    )
    clock.advance(hours=1)
    building.work(any_world)

    repeat = read(any_world, stage.programme, "repeat", first="2026-11-01", last="2026-11-30")

    assert figure(repeat, "buyers") == cell(repeat, "buyers") == 1
    assert repeat.built_at == clock()


def test_a_month_that_waits_for_the_night_is_as_of_its_last_build(any_world: World, clock: MovableClock) -> None:
    clock.at = datetime(2026, 10, 30, 9, tzinfo=UTC)
    stage = Stage(any_world, people=2)
    entry = stage.buys(0, "100.00")
    clock.at = swept_at = datetime(2026, 12, 1, 9, tzinfo=UTC)
    building.work(any_world)
    any_world.database.transact(
        lambda session: returns.reverse(session, entry.id, reason="returned", by=TILL, now=clock(), store=stage.store)
    )
    clock.advance(hours=1)
    building.work(any_world)

    waiting = read(any_world, stage.programme, "repeat", first="2026-10-01", last="2026-10-31")
    without = read(any_world, stage.programme, "repeat", first="2026-11-01")
    clock.advance(days=1)
    building.work(any_world)
    done = read(any_world, stage.programme, "repeat", first="2026-10-01", last="2026-10-31")

    assert (waiting.built_at, cell(waiting, "buyers")) == (swept_at, 1)
    assert without.built_at == swept_at + timedelta(hours=1)
    assert (done.built_at, cell(done, "buyers")) == (clock(), 0)


def test_a_night_that_is_killed_leaves_no_time_newer_than_its_tables(
    stage: Stage, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept_at = clock() - timedelta(hours=2, minutes=30)
    clock.advance(days=1)

    def dies(*_: Any) -> Any:
        raise ConnectionError

    for module, name in ((cohorts, "units"), (monthly, "month")):
        with monkeypatch.context() as broken:
            broken.setattr(module, name, dies)
            with pytest.raises(ConnectionError):
                building.work(stage.world)
        assert read(stage.world, stage.programme, "redemption").built_at == swept_at
    building.work(stage.world)

    redemption = read(stage.world, stage.programme, "redemption")
    assert (redemption.built_at, cell(redemption, "credited")) == (clock(), 20)


def test_a_period_that_ends_within_a_month_ends_there_in_the_table_too(stage: Stage, clock: MovableClock) -> None:
    clock.advance(days=20)
    stage.start = clock()
    stage.buys(1, "50.00", after=NOW)
    building.work(stage.world)

    early = read(stage.world, stage.programme, "members", first="2026-11-01", last="2026-11-25")
    now = read(stage.world, stage.programme, "members", first="2026-11-01")

    assert cell(early, "active_members") == figure(early, "active_members") == 1
    assert cell(now, "active_members") == figure(now, "active_members") == 2
