"""`tessera codes make|import|export|revoke`: unique codes by the hundred thousand, with their progress."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TextIO

from sqlalchemy.orm import Session

from app import settings
from app.cards import programmes
from app.cards.models import Programme
from app.commands.progress import Progress
from app.commands.serving import require_current
from app.commands.setup import say
from app.coupons import batches, exchange, making
from app.coupons.batches import BatchDraft
from app.coupons.models import Batch
from app.errors import NotFound, Unprocessable
from app.offers import service as offers
from app.rewards import catalogue
from app.staff import audit
from app.world import World, open_world

ACTOR = "cli"


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands of unique codes."""
    verbs = commands.add_parser("codes", help="unique codes: each works once").add_subparsers(
        dest="verb", required=True
    )
    make = verbs.add_parser("make", help="make codes; at most 1000000 a batch")
    make.add_argument("size", type=int, metavar="COUNT")
    make.set_defaults(func=run_make)
    bring = verbs.add_parser("import", help="bring your own codes in, one in each row of a CSV file")
    bring.add_argument("file", type=Path, metavar="FILE.csv")
    bring.add_argument("--skip", action="store_true", help="leave out rows that cannot be taken")
    bring.set_defaults(func=run_import)
    for parser in (make, bring):
        parser.add_argument("--programme", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        gives = parser.add_mutually_exclusive_group(required=True)
        gives.add_argument("--points", type=int, help="what a code gives: so many points")
        gives.add_argument("--reward", metavar="ID", help="… or this reward, free of charge")
        gives.add_argument("--offer", metavar="ID", help="… or the use of this offer")
    export = verbs.add_parser("export", help="write a batch's codes into a CSV file, once")
    export.add_argument("batch", metavar="BATCH")
    export.add_argument("file", type=Path, metavar="FILE.csv")
    export.set_defaults(func=run_export)
    revoke = verbs.add_parser("revoke", help="call back the codes of a batch that are not used yet")
    revoke.add_argument("batch", metavar="BATCH")
    revoke.set_defaults(func=run_revoke)
    for parser in (make, bring, export, revoke):
        parser.add_argument("--json", action="store_true")


def run_make(arguments: argparse.Namespace) -> int:
    """Make a batch to its end, also where no scheduler runs."""
    world = _opened()

    def asked(session: Session) -> tuple[int, str]:
        programme = _programme(session, arguments.programme)
        draft = _draft(session, programme, arguments, arguments.size)
        batch = batches.ask(session, programme, draft, by=ACTOR, now=world.clock())
        _note(world, session, "codes_made", batch)
        return batch.id, batch.public_id

    batch_id, public_id = world.database.transact(asked)
    progress = Progress("codes", arguments.size)
    while made := world.database.transact(lambda session: batches.make_chunk(session, batch_id)):
        progress("made", made)
    progress.close()
    return _said(world, arguments, public_id)


def run_import(arguments: argparse.Namespace) -> int:
    """Judge each row, then keep all codes, or, with --skip, those that can be taken; 1 if nothing was kept."""
    world = _opened()
    text = exchange.decoded(arguments.file.read_bytes())
    with world.database.reading() as session:
        programme = _programme(session, arguments.programme)
        brought = exchange.read(session, programme.id, text)
        draft = _draft(session, programme, arguments, len(brought.codes))
    for error in brought.errors:
        sys.stderr.write(f"row {error.row} ({error.code}): {error.sentence}\n")
    if not brought.codes or (brought.faulty and not arguments.skip):
        sys.stderr.write(f"tessera: {brought.faulty} rows cannot be taken; nothing was brought in\n")
        return 1
    progress = Progress("codes", len(brought.codes))
    public_id = making.bring_in(
        world, programme.id, draft, brought.codes, by=ACTOR, told=lambda count: progress("brought in", count)
    )
    progress.close()
    with world.database.unit_of_work() as session:
        _note(world, session, "codes_brought_in", batches.by_public_id(session, public_id))
    return _said(world, arguments, public_id)


def run_export(arguments: argparse.Namespace) -> int:
    """The codes as CSV; afterwards nobody can tell them again. An existing file is left alone."""
    world = _opened()
    with world.database.unit_of_work() as session:
        batch = batches.by_public_id(session, arguments.batch)
        exchange.check_exportable(batch)
        size = batch.made
    progress = Progress("codes", size)
    with arguments.file.open("x", encoding="ascii", newline="") as file:
        lines = exchange.lines(
            world.database,
            arguments.batch,
            now=world.clock,
            told=lambda count: progress("written", count),
            kept=lambda: _on_disk(file),
        )
        file.writelines(lines)
    progress.close()
    with world.database.unit_of_work() as session:
        _note(world, session, "codes_downloaded", batches.by_public_id(session, arguments.batch))
    return _said(world, arguments, arguments.batch)


def run_revoke(arguments: argparse.Namespace) -> int:
    """Call back what is not used yet."""
    world = _opened()
    with world.database.unit_of_work() as session:
        batch = batches.by_public_id(session, arguments.batch)
        if batches.revoke(session, batch, now=world.clock()):
            _note(world, session, "codes_revoked", batch)
    return _said(world, arguments, arguments.batch)


def _opened() -> World:
    chosen = settings.load()
    require_current(chosen)
    return open_world(chosen)


def _programme(session: Session, name: str) -> Programme:
    found = programmes.by_name(session, name)
    if found is None:
        raise NotFound("unknown_programme", f"There is no programme {name}; /admin/programmes lists them.")
    return found


def _draft(session: Session, programme: Programme, arguments: argparse.Namespace, size: int) -> BatchDraft:
    """What a code gives is looked up here: it must be this programme's."""
    asked = {"name": arguments.name, "size": size}
    if arguments.reward:
        reward = catalogue.by_public_id(session, programme.id, arguments.reward)
        return BatchDraft(gives="reward", subject=reward.public_id, **asked)
    if arguments.offer:
        offer = offers.by_id(session, arguments.offer)
        if offer.programme_id != programme.id:
            raise Unprocessable("unknown_offer", "There is no such offer in this programme.")
        return BatchDraft(gives="offer", subject=offer.public_id, **asked)
    return BatchDraft(gives="points", points=arguments.points, **asked)


def _on_disk(file: TextIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _note(world: World, session: Session, action: str, batch: Batch) -> None:
    subject, after = f"batch:{batch.public_id}", {"size": batch.size, "gives": batch.gives}
    audit.record(session, actor=ACTOR, action=action, subject=subject, after=after, now=world.clock())


def _said(world: World, arguments: argparse.Namespace, public_id: str) -> int:
    with world.database.reading() as session:
        batch = batches.by_public_id(session, public_id)
        found = {"id": public_id, "name": batch.name, "codes": batch.made, "state": batch.state}
    say(json.dumps(found) if arguments.json else f"{public_id}: {found['codes']:,} codes, {found['state']}")
    return 0
