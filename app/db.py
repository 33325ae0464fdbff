"""The database: engine, units of work, and the column types every room shares.

SQLite and PostgreSQL run the same code. On SQLite every writing transaction begins with BEGIN IMMEDIATE (a transaction
that reads first and writes later fails with "database is locked" whatever the busy timeout is), behind the gate of
`app.gate`.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import BigInteger, Dialect, Executable, Integer, MetaData, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from app import failpoints
from app.errors import AppError
from app.gate import Gate, Priority

T = TypeVar("T")
Hint = tuple[str, int]

BUSY_TIMEOUT_MS = 5000
WAL_RETRY_S = 0.02
ATTEMPTS_ON_DEADLOCK = 3
RETRY_SQLSTATES = {"40P01", "40001"}
# pages are in memory or on a disk without a moving arm: at the default of 4, a batch's rows were looked for by reading
# whole tables of up to 100,000 rows
POSTGRES_OPTIONS = (
    "-c statement_timeout=15s -c lock_timeout=3s -c idle_in_transaction_session_timeout=30s -c random_page_cost=1.1"
)

BigId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """All tables; names of constraints are fixed so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as epoch milliseconds in both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return round(value.timestamp() * 1000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


class Database:
    """One engine and the ways to use it.

    `info` is handed to every session (`session.info`): it carries what services need besides rows, such as
    the vault that opens members' personal data.

    What a unit of work leaves in `session.info["hints"]` (channel and lane of what now waits to be sent) is handed to
    `after_commit`, if somebody has set it: after COMMIT, outside every lock. It must return at once and never raise.
    """

    after_commit: Callable[[Collection[Hint]], None] | None = None

    def __init__(self, url: str, *, info: Mapping[str, Any] | None = None) -> None:
        self.url = url
        self.info = dict(info or {})
        self.engine = _make_engine(url)
        self._priority = Priority.WORKER
        self._gate = Gate(_file_of(url), timeout_s=BUSY_TIMEOUT_MS / 1000) if self.is_sqlite else None
        self._readers = self.engine.execution_options(reading=True)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def serve_web(self) -> None:
        """From now on this process writes before others: customers wait for it."""
        self._priority = Priority.WEB
        if self._gate is not None:
            self._gate.of_web = True

    @contextmanager
    def unit_of_work(self, priority: Priority | None = None) -> Iterator[Session]:
        """One writing transaction: commits at the end, rolls back on any exception but a refusal that `commits`.

        Rows stay readable afterwards.

        Raises: Busy, if other writers to SQLite leave no turn to this one in time.
        """
        made = Session(self.engine, expire_on_commit=False, info=dict(self.info))
        kept: AppError | None = None
        with made as session, self._turn(priority), session.begin():
            try:
                yield session
            except AppError as refusal:
                if not refusal.commits:
                    raise
                kept = refusal
        if kept is not None:
            raise kept
        hints = session.info.get("hints")
        if hints and self.after_commit is not None:
            failpoints.reached("hint.before")
            self.after_commit(hints)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent reading transaction; it never waits for writers on SQLite."""
        with Session(self._readers, expire_on_commit=False, info=dict(self.info)) as session:
            yield session

    def transact(self, work: Callable[[Session], T], *, priority: Priority | None = None) -> T:
        """Run *work* in a unit of work, again (up to three times) when the database reports a deadlock."""
        for attempt in range(1, ATTEMPTS_ON_DEADLOCK + 1):
            try:
                with self.unit_of_work(priority) as session:
                    return work(session)
            except OperationalError as problem:
                if attempt == ATTEMPTS_ON_DEADLOCK or sqlstate(problem) not in RETRY_SQLSTATES:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        self.engine.dispose()
        if self._gate is not None:
            self._gate.close()

    def _turn(self, priority: Priority | None) -> AbstractContextManager[None]:
        if self._gate is None:
            return nullcontext()
        return self._gate.turn(self._priority if priority is None else priority)


def sqlstate(problem: OperationalError) -> str:
    """PostgreSQL's five-character error code, or an empty string elsewhere."""
    return getattr(problem.orig, "sqlstate", None) or ""


def is_lock_timeout(problem: OperationalError) -> bool:
    """Whether the statement gave up waiting for another writer (nothing was changed)."""
    text = str(problem.orig)
    return sqlstate(problem) in {"55P03", "57014", *RETRY_SQLSTATES} or "database is locked" in text


def is_storage_full(problem: OperationalError) -> bool:
    """Whether the database could not write for lack of room, or because the disk refused; nothing was changed."""
    code = getattr(problem.orig, "sqlite_errorcode", 0) & 0xFF  # the rest says where in SQLite it happened
    return code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR} or sqlstate(problem) == "53100"


def room_to_count(session: Session) -> None:
    """Let this transaction keep what it compares a million rows with in memory: PostgreSQL counts twice as fast.

    It does so alone: its helpers each made the same table anew, and took the processor from tills.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL work_mem = '64MB'"))
        session.execute(text("SET LOCAL max_parallel_workers_per_gather = 0"))
        session.execute(text("SET LOCAL random_page_cost = 4"))  # of tables that are read whole


def rows_changed(session: Session, statement: Executable) -> int:
    """Execute an UPDATE, DELETE or INSERT and say how many rows it changed."""
    counted = statement.execution_options(preserve_rowcount=True)  # without it psycopg's count of an INSERT is lost: -1
    return cast("CursorResult[Any]", session.execute(counted)).rowcount


def table_of(model: type[Base]) -> Table:
    """A model's table, for statements that are built once and run without the mapper."""
    return cast("Table", model.__table__)


def insert_for(session: Session, model: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT of this database's own kind, which knows ON CONFLICT."""
    return insert_into(session.get_bind().dialect.name, model)


def insert_into(kind: str, model: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """The same for a kind of database by name, for statements that are built once: of the table, because one of the
    mapped class is gone through as a bulk insert of objects each time, which takes 0.3 ms."""
    table = table_of(model)
    return postgresql.insert(table) if kind == "postgresql" else sqlite.insert(table)


def insert_if_new(session: Session, model: type[Base], **values: object) -> bool:
    """Insert a row unless a unique key has it; whether it was new. The index decides between two at once."""
    statement = _insert_unless_there(session.get_bind().dialect.name, model)
    return cast("CursorResult[Any]", session.execute(statement, values)).rowcount == 1


@cache
def _insert_unless_there(dialect: str, model: type[Base]) -> Executable:
    """Made once: a till's sale runs it twice, and building it cost more than running it."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table_of(model)).on_conflict_do_nothing().inline()
    return statement.execution_options(preserve_rowcount=True)


def _make_engine(url: str) -> Engine:
    if url.startswith("sqlite:///"):
        return _make_sqlite(url)
    driver_url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        driver_url, pool_pre_ping=True, pool_size=10, max_overflow=20, connect_args={"options": POSTGRES_OPTIONS}
    )


def _make_sqlite(url: str) -> Engine:
    Path(_file_of(url)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by its own rules
        _switch_to_wal(connection)
        for pragma in ("synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _file_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Use a write-ahead log. SQLite refuses the change at once, whatever the busy timeout, while another process makes
    it in the same new file: so it is asked again until the timeout is over."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as problem:
            if "locked" not in str(problem) or time.monotonic() > deadline:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return
