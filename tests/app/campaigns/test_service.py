"""A campaign's life: who may take which step when, and what each step undoes."""

from typing import Any

import pytest
from sqlalchemy import select

from app.campaigns import policy, service, working
from app.campaigns.models import Campaign, CampaignRun
from app.campaigns.policy import Policy
from app.errors import AppError
from app.offers.models import Offer, OfferGrant
from app.staff.models import AuditEvent
from app.world import World
from tests import factories
from tests.app.campaigns.crowd import (
    APPROVER,
    AUTHOR,
    GOAL,
    again,
    an_offer,
    crowd,
    draft,
    launched,
    outcome,
    person,
    run_states,
    settled,
    state,
)
from tests.conftest import MovableClock

LATER = "2026-11-21T12:00"


def made(world: World, programme: Any, **over: Any) -> Campaign:
    with world.database.unit_of_work() as session:
        return service.create(session, draft(programme, **over), by=AUTHOR, now=world.clock())


def step(world: World, campaign: Campaign, name: str, *, by: str = AUTHOR, **over: Any) -> None:
    with world.database.unit_of_work() as session:
        getattr(service, name)(session, again(session, campaign), by=by, now=world.clock(), **over)


def refusal(world: World, campaign: Campaign, name: str, **over: Any) -> str:
    with pytest.raises(AppError) as refused:
        step(world, campaign, name, **over)
    assert len(refused.value.public) > 20
    return refused.value.code


def test_the_author_cannot_approve_and_neither_can_who_edited_last(world: World) -> None:
    people = crowd(world, 1)
    campaign = made(world, people.programme)
    with world.database.unit_of_work() as session:
        service.edit(session, again(session, campaign), draft(people.programme), by="staff:editor", now=world.clock())

    assert refusal(world, campaign, "approve") == "own_campaign"
    assert refusal(world, campaign, "approve", by="staff:editor") == "own_campaign"
    step(world, campaign, "approve", by=APPROVER)

    assert state(world, campaign) == "approved"


def test_a_campaign_without_a_goal_is_neither_approved_nor_launched(world: World) -> None:
    campaign = made(world, crowd(world, 1).programme, goal={})

    assert refusal(world, campaign, "approve", by=APPROVER) == "goal_needed"
    assert refusal(world, campaign, "launch") == "goal_needed"


def test_exactly_as_many_people_as_the_limit_need_no_second_person(world: World) -> None:
    people = crowd(world, 3)
    with world.database.unit_of_work() as session:
        policy.change(session, people.programme, Policy(approve_above=3), by=AUTHOR, now=world.clock())
    campaign, other = made(world, people.programme), made(world, people.programme)
    step(world, campaign, "launch")
    with world.database.unit_of_work() as session:
        person(session, people.programme, "One more")

    assert refusal(world, other, "launch") == "approval_needed"
    assert state(world, campaign) == "queued"


@pytest.mark.parametrize(("joined", "stays"), [(1, True), (2, False)])
def test_an_audience_may_grow_by_a_fifth_since_the_approval(world: World, joined: int, stays: bool) -> None:
    people = crowd(world, 5)
    campaign = made(world, people.programme)
    step(world, campaign, "approve", by=APPROVER)
    with world.database.unit_of_work() as session:
        for one in range(joined):
            person(session, people.programme, f"New {one}")

    if stays:
        step(world, campaign, "launch")
    else:
        assert refusal(world, campaign, "launch") == "audience_grew"
    assert state(world, campaign) == ("queued" if stays else "draft")


@pytest.mark.parametrize("before", ["draft", "approved", "queued"])
def test_an_edit_returns_to_draft_and_voids_the_approval(world: World, before: str) -> None:
    people = crowd(world, 1)
    campaign = made(world, people.programme, send_local=LATER)
    if before != "draft":
        step(world, campaign, "approve", by=APPROVER)
    if before == "queued":
        step(world, campaign, "launch")

    step(world, campaign, "edit", draft=draft(people.programme, send_local=LATER, topic="news"))

    with world.database.reading() as session:
        found = again(session, campaign)
        runs = session.scalars(select(CampaignRun)).all()
    assert (found.state, found.approved_by, found.approved_count, found.revision) == ("draft", "", None, 2)
    assert runs == []


@pytest.mark.parametrize("before", ["sending", "paused", "sent", "stopped"])
def test_what_has_begun_is_not_edited_or_moved(world: World, clock: MovableClock, before: str) -> None:
    clock.advance(hours=10)  # 23:00 in Istanbul: planned, and waiting for the morning
    people = crowd(world, 1)
    campaign = launched(world, people.programme)
    settled(world)
    if before == "paused":
        step(world, campaign, "pause")
    if before == "stopped":
        step(world, campaign, "stop")
    if before == "sent":
        clock.advance(hours=12)
        settled(world)
    assert state(world, campaign) == before
    code = "campaign_under_way" if before in {"sending", "paused"} else "campaign_over"

    assert refusal(world, campaign, "edit", draft=draft(people.programme)) == code
    assert refusal(world, campaign, "move", local=LATER) == code


def test_a_move_is_an_edit_of_the_date(world: World) -> None:
    campaign = made(world, crowd(world, 1).programme, send_local=LATER)
    step(world, campaign, "launch")

    step(world, campaign, "move", local="2026-11-28T15:30")

    with world.database.reading() as session:
        found = again(session, campaign)
    assert (found.state, found.send_local) == ("draft", "2026-11-28T15:30")
    assert refusal(world, campaign, "move", local="soon") == "invalid_time"


def test_nothing_is_launched_or_stopped_twice(world: World) -> None:
    campaign = made(world, crowd(world, 1).programme, send_local=LATER)
    step(world, campaign, "launch")

    assert refusal(world, campaign, "launch") == "campaign_queued"
    step(world, campaign, "stop", because="  a mistake ")
    assert refusal(world, campaign, "stop") == "campaign_over"
    assert refusal(world, campaign, "resume") == "campaign_not_paused"
    with world.database.reading() as session:
        assert again(session, campaign).stopped_because == "a mistake"


def test_a_draft_without_a_time_is_launched_now_alone(world: World) -> None:
    campaign = made(world, crowd(world, 1).programme, send_local="")

    assert refusal(world, campaign, "launch") == "no_time"
    step(world, campaign, "launch", at_once=True)

    assert state(world, campaign) == "queued"


def test_a_recurrence_that_is_over_is_in_the_past(world: World) -> None:
    rule = {"every": "day", "until": "2026-11-19"}
    campaign = made(world, crowd(world, 1).programme, send_local="2026-11-18T10:00", recurrence=rule)

    assert refusal(world, campaign, "launch") == "in_the_past"


@pytest.mark.parametrize("offer_state", ["draft", "approved", "paused", "ended", "cancelled"])
def test_an_offer_that_is_not_given_is_not_told_of(world: World, offer_state: str) -> None:
    people = crowd(world, 1)
    offer = an_offer(world, people.programme, state=offer_state)
    campaign = made(world, people.programme, offer=offer, message={})

    assert refusal(world, campaign, "launch") == "offer_not_ready"


def test_a_targeted_offer_comes_with_the_message_and_never_to_who_is_held_back(any_world: World) -> None:
    people = crowd(any_world, 30)
    offer = an_offer(any_world, people.programme)
    campaign = launched(any_world, people.programme, offer=offer, message={}, holdout_bp=5000)

    settled(any_world)

    with any_world.database.reading() as session:
        granted = len(session.scalars(select(OfferGrant)).all())
    told = outcome(any_world, campaign)
    assert told["sent"] == granted
    assert told["sent"] + told["holdout"] == 30
    assert told["holdout"] > 5


@pytest.mark.parametrize(("hours", "expected"), [(1.0, "sent"), (0.99, "too_late")])
def test_an_offer_needs_an_hour_when_the_message_arrives(world: World, hours: float, expected: str) -> None:
    people = crowd(world, 1)
    offer = an_offer(world, people.programme, hours=hours)
    campaign = launched(world, people.programme, offer=offer, message={})

    settled(world)

    assert outcome(world, campaign) == {expected: 1}


def test_an_offer_that_would_end_during_quiet_hours_is_too_late(world: World, clock: MovableClock) -> None:
    clock.advance(hours=10)  # 23:00 in Istanbul; the message could leave at 09:00, ten hours later
    people = crowd(world, 1)
    offer = an_offer(world, people.programme, hours=10.5)
    campaign = launched(world, people.programme, offer=offer, message={})

    settled(world)

    assert outcome(world, campaign) == {"too_late": 1}


def test_an_offer_that_was_called_off_meanwhile_is_not_told_of(world: World, clock: MovableClock) -> None:
    clock.advance(hours=10)
    people = crowd(world, 1)
    offer = an_offer(world, people.programme)
    campaign = launched(world, people.programme, offer=offer, message={})
    settled(world)
    with world.database.unit_of_work() as session:
        session.get_one(Offer, offer.id).state = "cancelled"

    clock.advance(hours=12)
    settled(world)

    assert outcome(world, campaign) == {"offer_over": 1}


def test_members_of_several_zones_are_told_at_their_own_ten_o_clock(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        for zone in (None, "Asia/Jayapura", "America/New_York"):
            person(session, programme, f"In {zone}", zone=zone)
    campaign = launched(any_world, programme, send_local="2026-11-21T10:00")
    sent = {}
    for hour in (0, 1, 6, 7, 14, 15):
        clock.at = factories.NOW.replace(day=21, hour=hour, minute=0)
        settled(any_world)
        sent[hour] = outcome(any_world, campaign)["sent"]

    assert sent == {0: 0, 1: 1, 6: 1, 7: 2, 14: 2, 15: 3}


def test_by_the_store_s_clock_a_member_s_own_zone_does_not_count(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        store = factories.store(session, programme, "Jakarta", timezone="Asia/Jakarta")
        card = person(session, programme, "Tourist", zone="America/New_York")
        card.member.home_store_id = store.id
    campaign = launched(world, programme, send_local="2026-11-21T10:00", timezone_mode="store", quiet=("", ""))

    clock.at = factories.NOW.replace(day=21, hour=2, minute=59)
    settled(world)
    before = outcome(world, campaign)
    clock.advance(minutes=1)
    settled(world)

    assert before["sent"] == 0
    assert outcome(world, campaign) == {"sent": 1}


def test_the_usual_shares_are_held_back_from_a_hundred_people_on(world: World) -> None:
    people = crowd(world, 99)
    few = launched(world, people.programme, holdout_bp=None)
    with world.database.unit_of_work() as session:
        person(session, people.programme, "The hundredth")
    many = launched(world, people.programme, holdout_bp=None)

    with world.database.reading() as session:
        assert again(session, few).holdout_bp == 0
        assert again(session, many).holdout_bp == 1000


def test_a_changed_policy_is_written_down(world: World) -> None:
    people = crowd(world, 1)
    with world.database.unit_of_work() as session:
        policy.change(session, people.programme, Policy(cap_day=2), by=AUTHOR, now=world.clock())

    with world.database.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "marketing_policy_changed")).one()
        found = policy.of(session, people.programme.id)
    assert (event.before, event.after) == ({"cap_day": 1}, {"cap_day": 2})
    assert (found.cap_day, found.is_chosen) == (2, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": "25:00"}, {"cap_day": -1}, {"cap_week": 51}, {"global_holdout_bp": 5001},
        {"approve_above": -1},
    ],
)  # fmt: skip
def test_a_faulty_policy_is_refused_by_the_name_of_the_field(world: World, wrong: dict[str, Any]) -> None:
    people = crowd(world, 1)

    with world.database.unit_of_work() as session, pytest.raises(AppError) as refused:
        policy.change(session, people.programme, Policy(**wrong), by=AUTHOR, now=world.clock())

    assert set(refused.value.errors) == set(wrong)


def test_a_recurring_campaign_comes_again_until_its_end(world: World, clock: MovableClock) -> None:
    people = crowd(world, 1)
    rule = {"every": "week", "count": 2}
    campaign = launched(world, people.programme, send_local=LATER, recurrence=rule)
    seen = []
    for day in (21, 22, 28, 29):
        clock.at = factories.NOW.replace(day=day, hour=9)
        settled(world)
        seen.append(state(world, campaign))

    assert seen == ["queued", "queued", "sent", "sent"]
    assert run_states(world, campaign) == {LATER: "done", "2026-11-28T12:00": "done"}
    assert outcome(world, campaign) == {"sent": 2}


def test_a_late_scheduler_sends_what_is_less_than_a_day_late(world: World, clock: MovableClock) -> None:
    people = crowd(world, 1)
    on_time, missed = (launched(world, people.programme, send_local=at) for at in (LATER, "2026-11-21T10:00"))

    clock.at = factories.NOW.replace(day=22, hour=8, minute=30)
    settled(world)

    assert outcome(world, on_time) == {"sent": 1}
    assert run_states(world, missed) == {"2026-11-21T10:00": "missed"}


def test_a_run_ends_once(world: World) -> None:
    campaign = launched(world, crowd(world, 1).programme, goal=GOAL)

    first, second = working.settle(world), working.settle(world)

    assert (first.finished, second.finished) == (1, 0)
    assert state(world, campaign) == "sent"
