"""Two cards become one and are parted: what the ledger itself refuses, whoever asks."""

from typing import Any

import pytest

from app.cards.models import Card
from app.errors import Conflict
from app.ledger import held, merges, reversals, verify
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.merges import Leg
from app.world import World
from tests.app.ledger.shelf import Shelf, a_second_card


def told(shelf: Shelf, card: Held) -> Circumstance:
    return Circumstance(actor="till", channel="till", now=shelf.now, version=card.version + 1)


@pytest.fixture
def pair(any_world: World) -> tuple[Shelf, Card, Card]:
    """A card that owes 30 points, and one that has 50."""
    shelf = Shelf(any_world)
    source, target = shelf.card, a_second_card(shelf)
    sale = shelf.earn(30)
    shelf.spend(30)
    shelf.reverse(sale)
    shelf.card = target
    shelf.earn(50)
    return shelf, source, target


def join(session: Any, shelf: Shelf, source: Card, target: Card) -> tuple[Held, Held, Leg, Booked]:
    here, there = held.by_id(session, source.id), held.by_id(session, target.id)
    done = merges.merge(session, here, there, by_source=told(shelf, here), by_target=told(shelf, there))
    [left], [arrived] = done.left, done.arrived
    return done.source, done.target, Leg(left_id=left.entry.id, arrived_id=arrived.entry.id), arrived


def test_a_debt_that_was_paid_by_the_other_card_goes_back_with_the_lots_that_paid_it(
    any_world: World, pair: tuple[Shelf, Card, Card]
) -> None:
    shelf, source, target = pair

    with any_world.database.unit_of_work() as session:
        here, there, leg, _arrived = join(session, shelf, source, target)
        assert (here.deficit, there.balance) == (0, 20)
        done = merges.part(session, here, there, [leg], by_source=told(shelf, here), by_target=told(shelf, there))

        assert (done.source.deficit, done.target.balance, done.target.deficit) == (30, 50, 0)
        assert [one.entry.reversal_no for one in (*done.left, *done.arrived)] == [1, 1]
        session.rollback()


def test_what_was_undone_by_itself_is_not_undone_again_by_the_parting(
    any_world: World, pair: tuple[Shelf, Card, Card]
) -> None:
    shelf, source, target = pair

    with any_world.database.unit_of_work() as session:
        here, there, leg, arrived = join(session, shelf, source, target)
        there = reversals.reverse(session, there, arrived.entry, by=told(shelf, there)).card
        assert there.balance == 50

        with pytest.raises(Conflict) as caught:
            merges.part(session, here, there, [leg], by_source=told(shelf, here), by_target=told(shelf, there))

        assert caught.value.code == "already_undone"
        session.rollback()
    with any_world.database.reading() as session:
        assert verify.differences(session) == []
