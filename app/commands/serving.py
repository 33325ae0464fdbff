"""`tessera run`, `web`, `worker`, `scheduler`: the service and its parts."""

import argparse
import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.common import AbstractServer

from app import logs, settings
from app.alarms import service as alarms
from app.campaigns import triggered, working
from app.cards import birthdays
from app.clubs import keeping as clubs
from app.counter import adjusting, own_cards, takeover, timekeeping, visiting, warning
from app.coupons import making
from app.db import Database
from app.delivery import departures, nodes, sample, snapshots
from app.delivery.scheduler import Job
from app.delivery.service import Duties, serve
from app.earning import promising
from app.enrolment import mail
from app.errors import ConfigurationError
from app.habits import counting
from app.habits import nightly as habits
from app.migrations.run import NEWER, is_current, is_newer, migrate
from app.offers import grants
from app.outbox.rules import Lane
from app.processes import Child, draining, end_with_parent, keep_running
from app.reports import building as reports
from app.results import service as results
from app.segments import keeping as segments
from app.settings import Settings
from app.stamps import keeping as stamps
from app.tiers import nightly as tiers
from app.vault import load_secret
from app.wallets.apple.places import WAITING_PLACES
from app.webhooks import deliver as webhooks
from app.world import open_world

LOGGER = logging.getLogger(__name__)

PORT_FREE_WITHIN_S = 5.0
FINISH_REQUESTS_S = 25
CHORES = (mail.deliver_next_mail, webhooks.deliver_due, sample.look_at_one)
JOBS = (
    Job(name="alarms", every_s=10, work=alarms.evaluate),
    Job(name="snapshots", every_s=5, work=snapshots.take),
    Job(name="holds", every_s=10, work=timekeeping.end_holds),
    Job(name="expiry", every_s=60, work=timekeeping.expire_lots),
    Job(name="pending", every_s=60, work=timekeeping.activate_pending),
    Job(name="adjustments", every_s=600, work=adjusting.expire_waiting),
    Job(name="joined_cards", every_s=30, work=takeover.follow),
    Job(name="own_cards", every_s=300, work=own_cards.link),
    Job(name="debts", every_s=3600, work=timekeeping.write_off_debts),
    Job(name="stamp_cards", every_s=30, work=stamps.begin_and_end),
    Job(name="clubs", every_s=60, work=clubs.drop_over),
    Job(name="rewards", every_s=30, work=visiting.turn_windows),
    Job(name="slots", every_s=60, work=visiting.settle_slots),
    Job(name="goals", every_s=3600, work=visiting.keep_goals),
    Job(name="codes", every_s=1, work=making.make_codes),
    Job(name="warnings", every_s=900, work=warning.warn),
    Job(name="seal", every_s=600, work=timekeeping.seal_entries),
    Job(name="tiers", every_s=120, work=tiers.work),
    Job(name="birthdays", every_s=60, work=birthdays.fill),
    Job(name="triggers_soon", every_s=10, work=triggered.soon),
    Job(name="triggers", every_s=300, work=triggered.daily),
    Job(name="offers", every_s=30, work=grants.close_due),
    Job(name="reports", every_s=3600, work=reports.work),
    Job(name="promises", every_s=60, work=promising.keep),
    Job(name="habits", every_s=10, work=counting.follow),
    Job(name="habits_nightly", every_s=300, work=habits.work),
    Job(name="segments", every_s=15, work=segments.follow),
    Job(name="results", every_s=30, work=results.work),
    Job(name="campaigns", every_s=1, work=working.work),
    Job(name="campaign_zones", every_s=600, work=working.follow_zones),
    Job(name="message_ends", every_s=10, work=departures.follow),
)


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands that serve."""
    for name, text, function in (
        ("run", "the whole service on one machine: web, delivery, scheduler", run),
        ("web", "pages, API and the phones' web service", web),
        ("worker", "tells the wallets what changed, and sends mails and webhooks; any number may run", worker),
        ("scheduler", "opens and closes offers, finds what was forgotten; run two, each piece is done once", scheduler),
        ("deliver", "worker and scheduler in one process, as run starts it", deliver),
    ):
        parser = commands.add_parser(name, help=text, description=text)
        parser.set_defaults(func=function)
        if name == "worker":
            lanes = "which changes it sends, by urgency: some of urgent,normal,bulk (default: all of them)"
            parser.add_argument("--queues", default="urgent,normal,bulk", type=_lanes, metavar="NAMES", help=lanes)


def run(_arguments: argparse.Namespace) -> int:
    """Web and delivery as two processes under this one, which restarts whichever ends."""
    chosen = settings.load()
    logs.install(chosen)
    prepare(chosen)
    require_company(chosen)
    require_free_port(chosen.listen)
    LOGGER.info("serving %s on %s", chosen.base_url, chosen.listen)
    return keep_running(parts({}))


def parts(environ: Mapping[str, str]) -> list[Child]:
    """The processes of the whole service on one machine."""
    return [
        Child(name="web", arguments=["-m", "app", "web"], environ=environ),
        Child(name="delivery", arguments=["-m", "app", "deliver"], environ=environ),
    ]


def web(_arguments: argparse.Namespace) -> int:
    """The web server: one interpreter, or several on one port, each with a pool of threads."""
    chosen = settings.load()
    logs.install(chosen)
    require_current(chosen)
    require_company(chosen)
    end_with_parent()
    require_free_port(chosen.listen)
    server = web_server("app.wsgi:build", chosen)
    stop = _drained(server.signal_handler_interrupt, chosen.drain_s)
    server.signal_handler_interrupt = stop  # type: ignore[method-assign]  # granian knows no other way
    server.serve()
    return 0


def web_server(application: str, chosen: Settings) -> AbstractServer[Any]:
    """The web server, to be started, of whatever the function makes that is named `module:function`."""
    host, port = _host_and_port(chosen.listen)
    return Granian(
        application,
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=chosen.web_processes,
        blocking_threads=chosen.web_threads + WAITING_PLACES,  # phones that wait must not keep a till waiting
        backlog=1024,
        respawn_failed_workers=True,
        respawn_interval=0.2,
        workers_kill_timeout=FINISH_REQUESTS_S,
        websockets=False,
        log_level=LogLevels.error,
    )


def worker(arguments: argparse.Namespace) -> int:
    """Tells the wallets what changed, and does the other jobs of a worker."""
    return _serve(Duties(worker=True, lanes=arguments.queues, chores=CHORES))


def scheduler(_arguments: argparse.Namespace) -> int:
    """The clock of offers, the sweep, bulk changes, alarms and keeping house."""
    return _serve(Duties(scheduler=True, jobs=JOBS))


def deliver(_arguments: argparse.Namespace) -> int:
    """Both in one process."""
    return _serve(Duties(worker=True, scheduler=True, chores=CHORES, jobs=JOBS))


def _serve(duties: Duties) -> int:
    chosen = settings.load()
    logs.install(chosen)
    require_current(chosen)
    require_company(chosen)
    return serve(open_world(chosen), duties)


def _lanes(text: str) -> tuple[Lane, ...]:
    known = {lane.name.lower(): lane for lane in Lane}
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise argparse.ArgumentTypeError(f"must name some of {', '.join(known)}, for example urgent,normal")
    return tuple(sorted({known[name] for name in names}))


def _drained(stop: Callable[..., None], after_s: int) -> Callable[..., None]:
    """Say at /readyz that this process is about to stop, and stop when proxies have had time to look elsewhere."""

    def begin(*_signal: object) -> None:
        draining.set()
        if after_s:
            threading.Timer(after_s, stop).start()
        else:
            stop()

    return begin


def prepare(chosen: Settings) -> None:
    """Make the secret and bring the database to this release's shape.

    Raises: ConfigurationError, if the folders cannot be written or the database belongs to a newer release.
    """
    try:
        load_secret(chosen.secret_key, chosen.var_dir)
    except OSError as problem:
        raise ConfigurationError(
            f"TESSERA_VAR_DIR {chosen.var_dir} cannot be used: {problem.strerror}; name one to write to, such as var"
        ) from problem
    try:
        database = Database(chosen.database_url)
    except OSError as problem:
        raise ConfigurationError(
            f"TESSERA_DATABASE_URL cannot be used: {problem.filename}: {problem.strerror}; "
            "name a file whose folder can be written, for example sqlite:///var/tessera.db"
        ) from problem
    try:
        migrate(database)
    finally:
        database.close()


def require_company(chosen: Settings) -> None:
    """See that this machine may work beside the others that use the database.

    Raises: ConfigurationError, if the clocks are apart, or another machine uses the SQLite file.
    """
    world = open_world(chosen)
    try:
        nodes.require_same_clock(world)
        nodes.require_one_machine(world)
    finally:
        world.database.close()


def require_free_port(listen: str) -> None:
    """See that nothing else listens there; after a crash the processes before are given a moment to end.

    Raises: ConfigurationError naming TESSERA_LISTEN.
    """
    host, port = _host_and_port(listen)
    deadline = time.monotonic() + PORT_FREE_WITHIN_S
    while True:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
                probe.listen()
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise ConfigurationError(
                f"TESSERA_LISTEN {listen} cannot be used: {os.strerror(problem.errno or 0)}; "
                "stop what listens there, or choose another, for example 127.0.0.1:8081"
            ) from problem
        return


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def require_current(chosen: Settings) -> None:
    """Refuse to serve a database that has not been migrated.

    Raises: ConfigurationError, saying which command mends it.
    """
    database = Database(chosen.database_url)
    try:
        if is_newer(database):
            raise ConfigurationError(NEWER)
        if not is_current(database):
            raise ConfigurationError("the database is not in this release's shape; run: tessera migrate")
    finally:
        database.close()
