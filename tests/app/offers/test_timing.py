"""Offers keep their local times when the rules of a zone change."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from app import localtime
from app.delivery import steps
from app.delivery.models import Turn
from app.offers import timing
from app.offers.models import Occurrence, Offer
from app.world import World
from tests.app.offers.test_offers import a_programme, an_offer
from tests.conftest import MovableClock

HOUR = timedelta(hours=1)


def moved_rules(world: World, by: timedelta) -> None:
    """As if the instants had been derived by an edition in which the zone was *by* further east."""
    with world.database.unit_of_work() as session:
        offer = session.scalars(select(Offer)).one()
        offer.starts_at, offer.ends_at = offer.starts_at - by, offer.ends_at - by
        for one in session.scalars(select(Occurrence)):
            one.fire_at -= by
            if one.deadline is not None:
                one.deadline -= by


def times(world: World) -> tuple[datetime, datetime, list[datetime], datetime | None]:
    with world.database.reading() as session:
        offer = session.scalars(select(Offer)).one()
        query = select(Occurrence).where(Occurrence.kind != "warn").order_by(Occurrence.kind.desc())
        occurrences = session.scalars(query).all()
        return offer.starts_at, offer.ends_at, [one.fire_at for one in occurrences], occurrences[0].deadline


def test_new_rules_move_start_end_and_deadline_with_the_wall_clock(any_world: World, clock: MovableClock) -> None:
    starts, ends = clock() + timedelta(days=30), clock() + timedelta(days=60)
    an_offer(any_world, a_programme(any_world), starts_at=starts, ends_at=ends)
    moved_rules(any_world, HOUR)

    assert steps.follow_zones(any_world) == 3, "start, warning and end"

    assert times(any_world) == (starts, ends, [starts, ends], ends)


def test_the_same_edition_is_followed_once(any_world: World, clock: MovableClock) -> None:
    an_offer(any_world, a_programme(any_world), ends_at=clock() + timedelta(days=60))
    assert steps.follow_zones(any_world) == 0
    moved_rules(any_world, HOUR)
    assert steps.follow_zones(any_world) == 0
    with any_world.database.reading() as session:
        assert session.get_one(Turn, "zones").note == {"edition": localtime.rules_version()}


def test_a_node_with_older_rules_changes_nothing(any_world: World, caplog: pytest.LogCaptureFixture) -> None:
    an_offer(any_world, a_programme(any_world))
    steps.follow_zones(any_world)
    with any_world.database.unit_of_work() as session:
        session.get_one(Turn, "zones").note = {"edition": "2999z"}
    moved_rules(any_world, HOUR)

    assert steps.follow_zones(any_world) == 0
    assert "older than 2999z; update tzdata" in caplog.text


def test_what_has_begun_keeps_its_beginning(any_world: World, clock: MovableClock) -> None:
    starts, ends = clock() + timedelta(minutes=1), clock() + timedelta(days=60)
    an_offer(any_world, a_programme(any_world), starts_at=starts, ends_at=ends)
    clock.advance(minutes=2)
    assert steps.tick(any_world) == 1
    moved_rules(any_world, HOUR)

    with any_world.database.unit_of_work() as session:
        assert timing.follow_zones(session, now=clock()) == 2, "warning and end"

    starts_at, ends_at, _, deadline = times(any_world)
    assert (starts_at, ends_at, deadline) == (starts - HOUR, ends, ends)


def test_an_offer_from_before_local_times_were_kept_gets_them_and_keeps_its_instants(
    any_world: World, clock: MovableClock
) -> None:
    starts, ends = clock() + timedelta(days=1), clock() + timedelta(days=2)
    an_offer(any_world, a_programme(any_world), starts_at=starts, ends_at=ends)
    with any_world.database.unit_of_work() as session:
        session.execute(update(Occurrence).values(local_key=""))

    assert steps.follow_zones(any_world) == 0

    assert times(any_world)[:2] == (starts, ends)
    with any_world.database.reading() as session:
        keys = session.scalars(select(Occurrence.local_key).order_by(Occurrence.fire_at)).all()
    assert keys == ["2026-11-21T13:00:00.000", "2026-11-22T13:00:00.000"]


def test_a_zone_that_nobody_knows_any_more_stops_nothing(
    any_world: World, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    an_offer(any_world, a_programme(any_world))
    with any_world.database.unit_of_work() as session:
        session.execute(update(Offer).values(timezone="Atlantis/Poseidonis"))

    assert steps.follow_zones(any_world) == 0
    assert "Atlantis/Poseidonis" in caplog.text
    clock.advance(minutes=2)
    assert steps.tick(any_world) == 1


def test_with_every_scheduler_down_over_the_start_it_fires_late_and_after_the_end_it_is_missed_and_the_end_is_not(
    any_world: World, clock: MovableClock
) -> None:
    programme = a_programme(any_world)
    late = an_offer(any_world, programme, ends_at=clock() + timedelta(hours=3))
    missed = an_offer(any_world, programme, ends_at=clock() + timedelta(hours=1))
    clock.advance(hours=2)

    steps.tick(any_world)

    with any_world.database.reading() as session:
        rows = session.execute(select(Occurrence.offer_id, Occurrence.kind, Occurrence.status))
        found = {(row.offer_id, row.kind): row.status for row in rows}
        states = {one.id: one.state for one in session.scalars(select(Offer))}
    assert found == {
        (late.id, "start"): "fired", (late.id, "end"): "due",
        (missed.id, "start"): "missed", (missed.id, "end"): "fired",
    }  # fmt: skip
    assert states == {late.id: "live", missed.id: "ended"}
