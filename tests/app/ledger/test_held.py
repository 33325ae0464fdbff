"""A card that is held is as the till before left it, on both databases."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event

from app.counter import moves, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.errors import NotFound
from app.ledger import held
from app.ledger.held import Held
from app.world import World
from tests import factories

TILL = Actor(name="staff:till", channel="till")
NUMBER_OF_NOBODY = "00000000000"


@pytest.mark.parametrize(
    "hold",
    [
        lambda session, card: held.by_id(session, card.id),
        lambda session, card: held.by_number(session, card.number),
        lambda session, card: held.by_serial(session, card.serial),
    ],
)
def test_a_held_card_says_all_that_decides_about_its_points(any_world: World, hold: Callable[..., Held]) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
        sales.earn(session, card, Sale(amount_minor=250_000, currency="TRY"), by=TILL, now=any_world.clock())

    with any_world.database.unit_of_work() as session:
        found = hold(session, card)

    assert (found.id, found.number, found.status, found.version) == (card.id, card.number, "active", 2)
    assert (found.currency, found.timezone, found.spent_minor) == ("TRY", "Europe/Istanbul", 250_000)
    assert '"per": "10.00"' in found.rules.text
    assert (found.balance, found.deficit, found.qualifying_minor) == (250, 0, 250_000)
    assert found.tier is not None
    assert (found.tier.name, found.next_threshold_minor) == ("Silver", 600_000)
    assert found.points_accounts["issue"]


def test_a_card_without_anything_booked_has_no_accounts_yet(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))

    with any_world.database.unit_of_work() as session:
        found = held.by_id(session, card.id)

    assert (found.accounts, found.points_accounts, found.tier, found.balance, found.deficit) == ({}, {}, None, 0, 0)
    assert found.next_threshold_minor == 200_000


def test_in_the_highest_tier_there_is_no_next(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
        sales.earn(session, card, Sale(amount_minor=900_000, currency="TRY"), by=TILL, now=any_world.clock())

    with any_world.database.unit_of_work() as session:
        found = held.by_id(session, card.id)

    assert (found.tier and found.tier.name, found.next_threshold_minor) == ("Gold", None)


def test_nobodys_card_cannot_be_held(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        for hold, name in ((held.by_id, 1), (held.by_number, NUMBER_OF_NOBODY), (held.by_serial, "x")):
            with pytest.raises(NotFound):
                hold(session, name)  # type: ignore[operator]


def test_who_waited_for_a_card_sees_its_new_tier_and_balance(any_world: World) -> None:
    """The first sale lifts the card to Gold while the second already waits: the second earns at Gold's rate."""
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
    sale = Sale(amount_minor=700_000, currency="TRY")
    second: list[moves.Done] = []

    def sell_again() -> None:
        any_world.database.transact(lambda s: second.append(sales.earn(s, card, sale, by=TILL, now=any_world.clock())))

    with any_world.database.unit_of_work() as session:
        first = sales.earn(session, card, sale, by=TILL, now=any_world.clock())
        waiting = threading.Thread(target=sell_again)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(10)

    assert (first.entry.points, first.tier) == (700, "Gold")
    assert (second[0].entry.points, second[0].balance, second[0].tier) == (1_050, 1_750, "Gold")
    assert second[0].card.version == first.card.version + 1


def test_a_sale_is_a_handful_of_statements(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
        sales.earn(session, card, Sale(amount_minor=1_000, currency="TRY"), by=TILL, now=any_world.clock())
    seen: list[str] = []

    with any_world.database.unit_of_work() as session:
        session.connection()
        event.listen(any_world.database.engine, "before_cursor_execute", lambda *call: seen.append(call[2]))
        sales.earn(session, card, Sale(amount_minor=1_000, currency="TRY"), by=TILL, now=any_world.clock())

    lock = 0 if any_world.database.is_sqlite else 1
    assert len(seen) == 11 + lock, seen
