"""A cap that ends soon moves a message; one that lasts leaves it out."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.campaigns import policy
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards.models import Preference, Programme
from app.world import World
from tests.app.campaigns import crowd
from tests.app.campaigns.crowd import settled
from tests.conftest import MovableClock


def capped(world: World, people: crowd.Crowd, **over: int) -> None:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, people.programme.id)
        chosen = policy.Policy(**{"global_holdout_bp": 0, **over})
        policy.change(session, programme, chosen, by=crowd.AUTHOR, now=world.clock())


def told(world: World, campaign: Campaign) -> list[tuple[str, str]]:
    """What became of each occurrence, and what else is to be said of it."""
    query = select(Recipient.reason, Recipient.state, Recipient.note).join(
        CampaignRun, CampaignRun.id == Recipient.run_id
    )
    with world.database.reading() as session:
        rows = session.execute(query.where(CampaignRun.campaign_id == campaign.id).order_by(Recipient.run_id))
        return [(reason or state, note) for reason, state, note in rows]


def at(world: World, clock: MovableClock, moment: datetime) -> None:
    """The scheduler looks at a moment, and once more an hour later."""
    for clock.at in (moment, moment + timedelta(minutes=61)):
        settled(world)


def test_a_weekly_message_is_not_left_out_for_some_seconds(any_world: World, clock: MovableClock) -> None:
    people = crowd.crowd(any_world, 1)
    capped(any_world, people)
    with any_world.database.unit_of_work() as session:
        wish = Preference(member_id=people.cards[0].member_id, per_week=1, changed_at=clock(), unwanted_topics=[])
        session.add(wish)
    weekly = crowd.launched(any_world, people.programme, send_local="2026-11-23T10:00", recurrence={"every": "week"})

    for week, second in enumerate((4, 2, 4)):
        at(any_world, clock, datetime(2026, 11, 23, 7, 0, second, tzinfo=UTC) + timedelta(weeks=week))

    assert told(any_world, weekly) == [("sent", ""), ("sent", "cap_moved"), ("sent", "cap_moved")]


def test_a_daily_message_comes_on_the_day_of_23_hours_too(any_world: World, clock: MovableClock) -> None:
    people = crowd.crowd(any_world, 1, timezone="Europe/Berlin")
    capped(any_world, people, cap_week=10)
    clock.at = datetime(2027, 3, 26, 0, tzinfo=UTC)
    daily = crowd.launched(
        any_world, people.programme, send_local="2027-03-26T10:00", recurrence={"every": "day"},
        timezone_mode="fixed", timezone="Europe/Berlin",
    )  # fmt: skip

    for day, hour in ((26, 9), (27, 9), (28, 8)):
        at(any_world, clock, datetime(2027, 3, day, hour, 0, 1, tzinfo=UTC))

    assert told(any_world, daily) == [("sent", ""), ("sent", ""), ("sent", "cap_moved")]


@pytest.mark.parametrize(("apart_h", "became"), [(21.9, ("cap_day", "")), (22.1, ("sent", "cap_moved"))])
def test_only_a_cap_that_ends_within_two_hours_moves_a_message(
    any_world: World, clock: MovableClock, apart_h: float, became: tuple[str, str]
) -> None:
    people = crowd.crowd(any_world, 1)
    capped(any_world, people)
    crowd.launched(any_world, people.programme, quiet=("", ""))
    settled(any_world)
    clock.advance(hours=apart_h)
    second = crowd.launched(any_world, people.programme, quiet=("", ""))
    settled(any_world)

    clock.advance(hours=2)
    settled(any_world)

    assert told(any_world, second) == [became]


def test_an_offer_that_is_over_by_then_is_not_waited_for(any_world: World, clock: MovableClock) -> None:
    people = crowd.crowd(any_world, 1)
    capped(any_world, people)
    crowd.launched(any_world, people.programme, quiet=("", ""))
    settled(any_world)
    clock.advance(hours=22.5)
    offer = crowd.an_offer(any_world, people.programme, hours=2)
    second = crowd.launched(any_world, people.programme, quiet=("", ""), offer=offer, message={})

    settled(any_world)

    assert told(any_world, second) == [("cap_day", "")]
