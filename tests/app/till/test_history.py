"""The history of a card at the till: each line says why."""

from tests.app.till.conftest import Shop, Till


def test_a_manager_sees_why_each_movement_is_as_much_as_it_is(manager_till: Till, shop: Shop) -> None:
    manager_till.done(manager_till.earn(shop.card, "120,00"))

    page = manager_till.client.get(f"/till/cards/{shop.card.serial}").text

    assert "Points for the purchase" in page
    assert "<dt>Rules</dt><dd>version 1</dd>" in page
    assert "<dt>Balance after it</dt><dd>112</dd>" in page


def test_a_cashier_does_not(till: Till, shop: Shop) -> None:
    till.done(till.earn(shop.card, "120,00"))

    assert "Balance after it" not in till.client.get(f"/till/cards/{shop.card.serial}").text
