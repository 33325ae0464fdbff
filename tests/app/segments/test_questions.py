"""Every question of the catalogue runs on both databases, as itself and as its opposite."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards.models import Card
from app.segments import catalogue, rules, shapes
from app.segments.asking import Asking
from app.segments.rules import Not
from app.world import World
from tests import factories


def leaf_of(name: str, op: str, *, days: int | None = None) -> dict[str, Any]:
    """A question with some value that can be asked of every programme."""
    shape = shapes.SHAPES[name]
    made: dict[str, Any] = {"fact": name, "op": op}
    if shape.kind == "number":
        made["value"] = max(1, shape.bounds[0])
    elif shape.kind == "money":
        made["value"] = "12.50"
    elif shape.kind == "date":
        made["value"] = "2026-10-01"
    elif shape.values is not None:
        made["value"] = shape.values[0] if shape.values else "x"
    if shape.has_name:
        made["name"] = "city"
    if shape.days and days is not None:
        made["days"] = days
    return made


def test_every_question_has_a_form_an_answer_and_words() -> None:
    assert set(catalogue.FACTS) == set(shapes.SHAPES)


@pytest.mark.parametrize("days", [None, 30])
def test_a_question_and_its_opposite_share_everybody_between_them(any_world: World, days: int | None) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        for number in range(3):
            factories.card(session, programme, name=f"Member {number}", attributes={"city": "x"} if number else {})
        asking = Asking.of(session, programme.id, factories.NOW)

        for name, shape in shapes.SHAPES.items():
            for op in shape.ops:
                leaf = rules.read(leaf_of(name, op, days=days), "TRY")
                holds, fails = (
                    session.execute(
                        select(func.count()).select_from(Card).where(catalogue.condition(one, asking))
                    ).scalar_one()
                    for one in (leaf, Not(part=leaf))
                )
                assert holds + fails == 3, f"{name} {op}"
