"""Processes killed in the middle of planning and sending: everybody is decided about once, and nobody is told twice."""

import random
import signal
import subprocess
import sys
import time

from sqlalchemy import func, select, text

from app.campaigns import service
from app.campaigns.models import Campaign, CampaignRun, CardMessage, Recipient
from app.cards.models import Card, Programme
from app.world import World
from tests import factories
from tests.app.campaigns.crowd import launched, outcome, state

PEOPLE = 240
NUMBERS = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :people) "
STEPS = (
    """INSERT INTO member (id, public_id, programme_id, language, marketing_consent, attributes, status, source,
         created_at)
       SELECT n, 'm' || n, :programme, 'tr', n % 8 <> 0, '{}', 'active', 'seed', 0 FROM n""",
    """INSERT INTO card (id, programme_id, member_id, number, serial, link, status, version, modified_at,
         qualifying_minor, created_at)
       SELECT n, :programme, n, 'n' || n, 's' || n, 'l' || n, 'active', 1, 0, 0, 0 FROM n""",
    """INSERT INTO installation (programme_id, card_id, wallet, installed_at)
       SELECT :programme, n, 'apple', 0 FROM n WHERE n % 6 <> 0""",
)


def many(world: World) -> Programme:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, tiers=())
        for step in STEPS:
            head, found, rest = step.partition("SELECT")
            statement = text(f"{head}{NUMBERS}{found}{rest}")
            session.execute(statement, {"people": PEOPLE, "programme": programme.id})
        return programme


def worker(world: World, *point: str) -> "subprocess.Popen[bytes]":
    url, folder = world.settings.database_url, str(world.settings.var_dir.parent)
    command = [sys.executable, "-m", "tests.app.campaigns.worker", url, folder, world.clock().isoformat(), *point]
    return subprocess.Popen(command)


def check(world: World, campaign: Campaign) -> None:
    """Planned = sent + suppressed, to the unit; who was told has one message and one new version, others neither."""
    with world.database.reading() as session:
        counted = service.counts(session, campaign)
        run = session.scalars(select(CampaignRun).where(CampaignRun.campaign_id == campaign.id)).one()
        versions = dict(session.execute(select(Card.id, Card.version)).all())  # type: ignore[arg-type]
        told = set(session.scalars(select(Recipient.card_id).where(Recipient.state == "sent")))
        shown = set(session.scalars(select(CardMessage.card_id)))
        people = session.scalar(select(func.count()).select_from(Card))
    assert counted.planned == counted.sent + counted.suppressed == run.planned == people
    assert {card for card, version in versions.items() if version == 2} == told == shown
    assert set(versions.values()) == {1, 2}


def test_killed_before_a_commit_and_gone_on_with(any_world: World) -> None:
    campaign = launched(any_world, many(any_world), holdout_bp=2000)

    for point in ("plan.before_commit=kill@2", "send.before_commit=kill@2"):
        assert worker(any_world, point).wait(60) == -signal.SIGKILL
    assert worker(any_world).wait(60) == 0

    check(any_world, campaign)
    assert state(any_world, campaign) == "sent"
    assert outcome(any_world, campaign)["holdout"] > 10


def test_several_at_once_some_of_them_killed_anywhere(any_world: World) -> None:
    campaign = launched(any_world, many(any_world), holdout_bp=2000)
    chance = random.Random(7)

    together = [worker(any_world) for _ in range(3)]
    time.sleep(1.0 + chance.random() / 2)
    for one in together[:2]:
        one.kill()
    for one in together:
        one.wait(60)
    assert worker(any_world).wait(60) == 0

    check(any_world, campaign)
    assert state(any_world, campaign) == "sent"
