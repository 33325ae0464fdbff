"""What has begun goes on to its end: after a change, a pause, and by whosever clock."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.campaigns import service
from app.cards import service as cards
from app.cards.models import Card
from app.errors import Unprocessable
from app.world import World
from tests.app.campaigns.crowd import (
    AUTHOR,
    again,
    crowd,
    launched,
    outcome,
    recipients,
    run_states,
    settled,
    state,
)
from tests.conftest import MovableClock


def test_a_changed_campaign_goes_on_with_the_next_time_that_was_not_sent(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 2, zone="Asia/Jakarta")  # their ten o'clock is over four hours before the programme's
    campaign = launched(any_world, people.programme, send_local="2026-11-23T10:00", recurrence={"every": "week"})
    clock.at = datetime(2026, 11, 23, 3, 0, 1, tzinfo=UTC)
    settled(any_world)
    clock.advance(hours=2)

    with any_world.database.unit_of_work() as session:
        found = again(session, campaign)
        service.edit(session, found, service.draft_of(session, found), by=AUTHOR, now=clock())
        service.launch(session, found, by=AUTHOR, now=clock())
        next_at = service.next_at(session, found)
    clock.at = datetime(2026, 11, 30, 3, 0, 1, tzinfo=UTC)
    settled(any_world)

    assert next_at == datetime(2026, 11, 30, 3, tzinfo=UTC)
    assert run_states(any_world, campaign) == {
        "2026-11-23T10:00": "done", "2026-11-30T10:00": "done", "2026-12-07T10:00": "waiting"
    }  # fmt: skip


def test_a_changed_campaign_of_which_no_time_is_left_is_not_scheduled(world: World, clock: MovableClock) -> None:
    people = crowd(world, 2, zone="Asia/Jakarta")
    until = {"every": "week", "until": "2026-12-06"}
    campaign = launched(world, people.programme, send_local="2026-11-23T10:00", recurrence=until)
    clock.at = datetime(2026, 11, 23, 3, 0, 1, tzinfo=UTC)
    settled(world)
    clock.advance(hours=2)

    with world.database.unit_of_work() as session:
        found = again(session, campaign)
        shorter = replace(service.draft_of(session, found), recurrence={**until, "until": "2026-11-29"})
        service.edit(session, found, shorter, by=AUTHOR, now=clock())
        with pytest.raises(Unprocessable, match="This time has passed"):
            service.launch(session, found, by=AUTHOR, now=clock())


def test_a_pause_does_not_keep_a_campaign_alive_of_which_everything_is_decided(
    any_world: World, clock: MovableClock
) -> None:
    people = crowd(any_world, 1)
    clock.at = datetime(2026, 11, 20, 19, tzinfo=UTC)  # 22:00 there
    campaign = launched(any_world, people.programme)
    settled(any_world)
    with any_world.database.unit_of_work() as session:
        service.pause(session, again(session, campaign), by=AUTHOR, now=clock())
        card = session.get_one(Card, people.ids[0])
        cards.set_consent(session, card.member, granted=False, source="page", now=clock())
    settled(any_world)

    assert outcome(any_world, campaign) == {"no_consent": 1}
    assert state(any_world, campaign) == "sent"


def test_by_the_stores_clock_the_night_is_the_members_own(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1, zone="Asia/Jayapura")  # six hours ahead of the programme
    campaign = launched(any_world, people.programme, send_local="2026-11-21T18:00", timezone_mode="store")
    clock.at = datetime(2026, 11, 21, 15, 0, 1, tzinfo=UTC)  # 18:00 at the store, midnight at theirs
    settled(any_world)

    (told,) = recipients(any_world, campaign).values()
    assert (told.state, told.note) == ("planned", "quiet_hours_moved")
    assert told.due_at == datetime(2026, 11, 22, 0, tzinfo=UTC)
