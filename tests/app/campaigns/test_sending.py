"""Messages leave: once to each, as things are at that minute, and everybody else with a reason."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.campaigns import policy, sending, service, working
from app.campaigns.models import CampaignRun, CardMessage, Recipient
from app.campaigns.policy import Policy
from app.cards import service as cards
from app.cards.models import Card, Installation, Preference, Programme
from app.outbox import service as outbox
from app.outbox.models import Target
from app.outbox.service import Lane
from app.world import World
from tests import factories
from tests.app.campaigns.crowd import (
    AUTHOR,
    crowd,
    draft,
    install,
    launched,
    outcome,
    person,
    recipients,
    run_states,
    settled,
    state,
)
from tests.conftest import MovableClock


def test_everybody_of_a_small_audience_is_told_at_once(any_world: World) -> None:
    people = crowd(any_world, 3)
    campaign = launched(any_world, people.programme)

    settled(any_world)

    assert outcome(any_world, campaign) == {"sent": 3}
    assert state(any_world, campaign) == "sent"
    with any_world.database.reading() as session:
        shown = session.scalars(select(CardMessage)).all()
        versions = session.scalars(select(Card.version)).all()
    assert {one.card_id for one in shown} == set(people.ids)
    assert versions == [2, 2, 2]
    assert {one.version for one in recipients(any_world, campaign).values()} == {2}


def test_who_cannot_be_told_is_left_out_with_the_reason(any_world: World) -> None:
    people = crowd(any_world, 1)
    with any_world.database.unit_of_work() as session:
        person(session, people.programme, "Without consent", consent=False)
        person(session, people.programme, "Without a wallet", installed=False)
        picky = person(session, people.programme, "Picky")
        session.add(Preference(member_id=picky.member_id, unwanted_topics=["news"], changed_at=factories.NOW))
        erased = person(session, people.programme, "Gone")
        cards.erase(session, erased.member, now=factories.NOW)
    campaign = launched(any_world, people.programme, topic="news")

    settled(any_world)

    assert outcome(any_world, campaign) == {"sent": 1, "no_consent": 1, "not_installed": 1, "unwanted_topic": 1}


def test_information_needs_no_consent_to_marketing(any_world: World) -> None:
    people = crowd(any_world, 1, consent=False)
    campaign = launched(any_world, people.programme, purpose="information")

    settled(any_world)

    assert outcome(any_world, campaign) == {"sent": 1}


def test_a_message_in_the_night_waits_for_the_end_of_quiet_hours(any_world: World, clock: MovableClock) -> None:
    clock.advance(hours=10)  # 20:00 UTC is 23:00 in Istanbul
    people = crowd(any_world, 1)
    campaign = launched(any_world, people.programme)

    settled(any_world)
    before = outcome(any_world, campaign)
    clock.at = clock.at.replace(hour=5, minute=59) + timedelta(days=1)
    settled(any_world)
    just_before = outcome(any_world, campaign)
    clock.advance(minutes=1)
    settled(any_world)

    assert before == just_before == {"planned": 1}
    assert outcome(any_world, campaign) == {"sent": 1}
    assert recipients(any_world, campaign)[people.ids[0]].note == "quiet_hours_moved"


def test_a_second_message_within_a_day_is_one_too_many_and_after_a_day_is_not(
    any_world: World, clock: MovableClock
) -> None:
    people = crowd(any_world, 1)
    launched(any_world, people.programme)
    settled(any_world)

    clock.advance(hours=2)
    second = launched(any_world, people.programme)
    settled(any_world)
    clock.advance(hours=22)
    third = launched(any_world, people.programme)
    settled(any_world)

    assert outcome(any_world, second) == {"cap_day": 1}
    assert outcome(any_world, third) == {"sent": 1}


def test_three_messages_in_seven_days_are_the_most(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1)
    told = []
    for _day in range(8):
        campaign = launched(any_world, people.programme)
        settled(any_world)
        told.append(dict(outcome(any_world, campaign)))
        clock.advance(days=1)

    assert told == [{"sent": 1}] * 3 + [{"cap_week": 1}] * 4 + [{"sent": 1}]


def test_a_member_may_want_fewer_messages_than_the_programme_sends(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1)
    with any_world.database.unit_of_work() as session:
        session.add(Preference(member_id=people.cards[0].member_id, per_week=1, changed_at=factories.NOW))
    launched(any_world, people.programme)
    settled(any_world)
    clock.advance(days=2)

    second = launched(any_world, people.programme)
    settled(any_world)

    assert outcome(any_world, second) == {"cap_week": 1}


def test_information_comes_besides_marketing_and_once_a_week(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1)
    launched(any_world, people.programme)
    settled(any_world)
    clock.advance(minutes=5)

    first = launched(any_world, people.programme, purpose="information")
    settled(any_world)
    clock.advance(days=3)
    second = launched(any_world, people.programme, purpose="information")
    settled(any_world)

    assert outcome(any_world, first) == {"sent": 1}
    assert outcome(any_world, second) == {"cap_week": 1}


def test_who_withdraws_consent_is_told_nothing_that_was_planned(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 2)
    campaign = launched(any_world, people.programme, send_local="2026-11-21T12:00")
    clock.at = factories.NOW.replace(day=21, hour=8, minute=59)
    settled(any_world)
    with any_world.database.unit_of_work() as session:  # planned for 12:00 by the clock of Istanbul
        session.execute(update(CampaignRun).values(fire_at=clock.at))
    settled(any_world)
    with any_world.database.unit_of_work() as session:
        card = session.get_one(Card, people.ids[0])
        cards.set_consent(session, card.member, granted=False, source="page", now=clock.at)

    clock.advance(seconds=10)
    working.work(any_world, rest=lambda _seconds: None)
    at_once = outcome(any_world, campaign)
    clock.advance(minutes=1)
    settled(any_world)

    assert at_once == {"planned": 1, "no_consent": 1}
    assert outcome(any_world, campaign) == {"sent": 1, "no_consent": 1}


def test_what_happened_since_planning_counts_at_sending(any_world: World, clock: MovableClock) -> None:
    clock.advance(hours=10)  # 23:00 in Istanbul: all wait until 09:00
    people = crowd(any_world, 4)
    with any_world.database.unit_of_work() as session:
        kadikoy = factories.store(session, people.programme)
        for card in people.cards:
            session.get_one(Card, card.id).member.home_store_id = kadikoy.id
    campaign = launched(any_world, people.programme, stores=(kadikoy,))
    settled(any_world)
    with any_world.database.unit_of_work() as session:
        erased, uninstalled, moved, _stays = (session.get_one(Card, one) for one in people.ids)
        cards.erase(session, erased.member, now=clock.at)
        session.execute(update(Installation).where(Installation.card_id == uninstalled.id).values(gone_at=clock.at))
        moved.member.home_store_id = None

    clock.advance(hours=12)
    settled(any_world)

    assert outcome(any_world, campaign) == {"sent": 1, "erased": 1, "not_installed": 1, "left_segment": 1}


def test_of_two_on_one_day_the_more_important_is_told(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 2)
    low = launched(any_world, people.programme, send_local="2026-11-21T12:00", priority=10)
    high = launched(any_world, people.programme, send_local="2026-11-21T12:00", priority=90)

    clock.at = factories.NOW.replace(day=21, hour=9)
    settled(any_world)

    assert outcome(any_world, high) == {"sent": 2}
    assert outcome(any_world, low) in ({"outranked": 2}, {"cap_day": 2})


def test_a_more_important_one_later_that_day_wins_too(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1)
    low = launched(any_world, people.programme, send_local="2026-11-21T12:00", priority=10)
    high = launched(any_world, people.programme, send_local="2026-11-21T18:00", priority=90)
    next_day = launched(any_world, people.programme, send_local="2026-11-23T12:00", priority=90)

    for day, hour in ((21, 9), (21, 15), (23, 9)):
        clock.at = factories.NOW.replace(day=day, hour=hour)
        settled(any_world)

    assert outcome(any_world, low) == {"outranked": 1}
    assert outcome(any_world, high) == {"sent": 1}
    assert outcome(any_world, next_day) == {"sent": 1}


def test_two_processes_tell_each_card_once(any_world: World) -> None:
    people = crowd(any_world, 5)
    campaign = launched(any_world, people.programme)
    working.work(any_world, budget_s=0)
    with any_world.database.reading() as session:
        run_id = session.scalars(select(CampaignRun.id)).one()

    first = [sending.work(any_world, run_id).sent for _ in range(2)]
    settled(any_world)

    assert sum(first) <= 5
    assert outcome(any_world, campaign) == {"sent": 5}
    with any_world.database.reading() as session:
        assert set(session.scalars(select(Card.version))) == {2}


def test_a_personal_field_without_a_value_or_a_fallback_suppresses(any_world: World) -> None:
    people = crowd(any_world, 1)
    strict = {"title": "To {reward}", "body": "You have {points}"}
    campaign = launched(any_world, people.programme, message=strict)

    settled(any_world)

    assert outcome(any_world, campaign) == {"unfilled": 1}


def test_the_numbers_of_a_message_are_frozen_and_name_nobody(any_world: World) -> None:
    people = crowd(any_world, 1)
    words = {"title": "Hello {first_name|friend}", "body": "{points} points, {visits|some} visits"}
    launched(any_world, people.programme, message=words)

    settled(any_world)

    with any_world.database.reading() as session:
        shown = session.scalars(select(CardMessage)).one()
    assert shown.numbers == {"points": 0}


@pytest.mark.parametrize("after", ["stopped", "paused"])
def test_a_stopped_or_paused_campaign_sends_nothing(any_world: World, clock: MovableClock, after: str) -> None:
    clock.advance(hours=10)
    people = crowd(any_world, 3)
    campaign = launched(any_world, people.programme)
    settled(any_world)
    with any_world.database.unit_of_work() as session:
        mine = service.by_id(session, campaign.public_id)
        if after == "stopped":
            counted = service.stop(session, mine, by=AUTHOR, now=clock.at)
            assert (counted.sent, counted.waiting) == (0, 3)
        else:
            service.pause(session, mine, by=AUTHOR, now=clock.at)

    clock.advance(hours=12)
    settled(any_world)

    assert outcome(any_world, campaign) == ({"stopped": 3} if after == "stopped" else {"planned": 3})
    assert state(any_world, campaign) == after


def test_after_a_pause_what_is_still_worth_it_is_sent_and_the_rest_is_paused(
    any_world: World, clock: MovableClock
) -> None:
    clock.advance(hours=10)
    people = crowd(any_world, 1)
    soon, late = (launched(any_world, people.programme, name=name) for name in ("Soon", "Late"))
    settled(any_world)

    def turn(step: str, *which: str) -> None:
        with any_world.database.unit_of_work() as session:
            for one in which:
                getattr(service, step)(session, service.by_id(session, one), by=AUTHOR, now=clock.at)

    turn("pause", soon.public_id, late.public_id)
    clock.advance(hours=14)
    turn("resume", soon.public_id)
    settled(any_world)
    clock.advance(hours=48)
    turn("resume", late.public_id)
    settled(any_world)

    assert outcome(any_world, soon) == {"sent": 1}
    assert outcome(any_world, late) == {"paused": 1}


def test_planned_is_the_sum_of_what_was_sent_and_what_was_not(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 30)
    with any_world.database.unit_of_work() as session:
        for one in range(5):
            person(session, people.programme, f"No {one}", consent=False)
    campaign = launched(any_world, people.programme, holdout_bp=3000)
    settled(any_world)

    with any_world.database.reading() as session:
        mine = service.by_id(session, campaign.public_id)
        counted = service.counts(session, mine)
        run = session.scalars(select(CampaignRun)).one()

    assert counted.planned == counted.sent + counted.suppressed == run.planned == 35
    assert counted.reasons["holdout"] > 0
    assert counted.reasons["no_consent"] == 5


def test_ten_days_late_only_the_newest_occurrence_fires(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1)
    daily = launched(any_world, people.programme, send_local="2026-11-21T12:00", recurrence={"every": "day"})
    once = launched(any_world, people.programme, send_local="2026-11-21T12:00")

    clock.at = factories.NOW.replace(month=12, day=1, hour=10)
    settled(any_world)

    states = run_states(any_world, daily)
    assert list(Counter(states.values()).items()) == [("superseded", 10), ("done", 1), ("waiting", 1)]
    assert states["2026-12-01T12:00"] == "done"
    assert states["2026-12-02T12:00"] == "waiting"
    assert outcome(any_world, daily) == {"sent": 1}
    assert run_states(any_world, once) == {"2026-11-21T12:00": "missed"}
    assert state(any_world, once) == "stopped"


def test_a_stranger_of_the_audience_who_joins_a_wallet_later_is_not_told_twice(
    any_world: World, clock: MovableClock
) -> None:
    people = crowd(any_world, 1, installed=False)
    campaign = launched(any_world, people.programme)
    settled(any_world)
    with any_world.database.unit_of_work() as session:
        install(session, session.get_one(Card, people.ids[0]))

    clock.advance(hours=1)
    settled(any_world)

    assert outcome(any_world, campaign) == {"not_installed": 1}


def test_a_policy_without_caps_lets_everything_through(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1)
    with any_world.database.unit_of_work() as session:
        policy.change(
            session, people.programme, Policy(cap_day=5, cap_week=20, global_holdout_bp=0), by=AUTHOR, now=clock.at
        )
    sent = []
    for _ in range(3):
        campaign = launched(any_world, people.programme)
        settled(any_world)
        sent.append(outcome(any_world, campaign)["sent"])

    assert sent == [1, 1, 1]


def test_a_draft_is_told_to_nobody(any_world: World) -> None:
    people = crowd(any_world, 1)
    with any_world.database.unit_of_work() as session:
        campaign = service.create(session, draft(people.programme), by=AUTHOR, now=any_world.clock())

    settled(any_world)

    assert outcome(any_world, campaign) == {}
    with any_world.database.reading() as session:
        assert session.scalars(select(Recipient)).all() == []


def test_nobody_more_is_told_while_phones_have_too_much_to_catch_up_with(any_world: World) -> None:
    people = crowd(any_world, 2)
    with any_world.database.unit_of_work() as session:
        name = session.get_one(Programme, people.programme.id).pass_type_identifier
        apple = outbox.sender_for(session, "apple", name).id
        for number in range(3):
            target = outbox.ensure_target(session, channel="apple", sender_id=apple, card_id=None, address_id=number,
                                          want=1, done=0, now_ms=0, lane=Lane.BULK)  # fmt: skip
            assert target.want > target.done
    campaign = launched(any_world, people.programme)

    working.work(any_world, rest=lambda _seconds: None, behind_most=3)
    held = outcome(any_world, campaign)
    with any_world.database.unit_of_work() as session:
        session.execute(update(Target).values(done=Target.want))
    settled(any_world)

    assert held == {"planned": 2}
    assert outcome(any_world, campaign) == {"sent": 2}


def test_a_member_who_chooses_a_zone_further_east_is_told_in_time(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 1)
    campaign = launched(any_world, people.programme, send_local="2026-11-21T12:00")
    with any_world.database.unit_of_work() as session:
        session.get_one(Card, people.ids[0]).member.timezone = "Asia/Jayapura"

    moved = working.follow_zones(any_world), working.follow_zones(any_world)
    clock.at = factories.NOW.replace(day=21, hour=3)
    settled(any_world)

    assert moved == (1, 0)
    assert outcome(any_world, campaign) == {"sent": 1}
