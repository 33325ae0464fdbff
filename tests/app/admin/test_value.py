"""Gift cards in the operator's office: sold, loaded, stopped, replaced, settled and printed; and what is owed."""

import csv
import io
import re

import pytest

from app.cards.models import Card
from app.ledger import verify
from tests.app.admin.conftest import Browser, Office

BASE = "/admin/programmes/kahve/gift-cards"


def sold(operator: Browser, amount: str = "500,00", reference: str = "POS 1") -> tuple[str, str]:
    """A gift card: the address of its page, and its PIN."""
    page = operator.send(BASE, amount=amount, funding_reference=reference).text
    pin = re.search(r"<strong>(\d{6})</strong>", page)
    serial = re.search(rf'action="{BASE}/([\w-]+)/load"', page)
    assert pin
    assert serial
    return f"{BASE}/{serial[1]}", pin[1]


def test_a_gift_card_is_sold_and_its_pin_is_shown_once(operator: Browser, office: Office) -> None:
    page, pin = sold(operator)

    again = operator.get(page).text

    assert pin not in again
    assert "500.00" in again
    [event] = office.events("gift_card_issued")
    assert event.after is not None
    assert event.after["amount"] == "500.00"


def test_what_is_owed_is_shown_and_downloaded(operator: Browser) -> None:
    sold(operator)
    sold(operator, "20.50", "POS 2")

    [row] = csv.DictReader(io.StringIO(operator.get(f"{BASE}/liability.csv").text))

    assert (row["loaded"], row["outstanding"], row["cards"], row["is_exact"]) == ("520.50", "520.50", "2", "yes")
    assert "520.50" in operator.get(BASE).text


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"amount": "", "funding_reference": "R"}, "f-amount"),
        ({"amount": "-5", "funding_reference": "R"}, "f-amount"),
        ({"amount": "10000.01", "funding_reference": "R"}, "f-amount"),
        ({"amount": "5", "funding_reference": ""}, "f-funding_reference"),
        ({"amount": "5", "funding_reference": "be\x07ll"}, "f-funding_reference"),
    ],
)
def test_a_wrong_sale_says_which_field_is_wrong(operator: Browser, fields: dict[str, str], where: str) -> None:
    answer = operator.send(BASE, **fields)

    assert answer.status_code == 422
    assert f'href="#{where}"' in answer.text
    assert f'id="{where}"' in answer.text


def test_a_card_is_loaded_stopped_and_let_go_on(operator: Browser, office: Office) -> None:
    page, _pin = sold(operator)

    assert operator.send(f"{page}/load", amount="50", funding_reference="POS 2").status_code == 303
    assert operator.send(f"{page}/load", amount="50", funding_reference="POS 2").status_code == 409
    assert operator.send(f"{page}/block", reason="").status_code == 422
    assert operator.send(f"{page}/block", reason="stolen").status_code == 303
    assert operator.send(f"{page}/load", amount="50", funding_reference="POS 3").status_code == 409
    assert "stolen" in operator.get(page).text
    assert operator.send(f"{page}/unblock").status_code == 303

    assert "550.00" in operator.get(page).text
    assert [len(office.events(name)) for name in ("card_blocked", "card_unblocked", "stored_value_loaded")] == [1, 1, 1]


def test_a_lost_card_is_replaced_and_settled(operator: Browser, office: Office) -> None:
    page, pin = sold(operator)

    new = operator.send(f"{page}/replace", reason="phone lost").text

    new_pin = re.search(r"<strong>(\d{6})</strong>", new)
    new_serial = re.search(rf'action="{BASE}/([\w-]+)/load"', new)
    assert new_pin
    assert new_serial
    assert new_pin[1] != pin
    assert operator.send(f"{page}/replace", reason="again").status_code == 409
    assert operator.send(f"{BASE}/{new_serial[1]}/settle", how="paid_out", note="asked").status_code == 303
    assert operator.send(f"{BASE}/{new_serial[1]}/settle", how="paid_out", note="asked").status_code == 409
    with office.world.database.reading() as session:
        assert verify.differences(session) == []


def test_a_batch_is_made_for_the_printer(operator: Browser) -> None:
    made = operator.send(f"{BASE}/batches", name="Flyers", kind="bearer", size="3")

    page = operator.get(made.location).text
    rows = list(csv.DictReader(io.StringIO(operator.get(f"{made.location}.csv").text)))

    assert page.count("<svg viewBox") >= 3
    assert len({row["number"] for row in rows}) == 3
    assert all(row["barcode"] == f"LY1:{row['number']}" for row in rows)
    assert operator.send(f"{BASE}/batches", name="", kind="metal", size="x").status_code == 422


def test_limits_are_changed_and_hold(operator: Browser) -> None:
    assert operator.send(f"{BASE}/limits", load_limit="100", pin_above="50", bearer_cap="").status_code == 303
    assert operator.send(f"{BASE}/limits", load_limit="0", pin_above="x", bearer_cap="").status_code == 422

    assert operator.send(BASE, amount="100.01", funding_reference="R").status_code == 422


def test_a_card_is_found_by_its_number(operator: Browser, office: Office) -> None:
    page, _pin = sold(operator)
    with office.world.database.reading() as session:
        number = session.query(Card.number).where(Card.serial == page.rsplit("/", 1)[1]).scalar()

    assert operator.get(f"{BASE}?number={number.lower()}").location == page
    assert operator.get(f"{BASE}?number=nonsense").status_code == 404


def test_another_programmes_card_and_unknown_addresses_are_not_there(operator: Browser, office: Office) -> None:
    page, _pin = sold(operator)

    for address in (f"{BASE}/nobody", f"{BASE}/batches/bat_none", f"{BASE}/batches/bat_none.csv"):
        assert operator.get(address).status_code == 404
    assert operator.send(f"{page}/burn").status_code == 404


def test_a_card_is_given_to_a_person_who_may_have_one_already(operator: Browser, office: Office) -> None:
    first, _pin = sold(operator)
    second, _pin = sold(operator, "30", "POS 2")

    assert operator.send(f"{first}/bind", name="").status_code == 422
    assert operator.send(f"{first}/bind", name="Mehmet", phone="12").status_code == 422
    assert operator.send(f"{first}/bind", name="Mehmet Demir").location == first
    merged = operator.send(f"{second}/bind", name="Ayşe", email="ayse@example.com").location

    assert merged == f"{BASE}/{office.card.serial}"
    assert "30.00" in operator.get(merged).text
    assert operator.send(f"{first}/bind", name="Another").status_code == 409
    assert len(office.events("card_bound")) == 2
