"""A purchase on the wrong card: a manager moves it to the right one."""

import pytest
from werkzeug.test import TestResponse

from app.cards.models import Card
from app.ledger.models import Entry
from tests import factories
from tests.app.till.conftest import Shop, Till


@pytest.fixture
def right_card(shop: Shop) -> Card:
    with shop.world.database.unit_of_work() as session:
        return factories.card(session, shop.card.programme, "Can Öz")


@pytest.fixture
def sale(till: Till, shop: Shop) -> Entry:
    till.done(till.earn(shop.card, "120", receipt="R-1"))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]
    return shop.entries()[0]


def move(till: Till, shop: Shop, sale_id: str, code: str, **more: str) -> TestResponse:
    fields = {"key": till.key(), "entry": sale_id, "code": code, **more}
    return till.send(f"/till/cards/{shop.card.serial}/move", **fields)


def test_the_points_change_cards_and_the_entries_name_each_other(
    manager_till: Till, shop: Shop, sale: Entry, right_card: Card
) -> None:
    assert "Wrong card" in manager_till.client.get(f"/till/cards/{shop.card.serial}").text

    new = move(manager_till, shop, sale.id, right_card.number).location.partition("done=")[2]

    assert (shop.balance(), shop.balance(right_card)) == (100, 12)
    undone = shop.entries()[0]
    assert (undone.reverses_id, undone.note) == (sale.id, f"moved:{new}")


def test_the_receipt_leads_to_the_card_that_has_the_purchase_now(
    manager_till: Till, shop: Shop, sale: Entry, right_card: Card
) -> None:
    new = move(manager_till, shop, sale.id, right_card.number).location.partition("done=")[2]
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]

    found = manager_till.scan("R-1").location
    assert found == f"/till/returns/{new}"

    manager_till.done(manager_till.send(found, key=manager_till.key(), act="all"))
    assert (shop.balance(), shop.balance(right_card)) == (100, 0)


def test_a_cashier_moves_nothing(till: Till, shop: Shop, sale: Entry, right_card: Card) -> None:
    assert "Wrong card" not in till.client.get(f"/till/cards/{shop.card.serial}").text
    assert move(till, shop, sale.id, right_card.number).status_code == 403
    assert shop.balance() == 112


def test_a_purchase_moves_once_and_to_another_card(
    manager_till: Till, shop: Shop, sale: Entry, right_card: Card
) -> None:
    assert move(manager_till, shop, sale.id, shop.card.number).status_code == 422
    assert move(manager_till, shop, sale.id, "nonsense").status_code == 422
    assert move(manager_till, shop, "txn_unknown", right_card.number).status_code == 404
    first = move(manager_till, shop, sale.id, right_card.number, key="same")

    assert move(manager_till, shop, sale.id, right_card.number, key="same").location == first.location
    again = move(manager_till, shop, sale.id, right_card.number)
    assert again.status_code == 409
    assert (shop.balance(), shop.balance(right_card)) == (100, 12)
