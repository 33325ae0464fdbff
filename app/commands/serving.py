"""`tessera run`, `web`, `worker`, `scheduler`: the service and its parts."""

import argparse
import logging
from collections.abc import Mapping

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from app import logs, settings
from app.db import Database
from app.delivery.service import run_delivery
from app.errors import ConfigurationError
from app.migrations.run import is_current, migrate
from app.processes import Child, end_with_parent, keep_running
from app.settings import Settings
from app.vault import load_secret
from app.world import open_world

LOGGER = logging.getLogger(__name__)


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands that serve."""
    for name, text, function in (
        ("run", "the whole service on one machine: web, delivery, scheduler", run),
        ("web", "pages, API and the phones' web service", web),
        ("worker", "tells the wallets what changed, and opens and closes offers", worker),
        ("scheduler", "the same as worker; several may run, each piece of work is done once", worker),
    ):
        parser = commands.add_parser(name, help=text, description=text)
        parser.set_defaults(func=function)


def run(_arguments: argparse.Namespace) -> int:
    """Web and delivery as two processes under this one, which restarts whichever ends."""
    chosen = settings.load()
    logs.install(chosen)
    prepare(chosen)
    LOGGER.info("serving %s on %s", chosen.base_url, chosen.listen)
    return keep_running(parts({}))


def parts(environ: Mapping[str, str]) -> list[Child]:
    """The processes of the whole service on one machine."""
    return [
        Child(name="web", arguments=["-m", "app", "web"], environ=environ),
        Child(name="delivery", arguments=["-m", "app", "worker"], environ=environ),
    ]


def web(_arguments: argparse.Namespace) -> int:
    """The web server: one interpreter with a pool of threads."""
    chosen = settings.load()
    logs.install(chosen)
    require_current(chosen)
    end_with_parent()
    host, _, port = chosen.listen.rpartition(":")
    server = Granian(
        "app.wsgi:build",
        factory=True,
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=chosen.web_threads,
        backlog=1024,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=10,
        websockets=False,
        log_level=LogLevels.warning,
    )
    server.serve()
    return 0


def worker(_arguments: argparse.Namespace) -> int:
    """Delivery and the clock of offers."""
    chosen = settings.load()
    logs.install(chosen)
    require_current(chosen)
    return run_delivery(open_world(chosen))


def prepare(chosen: Settings) -> None:
    """Make the secret and bring the database to this release's shape."""
    load_secret(chosen.secret_key, chosen.var_dir)
    database = Database(chosen.database_url)
    migrate(database)
    database.close()


def require_current(chosen: Settings) -> None:
    """Refuse to serve a database that has not been migrated.

    Raises: ConfigurationError, saying which command mends it.
    """
    database = Database(chosen.database_url)
    try:
        if not is_current(database):
            raise ConfigurationError("the database is not in this release's shape; run: tessera migrate")
    finally:
        database.close()
