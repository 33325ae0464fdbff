"""The nightly build: equal to the ledger to the unit, whatever happens to it on the way."""

from collections import Counter, defaultdict
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.cards.models import Card
from app.db import Base
from app.ledger.models import Account, Entry, Lot, Posting
from app.reports import building, daily, touched
from app.reports.models import (
    ReportBuyers,
    ReportCohort,
    ReportCount,
    ReportDay,
    ReportDesk,
    ReportFlow,
    ReportProgress,
    TierMove,
)
from app.reports.periods import day_of
from app.reports.touched import Place
from app.world import World
from tests import factories
from tests.app.reports.lives import go_on, live
from tests.conftest import MovableClock

ZONE = "Europe/Istanbul"


def flows(world: World) -> dict[Any, tuple[int, int]]:
    query = select(ReportFlow)
    with world.database.reading() as session:
        return {
            (row.programme_id, row.day, row.store_id, row.unit, row.kind, row.role): (row.units, row.entries)
            for row in session.scalars(query)
        }


def flows_of_the_ledger(world: World) -> dict[Any, tuple[int, int]]:
    sums: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    query = select(Entry, Posting.amount, Account.role).join(Posting, Posting.entry_id == Entry.id)
    with world.database.reading() as session:
        for entry, amount, role in session.execute(query.join(Account, Account.id == Posting.account_id)):
            day = day_of(entry.occurred_at, ZONE)
            key = (entry.programme_id, day, entry.store_id or 0, entry.unit, entry.kind, role)
            sums[key][0] += amount
            sums[key][1] += 1
    return {key: (units, entries) for key, (units, entries) in sums.items()}


def desks(world: World) -> dict[Any, tuple[int, int, int, int]]:
    with world.database.reading() as session:
        return {
            (row.day, row.store_id, row.actor, row.kind, row.unit): (row.units, row.entries, row.sales, row.sale_minor)
            for row in session.scalars(select(ReportDesk))
        }


def desks_of_the_ledger(world: World) -> dict[Any, tuple[int, int, int, int]]:
    sums: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    with world.database.reading() as session:
        entries = {entry.id: entry for entry in session.scalars(select(Entry))}
    for entry in entries.values():
        key = (day_of(entry.occurred_at, ZONE), entry.store_id or 0, entry.actor, entry.kind, entry.unit)
        sale = entries[entry.reverses_id] if entry.reverses_id else entry
        is_sale = sale.kind == "earn" and sale.part_of_id is None and sale.amount_minor is not None
        row = sums[key]
        row[0] += entry.points
        row[1] += 1
        row[2] += is_sale and entry is sale
        row[3] += (entry.amount_minor or 0) if is_sale else 0
    return {key: (row[0], row[1], row[2], row[3]) for key, row in sums.items()}


def everything(world: World) -> list[Any]:
    tables: tuple[type[Base], ...] = (ReportFlow, ReportDesk, ReportCount, ReportCohort, ReportBuyers)
    with world.database.reading() as session:
        return [sorted(map(repr, session.execute(select(*one.__table__.c)))) for one in tables]


@pytest.mark.parametrize("seed", [3, 11])
def test_every_sum_is_that_of_the_postings(any_world: World, clock: MovableClock, seed: int) -> None:
    life, _ = live(any_world, steps=90, seed=seed)
    clock.at = life.now
    building.build(any_world)
    assert flows(any_world) == flows_of_the_ledger(any_world)

    go_on(any_world, life, 60)
    clock.at = life.now
    building.work(any_world)

    assert flows(any_world) == flows_of_the_ledger(any_world)
    assert desks(any_world) == desks_of_the_ledger(any_world)


def test_what_is_left_of_the_months_is_what_lots_have_left(any_world: World, clock: MovableClock) -> None:
    life, _ = live(any_world, steps=150, seed=5)
    clock.at = life.now
    building.build(any_world)

    with any_world.database.reading() as session:
        cohorts = session.scalars(select(ReportCohort)).all()
        left = session.execute(
            select(Account.unit, func.sum(Lot.remaining))
            .join(Account, Account.id == Lot.account_id)
            .group_by(Account.unit)
        )
        kept: Counter[str] = Counter()
        for row in cohorts:
            kept[row.unit] += row.open
            assert row.issued == row.redeemed + row.held + row.expired + row.returned + row.other + row.open
        assert kept == Counter({unit: int(units) for unit, units in left})


def test_building_again_changes_nothing_and_building_anew_comes_to_the_same(
    any_world: World, clock: MovableClock
) -> None:
    life, _ = live(any_world, steps=60, seed=7)
    clock.at = life.now
    building.build(any_world)
    first = everything(any_world)

    building.build(any_world)
    again = everything(any_world)
    building.build(any_world, anew=True)

    assert first == again == everything(any_world)


def test_a_build_that_is_killed_anywhere_goes_on_where_it_was(
    any_world: World, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    life, _ = live(any_world, steps=80, seed=9)
    clock.at = life.now

    class Killed(BaseException):
        pass

    left = [0]

    def dies(what: str, count: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    died = 0
    for after in (1, 2, 3):
        left[0] = after
        try:
            building.build(any_world, told=dies)
        except Killed:
            died += 1
    building.build(any_world)

    assert died
    assert flows(any_world) == flows_of_the_ledger(any_world)


def test_what_was_read_before_a_late_sale_is_not_kept(any_world: World, clock: MovableClock) -> None:
    life, programme = live(any_world, steps=40, seed=13)
    clock.at = life.now
    building.build(any_world)
    place = Place.of(programme, clock())
    span = daily.span(place, place.today)
    with any_world.database.unit_of_work() as session:
        touched.mark(session, place, touched.since(session, place, None))
    with any_world.database.reading() as session:
        turn = session.get_one(ReportDay, (programme.id, place.today)).turn
        old = daily.read(session, span)

    go_on(any_world, life, 40)  # while somebody sums what they have read
    with any_world.database.unit_of_work() as session:
        touched.mark(session, place, touched.since(session, place, place.now))
    with any_world.database.unit_of_work() as session:
        mine = building._is_mine(session, ReportDay, ReportDay.day, place, place.today, turn)
    clock.at = life.now
    building.work(any_world)

    assert not mine
    assert old
    assert flows(any_world) == flows_of_the_ledger(any_world)


def test_after_ten_days_off_every_day_is_there(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())
        factories.card(session, programme, now=clock())
    building.work(any_world)

    for day in range(10):
        clock.advance(days=1)
        with any_world.database.unit_of_work() as session:
            factories.card(session, programme, name=f"Budi {day}", now=clock())
    building.work(any_world)

    with any_world.database.reading() as session:
        joined = session.execute(
            select(ReportCount.day, ReportCount.count).where(ReportCount.name == "enrolled").order_by(ReportCount.day)
        ).all()
        progress = session.get_one(ReportProgress, programme.id)
    assert [row.count for row in joined] == [1] * 11
    assert progress.built_at == clock()


def test_whoever_moves_a_card_to_another_tier_leaves_a_row_of_it(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())
        card = factories.card(session, programme, now=clock())
        silver, gold = programme.tiers
        for tier in (silver, silver, gold, None):
            session.execute(update(Card).where(Card.id == card.id).values(tier_id=tier.id if tier else None))
    building.build(any_world)

    with any_world.database.reading() as session:
        moves = session.execute(select(TierMove.from_id, TierMove.to_id).order_by(TierMove.id)).all()
        counted = dict(
            session.execute(select(ReportCount.key, ReportCount.count).where(ReportCount.name == "moved")).all()
        )
    assert moves == [(None, silver.id), (silver.id, gold.id), (gold.id, None)]
    assert counted == {f">{silver.id}": 1, f"{silver.id}>{gold.id}": 1, f"{gold.id}>": 1}
