"""Bringing the database to this release's shape: forward only, safe to run twice and from several processes at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection

from app.db import BUSY_TIMEOUT_MS, Database
from app.errors import ConfigurationError

LOCK = 7_365_738
LONGEST_MIGRATION_MS = 3_600_000
SIDE_FILE = "-migration"  # stands beside an SQLite file that was migrated, and is empty
NEWER = "the database was migrated by a newer release of Tessera; start that release instead"


def migrate(database: Database) -> None:
    """Run the migrations that this database has not had.

    Raises: ConfigurationError, if the database belongs to a newer release.
    """
    if database.is_sqlite:
        with (
            _alone(database.engine.url.database or ""),
            database.engine.connect() as connection,
            _tables_may_be_rewritten(connection),
        ):
            _upgrade(connection)
        return
    with database.engine.connect() as connection:
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        try:
            _upgrade(connection)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.commit()
            connection.invalidate()  # the relaxed timeouts must not return to the pool


def is_current(database: Database) -> bool:
    """Whether the database has this release's shape."""
    with database.engine.connect() as connection:
        return _revision(connection) == _head()


def is_newer(database: Database) -> bool:
    """Whether a newer release has migrated the database."""
    with database.engine.connect() as connection:
        return _is_unknown(_revision(connection))


@contextmanager
def _alone(file: str) -> Iterator[None]:
    """No other process migrates this SQLite file meanwhile. Each migration is a transaction of its own, between which
    another would take its turn; the kernel frees the lock of a side file when its process dies, however it dies."""
    lock = os.open(file + SIDE_FILE, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextmanager
def _tables_may_be_rewritten(connection: Connection) -> Iterator[None]:
    """SQLite changes a table's rules by writing it anew, and takes the old one's going for a loss of rows.

    Who writes meanwhile is waited for, however long that takes with a large database.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    driver.execute(f"PRAGMA busy_timeout={LONGEST_MIGRATION_MS}")
    try:
        yield
    finally:
        connection.rollback()
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        driver.execute("PRAGMA foreign_keys=ON")


def _is_unknown(revision: str | None) -> bool:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return revision is not None and revision not in known


def _upgrade(connection: Connection) -> None:
    if _is_unknown(_revision(connection)):
        raise ConfigurationError(NEWER)
    connection.rollback()
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
