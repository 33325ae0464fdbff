"""Deferred revenue: what was earned since is said of whole months alone."""

from datetime import UTC, datetime

import pytest

from app.ledger import held
from app.ledger import service as ledger
from app.ledger.booking import Circumstance
from app.reports import building, valuing
from app.reports.outcome import Units
from app.world import World
from tests.app.reports.reading import cell, read
from tests.app.results.stage import Stage
from tests.conftest import MovableClock

WORTH = {"point_value": "0.10", "expected_use": "0.8"}


@pytest.fixture
def stage(any_world: World, clock: MovableClock) -> Stage:
    """100 points on 3 October and 400 on the 20th; 300 of the second ones are used, and it is 20 November."""
    clock.at = datetime(2026, 10, 3, 9, tzinfo=UTC)
    stage = Stage(any_world, people=2)
    stage.buys(0, "1000.00")
    stage.start = clock.at = datetime(2026, 10, 20, 9, tzinfo=UTC)
    stage.buys(1, "4000.00")
    with any_world.database.unit_of_work() as session:
        programme = session.merge(stage.programme)
        valuing.change(session, programme, WORTH, by="staff:x", now=clock())
        card = held.by_id(session, stage.cards[1].id)
        by = Circumstance(actor="staff:x", channel="till", now=clock(), version=card.version + 1)
        ledger.spend(session, card, 300, by=by)
    clock.at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    building.build(any_world)
    return stage


def test_of_a_whole_month_it_is_said_what_was_earned_since(stage: Stage) -> None:
    report = read(stage.world, stage.programme, "deferral", first="2026-10-01", last="2026-10-31")

    assert cell(report, "redeemed") == 300
    assert cell(report, "recognised") == Units(29_76, "TRY")


@pytest.mark.parametrize(("first", "last"), [("2026-10-01", "2026-10-10"), ("2026-10-02", "2026-10-31")])
def test_of_a_part_of_a_month_it_is_not_said(stage: Stage, first: str, last: str) -> None:
    report = read(stage.world, stage.programme, "deferral", first=first, last=last)

    assert cell(report, "deferred") is not None
    assert (cell(report, "redeemed"), cell(report, "recognised")) == (None, None)


@pytest.mark.parametrize("last", ["2026-11-20", "2026-11-30", "2026-12-31"])
def test_a_month_that_is_not_over_is_whole_up_to_today(stage: Stage, last: str) -> None:
    report = read(stage.world, stage.programme, "deferral", first="2026-11-01", last=last)

    assert cell(report, "recognised", row=0) == Units(0, "TRY")


def test_a_month_up_to_yesterday_is_not(stage: Stage) -> None:
    report = read(stage.world, stage.programme, "deferral", first="2026-11-01", last="2026-11-19")

    assert cell(report, "recognised") is None
