"""Returns at the till: by receipt, by line and by piece, with what it costs the card shown first."""

import re

import pytest
from werkzeug.test import TestResponse

from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning.sale import Line
from app.ledger.models import Entry
from tests import factories
from tests.app.till.conftest import Shop, Till

LINES = (
    Line(number=1, amount_minor=9_000, product="Beans", quantity=3),
    Line(number=2, amount_minor=3_000, product="Mug"),
)


@pytest.fixture
def sale(shop: Shop) -> Entry:
    """Receipt R-1: three bags of beans and a mug, 120.00 TRY, 12 points, yesterday."""
    now = shop.world.clock()
    shop.world.clock.advance(hours=24)  # type: ignore[attr-defined]
    by = Actor(name="key:pos", channel="api")
    with shop.world.database.unit_of_work() as session:
        bought = Sale(amount_minor=12_000, currency="TRY", receipt="R-1", store=shop.store, lines=LINES)
        return sales.earn(session, shop.card, bought, by=by, now=now).entry


@pytest.fixture
def plain_sale(shop: Shop) -> Entry:
    """Receipt R-2: 50.00 TRY without lines, 5 points."""
    by = Actor(name="key:pos", channel="api")
    with shop.world.database.unit_of_work() as session:
        bought = Sale(amount_minor=5_000, currency="TRY", receipt="R-2", store=shop.store)
        return sales.earn(session, shop.card, bought, by=by, now=shop.world.clock()).entry


def give_back(till: Till, sale: Entry, **fields: str) -> TestResponse:
    return till.send(f"/till/returns/{sale.id}", **{"key": till.key(), "act": "some", **fields})


def goes(page: str) -> str:
    found = re.search(r'<div class="till-goes".*?</div>', page, re.DOTALL)
    assert found
    return re.sub(r"<[^>]+>", "", found[0])


def test_a_receipt_s_number_opens_its_lines(till: Till, sale: Entry) -> None:
    found = till.send("/till/returns", receipt="R-1")

    page = till.done(found)
    assert "Beans" in page
    assert "3 of 3 left" in page
    assert "1 of 1 left" in page


def test_a_scan_of_the_receipt_opens_its_lines_too(till: Till, sale: Entry) -> None:
    assert till.scan("R-1").location == f"/till/returns/{sale.id}"


def test_what_goes_is_shown_before_anything_is_done(till: Till, shop: Shop, sale: Entry) -> None:
    shown = give_back(till, sale, act="reckon", **{"pieces-1": "2"})

    assert shown.status_code == 200
    assert "−6 points" in goes(shown.text)
    assert shop.balance() == 112


def test_pieces_come_back_in_several_returns_and_sum_to_what_was_earned(till: Till, shop: Shop, sale: Entry) -> None:
    balances = []
    for pieces in ({"pieces-1": "1"}, {"pieces-1": "1", "pieces-2": "1"}, {"pieces-1": "1"}):
        till.done(give_back(till, sale, **pieces))
        shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]
        balances.append(shop.balance())

    assert balances == [109, 103, 100]
    assert "0 of 3 left" in till.client.get(f"/till/returns/{sale.id}").text


def test_all_of_it_comes_back_by_one_press(till: Till, shop: Shop, sale: Entry) -> None:
    till.done(give_back(till, sale, **{"pieces-2": "1"}))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]

    page = till.done(give_back(till, sale, act="all"))

    assert shop.balance() == 100
    assert "−9 <span>points</span>" in page


def test_a_press_that_is_repeated_takes_back_once(till: Till, shop: Shop, sale: Entry) -> None:
    first = give_back(till, sale, key="same", **{"pieces-1": "1"})

    assert give_back(till, sale, key="same", **{"pieces-1": "1"}).location == first.location
    assert shop.balance() == 109


def test_a_sale_without_lines_comes_back_by_amount(till: Till, shop: Shop, plain_sale: Entry) -> None:
    till.done(give_back(till, plain_sale, amount="20,00"))

    assert shop.balance() == 103
    assert "30.00" in till.client.get(f"/till/returns/{plain_sale.id}").text


def test_an_amount_that_could_be_two_is_refused_beside_its_field(till: Till, shop: Shop, plain_sale: Entry) -> None:
    answer = give_back(till, plain_sale, amount="1.250")

    assert answer.status_code == 422
    assert 'id="e-back"' in answer.text
    assert shop.balance() == 105


@pytest.mark.parametrize(
    "pieces", [{"pieces-1": "4"}, {"pieces-2": "2"}, {"pieces-1": "999999"}, {"pieces-1": "1", "pieces-2": "2"}]
)
def test_more_than_was_bought_does_not_come_back(till: Till, shop: Shop, sale: Entry, pieces: dict[str, str]) -> None:
    answer = give_back(till, sale, **pieces)

    assert answer.status_code == 422
    assert "More comes back than was bought" in answer.text
    assert shop.balance() == 112


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pieces-1": "0"},
        {"pieces-1": "-1"},
        {"pieces-1": "1.5"},
        {"pieces-1": "x"},
        {"pieces-1": "9" * 40},
        {"pieces-9": "1"},
        {"pieces-": "1"},
        {"pieces-x": "1"},
        {"pieces-1\x00": "1"},
        {"amount": "-5"},
        {"amount": "99999999999"},
        {"amount": "5"},
        {"owed": "x" * 100},
    ],
)
def test_nonsense_is_refused_and_moves_nothing(till: Till, shop: Shop, sale: Entry, fields: dict[str, str]) -> None:
    assert give_back(till, sale, **fields).status_code == 422
    assert give_back(till, sale, act="reckon", **fields).status_code == 422
    assert shop.balance() == 112


def test_what_came_back_whole_does_not_come_back_again(till: Till, shop: Shop, sale: Entry) -> None:
    till.done(give_back(till, sale, act="all"))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]

    again = give_back(till, sale, act="all")

    assert again.status_code == 409
    assert "undone already" in again.text
    assert shop.balance() == 100


@pytest.mark.parametrize("receipt", ["", "R-9", "x" * 65, "\x00", "'--", "İ"])
def test_an_unknown_receipt_is_refused(till: Till, sale: Entry, receipt: str) -> None:
    answer = till.send("/till/returns", receipt=receipt)

    assert answer.status_code in (404, 422)
    assert 'id="f-return"' in answer.text


@pytest.mark.parametrize("entry", ["txn_unknown", "x", "'--", "a" * 300])
def test_an_unknown_sale_is_refused(till: Till, shop: Shop, entry: str) -> None:
    assert till.client.get(f"/till/returns/{entry}").status_code == 404
    assert till.send(f"/till/returns/{entry}", key=till.key(), act="all").status_code == 404


def test_a_receipt_of_another_card_is_refused_while_a_card_is_open(till: Till, shop: Shop, sale: Entry) -> None:
    with shop.world.database.unit_of_work() as session:
        other = factories.card(session, shop.card.programme, "Can Öz")

    answer = till.send("/till/returns", receipt="R-1", card=other.serial)

    assert answer.status_code == 403
    assert "another card" in answer.text


def test_another_programme_s_sale_is_not_there(till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session, slug="other", name="Other"))
        bought = Sale(amount_minor=5_000, currency="TRY", receipt="R-7")
        foreign = sales.earn(session, card, bought, by=Actor(name="x", channel="api"), now=shop.world.clock()).entry

    assert till.send("/till/returns", receipt="R-7").status_code == 404
    assert till.client.get(f"/till/returns/{foreign.id}").status_code == 404
    assert give_back(till, foreign, act="all").status_code == 404
    assert shop.balance(card) == 5


def test_a_receipt_of_this_store_goes_before_one_of_another(till: Till, shop: Shop, sale: Entry) -> None:
    with shop.world.database.unit_of_work() as session:
        bought = Sale(amount_minor=5_000, currency="TRY", receipt="R-1", store=shop.other_store)
        sales.earn(session, shop.card, bought, by=Actor(name="x", channel="api"), now=shop.world.clock())

    assert till.send("/till/returns", receipt="R-1").location == f"/till/returns/{sale.id}"


def test_points_that_were_spent_are_shown_as_owed_before_they_are_taken(till: Till, shop: Shop, sale: Entry) -> None:
    till.done(till.redeem(shop.card, points="108"))

    asked = give_back(till, sale, act="all")
    assert asked.status_code == 200
    assert "8 of them are spent already" in goes(asked.text)
    assert shop.balance() == 4

    page = till.done(give_back(till, sale, act="all", owed="8"))
    assert "8 points are owed" in page
    assert shop.balance() == 0


def test_what_is_no_purchase_is_not_returned(till: Till, shop: Shop) -> None:
    till.done(till.redeem(shop.card, points="30"))
    spend = shop.entries()[0]

    assert till.client.get(f"/till/returns/{spend.id}").status_code == 409


def test_a_partly_returned_sale_says_so_and_is_not_undone_by_the_key(till: Till, shop: Shop) -> None:
    till.done(till.earn(shop.card, "120", receipt="R-5"))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]
    entry = shop.entries()[0]

    page = till.done(give_back(till, entry, amount="50,00"))

    assert "partly returned" in page
    assert f'value="{entry.id}"' not in page


def test_buying_and_returning_a_hundred_times_leaves_the_balance(till: Till, shop: Shop) -> None:
    for number in range(100):
        till.earn(shop.card, "57,30", receipt=f"L-{number}")
        shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]
        found = till.send("/till/returns", receipt=f"L-{number}").location
        till.send(found, key=till.key(), act="all")
        shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]

    assert shop.balance() == 100
