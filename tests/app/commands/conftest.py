"""A shell for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.commands.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path / "installation")
    yield made
    made.close()


@pytest.fixture
def migrated(shell: Shell, migrated_sqlite: Path) -> Shell:
    """An installation whose database has this release's shape and nothing in it."""
    (shell.folder / "var").mkdir()
    (shell.folder / "var" / "tessera.db").write_bytes(migrated_sqlite.read_bytes())
    return shell
