"""Reports are built by command: what is due, or everything anew, with what was done as words or JSON."""

import argparse
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.cards.models import Card
from app.commands import reports
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.reports.models import ReportFlow
from app.world import World
from tests import factories
from tests.conftest import SECRET

DAYS = 3
TILL = Actor(name="staff:a", channel="till")


@dataclass(frozen=True, kw_only=True)
class Shop:
    """One card that buys for 100, in the world that the environment names."""

    world: World
    card_id: int

    def sell(self, ago: int) -> None:
        """A purchase so many days ago."""
        at = datetime.now(UTC) - timedelta(days=ago)
        with self.world.database.unit_of_work() as session:
            card = session.get_one(Card, self.card_id)
            sales.earn(session, card, Sale(amount_minor=100_00, currency="TRY"), by=TILL, now=at)

    @property
    def points(self) -> int:
        """Points issued, as the reports have them."""
        with self.world.database.reading() as session:
            return int(
                session.scalar(
                    select(func.sum(ReportFlow.units)).where(ReportFlow.kind == "earn", ReportFlow.role == "avail")
                )
                or 0
            )


@pytest.fixture
def shop(any_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("TESSERA_DATABASE_URL", any_world.database.url)
    monkeypatch.setenv("TESSERA_SECRET_KEY", SECRET)
    monkeypatch.setenv("TESSERA_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    with any_world.database.unit_of_work() as session:
        made = Shop(world=any_world, card_id=factories.card(session, factories.programme(session)).id)
    for ago in reversed(range(DAYS)):
        made.sell(ago)
    return made


def build(capsys: pytest.CaptureFixture[str], *, anew: bool = False) -> dict[str, object]:
    assert reports.run_build(argparse.Namespace(all=anew, json=True)) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_what_is_due_is_built_once_and_everything_anew_comes_to_the_same(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    first = build(capsys)
    assert shop.points == 10 * DAYS

    shop.sell(0)
    assert build(capsys)["days"] == 1, "today alone"
    assert shop.points == 10 * (DAYS + 1)

    assert build(capsys, anew=True)["days"] == first["days"]
    assert shop.points == 10 * (DAYS + 1)


def test_a_person_reads_how_much_was_built(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert reports.run_build(argparse.Namespace(all=False, json=False)) == 0

    assert re.fullmatch(
        r"Reports are up to date: [1-9] days and \d+ months were built in [0-9.]+ s\.\n", capsys.readouterr().out
    )
    assert shop.points == 10 * DAYS
