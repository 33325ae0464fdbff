"""What segments read of other rooms' tables is there, with the same types."""

import pytest
from sqlalchemy import TableClause

from app.segments import outside
from app.tables import metadata


@pytest.mark.parametrize("named", outside.ALL, ids=lambda one: one.name)
def test_a_table_named_by_hand_is_as_its_room_made_it(named: TableClause) -> None:
    real = metadata.tables[named.name]

    for column in named.columns:
        wanted = real.columns[column.name].type
        assert wanted.python_type is column.type.python_type, f"{named.name}.{column.name}"
