"""`tessera ledger verify` and `tessera audit verify`: recompute what must never have been changed."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from app import settings
from app.commands.serving import require_current
from app.commands.setup import say
from app.ledger import verify
from app.settings import Settings
from app.staff import audit
from app.world import open_world


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands of the ledger and of the audit log."""
    ledger = commands.add_parser("ledger", help="the books").add_subparsers(dest="verb", required=True)
    ledger.add_parser("verify", help="recompute every balance; exit 1 at any difference").set_defaults(func=run_verify)
    trail = commands.add_parser("audit", help="who did what").add_subparsers(dest="verb", required=True)
    trail.add_parser("verify", help="recompute the chain of events; exit 1 where it is broken").set_defaults(
        func=run_audit_verify
    )


def run_verify(_arguments: argparse.Namespace) -> int:
    """Print each difference on a line; 0 means clean books."""
    chosen = settings.load()
    require_current(chosen)
    with _reading_at_length(chosen) as session:
        found = verify.differences(session)
    for line in found:
        say(line)
    say("The ledger adds up." if not found else f"{len(found)} differences.")
    return 1 if found else 0


def run_audit_verify(_arguments: argparse.Namespace) -> int:
    """Print each break on a line, then the digest of the last event, to be kept elsewhere."""
    chosen = settings.load()
    require_current(chosen)
    with _reading_at_length(chosen) as session:
        found = audit.differences(session)
        last = audit.last_digest(session)
    for line in found:
        say(line)
    say(f"The audit log is whole up to {last}." if not found else f"{len(found)} breaks.")
    return 1 if found else 0


@contextmanager
def _reading_at_length(chosen: Settings) -> Iterator[Session]:
    """A reading transaction whose statements may take as long as millions of entries need."""
    database = open_world(chosen).database
    try:
        with database.reading() as session:
            if not database.is_sqlite:
                session.execute(text("SET LOCAL statement_timeout = 0"))
            yield session
    finally:
        database.close()
