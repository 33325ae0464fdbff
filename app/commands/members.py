"""`tessera members import FILE.csv`: members out of a file, with a dry run and a reason for each refused row."""

import argparse
import io
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from app import settings
from app.cards import importing, programmes
from app.cards.importing import Row, Taken
from app.cards.models import Programme
from app.commands.progress import Progress
from app.commands.serving import require_current
from app.commands.setup import say
from app.coupons import exchange
from app.errors import NotFound
from app.staff import audit
from app.world import World, open_world

ACTOR = "cli"


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands of members."""
    verbs = commands.add_parser("members", help="members from a file").add_subparsers(dest="verb", required=True)
    bring = verbs.add_parser(
        "import",
        help="enrol members from a CSV file; again takes nobody twice",
        description=f"Columns, named in the first line: {', '.join(importing.COLUMNS)}. "
        "A yes to marketing without consent_proof is kept as a no.",
    )
    bring.add_argument("file", type=Path, metavar="FILE.csv")
    bring.add_argument("--programme", required=True, metavar="SLUG")
    bring.add_argument("--dry-run", action="store_true", help="say what would be taken, and change nothing")
    bring.add_argument("--json", action="store_true")
    bring.set_defaults(func=run_import)


def run_import(arguments: argparse.Namespace) -> int:
    """Take each row in a transaction of its own: ended anywhere, it goes on where it is started again."""
    chosen = settings.load()
    require_current(chosen)
    world = open_world(chosen)
    programme_id = _programme_id(world, arguments.programme)
    found = _read(arguments.file)
    progress = Progress("members", len(found))
    told = []
    for row in found:
        told.append(world.database.transact(_taking(world, programme_id, row, arguments)))
        progress("rows", 1)
    progress.close()
    _report(told, arguments)
    return 0 if all(one.is_taken for one in told) else 1


def _taking(world: World, programme_id: int, row: Row, arguments: argparse.Namespace) -> Callable[[Session], Taken]:
    def work(session: Session) -> Taken:
        programme = session.get_one(Programme, programme_id)
        tried = session.begin_nested()
        done = importing.take(session, programme, row, by=arguments.file.name, now=world.clock())
        if arguments.dry_run:
            tried.rollback()
        elif done.is_taken:
            subject = f"programme:{programme.public_id}"
            audit.record(
                session, actor=ACTOR, action="member_imported", subject=subject, after={"line": row.line},
                now=world.clock(),
            )  # fmt: skip
        return done

    return work


def _read(path: Path) -> list[Row]:
    try:
        return list(importing.rows(io.StringIO(exchange.decoded(path.read_bytes()))))
    except OSError as problem:
        raise NotFound("unknown_file", f"{path} cannot be read: {problem.strerror}.") from problem


def _programme_id(world: World, slug: str) -> int:
    with world.database.reading() as session:
        programme = programmes.by_name(session, slug)
    if programme is None:
        raise NotFound("unknown_programme", f"There is no programme {slug}.")
    return programme.id


def _report(told: list[Taken], arguments: argparse.Namespace) -> None:
    counted = Counter(one.code for one in told)
    taken = counted.pop("taken", 0)
    noted = [one for one in told if one.text]
    if arguments.json:
        lines = [{"line": one.line, "code": one.code, "text": one.text} for one in noted]
        sys.stdout.write(
            json.dumps({"taken": taken, "refused": sum(counted.values()), "dry_run": arguments.dry_run, "rows": lines})
            + "\n"
        )
        return
    for one in noted:
        say(f"line {one.line}: {one.code}: {one.text}")
    say(f"{taken} {'would be ' if arguments.dry_run else ''}taken, {sum(counted.values())} refused")
