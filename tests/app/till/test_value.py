"""Money at the till: paid, loaded, refunded, and gift cards sold, with forms alone."""

import re

import pytest
from werkzeug.test import TestResponse

from app.cards.models import Card
from app.ledger import verify
from app.value import liability, limits, service
from tests.app.till.conftest import Shop, Till


def money_on(shop: Shop, card: Card | None = None) -> int:
    with shop.world.database.reading() as session:
        assert verify.differences(session) == []
        assert liability.report(session, shop.programme, now=shop.world.clock()).is_exact
        return service.balance_of(session, (card or shop.card).member_id, "TRY")


def act(till: Till, shop: Shop, action: str, **fields: str) -> TestResponse:
    return till.send(f"/till/money/{shop.card.serial}/{action}", **{"key": till.key(), **fields})


def load(till: Till, shop: Shop, amount: str = "500", reference: str = "POS 1") -> str:
    return till.done(act(till, shop, "load", amount=amount, funding_reference=reference))


def test_a_card_is_loaded_paid_with_and_refunded(till: Till, shop: Shop) -> None:
    load(till, shop)

    paid = till.done(act(till, shop, "pay", amount="320,50", receipt="R1"))
    entry = re.search(r'name="entry" value="(txn_[^"]+)"', paid)
    assert entry
    back = till.done(act(till, shop, "refund", entry=entry[1], amount="100"))

    assert "179.50" in paid
    assert "279.50" in back
    assert money_on(shop) == 279_50
    assert 'value="220.50"' in back


def test_pressing_twice_pays_once(till: Till, shop: Shop) -> None:
    load(till, shop)

    first = act(till, shop, "pay", key="same", amount="100")
    again = act(till, shop, "pay", key="same", amount="100")

    assert first.location == again.location
    assert money_on(shop) == 400_00


def test_a_part_is_offered_and_taken(till: Till, shop: Shop) -> None:
    load(till, shop, "50")

    offer = act(till, shop, "pay", amount="80")
    assert offer.status_code == 422
    assert 'name="part" value="yes"' in offer.text
    assert "50.00" in offer.text
    till.done(act(till, shop, "pay", amount="80", part="yes"))

    assert money_on(shop) == 0
    assert act(till, shop, "pay", amount="80", part="yes").status_code == 422


def test_a_gift_card_is_sold_at_the_till_and_pays_a_large_sum_with_its_pin(till: Till, shop: Shop) -> None:
    fields = {"key": "sale", "amount": "900", "funding_reference": "POS 7"}
    page = till.send("/till/money/sell", **fields).text
    pin, number = re.search(r"<strong>(\d{6})</strong>", page), re.search(r'pin-number">([^<]+)<', page)
    assert pin
    assert number
    card = till.scan(number[1]).location
    pay = f"/till/money/{card.rsplit('/', 1)[1]}/pay"
    wrong = "000000" if pin[1] != "000000" else "000001"

    assert till.send(pay, key="p1", amount="600").status_code == 403
    for left in (4, 3):
        refused = till.send(pay, key="p2", amount="600", pin=wrong)
        assert refused.status_code == 403
        assert f"{left} tries" in refused.text
    assert till.send(pay, key="p2", amount="600", pin=pin[1]).status_code == 303


def test_selling_twice_with_one_form_is_one_card(till: Till, shop: Shop) -> None:
    fields = {"key": "sale", "amount": "90", "funding_reference": "POS 7"}

    numbers = {re.findall(r'pin-number">([^<]+)<', till.send("/till/money/sell", **fields).text)[0] for _ in range(2)}

    assert len(numbers) == 1
    assert till.send("/till/money/sell", **{**fields, "key": "other"}).status_code == 409
    with shop.world.database.reading() as session:
        assert liability.report(session, shop.programme, now=shop.world.clock()).loaded == 90_00


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("pay", {"amount": ""}),
        ("pay", {"amount": "0"}),
        ("pay", {"amount": "-5"}),
        ("pay", {"amount": "1.250"}),
        ("pay", {"amount": "NaN"}),
        ("pay", {"amount": "99999999999999999999"}),
        ("load", {"amount": "5", "funding_reference": ""}),
        ("load", {"amount": "10000,01", "funding_reference": "R"}),
        ("bonus", {"basket": "100"}),
        ("bonus", {"basket": ""}),
        ("refund", {"entry": "txn_nothing", "amount": "1"}),
        ("refund", {"entry": "../../etc", "amount": "1"}),
        ("burn", {}),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(
    till: Till, shop: Shop, action: str, fields: dict[str, str]
) -> None:
    answer = act(till, shop, action, **fields)

    assert 400 <= answer.status_code < 500
    assert money_on(shop) == 0


def test_a_large_load_needs_a_manager(till: Till, manager_till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        wanted = limits.parse({"load_limit": "50000"}, "TRY")
        limits.change(session, shop.programme, wanted, now=shop.world.clock())
    fields = {"amount": "20000", "funding_reference": "POS 1"}

    assert act(till, shop, "load", **fields).status_code == 403
    assert act(manager_till, shop, "load", **fields).status_code == 303

    assert money_on(shop) == 20_000_00


def test_undoing_a_payment_at_the_till_gives_the_money_back(till: Till, shop: Shop) -> None:
    load(till, shop)
    paid = act(till, shop, "pay", amount="100").location.rsplit("=", 1)[1]

    till.done(till.undo(paid))

    assert money_on(shop) == 500_00


def test_an_unknown_card_is_said_to_be_unknown(till: Till) -> None:
    assert till.client.get("/till/money/nobody").status_code == 404
    assert till.send("/till/money/nobody/pay", key="x", amount="1").status_code == 404
