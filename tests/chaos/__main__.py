"""`python -m tests.chaos`: a storm by hand, ten minutes of everything or so many kill -9, on either database.

python -m tests.chaos --seconds 600 --database postgresql
python -m tests.chaos --kills 1000 --database sqlite
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos.servers import Broker, Postgres
from tests.chaos.storm import Plan, rage
from tests.journeys.stage import stage

MACHINES = ("web", "worker", "worker-2", "scheduler", "scheduler-2")
ONE_MACHINE = ("web", "deliver")
BETWEEN_KILLS_S = (0.5, 3.5)  # a web server that starts needs a second or two before it can be killed amid sales


def main() -> int:
    chosen = _parser().parse_args()
    seed = chosen.seed or int(time.time())
    print(f"seed {seed}", flush=True)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="tessera-chaos-")))
        url, environ, also, roles = held.enter_context(_servers(chosen.database, folder))
        place = held.enter_context(stage(folder, url, *roles, environ=environ))
        plan = Plan(
            seconds=chosen.seconds,
            kills=chosen.kills,
            seed=seed,
            only_kills=chosen.kills is not None,
            pause_s=(0.2, 1.2) if chosen.kills is None else BETWEEN_KILLS_S,
            roles=roles,
            also=also,
        )
        after = rage(place, plan)
    for line in after.lines():
        print(line, flush=True)
    return 1 if after.wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, help="nothing but so many kill -9")
    parser.add_argument("--seed", type=int, help="of an earlier storm, to have it again")
    return parser


@contextmanager
def _servers(database: str, folder: Path) -> Iterator[tuple[str, dict[str, str], dict[str, object], tuple[str, ...]]]:
    """The database, and for PostgreSQL the broker as well, with what can happen to them."""
    if database == "sqlite":
        yield f"sqlite:///{folder}/tessera.db", {}, {}, ONE_MACHINE
        return
    with Postgres(folder / "postgres") as postgres, Broker(folder / "broker") as broker:
        troubles = {
            "broker flushed": broker.flush,
            "broker killed": broker.restart,
            "broker frozen": broker.freeze,
            "database restarted": postgres.restart,
        }
        yield postgres.url, {"TESSERA_BROKER_URL": broker.url}, troubles, MACHINES


if __name__ == "__main__":
    sys.exit(main())
