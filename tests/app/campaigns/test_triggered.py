"""Triggered campaigns tell each member once for each occasion, whoever runs them, however often and however late."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.campaigns import service, triggered
from app.campaigns.models import Campaign, Occasion, Recipient
from app.cards import service as cards
from app.cards.models import Card, Installation, Member, Programme
from app.errors import Unprocessable
from app.world import World
from tests.app.campaigns import crowd
from tests.app.campaigns.crowd import Crowd, install, launched, outcome, person, recipients, settled
from tests.conftest import MovableClock

WELCOME = {"on": "welcome"}


def newcomer(world: World, programme: Programme, name: str = "Can Demir", *, installed: bool = True) -> Card:
    with world.database.unit_of_work() as session:
        own = session.get_one(Programme, programme.id)
        card = person(session, own, name, installed=False)
        if installed:
            install(session, card, now=world.clock())
        return card


def occasions(world: World) -> list[tuple[int, str]]:
    with world.database.reading() as session:
        rows = session.execute(
            select(Occasion.card_id, Occasion.occasion).order_by(Occasion.card_id, Occasion.occasion)
        )
        return [(card, occasion) for card, occasion in rows]


@pytest.fixture
def people(any_world: World, clock: MovableClock) -> Crowd:
    found = crowd.crowd(any_world, 2)
    clock.advance(minutes=5)
    return found


def test_who_has_the_card_on_a_phone_for_the_first_time_is_welcomed_once(
    any_world: World, clock: MovableClock, people: Crowd
) -> None:
    campaign = launched(any_world, people.programme, trigger=WELCOME, send_local="")
    clock.advance(seconds=30)
    waiting = newcomer(any_world, people.programme, "Form only", installed=False)
    card = newcomer(any_world, people.programme)

    assert triggered.soon(any_world) == 1
    settled(any_world)
    assert triggered.soon(any_world) == 0

    found = recipients(any_world, campaign)
    assert set(found) == {card.id}
    assert (found[card.id].state, found[card.id].at) == ("sent", clock())
    assert waiting.id not in found


def test_off_the_phone_and_on_it_again_is_no_first_time(any_world: World, clock: MovableClock, people: Crowd) -> None:
    campaign = launched(any_world, people.programme, trigger=WELCOME, send_local="")
    clock.advance(minutes=1)
    card = newcomer(any_world, people.programme)
    triggered.soon(any_world)
    settled(any_world)
    for wallet in ("apple", "google"):
        clock.advance(hours=1)
        with any_world.database.unit_of_work() as session:
            session.execute(update(Installation).where(Installation.card_id == card.id).values(gone_at=clock()))
            install(session, session.get_one(Card, card.id), wallet, now=clock())
        triggered.soon(any_world)
        triggered.daily(any_world)
        settled(any_world)

    assert outcome(any_world, campaign) == Counter(sent=1)
    assert occasions(any_world) == [(card.id, "welcome")]


def test_a_welcome_that_is_three_days_late_is_left_out(any_world: World, clock: MovableClock, people: Crowd) -> None:
    campaign = launched(any_world, people.programme, trigger=WELCOME, send_local="")
    clock.advance(minutes=1)
    newcomer(any_world, people.programme, "Too long ago")
    clock.advance(days=2)
    late = newcomer(any_world, people.programme, "Two days ago")
    clock.advance(days=2)

    triggered.daily(any_world)

    assert set(recipients(any_world, campaign)) == {late.id}


def test_two_processes_that_find_the_same_card_bring_it_in_once(
    any_world: World, clock: MovableClock, people: Crowd
) -> None:
    campaign = launched(any_world, people.programme, trigger=WELCOME, send_local="")
    clock.advance(minutes=1)
    for name in ("Ali Kaya", "Eda Kaya", "Naz Kaya"):
        newcomer(any_world, people.programme, name)
    start = threading.Barrier(2)
    done: list[int] = []

    def run() -> None:
        start.wait()
        done.append(triggered.soon(any_world, chunk=1))

    both = [threading.Thread(target=run) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert sum(done) == 3
    settled(any_world)
    assert outcome(any_world, campaign) == Counter(sent=3)
    with any_world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Recipient)) == 3


def test_what_was_found_before_the_campaign_stopped_is_not_brought_in(
    any_world: World, clock: MovableClock, people: Crowd
) -> None:
    campaign = launched(any_world, people.programme, trigger=WELCOME, send_local="")
    clock.advance(minutes=1)
    newcomer(any_world, people.programme)
    with any_world.database.unit_of_work() as session:
        service.pause(session, session.get_one(Campaign, campaign.id), by="staff:x", now=clock())

    assert triggered.soon(any_world) == 0
    assert outcome(any_world, campaign) == Counter()
    with any_world.database.unit_of_work() as session:
        service.resume(session, session.get_one(Campaign, campaign.id), by="staff:x", now=clock())
    assert triggered.soon(any_world) == 1


def test_a_yes_that_was_taken_back_meanwhile_stops_what_waits(
    any_world: World, clock: MovableClock, people: Crowd
) -> None:
    campaign = launched(any_world, people.programme, trigger=WELCOME, send_local="")
    clock.advance(minutes=1)
    card = newcomer(any_world, people.programme)
    triggered.soon(any_world)
    with any_world.database.unit_of_work() as session:
        member = session.get_one(Member, card.member_id)
        cards.set_consent(session, member, granted=False, source="page", now=clock())

    settled(any_world)

    assert outcome(any_world, campaign) == Counter(no_consent=1)


def test_a_tenth_is_held_back_where_nothing_else_was_chosen(any_world: World, clock: MovableClock) -> None:
    people = crowd.crowd(any_world, 110)
    clock.advance(minutes=1)
    day = {"on": "occasion", "dates": ["2026-11-20"], "at": "13:00"}
    campaign = launched(any_world, people.programme, trigger=day, send_local="", holdout_bp=None)

    assert triggered.daily(any_world) == 110
    settled(any_world)

    told = outcome(any_world, campaign)
    assert told["sent"] + told["holdout"] == 110
    assert 0 < told["holdout"] < 40


def test_of_two_automations_on_one_day_the_more_important_one_is_told(
    any_world: World, clock: MovableClock, people: Crowd
) -> None:
    day = {"on": "occasion", "dates": ["2026-11-20"], "at": "13:00"}
    lesser = launched(any_world, people.programme, trigger=day, send_local="", priority=10)
    greater = launched(any_world, people.programme, trigger=day, send_local="", priority=90)

    triggered.daily(any_world)
    settled(any_world)

    assert outcome(any_world, greater) == Counter(sent=2)
    assert sum(outcome(any_world, lesser).values()) == 2
    assert outcome(any_world, lesser)["sent"] == 0


def test_a_second_occasion_of_a_card_on_one_day_waits_for_the_next(
    any_world: World, clock: MovableClock, people: Crowd
) -> None:
    card = people.cards[0]
    campaign = launched(any_world, people.programme, trigger=WELCOME, send_local="")
    due = [triggered.Due(card_id=card.id, occasion="one"), triggered.Due(card_id=card.id, occasion="two")]

    def brought() -> int:
        with any_world.database.unit_of_work() as session:
            return triggered.bring_in(session, session.get_one(Campaign, campaign.id), due, now=clock())

    assert (brought(), brought()) == (1, 0)
    clock.advance(days=1)
    assert brought() == 1
    assert occasions(any_world) == [(card.id, "one"), (card.id, "two")]


def test_a_campaign_with_a_trigger_that_cannot_be_is_not_kept(any_world: World, people: Crowd) -> None:
    with pytest.raises(Unprocessable, match="invalid_campaign") as refusal:
        launched(any_world, people.programme, trigger={"on": "birthday", "days_before": 99}, send_local="")

    assert "trigger.days_before" in refusal.value.errors


def test_ten_days_off_comes_to_one_message_for_what_is_still_worth_it(
    any_world: World, clock: MovableClock, people: Crowd
) -> None:
    dates = [(clock() + timedelta(days=day)).date().isoformat() for day in range(1, 11)]
    campaign = launched(any_world, people.programme, trigger={"on": "occasion", "dates": dates}, send_local="")

    clock.advance(days=10)
    for _ in range(3):
        triggered.daily(any_world)
        settled(any_world)

    assert outcome(any_world, campaign) == Counter(sent=2)
    assert {occasion for _, occasion in occasions(any_world)} == {f"occasion:own:{dates[-1]}"}
