"""The short forms of `python -m tests.chaos`: nothing is lost, nothing doubled, every phone is current."""

from pathlib import Path

import pytest

from tests.chaos.servers import Broker, Postgres
from tests.chaos.storm import Plan, rage
from tests.conftest import postgres_database
from tests.journeys.stage import stage

KILLS = 14


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_at_random_while_earning_and_sending(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if database == "sqlite":
        with stage(tmp_path, f"sqlite:///{tmp_path}/tessera.db") as place:
            after = rage(place, Plan(kills=KILLS, only_kills=True, cards=3, seed=3))
    else:
        with (
            postgres_database(request.getfixturevalue("postgres")) as url,
            stage(tmp_path, url, "web", "worker", "scheduler") as place,
        ):
            roles = ("web", "worker", "scheduler")
            after = rage(place, Plan(kills=KILLS, only_kills=True, cards=3, seed=3, roles=roles))

    assert after.wrong == []
    assert after.sales > 0


def test_a_minute_of_everything_on_many_machines(tmp_path: Path) -> None:
    roles = ("web", "worker", "worker-2", "scheduler")
    with Postgres(tmp_path / "postgres") as postgres, Broker(tmp_path / "broker") as broker:
        troubles = {
            "broker flushed": broker.flush,
            "broker killed": broker.restart,
            "broker frozen": broker.freeze,
            "database restarted": postgres.restart,
        }
        with stage(tmp_path, postgres.url, *roles, environ={"TESSERA_BROKER_URL": broker.url}) as place:
            after = rage(place, Plan(seconds=60, cards=4, seed=11, roles=roles, also=troubles))

    assert after.wrong == []
    assert after.sales > 0
