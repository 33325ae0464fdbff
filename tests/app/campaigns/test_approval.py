"""Nobody is told of whom a second person does not know: neither at the launch, nor when the time has come."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.campaigns import policy, service
from app.campaigns.models import Campaign
from app.cards.models import Programme
from app.errors import Conflict
from app.segments import service as segments
from app.segments.models import Segment
from app.segments.service import SegmentDraft
from app.world import World
from tests.app.campaigns import crowd
from tests.app.campaigns.crowd import APPROVER, AUTHOR, again, outcome, settled, state
from tests.conftest import MovableClock

ABOVE = 5
MONDAY = "2026-11-23T10:00"


@pytest.fixture
def town(any_world: World, clock: MovableClock) -> crowd.Crowd:
    """Five people, above whom a second person approves."""
    people = crowd.crowd(any_world, ABOVE)
    with any_world.database.unit_of_work() as session:
        programme = session.get_one(Programme, people.programme.id)
        chosen = policy.Policy(approve_above=ABOVE, global_holdout_bp=0)
        policy.change(session, programme, chosen, by=AUTHOR, now=clock())
    return people


def come(world: World, town: crowd.Crowd, number: int) -> None:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, town.programme.id)
        for one in range(number):
            crowd.person(session, programme, f"Late {one}")


def scheduled(world: World, town: crowd.Crowd, *, approved: bool = False, **over: Any) -> Campaign:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, town.programme.id)
        drafted = crowd.draft(programme, **{"send_local": MONDAY, **over})
        campaign = service.create(session, drafted, by=AUTHOR, now=world.clock())
        if approved:
            service.approve(session, campaign, by=APPROVER, now=world.clock())
        service.launch(session, campaign, by=AUTHOR, now=world.clock())
        return campaign


def on_monday(world: World, clock: MovableClock, weeks: int = 0) -> None:
    clock.at = datetime(2026, 11, 23, 7, 0, 1, tzinfo=UTC) + timedelta(weeks=weeks)
    settled(world)


def why(world: World, campaign: Campaign) -> tuple[str, str, str]:
    with world.database.reading() as session:
        found = again(session, campaign)
        return found.state, found.stopped_because, found.approved_by


def test_people_who_came_after_the_launch_need_an_approval(
    any_world: World, clock: MovableClock, town: crowd.Crowd
) -> None:
    small, grown = (scheduled(any_world, town, name=name) for name in ("Stays small", "Grows"))
    with any_world.database.unit_of_work() as session:
        service.stop(session, again(session, small), by=AUTHOR, now=clock())
    come(any_world, town, 1)

    on_monday(any_world, clock)

    assert outcome(any_world, grown) == {}
    assert why(any_world, grown) == ("draft", "approval_needed", "")
    with any_world.database.unit_of_work() as session:
        service.approve(session, again(session, grown), by=APPROVER, now=clock())
        service.launch(session, again(session, grown), by=AUTHOR, now=clock(), at_once=True)
    settled(any_world)
    assert outcome(any_world, grown) == {"sent": ABOVE + 1}
    assert why(any_world, grown) == ("sent", "", APPROVER)


def test_as_many_as_need_none_are_told(any_world: World, clock: MovableClock, town: crowd.Crowd) -> None:
    campaign = scheduled(any_world, town)
    on_monday(any_world, clock)
    assert outcome(any_world, campaign) == {"sent": ABOVE}


@pytest.mark.parametrize(("more", "became"), [(1, {"sent": ABOVE + 2}), (2, {})])
def test_a_fifth_more_than_were_approved_may_be_told(
    any_world: World, clock: MovableClock, town: crowd.Crowd, more: int, became: dict[str, int]
) -> None:
    come(any_world, town, 1)
    campaign = scheduled(any_world, town, approved=True)
    come(any_world, town, more)

    on_monday(any_world, clock)

    assert outcome(any_world, campaign) == became
    assert why(any_world, campaign) == (("sent", "", APPROVER) if became else ("draft", "audience_grew", ""))


def test_what_comes_again_goes_on_until_it_has_grown(any_world: World, clock: MovableClock, town: crowd.Crowd) -> None:
    come(any_world, town, 1)
    campaign = scheduled(any_world, town, approved=True, recurrence={"every": "week"})
    on_monday(any_world, clock)
    assert state(any_world, campaign) == "queued"
    come(any_world, town, 4)

    on_monday(any_world, clock, weeks=1)

    assert outcome(any_world, campaign) == {"sent": ABOVE + 1}
    assert why(any_world, campaign) == ("draft", "audience_grew", "")


def of_language(session: Any, town: crowd.Crowd, name: str, now: datetime) -> Segment:
    draft = SegmentDraft(programme=town.programme, name=name, rules=spoken("tr"))
    return segments.create(session, draft, by=AUTHOR, now=now)


def spoken(language: str) -> dict[str, str]:
    return {"fact": "language", "op": "is", "value": language}


def test_other_rules_of_its_segment_void_an_approval(any_world: World, clock: MovableClock, town: crowd.Crowd) -> None:
    with any_world.database.unit_of_work() as session:
        programme = session.get_one(Programme, town.programme.id)
        for number in range(2 * (ABOVE + 1)):
            crowd.person(session, programme, f"Of {number}", language="tr" if number % 2 else "id")
        segment = of_language(session, town, "Speakers", clock())
    with any_world.database.unit_of_work() as session:
        drafted = crowd.draft(programme, segment=session.get_one(Segment, segment.id), send_local=MONDAY)
        first = service.create(session, drafted, by=AUTHOR, now=clock())
        service.approve(session, first, by=APPROVER, now=clock())
        second = service.create(session, drafted, by=AUTHOR, now=clock())
        service.approve(session, second, by=APPROVER, now=clock())
        segments.change(session, session.get_one(Segment, segment.id), name="Renamed", now=clock())
        service.launch(session, second, by=AUTHOR, now=clock())
        segments.change(session, session.get_one(Segment, segment.id), rules=spoken("id"), now=clock())

    with pytest.raises(Conflict, match="must be approved again"), any_world.database.unit_of_work() as session:
        service.launch(session, again(session, first), by=AUTHOR, now=clock())
    on_monday(any_world, clock)

    assert why(any_world, first)[0] == "draft"
    assert outcome(any_world, second) == {}
    assert why(any_world, second) == ("draft", "audience_grew", "")
