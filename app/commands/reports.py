"""`tessera reports build`: bring reports up to date now, or build them all anew."""

import argparse
import json
import time

from app import settings
from app.commands.progress import Progress
from app.commands.serving import require_current
from app.commands.setup import say
from app.reports import building
from app.world import open_world


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command of reports."""
    verbs = commands.add_parser("reports", help="what reports are read from").add_subparsers(dest="verb", required=True)
    text = "bring reports up to date with the ledger; may run beside the service, be stopped, and run again"
    build = verbs.add_parser("build", help=text, description=text)
    build.add_argument(
        "--all", action="store_true", help="every day anew, not only those that something was written to"
    )
    build.add_argument("--json", action="store_true", help="the outcome as JSON")
    build.set_defaults(func=run_build)


def run_build(arguments: argparse.Namespace) -> int:
    """Build what is due; 0 when it is built."""
    chosen = settings.load()
    require_current(chosen)
    world = open_world(chosen)
    began = time.monotonic()
    progress = Progress("building")
    try:
        built = building.build(world, anew=arguments.all, told=progress)
    finally:
        progress.close()
        world.database.close()
    seconds = round(time.monotonic() - began, 1)
    if arguments.json:
        told = {"days": built.days, "months": built.months, "runs": built.runs, "programmes": built.programmes}
        say(json.dumps({**told, "seconds": seconds}))
    else:
        say(f"Reports are up to date: {built.days} days and {built.months} months were built in {seconds} s.")
    return 0
