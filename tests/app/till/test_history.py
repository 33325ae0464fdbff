"""The history of a card at the till: each line says why."""

from tests.app.till.conftest import Shop, Till
from tests.conftest import MovableClock


def test_a_manager_sees_why_each_movement_is_as_much_as_it_is(manager_till: Till, shop: Shop) -> None:
    manager_till.done(manager_till.earn(shop.card, "120,00"))

    page = manager_till.client.get(f"/till/cards/{shop.card.serial}").text

    assert "Points for the purchase" in page
    assert "<dt>Rules</dt><dd>version 1</dd>" in page
    assert "<dt>Balance after it</dt><dd>112</dd>" in page


def test_a_cashier_does_not(till: Till, shop: Shop) -> None:
    till.done(till.earn(shop.card, "120,00"))

    assert "Balance after it" not in till.client.get(f"/till/cards/{shop.card.serial}").text


def test_what_is_not_of_today_is_shown_with_its_day(manager_till: Till, shop: Shop, clock: MovableClock) -> None:
    manager_till.done(manager_till.earn(shop.card, "120,00"))
    address = f"/till/cards/{shop.card.serial}"
    assert "20 Nov 2026" not in manager_till.client.get(address).text

    clock.advance(days=1)

    assert "20 Nov 2026, 14:00" in manager_till.client.get(address).text


def test_examples_of_amounts_are_written_as_the_reader_writes_them(till: Till, shop: Shop) -> None:
    address = f"/till/cards/{shop.card.serial}"

    assert 'placeholder="12.50"' in till.client.get(address).text
    assert 'placeholder="12,50"' in till.client.get(f"{address}?lang=tr").text
