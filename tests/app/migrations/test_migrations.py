"""Every migration on both databases: from nothing, and from the first release's shape with rows in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

import app.migrations
from app.db import Database
from app.migrations import run as migrations
from app.tables import metadata

ROW = (
    "INSERT INTO sender (id, vendor, name, next_free, slowed_at, breaker_until, breaker_reason, breaker_failures) "
    "VALUES (1, 'apple', 'pass.com.example', 0, 0, 0, '', 0)",
    "INSERT INTO target (id, channel, sender_id, address_id, want, done, fetched, lane, not_before, dirty_since, "
    "told_at, attempts, state, last_status, last_reason, last_at) "
    "VALUES (7, 'apple', 1, 3, 5, 4, 2, 0, 0, 0, 0, 0, 'live', 0, '', 0)",
    "INSERT INTO message (id, kind, recipient, body, not_before, attempts, state, last_reason, created_at) "
    "VALUES ('m1', 'mail', 'x', 'y', 0, 0, 'waiting', '', 0)",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path}/empty.db")
    else:
        made = Database(request.getfixturevalue("postgres_url"))
        with made.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    yield made
    made.close()


def upgrade(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(app.migrations.__file__).parent))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


@pytest.mark.filterwarnings("ignore:.*expression-based index:UserWarning")
@pytest.mark.filterwarnings("ignore:.*reflection of expression-based index")
def test_migrations_lead_to_the_tables_that_the_code_speaks_of(empty: Database) -> None:
    migrations.migrate(empty)

    with empty.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert [one for one in differences if "uq_entry_receipt" not in str(one)] == []


def test_rows_of_the_first_shape_are_kept(empty: Database) -> None:
    upgrade(empty, "0001")
    with empty.engine.begin() as connection:
        for statement in ROW:
            connection.execute(text(statement))

    migrations.migrate(empty)
    migrations.migrate(empty)

    assert migrations.is_current(empty)
    with empty.engine.connect() as connection:
        target = connection.execute(
            text("SELECT want, done, fetched, trace, fetched_at FROM target WHERE id = 7")
        ).one()
        message = connection.execute(text("SELECT kind, state FROM message WHERE id = 'm1'")).one()
    assert tuple(target) == (5, 4, 2, "", 0)
    assert tuple(message) == ("mail", "waiting")
