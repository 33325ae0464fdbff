"""A process that brings campaigns on in small chunks: `python -m tests.app.campaigns.worker URL FOLDER AT [POINT]`.

It ends when nothing is due any more, or where it is armed to be killed.
"""

import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from app import failpoints
from app.campaigns import planning, sending, working
from app.campaigns.models import CampaignRun
from app.campaigns.states import UNDER_WAY
from app.settings import Settings
from app.world import World, open_world

SMALL = 40


def main() -> None:
    url, folder, at, *point = sys.argv[1:]
    moment = datetime.fromisoformat(at)
    secret = "a-secret-for-tests-of-at-least-32-characters"
    settings = Settings(database_url=url, secret_key=secret, var_dir=Path(folder) / "var")
    world = open_world(settings, clock=lambda: moment)
    if point:
        failpoints.arm(point[0])
    working.work(world, budget_s=0)
    while _chunks(world):
        pass
    working.settle(world)


def _chunks(world: World) -> bool:
    with world.database.reading() as session:
        runs = list(session.scalars(select(CampaignRun.id).where(CampaignRun.state.in_(UNDER_WAY))))
    worked = False
    for run_id in runs:
        worked = planning.work(world, run_id, chunk=SMALL, rest=_none) or worked
        sent = world.database.transact(
            lambda session, one=run_id: sending.send(session, one, now=world.clock(), most=SMALL)  # type: ignore[misc]
        )
        worked = worked or sent.found > 0
    return worked


def _none(_seconds: float) -> None:
    return None


if __name__ == "__main__":
    main()
