"""`tessera ledger verify` and `tessera audit verify`: recompute what must never have been changed."""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app import settings
from app.commands.progress import Progress
from app.commands.serving import require_current
from app.commands.setup import say
from app.ledger import verify
from app.ledger.models import Entry
from app.settings import Settings
from app.staff import audit
from app.world import open_world

SQLITE_CACHE_KIB = 64 * 1024  # of pages: the entries of a card lie far apart


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands of the ledger and of the audit log."""
    ledger = commands.add_parser("ledger", help="the books").add_subparsers(dest="verb", required=True)
    checking = ledger.add_parser("verify", help="recompute every balance, lot, hold and chain; exit 1 at a difference")
    checking.add_argument("--all", action="store_true", help="go on after the first difference and list them all")
    checking.add_argument("--json", action="store_true", help="the outcome as JSON")
    checking.set_defaults(func=run_verify)
    trail = commands.add_parser("audit", help="who did what").add_subparsers(dest="verb", required=True)
    trail.add_parser("verify", help="recompute the chain of events; exit 1 where it is broken").set_defaults(
        func=run_audit_verify
    )


def run_verify(arguments: argparse.Namespace) -> int:
    """Recompute the books as they stand at one moment, while others write; 0 means that they are clean."""
    chosen = settings.load()
    require_current(chosen)
    began = time.monotonic()
    with reading_at_length(chosen) as session:
        entries = session.scalar(select(func.count()).select_from(Entry)) or 0
        progress = Progress("verifying", entries)
        found = []
        with closing(verify.each_difference(session, checked=lambda count: progress("entries", count))) as lines:
            for line in lines:
                found.append(line)
                if not arguments.json:
                    progress.close()
                    say(line)
                if not arguments.all:
                    break
        progress.close()
    if arguments.json:
        told = {"clean": not found, "entries": entries, "seconds": round(time.monotonic() - began, 1)}
        say(json.dumps({**told, "complete": arguments.all or not found, "differences": found}, ensure_ascii=False))
    else:
        say(_outcome(len(found), entries, everything=arguments.all))
    return 1 if found else 0


def _outcome(found: int, entries: int, *, everything: bool) -> str:
    if not found:
        return f"The ledger adds up. {entries} entries were checked."
    return f"{found} differences." if everything else "This is the first difference; --all lists every one."


def run_audit_verify(_arguments: argparse.Namespace) -> int:
    """Print each break on a line, then the digest of the last event, to be kept elsewhere."""
    chosen = settings.load()
    require_current(chosen)
    with reading_at_length(chosen) as session:
        found = audit.differences(session)
        last = audit.last_digest(session)
    for line in found:
        say(line)
    say(f"The audit log is whole up to {last}." if not found else f"{len(found)} breaks.")
    return 1 if found else 0


@contextmanager
def reading_at_length(chosen: Settings) -> Iterator[Session]:
    """A reading transaction that sees one moment, whoever writes meanwhile, and may last as long as millions of rows
    need."""
    database = open_world(chosen).database
    try:
        with database.reading() as session:
            if database.is_sqlite:
                session.execute(text(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}"))
            else:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                session.execute(text("SET LOCAL statement_timeout = 0"))
                session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield session
    finally:
        database.close()
