"""A certain visit, and little that is missing to a reward."""

from typing import Any

import pytest

from app.campaigns import triggered
from app.cards.models import Card, Programme
from app.counter import rewarding, stamping
from app.ledger import held
from app.rewards import catalogue, goals
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward
from app.stamps import service as stamps
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard
from tests.app.campaigns.crowd import outcome, settled
from tests.app.campaigns.occasions.street import TILL, Street

NEAR = {"on": "near_reward"}


def reward(street: Street, name: str, points: int, **over: Any) -> Reward:
    with street.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, street.programme.id)
        return catalogue.add(session, programme, RewardDraft(name=name, points=points, **over), now=street.clock())


def takes(street: Street, card: Card, one: Reward) -> str:
    with street.world.database.unit_of_work() as session:
        done = rewarding.redeem_reward(
            session, session.get_one(Card, card.id), session.get_one(Reward, one.id), by=TILL, now=street.clock()
        )
        return done.entry.id


def stamp_card(street: Street, size: int = 5) -> StampCard:
    with street.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, street.programme.id)
        draft = StampCardDraft(programme=programme, name="Coffee", reward="A coffee", size=size, cool_down_min=0)
        return stamps.create(session, draft, by="staff:x", now=street.clock())


def stamped(street: Street, card: Card, one: StampCard, count: int) -> str:
    with street.world.database.unit_of_work() as session:
        done = stamping.stamp(
            session, session.get_one(Card, card.id), session.get_one(StampCard, one.id), count, by=TILL,
            now=street.clock(), is_manager=True,
        )  # fmt: skip
        return done.entry.id


def test_the_third_visit_is_celebrated_once_whatever_comes_back(street: Street) -> None:
    campaign = street.follows({"on": "milestone", "visits": 3})
    card = street.card()
    for _ in range(2):
        street.buys(card)
        street.days_later(1)
    assert street.due() == 0

    third = street.buys(card)
    assert street.due() == 1
    settled(street.world)
    street.brings_back(third)
    assert street.days_later(1).due() == 0
    street.buys(card)
    assert street.days_later(1).due() == 0

    assert street.occasions(card) == ["visits:3"]
    assert outcome(street.world, campaign) == {"sent": 1}


def test_who_was_past_it_before_the_campaign_began_is_told_nothing(street: Street) -> None:
    card = street.card()
    for _ in range(4):
        street.buys(card)
        street.days_later(1)
    street.follows({"on": "milestone", "visits": 3})
    street.buys(card)

    assert street.due() == 0


def test_a_milestone_is_found_three_days_late_and_not_ten(street: Street) -> None:
    street.follows({"on": "milestone", "visits": 2})
    late, too_late = street.card(), street.card("Can Demir")
    for _ in range(2):
        street.buys(too_late)
    street.days_later(7)
    for _ in range(2):
        street.buys(late)
    street.days_later(3)

    assert street.due() == 1
    assert street.occasions(late) == ["visits:2"]


@pytest.mark.parametrize(("points", "told"), [(89, 0), (90, 1), (99, 1), (100, 0), (179, 0), (180, 1)])
def test_little_is_missing_where_at_most_a_tenth_is(street: Street, points: int, told: int) -> None:
    reward(street, "A cake", 100)
    reward(street, "A breakfast", 200)
    card = street.card()
    street.gets(card, points)
    street.follows(NEAR)

    assert street.due() == told


def test_a_reward_that_was_taken_can_come_near_again(street: Street) -> None:
    cake = reward(street, "A cake", 100)
    card = street.card()
    street.follows(NEAR)
    street.gets(card, 95)
    assert street.due() == 1
    assert street.days_later(1).due() == 0

    street.gets(card, 5)
    takes(street, card, cake)
    street.gets(card, 95)

    assert street.days_later(1).due() == 1
    assert street.occasions(card) == [f"near:{cake.public_id}:0", f"near:{cake.public_id}:1"]


def test_who_saves_for_a_reward_is_told_of_that_one(street: Street) -> None:
    reward(street, "A cake", 100)
    machine = reward(street, "A machine", 1000)
    card = street.card()
    with street.world.database.unit_of_work() as session:
        goals.choose(session, held.by_id(session, card.id), session.get_one(Reward, machine.id), by="x",
                     now=street.clock())  # fmt: skip
    street.follows(NEAR)
    street.gets(card, 95)
    assert street.due() == 0

    street.gets(card, 810)

    assert street.days_later(1).due() == 1
    assert street.occasions(card) == [f"near:{machine.public_id}:0"]


def test_a_reward_that_others_alone_can_have_is_not_near(street: Street) -> None:
    with street.world.database.reading() as session:
        gold = session.get_one(Programme, street.programme.id).tiers[-1].id
    reward(street, "For gold", 100, tiers=(gold,))
    card = street.card()
    street.follows(NEAR)
    street.gets(card, 95)

    assert street.due() == 0


def test_the_last_missing_stamp_is_said_once_for_each_card_of_stamps(street: Street) -> None:
    coffee, card = stamp_card(street), street.card()
    street.follows(NEAR)
    stamped(street, card, coffee, 3)
    assert street.due() == 0
    stamped(street, card, coffee, 1)
    assert street.due() == 1
    assert street.days_later(1).due() == 0

    last = stamped(street, card, coffee, 1)
    street.brings_back(last)
    assert street.days_later(1).due() == 0
    stamped(street, card, coffee, 5)

    assert street.days_later(1).due() == 1
    assert street.occasions(card) == [f"near:{coffee.public_id}:0", f"near:{coffee.public_id}:1"]


def test_many_are_found_in_chunks_of_any_size(street: Street) -> None:
    reward(street, "A cake", 100)
    stamp_card(street, size=2)
    for number in range(5):
        street.gets(street.card(f"Member {number}"), 95)
    campaign = street.follows(NEAR)

    assert triggered.daily(street.world, chunk=2) == 5
    assert sum(outcome(street.world, campaign).values()) == 5
