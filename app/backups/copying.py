"""Every row of one database into another of the same shape, whichever of the two kinds each is."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    String,
    Table,
    Text,
    cast,
    func,
    insert,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.types import TypeDecorator, UserDefinedType

from app.db import Instant
from app.tables import metadata

ROWS_AT_ONCE = 2_000
ACCOUNT = metadata.tables["account"]
Report = Callable[[str, int], None]
"""Told the table and how many of its rows were copied since the last call."""


class _JsonText(UserDefinedType[str]):
    """JSON as the text it is stored as: reading and writing it again must not turn a null into another null."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "JSON"

    def bind_expression(self, bindvalue: Any) -> ColumnElement[Any]:
        return cast(type_coerce(bindvalue, String), Text).cast(JSON)


def tables() -> list[Table]:
    """All tables in an order in which they can be filled: who is pointed at first, and postings before their entry."""
    found = list(metadata.sorted_tables)
    posting, entry = metadata.tables["posting"], metadata.tables["entry"]
    found.remove(posting)
    found.insert(found.index(entry), posting)
    return found


def copy_all(source: Connection, target: Connection, report: Report) -> None:
    """Copy every table in the callers' transactions; the target's tables are empty.

    Accounts are closed when their entries are there: a closed one takes none.
    """
    with _rows_may_wait_for_others(target):
        for table in tables():
            raw = _raw(table, target.dialect.name)
            for rows in _batches(source, table):
                target.execute(insert(raw), [_open(row) for row in rows] if table is ACCOUNT else rows)
                report(table.name, len(rows))
        _close_again(source, target)
    if target.dialect.name == "postgresql":
        _move_sequences(target)


@contextmanager
def _rows_may_wait_for_others(target: Connection) -> Iterator[None]:
    """Rows that point at others of their table (an entry at what it reverses or is part of) may come before those:
    they are checked when all are there."""
    if target.dialect.name == "sqlite":
        target.exec_driver_sql("PRAGMA defer_foreign_keys=ON")  # until the transaction ends
        yield
        return
    own = [
        (table.name, f"fk_{table.name}_{one.parent.name}")
        for table in tables() for one in table.foreign_keys if one.column.table is table
    ]  # fmt: skip
    for table, name in own:
        target.execute(text(f"ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED"))
    yield
    target.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    for table, name in own:
        target.execute(text(f"ALTER TABLE {table} ALTER CONSTRAINT {name} NOT DEFERRABLE"))


def fingerprint(connection: Connection) -> dict[str, int]:
    """What must be equal after a copy: rows of each table, and the sums of the ledger by unit and kind of account."""
    counts = {
        f"rows of {table.name}": int(connection.scalar(select(func.count()).select_from(table)) or 0)
        for table in tables()
    }
    posting, unit, role = metadata.tables["posting"], ACCOUNT.c.unit, ACCOUNT.c.role
    moved = (
        select(unit, role, func.sum(posting.c.amount))
        .join(ACCOUNT, ACCOUNT.c.id == posting.c.account_id)
        .group_by(unit, role)
    )
    held = select(unit, role, func.sum(ACCOUNT.c.balance)).group_by(unit, role)
    sums = {f"postings of {unit} {role}": int(total or 0) for unit, role, total in connection.execute(moved)}
    balances = {f"balances of {unit} {role}": int(total or 0) for unit, role, total in connection.execute(held)}
    shut = connection.scalar(select(func.count()).select_from(ACCOUNT).where(ACCOUNT.c.closed)) or 0
    return counts | sums | balances | {"closed accounts": int(shut)}


def differences(source: Mapping[str, int], target: Mapping[str, int]) -> list[str]:
    """In words, what two fingerprints do not share."""
    names = sorted(source.keys() | target.keys())
    return [
        f"{name}: {source.get(name, 0)} before, {target.get(name, 0)} after"
        for name in names
        if source.get(name, 0) != target.get(name, 0)
    ]


def _open(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"closed": False}


def _close_again(source: Connection, target: Connection) -> None:
    query = select(ACCOUNT.c.id).where(ACCOUNT.c.closed)
    with source.execution_options(yield_per=ROWS_AT_ONCE).execute(query) as found:
        for ids in found.scalars().partitions():
            target.execute(update(ACCOUNT).where(ACCOUNT.c.id.in_(ids)).values(closed=True))


def _batches(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    columns = [_read(column, source.dialect.name).label(column.name) for column in table.columns]
    query = select(*columns).order_by(*table.primary_key.columns)
    with source.execution_options(yield_per=ROWS_AT_ONCE).execute(query) as found:
        for rows in found.mappings().partitions():
            yield [dict(row) for row in rows]


def _read(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    if isinstance(column.type, Instant):
        return type_coerce(column, BigInteger)
    if isinstance(column.type, JSON):
        return cast(column, Text) if dialect == "postgresql" else type_coerce(column, String)
    return column


def _raw(table: Table, dialect: str) -> Table:
    """The table with the types that values are carried in."""
    return Table(table.name, MetaData(), *(Column(one.name, _carried(one, dialect)) for one in table.columns))


def _carried(column: Column[Any], dialect: str) -> Any:
    if isinstance(column.type, Instant):
        return BigInteger()
    if isinstance(column.type, JSON):
        return _JsonText() if dialect == "postgresql" else String()
    if isinstance(column.type, TypeDecorator):
        raise TypeError(f"{column} has a type that a copy does not know how to carry")
    return column.type


def _move_sequences(target: Connection) -> None:
    """Let the next row get a number that no copied row has."""
    for table in tables():
        column = table.autoincrement_column
        if column is None:
            continue
        highest = target.scalar(select(func.max(column)))
        if highest is not None:
            target.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)"),
                {"table": f'"{table.name}"', "column": column.name, "highest": highest},
            )
