"""What the planner of a database is told of a condition, where it would choose badly by itself."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class seldom(FunctionElement[bool]):  # it reads as the function that it is
    """The same condition, for which SQLite takes an index whatever its statistics say.

    An index over a column that is null in nearly all rows looks useless to SQLite while it is null in all of them, such
    as that of reversals before the first return: a look-up then reads the whole table.
    """

    inherit_cache = True
    name = "seldom"

    def __init__(self, condition: ColumnElement[bool]) -> None:
        super().__init__(condition)


@compiles(seldom)
def _as_it_is(element: seldom, compiler: SQLCompiler, **kwargs: Any) -> str:
    (condition,) = element.clauses
    return compiler.process(condition, **kwargs)


@compiles(seldom, "sqlite")
def _for_sqlite(element: seldom, compiler: SQLCompiler, **kwargs: Any) -> str:
    (condition,) = element.clauses
    return f"likelihood({compiler.process(condition, **kwargs)}, 0.000001)"


class unindexed(FunctionElement[int]):
    """The same column, by which SQLite looks nothing up: it goes through the rows in order, or by another condition."""

    inherit_cache = True
    name = "unindexed"
    type = BigInteger()

    def __init__(self, column: InstrumentedAttribute[int]) -> None:
        super().__init__(column)


@compiles(unindexed)
def _the_column(element: unindexed, compiler: SQLCompiler, **kwargs: Any) -> str:
    (column,) = element.clauses
    return compiler.process(column, **kwargs)


@compiles(unindexed, "sqlite")
def _with_a_sign_for_sqlite(element: unindexed, compiler: SQLCompiler, **kwargs: Any) -> str:
    (column,) = element.clauses
    return f"+{compiler.process(column, **kwargs)}"
