"""`tessera backup`, `restore` and `move`, as an operator calls them."""

from pathlib import Path

from app.db import Database
from tests import factories
from tests.app.commands.shell import Shell


def with_a_programme(shell: Shell) -> Shell:
    shell.owner()
    database = Database(shell.environ["TESSERA_DATABASE_URL"])
    with database.unit_of_work() as session:
        factories.programme(session, tiers=())
    database.close()
    return shell


def test_a_backup_is_written_checked_and_restored(migrated: Shell) -> None:
    with_a_programme(migrated)

    made = migrated("backup", "nightly.db", "--json")
    checked = migrated("restore", "nightly.db", "--verify", "--json")
    restored = migrated("restore", "nightly.db", "--replace")

    assert made.code == 0, made.err
    assert made.json()["bytes"] == (migrated.folder / "nightly.db").stat().st_size
    assert checked.json() == {"cards": 0, "entries": 0, "findings": []}
    assert restored.code == 0, restored.err
    assert "every phone is being told" in restored.out


def test_what_cannot_be_restored_is_one_line(migrated: Shell) -> None:
    with_a_programme(migrated)
    (migrated.folder / "holiday.jpg").write_bytes(b"\xff\xd8" * 3000)

    refused = migrated("restore", "holiday.jpg", "--replace")
    in_use = migrated("restore", "holiday.jpg")

    assert refused.code == 1
    assert "holiday.jpg is not a backup" in refused.line
    assert "holds 1 programmes" in in_use.line


def test_a_move_prints_what_was_compared(migrated: Shell, postgres_url: str, tmp_path: Path) -> None:
    with_a_programme(migrated)
    old = migrated.environ["TESSERA_DATABASE_URL"]

    moved = migrated("move", old, env={"TESSERA_DATABASE_URL": postgres_url})
    again = migrated("move", old, env={"TESSERA_DATABASE_URL": postgres_url})
    itself = migrated("move", old)
    nonsense = migrated("move", "mysql://somewhere", env={"TESSERA_DATABASE_URL": postgres_url})

    assert moved.code == 0, moved.err
    assert "rows of programme: 1\n" in moved.out
    assert "Everything is equal" in moved.out
    assert "holds 1 programmes" in again.line
    assert "same database" in itself.line
    assert "must be sqlite:///path or postgresql://" in nonsense.line
