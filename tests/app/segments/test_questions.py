"""Every question of the catalogue runs on both databases, as itself and as its opposite."""

import itertools
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.habits.models import Habit
from app.segments import catalogue, rules, shapes
from app.segments.asking import Asking, joined
from app.segments.rules import Group, Not, Rule
from app.world import World
from tests import factories

TODAY = factories.NOW.date()


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


def counted(session: Session, programme: Programme, rule: Rule) -> int:
    """How many fit, which is the same whether its tables are joined or asked for each card."""
    found = set()
    for is_joined in (True, False):
        asking = Asking.of(session, programme.id, factories.NOW, is_joined=is_joined)
        query = select(func.count()).select_from(Card).where(catalogue.condition(rule, asking))
        found.add(session.scalar(joined(query) if is_joined else query))
    assert len(found) == 1, (rule, found)
    return found.pop() or 0


@pytest.mark.parametrize("days", [None, 30])
def test_a_rule_and_its_opposite_share_everybody_between_them(any_world: World, days: int | None) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        for number in range(3):
            card = factories.card(
                session, programme, name=f"Member {number}", attributes={"city": "x"} if number else {}
            )
            if number:
                bought = {"first_at": factories.NOW, "last_at": factories.NOW} if number == 1 else {}
                session.add(Habit(card_id=card.id, programme_id=programme.id, counted_on=TODAY, **bought))
        session.flush()
        leaves = [
            rules.read(leaf_of(name, op, days=days), "TRY") for name, shape in shapes.SHAPES.items() for op in shape.ops
        ]
        for leaf, next_one in itertools.pairwise([*leaves, leaves[0]]):
            either = Group(how="any", parts=(leaf, Not(part=next_one)))
            for rule in (leaf, either, Group(how="all", parts=either.parts), Group(how="any", parts=())):
                assert counted(session, programme, rule) + counted(session, programme, Not(part=rule)) == 3, rule
