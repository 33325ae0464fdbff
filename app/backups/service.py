"""Backup, restore and move of the whole database.

A backup is always one SQLite file, whichever database the service uses: it can be checked and opened anywhere, and
restoring it into the other kind of database is a move. The keys are not in it: keep `secret.key` and `certs` apart.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection

from app.alarms import backups as notes
from app.backups import copying
from app.backups.reassert import reassert
from app.cards.models import Card, Member, Programme
from app.db import Database
from app.delivery.models import Node
from app.errors import ConfigurationError, Conflict, Unprocessable
from app.ledger import verify as books
from app.ledger.models import Entry
from app.migrations.run import SIDE_FILE, is_newer, migrate
from app.vault import Vault
from app.world import World

ALIVE = timedelta(seconds=30)
SAMPLE = 100
UNGUARDED = ("entry", "posting", "entry_line", "lot", "lot_use", "seal", "audit_event", "consent")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a backup holds, and what is wrong with it in words."""

    cards: int
    entries: int
    findings: list[str]


def back_up(world: World, file: Path, report: copying.Report) -> int:
    """Write a backup while the service runs; its size in bytes. The file appears whole or not at all.

    Raises: Conflict `file_exists`; OSError, where it cannot be written.
    """
    if file.exists():
        raise Conflict("file_exists", f"{file} exists already; name a new file.")
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        if world.database.is_sqlite:
            _copy_file(_path_of(world.database), partial)
        else:
            _dump(world.database, partial, report)
        _make_durable(partial)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    size_bytes = file.stat().st_size
    with world.database.unit_of_work() as session:
        notes.note(session, "made", size_bytes=size_bytes, now=world.clock())
    return size_bytes


def inspect(world: World, file: Path) -> Contents:
    """Check a backup without restoring it: whole, readable by this release, books clean, opened by our key."""
    with _working_copy(world, file) as copy:
        found = _contents(copy, world.vault)
    if not found.findings:
        with world.database.unit_of_work() as session:
            notes.note(session, "verified", now=world.clock())
    return found


def restore(world: World, file: Path, report: copying.Report, *, replace: bool = False) -> Contents:
    """Put a backup in place of the present database, in one step, and let every phone be told today's truth again.

    Killed anywhere, the database is either as before or wholly restored.
    Raises: Conflict `not_empty`, unless `replace`; Unprocessable `bad_backup`, with what is wrong with the file.
    """
    _require_empty(world, replace)
    with _working_copy(world, file) as copy:
        found = _contents(copy, world.vault)
        if found.findings:
            raise Unprocessable("bad_backup", f"{file} is not restored: {'; '.join(found.findings)}")
        with copy.unit_of_work() as session:
            reassert(session, now=world.clock())
        if world.database.is_sqlite:
            _copy_file(_path_of(copy), _path_of(world.database))
        else:
            _refill(copy, world.database, report)
    return found


def move(source: Database, world: World, report: copying.Report) -> dict[str, int]:
    """Copy a stopped installation into the configured, empty database; what was compared and found equal.

    Raises: Conflict `not_empty` or `still_running`; Unprocessable `not_equal`, and then nothing was kept.
    """
    _require_empty(world, replace=False)
    _require_stopped(source, world.clock())
    return _refill(source, world.database, report)


def _require_empty(world: World, replace: bool) -> None:
    with world.database.reading() as session:
        programmes = session.scalar(select(func.count()).select_from(Programme)) or 0
    if programmes and not replace:
        raise Conflict(
            "not_empty", f"The configured database holds {programmes} programmes; --replace says that they may go."
        )


def _require_stopped(source: Database, now: datetime) -> None:
    with source.reading() as session:
        alive = session.scalars(select(Node.name).where(Node.beat_at > now - ALIVE)).all()
    if alive:
        raise Conflict("still_running", f"{', '.join(alive)} worked a moment ago; stop the service before it is moved.")


@contextmanager
def _working_copy(world: World, file: Path) -> Iterator[Database]:
    """A copy of a backup that may be changed, brought to this release's shape."""
    if not file.is_file():
        raise Unprocessable("bad_backup", f"There is no file {file}.")
    with tempfile.TemporaryDirectory(prefix="restore-", dir=world.settings.var_dir) as folder:
        copied = Path(folder) / "backup.db"
        shutil.copyfile(file, copied)
        _require_whole(copied, file)
        copy = Database(f"sqlite:///{copied}", info=world.database.info)
        try:
            if is_newer(copy):
                raise Unprocessable("bad_backup", f"{file} was written by a newer release of Tessera; use that one.")
            migrate(copy)
            yield copy
        finally:
            copy.close()


def _require_whole(copied: Path, file: Path) -> None:
    try:
        with sqlite3.connect(copied) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            ours = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]
    except sqlite3.DatabaseError as problem:
        raise Unprocessable("bad_backup", f"{file} is not a backup or is damaged: {problem}.") from None
    finally:
        connection.close()
    if found != "ok" or not ours:
        raise Unprocessable("bad_backup", f"{file} is {'damaged: ' + found if ours else 'no backup of Tessera'}.")


def _contents(copy: Database, vault: Vault) -> Contents:
    with copy.reading() as session:
        findings = books.differences(session)
        sealed = session.scalars(select(Member.sealed).where(Member.sealed.is_not(None)).limit(SAMPLE)).all()
        cards = session.scalar(select(func.count()).select_from(Card)) or 0
        entries = session.scalar(select(func.count()).select_from(Entry)) or 0
    try:
        for one in sealed:
            vault.open(one or b"")
    except ConfigurationError:
        findings.append("its members' data cannot be opened with this installation's secret key")
    return Contents(cards=cards, entries=entries, findings=findings)


def _copy_file(source: Path, target: Path) -> None:
    """SQLite's own backup, in one step: in small steps, any write by somebody else begins it anew."""
    origin, copy = sqlite3.connect(source, timeout=30), sqlite3.connect(target, timeout=30)
    try:
        origin.backup(copy, pages=-1)
    finally:
        copy.close()
        origin.close()


def _dump(database: Database, file: Path, report: copying.Report) -> None:
    copy = Database(f"sqlite:///{file}")
    try:
        migrate(copy)
        _refill(database, copy, report)
        with copy.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
            connection.exec_driver_sql("BEGIN")
    finally:
        copy.close()
        file.with_name(file.name + SIDE_FILE).unlink(missing_ok=True)


def _refill(source: Database, target: Database, report: copying.Report) -> dict[str, int]:
    """Everything of *source* in place of everything in *target*, in one transaction on each side."""
    with source.engine.connect() as origin, target.engine.begin() as copy:
        _see_one_moment(origin)
        _empty(copy)
        copying.copy_all(origin, copy, report)
        before, after = copying.fingerprint(origin), copying.fingerprint(copy)
        if wrong := copying.differences(before, after):
            raise Unprocessable("not_equal", f"The copy is not equal and was not kept: {'; '.join(wrong[:5])}")
        origin.rollback()
    return after


def _see_one_moment(origin: Connection) -> None:
    if origin.dialect.name == "postgresql":
        origin.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        origin.execute(text("SET LOCAL statement_timeout = 0"))


def _empty(copy: Connection) -> None:
    """A new SQLite file is empty already; in PostgreSQL the guards of append-only tables are set aside meanwhile."""
    if copy.dialect.name != "postgresql":
        return
    copy.execute(text("SET LOCAL statement_timeout = 0"))
    copy.execute(text("SET LOCAL lock_timeout = '30s'"))
    for table in UNGUARDED:
        copy.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_truncate"))
    names = ", ".join(f'"{table.name}"' for table in copying.tables())
    copy.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    for table in UNGUARDED:
        copy.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_truncate"))


def _path_of(database: Database) -> Path:
    return Path(str(database.engine.url.database))


def _make_durable(file: Path) -> None:
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
