"""Each report for any life of a programme: complete, equal to the ledger, and empty without an error."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards.models import Store
from app.errors import AppError
from app.ledger.held import POINTS
from app.ledger.models import Account, Entry
from app.reports import building, service
from app.reports.outcome import Units
from app.reports.service import Wish
from app.world import World
from tests import factories
from tests.app.reports.lives import live
from tests.app.reports.reading import figure, read
from tests.conftest import MovableClock

EVERY = tuple(service.kinds("en"))


@pytest.mark.parametrize("language", ["en", "tr", "id"])
def test_a_programme_without_anything_has_every_report_empty(world: World, clock: MovableClock, language: str) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())

    found = [read(world, programme, name, language=language) for name in EVERY]

    for report in found:
        assert report.built_at is None
        assert report.incomplete_on == date(2026, 11, 20)
        assert report.outcome.picture is None or report.outcome.picture.is_empty, report.name
        assert all(len(row) == len(report.outcome.columns) for row in report.outcome.rows), report.name


def test_every_row_of_a_lived_programme_has_a_value_for_each_column(any_world: World, clock: MovableClock) -> None:
    life, programme = live(any_world, steps=70, seed=21)
    clock.at = life.now
    building.build(any_world)

    found = [read(any_world, programme, name, first="2026-11-01", last=str(life.now.date())) for name in EVERY]

    for report in found:
        outcome = report.outcome
        assert all(len(row) == len(outcome.columns) for row in outcome.rows), report.name
        assert report.built_at == clock()
        for one in outcome.picture.series if outcome.picture else ():
            assert len(one.values) == len(outcome.picture.across), report.name  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", [2, 17, 23])
def test_the_monthly_file_adds_up_and_ends_at_the_ledger_s_balances(
    any_world: World, clock: MovableClock, seed: int
) -> None:
    life, programme = live(any_world, steps=120, seed=seed)
    clock.at = life.now
    building.build(any_world)

    rows = read(any_world, programme, "finance", first="2026-10-01", last=str(life.now.date())).outcome.rows

    for row in rows:
        amounts = [one.amount for one in row if isinstance(one, Units)]
        assert amounts[0] + sum(amounts[1:-1]) == amounts[-1]
    last = max((row[0] for row in rows), default=None)
    closing: dict[str, int] = {}
    for row in rows:
        if row[0] == last:
            closing[str(row[1])] = closing.get(str(row[1]), 0) + row[-1].amount  # type: ignore[union-attr]
    with any_world.database.reading() as session:
        held = session.execute(
            select(Account.unit, func.sum(Account.balance)).where(Account.member_id.is_not(None)).group_by(Account.unit)
        )
        assert {unit: int(left) for unit, left in held if left} == {one: left for one, left in closing.items() if left}


def test_a_month_opens_with_what_the_one_before_closed_with(any_world: World, clock: MovableClock) -> None:
    life, programme = live(any_world, steps=150, seed=29)
    clock.at = life.now
    building.build(any_world)

    rows = read(any_world, programme, "finance", first="2026-10-01", last=str(life.now.date())).outcome.rows

    closed: dict[Any, int] = {}
    for row in rows:
        opening, closing = row[3], row[-1]
        assert isinstance(opening, Units)
        assert isinstance(closing, Units)
        assert opening.amount == closed.get((row[1], row[2]), 0)
        closed[row[1], row[2]] = closing.amount
    assert len({row[0] for row in rows}) > 1


def test_stores_together_are_the_whole(any_world: World, clock: MovableClock) -> None:
    life, programme = live(any_world, steps=100, seed=31)
    clock.at = life.now
    building.build(any_world)
    days = {"first": "2026-10-01", "last": str(life.now.date())}
    with any_world.database.reading() as session:
        shops = session.scalars(select(Store.public_id)).all()

    whole = read(any_world, programme, "stores", **days)
    each = [read(any_world, programme, "stores", store=shop, **days) for shop in shops]

    assert sum(row[1] for row in whole.outcome.rows) == figure(whole, "sales")  # type: ignore[misc]
    assert sum(figure(one, "sales") for one in each) <= figure(whole, "sales")
    with any_world.database.reading() as session:
        main = (Entry.kind == "earn", Entry.part_of_id.is_(None), Entry.amount_minor.is_not(None))
        assert figure(whole, "sales") == session.scalar(select(func.count()).select_from(Entry).where(*main))


def test_points_outstanding_are_those_in_members_hands(any_world: World, clock: MovableClock) -> None:
    life, programme = live(any_world, steps=100, seed=37)
    clock.at = life.now
    building.build(any_world)

    report = read(any_world, programme, "units", first="2026-10-01", last=str(life.now.date()))

    with any_world.database.reading() as session:
        query = select(func.sum(Account.balance)).where(Account.unit == POINTS, Account.member_id.is_not(None))
        assert figure(report, "outstanding") == int(session.scalar(query) or 0)


@pytest.mark.parametrize(
    ("wish", "code", "field"),
    [
        ({"first": "2026-11-20", "last": "2026-11-19"}, "invalid_period", "to"),
        ({"first": "2021-11-20", "last": "2026-11-20"}, "invalid_period", "from"),
        ({"first": "20/11/2026"}, "invalid_period", "from"),
        ({"first": "2026-02-30"}, "invalid_period", "from"),
        ({"last": "1999-12-31"}, "invalid_period", "to"),
        ({"store": "sto_unknown"}, "unknown_store", "store"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_field(
    world: World, clock: MovableClock, wish: dict[str, str], code: str, field: str
) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())

    with pytest.raises(AppError) as refusal:
        read(world, programme, "units", **wish)

    assert (refusal.value.status, refusal.value.code) == (422, code)
    assert set(refusal.value.errors) == {field}


def test_five_years_to_the_day_are_a_period(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())

    report = read(world, programme, "units", first="2021-11-21", last="2026-11-20")

    assert report.ask.period.days == 1826


def test_a_store_of_another_programme_is_unknown(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())
        other = factories.store(session, factories.programme(session, slug="other", now=clock()))

    with pytest.raises(AppError) as refusal:
        read(world, programme, "units", store=other.public_id)

    assert refusal.value.code == "unknown_store"


def test_only_who_may_know_people_reads_about_cashiers(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())
        with pytest.raises(AppError) as refusal:
            service.report(session, programme, replace(Wish(name="cashiers")), now=clock())

    assert refusal.value.code == "role_too_small"


def test_a_report_of_days_that_are_over_is_complete(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())

    until = clock().date() - timedelta(days=1)
    report = read(world, programme, "units", first=str(until), last=str(until))

    assert report.incomplete_on is None
