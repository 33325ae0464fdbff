"""Opening a database file that somebody else is busy with."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db import Database


@pytest.fixture
def busy_file(tmp_path: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """A new file in SQLite's first journal mode, and a connection that writes to it at this moment."""
    path = tmp_path / "new.db"
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("CREATE TABLE early (id INTEGER)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO early VALUES (1)")
    yield path, writer
    writer.close()


def test_a_new_file_that_another_process_writes_is_waited_for(busy_file: tuple[Path, sqlite3.Connection]) -> None:
    path, writer = busy_file
    threading.Timer(0.3, writer.execute, ("COMMIT",)).start()

    database = Database(f"sqlite:///{path}")
    with database.reading() as session:
        mode = session.execute(text("PRAGMA journal_mode")).scalar_one()
        rows = session.execute(text("SELECT count(*) FROM early")).scalar_one()
    database.close()

    assert (mode, rows) == ("wal", 1)


def test_another_fault_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "not-a-database.db"
    path.write_bytes(b"This is a text, not a database." * 100)

    with pytest.raises(Exception, match="file is not a database"), Database(f"sqlite:///{path}").engine.connect():
        raise AssertionError("unreachable")
