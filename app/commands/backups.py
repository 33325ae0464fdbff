"""`tessera backup`, `restore` and `move`: the whole database as a file, back again, and into another database."""

import argparse
import json
from pathlib import Path

from app import settings
from app.alarms import backups
from app.backups import service
from app.commands.progress import Progress
from app.commands.serving import prepare, require_current
from app.commands.setup import say
from app.db import Database
from app.errors import ConfigurationError
from app.migrations.run import is_current
from app.world import open_world


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands that copy the database."""
    back_up = commands.add_parser("backup", help="write the whole database into a file, while the service runs")
    back_up.add_argument("file", type=Path, metavar="FILE")
    back_up.set_defaults(func=run_backup)
    restore = commands.add_parser("restore", help="put a backup in place, and tell every phone its state again")
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--verify", action="store_true", help="check the file and change nothing")
    restore.add_argument("--replace", action="store_true", help="what the database holds now may go")
    restore.set_defaults(func=run_restore)
    move = commands.add_parser("move", help="copy a stopped installation's database into the configured, empty one")
    move.add_argument("source", metavar="URL", help="the database to leave, such as sqlite:///var/tessera.db")
    move.set_defaults(func=run_move)
    for parser in (back_up, restore, move):
        parser.add_argument("--json", action="store_true")


def run_backup(arguments: argparse.Namespace) -> int:
    """One consistent moment of the database, in one file."""
    chosen = settings.load()
    require_current(chosen)
    progress = Progress("backup")
    world = open_world(chosen)
    size = service.back_up(world, arguments.file, progress)
    progress.close()
    with world.database.unit_of_work() as session:
        backups.note(session, "made", size_bytes=size, now=world.clock())
    if arguments.json:
        say(json.dumps({"file": str(arguments.file), "bytes": size}))
    else:
        say(f"{arguments.file}: {size:,} bytes. The secret key and the certificates are not in it; keep them apart.")
    return 0


def run_restore(arguments: argparse.Namespace) -> int:
    """Check or restore; 1 if there is anything wrong with the file."""
    chosen = settings.load()
    prepare(chosen)
    world = open_world(chosen)
    if arguments.verify:
        found = service.inspect(world, arguments.file)
        if not found.findings:
            with world.database.unit_of_work() as session:
                backups.note(session, "verified", size_bytes=arguments.file.stat().st_size, now=world.clock())
    else:
        progress = Progress("restore")
        found = service.restore(world, arguments.file, progress, replace=arguments.replace)
        progress.close()
    if arguments.json:
        say(json.dumps({"cards": found.cards, "entries": found.entries, "findings": found.findings}))
    else:
        for line in found.findings:
            say(line)
        say(f"{arguments.file}: {found.cards:,} cards, {found.entries:,} entries.")
        if not found.findings:
            say("It is whole." if arguments.verify else "It is restored; every phone is being told its state again.")
    return 1 if found.findings else 0


def run_move(arguments: argparse.Namespace) -> int:
    """Copy, compare, and keep the copy only if everything is equal."""
    chosen = settings.load()
    source_url = settings.checked_database_url(arguments.source)
    if source_url == chosen.database_url:
        raise ConfigurationError("TESSERA_DATABASE_URL names the same database; set it to the new one first")
    prepare(chosen)
    source = _opened(source_url)
    progress = Progress("move")
    try:
        found = service.move(source, open_world(chosen), progress)
    finally:
        source.close()
        progress.close()
    if arguments.json:
        say(json.dumps(found))
    else:
        for name, value in found.items():
            if value:
                say(f"{name}: {value:,}")
        say("Everything is equal in both databases. Start the service with the new one.")
    return 0


def _opened(url: str) -> Database:
    source = Database(url)
    if not is_current(source):
        source.close()
        raise ConfigurationError(
            "the database to leave is not in this release's shape; run tessera migrate on it first"
        )
    return source
