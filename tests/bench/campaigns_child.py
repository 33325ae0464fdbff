"""One piece of a campaign's work in a process of its own: `python -m tests.bench.campaigns_child plan|send|tick …`.

It imports no more than a scheduler does, so that its memory is a scheduler's.
"""

import json
import sys
import time
from pathlib import Path

from app.campaigns import planning, runs, working
from app.campaigns.models import CampaignRun
from app.clock import system_clock
from app.settings import Settings
from app.world import World, open_world

SENT = 20_000
SECRET = "a-secret-for-tests-of-at-least-32-characters"


def main() -> None:
    what, url, folder, run_id = sys.argv[1:]
    at = system_clock()
    world = open_world(Settings(database_url=url, secret_key=SECRET, var_dir=Path(folder)), clock=lambda: at)
    print(json.dumps(_measured(world, what, int(run_id))))


def _measured(world: World, what: str, run_id: int) -> dict[str, float]:
    if what == "plan":
        with world.database.unit_of_work() as session:
            if runs.begin(session, session.get_one(CampaignRun, run_id), now=world.clock()) != "planning":
                raise RuntimeError("the run was not due")
    if what == "tick":
        working.work(world)  # connects, and makes the statements that are kept
    began, used = time.perf_counter(), time.process_time()
    sent = _worked(world, what, run_id)
    took, used = time.perf_counter() - began, time.process_time() - used
    with world.database.reading() as session:
        planned = session.get_one(CampaignRun, run_id).planned
    return {"seconds": took, "processor": used, "planned": planned, "mib": _most_mib(), "sent": sent}


def _worked(world: World, what: str, run_id: int) -> int:
    if what == "plan":
        while planning.work(world, run_id):
            pass
        return 0
    if what == "tick":
        return working.work(world).sent
    sent = 0
    while sent < SENT:  # no phone catches up here, which is not waited for
        sent += working.work(world, behind_most=2 * SENT).sent
    return sent


def _most_mib() -> float:
    """The most memory that this process ever had; what `getrusage` says begins with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    main()
