"""Scan, amount, Enter: and everything that can be typed instead."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import event

from app.cards import codes
from app.cards.models import Card
from tests import factories
from tests.app.till.conftest import Shop, Till

NO_AMOUNTS = (
    "",
    "abc",
    "-5",
    "0",
    "0,00",
    "1e5",
    "NaN",
    "∞",
    "12.5.5,5",
    "9" * 400,
    "9" * 12,
    "12,345,6",
    "\x00",
    "🍰",
)
NO_CODES = ("", "x", "7K3M9QX2TDD", "LY1:", "8690504012345", "<script>", "\x00", "A" * 5000, "@", "a@b", "+", "ı" * 11)


def test_a_purchase_gives_its_points_and_shows_the_new_balance(till: Till, shop: Shop) -> None:
    opened = till.scan(codes.barcode_message(shop.card.number))
    assert opened.location == f"/till/cards/{shop.card.serial}"
    card_page = till.client.get(opened.location).text
    assert "Ayşe Y." in card_page
    assert "Free coffee" in card_page

    page = till.done(till.earn(shop.card, "120,00"))

    assert shop.balance() == 112
    assert re.search(r"\+12 <span>points</span>", page)
    assert re.search(r"New balance <span[^>]*>112</span>", page)
    assert shop.entries()[0].actor == f"staff:{shop.cashier.public_id}"
    assert shop.entries()[0].store_id == shop.store.id


def test_the_cashier_sees_neither_phone_nor_birthday_nor_history(till: Till, shop: Shop) -> None:
    page = till.client.get(f"/till/cards/{shop.card.serial}").text

    for secret in ("5321234567", "ayse@", "Yılmaz", "11-21", "History of this card"):
        assert secret not in page
    assert "Birthday this week" in page


def test_the_manager_sees_the_history(manager_till: Till, shop: Shop) -> None:
    assert "History of this card" in manager_till.client.get(f"/till/cards/{shop.card.serial}").text


def test_a_card_is_found_however_it_is_named(till: Till, shop: Shop) -> None:
    for typed in ["7k3m 9qx2 tds", "LY1:{}", "{}", "  {}  ", "phone", "email"]:
        number = shop.card.number
        text = {"phone": "0532 123 45 67", "email": "AYSE@example.com"}.get(typed, typed.format(number))
        if typed.startswith("7k3m"):
            text = codes.grouped(number).lower().replace("0", "o").replace("1", "l")

        assert till.scan(text).location == f"/till/cards/{shop.card.serial}"


@pytest.mark.parametrize(
    ("typed", "minor"), [("12,5", 1250), ("12.50", 1250), ("1.250,00", 125000), ("1250", 125000), ("₺ 12,50", 1250)]
)
def test_amounts_are_read_as_people_type_them(till: Till, shop: Shop, typed: str, minor: int) -> None:
    till.done(till.earn(shop.card, typed))

    assert shop.entries()[0].amount_minor == minor


def test_an_amount_that_could_be_two_things_is_asked(till: Till, shop: Shop) -> None:
    asked = till.earn(shop.card, "1.250")

    assert asked.status_code == 200
    assert "Which amount is meant?" in asked.text
    assert re.findall(r'name="minor" value="(\d+)"', asked.text) == ["125000", "125"]
    assert len(shop.entries()) == 1

    till.done(till.earn(shop.card, "", minor="125"))
    assert shop.entries()[0].amount_minor == 125


def test_amounts_that_are_none_are_refused_beside_the_field_and_kept(till: Till, shop: Shop) -> None:
    for typed in NO_AMOUNTS:
        answer = till.earn(shop.card, typed)

        assert answer.status_code == 422
        assert 'id="e-amount"' in answer.text
        assert 'data-outcome="refused"' in answer.text
        assert shop.balance() == 100


def test_a_forged_choice_of_amount_is_refused(till: Till, shop: Shop) -> None:
    for minor in ["-1", "0", "1.5", "9999999999", "١", "x", "1" * 50]:
        assert till.earn(shop.card, "", minor=minor).status_code == 422
        assert shop.balance() == 100


def test_a_sale_above_the_limit_needs_a_manager(till: Till, manager_till: Till, shop: Shop) -> None:
    refused = till.earn(shop.card, "10000,01")

    assert refused.status_code == 403
    assert "needs a manager" in refused.text
    assert shop.balance() == 100
    manager_till.done(manager_till.earn(shop.card, "10000,01"))
    assert shop.balance() == 1100


def test_the_limit_itself_needs_none(till: Till, shop: Shop) -> None:
    till.done(till.earn(shop.card, "10000,00"))

    assert shop.balance() == 1100


def test_pressing_twice_books_once(till: Till, shop: Shop) -> None:
    first, second = till.earn(shop.card, "50", key="same"), till.earn(shop.card, "50", key="same")

    assert first.location == second.location
    assert shop.balance() == 105


def test_twenty_presses_at_once_book_once(app: Flask, till: Till, shop: Shop) -> None:
    tills = [Till(app, shop.cashier) for _ in range(5)]

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda n: tills[n % 5].earn(shop.card, "50", key="same"), range(20)))

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert shop.balance() == 105


def test_a_used_form_with_another_amount_books_nothing(till: Till, shop: Shop) -> None:
    till.earn(shop.card, "50", key="same")

    answer = till.earn(shop.card, "500", key="same")

    assert answer.status_code == 422
    assert "used already" in answer.text
    assert shop.balance() == 105


def test_a_form_without_a_usable_key_books_nothing(till: Till, shop: Shop) -> None:
    for key in ["", "ş", "x" * 256, "a\x00b"]:
        assert till.earn(shop.card, "50", key=key).status_code == 400
        assert shop.balance() == 100


def test_a_receipt_earns_once(till: Till, shop: Shop) -> None:
    till.done(till.earn(shop.card, "50", receipt="R-17"))

    again = till.earn(shop.card, "50", receipt="R-17")

    assert again.status_code == 409
    assert "earned points already" in again.text
    assert shop.balance() == 105


def test_a_receipt_that_cannot_be_one_is_refused(till: Till, shop: Shop) -> None:
    for receipt in ["x" * 65, "a\x00b", "a\x07"]:
        answer = till.earn(shop.card, "50", receipt=receipt)

        assert answer.status_code == 422
        assert 'id="e-receipt"' in answer.text


def test_what_cannot_be_a_card_code_is_refused_and_the_field_is_cleared(till: Till, shop: Shop) -> None:
    for code in NO_CODES:
        answer = till.scan(code)

        assert answer.status_code == 422
        assert "not a card code" in answer.text
        assert "<script>" not in answer.text
        assert re.search(r'id="f-code"[^>]*value=', answer.text) is None


def test_a_wrong_check_symbol_is_answered_without_looking_for_a_card(till: Till, shop: Shop) -> None:
    statements: list[str] = []
    event.listen(shop.world.database.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    wrong = shop.card.number[:-1] + ("0" if shop.card.number[-1] != "0" else "1")

    assert till.scan(wrong).status_code == 422

    assert not [s for s in statements if "FROM card" in s or ("throttle" in s and "INSERT" in s)]


def test_unknown_and_foreign_cards_get_the_same_answer(till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        foreign = factories.card(session, factories.programme(session, slug="other", name="Other"))

    unknown, other = till.scan(codes.new_number()), till.scan(foreign.number)

    assert unknown.status_code == other.status_code == 404
    assert "Card not found" in unknown.text
    assert till.client.get(f"/till/cards/{foreign.serial}").status_code == 404
    assert till.earn(foreign, "50").status_code == 404
    assert shop.balance(foreign) == 0


def test_a_replaced_card_says_so(till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        session.get_one(Card, shop.card.id).status = "voided"

    assert till.scan(shop.card.number).status_code == 409
    answer = till.earn(shop.card, "50")
    assert answer.status_code == 409
    assert "Ask for the new one" in answer.text


def test_an_address_that_names_no_card_is_not_found(till: Till, shop: Shop) -> None:
    for serial in ["x", "%00", "..%2f", "a" * 300, "%C3%A7", "'--"]:
        assert till.client.get(f"/till/cards/{serial}").status_code == 404


def test_ten_wrong_codes_lock_the_till_for_ten_minutes(till: Till, shop: Shop) -> None:
    for _ in range(10):
        assert till.scan(codes.new_number()).status_code == 404

    locked = till.scan(shop.card.number)
    assert locked.status_code == 429
    assert "opens again in 10 min" in locked.text
    assert int(locked.headers["Retry-After"]) == 600

    shop.world.clock.advance(minutes=10)  # type: ignore[attr-defined]
    assert till.scan(shop.card.number).status_code == 303


def test_signing_in_again_does_not_open_a_locked_till(app: Flask, till: Till, shop: Shop) -> None:
    for _ in range(10):
        till.scan(codes.new_number())

    assert Till(app, shop.cashier).scan(shop.card.number).status_code == 429
    assert Till(app, shop.manager).scan(shop.card.number).status_code == 303


def test_a_scan_asks_the_database_a_fixed_number_of_things(till: Till, shop: Shop) -> None:
    def statements_of(address: str) -> int:
        seen: list[str] = []
        listener = lambda *a: seen.append(a[2])  # noqa: E731
        event.listen(shop.world.database.engine, "before_cursor_execute", listener)
        assert till.client.get(address).status_code == 200
        event.remove(shop.world.database.engine, "before_cursor_execute", listener)
        return len(seen)

    till.done(till.earn(shop.card, "5"))
    few = statements_of(f"/till/cards/{shop.card.serial}")
    for number in range(6):
        till.done(till.earn(shop.card, f"{10 + number}"))

    assert statements_of(f"/till/cards/{shop.card.serial}") == few


def test_a_script_gets_the_zones_alone_and_without_a_detour(till: Till, shop: Shop) -> None:
    headers = {"X-Requested-With": "fetch"}

    opened = till.client.post(
        "/till/scan", data={"csrf_token": _token(till), "code": shop.card.number}, headers=headers
    )

    assert opened.status_code == 200
    assert opened.headers["X-Till-Screen"] == "1"
    assert "<html" not in opened.text
    assert f'data-path="/till/cards/{shop.card.serial}"' in opened.text


def test_a_script_whose_session_ended_is_told_so(app: Flask, shop: Shop) -> None:
    answer = app.test_client().get("/till", headers={"X-Requested-With": "fetch"})

    assert answer.status_code == 401


def _token(till: Till) -> str:
    from tests.app.pages import csrf_of

    return csrf_of(till.client, "/account")
