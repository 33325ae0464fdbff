"""Random histories of many campaigns: after each step everybody who was planned is sent, suppressed or waiting."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from app.campaigns import service, working
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards import service as cards
from app.cards.models import Card, Preference
from app.errors import AppError
from app.world import World
from tests import factories
from tests.app.campaigns.crowd import AUTHOR, Crowd, crowd, draft, person, settled
from tests.conftest import MovableClock

STEPS = 25
ZONES = (None, "Asia/Jayapura", "America/New_York", "Europe/Berlin")


def population(world: World, chance: random.Random) -> Crowd:
    people = crowd(world, 2)
    with world.database.unit_of_work() as session:
        for one in range(16):
            card = person(
                session, people.programme, f"Member {one}", zone=chance.choice(ZONES),
                consent=chance.random() < 0.8, installed=chance.random() < 0.8,
            )  # fmt: skip
            if chance.random() < 0.3:
                quiet = {"quiet_from": "12:00", "quiet_to": "16:00"} if chance.random() < 0.5 else {}
                session.add(Preference(member_id=card.member_id, per_week=chance.choice([None, 1]),
                                       changed_at=factories.NOW, **quiet))  # fmt: skip
            people.cards.append(card)
    return people


def launch(world: World, people: Crowd, chance: random.Random) -> None:
    with world.database.unit_of_work() as session:
        over = {"holdout_bp": chance.choice([0, 2000]), "priority": chance.randrange(100)}
        if chance.random() < 0.3:
            over |= {"send_local": "2026-11-20T13:30", "recurrence": {"every": "day"}}
        campaign = service.create(session, draft(people.programme, **over), by=AUTHOR, now=world.clock())
        service.launch(session, campaign, by=AUTHOR, now=world.clock())


def turn(name: str) -> Callable[[World, Crowd, random.Random], None]:
    def work(world: World, _people: Crowd, chance: random.Random) -> None:
        with world.database.unit_of_work() as session:
            campaigns = session.scalars(select(Campaign)).all()
            if campaigns:
                getattr(service, name)(session, chance.choice(campaigns), by=AUTHOR, now=world.clock())

    return work


def refuse(world: World, people: Crowd, chance: random.Random) -> None:
    with world.database.unit_of_work() as session:
        card = session.get_one(Card, chance.choice(people.ids))
        cards.set_consent(session, card.member, granted=chance.random() < 0.3, source="page", now=world.clock())


def go_on(world: World, _people: Crowd, chance: random.Random) -> None:
    working.work(world, budget_s=chance.choice([0.0, 0.01, 5.0]), rest=lambda _seconds: None)


ACTIONS = (launch, launch, turn("pause"), turn("resume"), turn("resume"), turn("stop"), refuse, go_on, go_on, go_on)


def check(world: World) -> None:
    with world.database.reading() as session:
        for run in session.scalars(select(CampaignRun)):
            counted = service.counts(session, session.get_one(Campaign, run.campaign_id), run.id)
            assert counted.planned == counted.sent + counted.suppressed + counted.waiting == run.planned
            if run.state == "done":
                assert counted.waiting == 0
        twice = select(Recipient.card_id).where(Recipient.state == "sent", Recipient.arm != "treated")
        assert session.scalars(twice).all() == []
        versions = select(Card.version - 1, func.count(Recipient.run_id)).outerjoin(
            Recipient, (Recipient.card_id == Card.id) & (Recipient.state == "sent")
        )
        assert all(raised == told for raised, told in session.execute(versions.group_by(Card.id, Card.version)))


@pytest.mark.parametrize("seed", [1, 2])
def test_planned_is_sent_and_suppressed_to_the_unit(any_world: World, clock: MovableClock, seed: int) -> None:
    chance = random.Random(seed)
    people = population(any_world, chance)
    launch(any_world, people, chance)
    settled(any_world)

    for _ in range(STEPS):
        with suppress(AppError):  # a step that this campaign cannot take
            chance.choice(ACTIONS)(any_world, people, chance)
        clock.advance(minutes=chance.choice([1, 30, 300, 1500]))
        check(any_world)
    settled(any_world)
    check(any_world)

    with any_world.database.reading() as session:
        told = session.scalar(select(func.count()).where(Recipient.state == "sent"))
    assert told
