"""The `tessera` command.

Exit codes: 0 done, 1 the work failed, 2 wrong usage. Errors are one line on standard error.
"""

import argparse
import sys
from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError

from app import pass_commands
from app.commands import backups, certs, codes, demo, doctor, ledger, members, reports, serving, setup
from app.errors import AppError, ConfigurationError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = parser().parse_args(arguments)
    try:
        return int(given.func(given))
    except AppError as problem:
        return _fail(problem.public)
    except ConfigurationError as problem:
        return _fail(str(problem))
    except OSError as problem:
        return _fail(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem))
    except DBAPIError as problem:
        reason = (str(problem.orig).splitlines() or [type(problem.orig).__name__])[0]
        return _fail(f"the database does not answer: {reason}; check TESSERA_DATABASE_URL")
    except KeyboardInterrupt:
        return _fail("stopped")


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    made = argparse.ArgumentParser(
        prog="tessera", description="Loyalty cards for Apple Wallet and Google Wallet, from your own server."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for room in (demo, serving, setup, doctor, certs, ledger, members, codes, reports, backups):
        room.add_parsers(commands)
    pass_commands.add_parser(commands)
    return made


def _fail(text: str) -> int:
    one_line = " ".join(text.split())
    sys.stderr.write(f"tessera: {one_line}\n")
    return 1
