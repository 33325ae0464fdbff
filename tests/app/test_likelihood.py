"""A look-up by a column that is null nearly everywhere goes by its index, and finds the same."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import aliased

from app.ledger.models import Entry
from app.likelihood import seldom
from app.world import World
from tests.app.counter.shop import CornerShop


def returned(condition: Any = seldom) -> Any:
    """What was returned of each entry."""
    back = aliased(Entry)
    amount = select(func.coalesce(func.sum(back.amount_minor), 0)).where(condition(back.reverses_id == Entry.id))
    return select(Entry.id, amount.scalar_subquery()).order_by(Entry.id)


def test_it_finds_what_the_plain_condition_finds(any_world: World) -> None:
    shop = CornerShop(any_world)
    sold = shop.sell(100_00)
    shop.sell(50_00)
    shop.take_back(sold.entry, amount_minor=30_00)

    with any_world.database.reading() as session:
        rows = session.execute(returned()).all()
        plain = session.execute(returned(lambda condition: condition)).all()

    assert rows == plain
    assert sorted(int(amount) for _, amount in rows) == [-30_00, 0, 0]


@pytest.mark.parametrize(("condition", "reads_all"), [(seldom, False), (lambda one: one, True)])
def test_sqlite_goes_by_the_index_even_while_nothing_was_ever_returned(
    world: World, condition: Any, reads_all: bool
) -> None:
    CornerShop(world).sell(10_00)
    with world.database.unit_of_work() as session:  # as ANALYZE finds it in a million sales without a return
        session.execute(text("ANALYZE"))
        session.execute(text("UPDATE sqlite_stat1 SET stat = '1000000 1000000 1' WHERE idx = 'uq_entry_reversal'"))
    world.database.engine.dispose()

    with world.database.engine.connect() as connection:
        sql = str(returned(condition).compile(connection, compile_kwargs={"literal_binds": True}))
        plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))

    assert ("SCAN entry_1" in plan) is reads_all
    assert ("uq_entry_reversal" in plan) is not reads_all
