"""Slips: what stands on them, in whose language, for whom; as text, for a printer, and over the API."""

import re

import pytest
from flask import Flask

from app.cards.models import Member
from tests import factories
from tests.app.counter.printer import Printer
from tests.app.till.conftest import Shop, Till


def sold(till: Till, shop: Shop, amount: str = "100") -> str:
    answer = till.earn(shop.card, amount, receipt="R-77")
    till.done(answer)
    return answer.location.partition("done=")[2]


def speak(shop: Shop, language: str) -> None:
    with shop.world.database.unit_of_work() as session:
        session.get_one(Member, shop.card.member_id).language = language


def test_a_slip_says_what_was_earned_what_there_is_as_of_when_and_how_to_undo_it(till: Till, shop: Shop) -> None:
    entry_id = sold(till, shop)

    answer = till.client.get(f"/till/slips/{entry_id}.txt")

    assert answer.mimetype == "text/plain"
    rows = answer.text.splitlines()
    assert rows[0].strip() == "Kahve Durağı"
    assert rows[1].strip() == "Kadıköy"
    assert re.fullmatch(rf"Card ····{shop.card.number[-4:]} +20 Nov 2026 14:00", rows[3])
    assert re.fullmatch(r"Purchase +TRY\s?100\.00", rows[4])
    assert re.fullmatch(r"Receipt +R-77", rows[5])
    assert re.fullmatch(r"Points +\+10", rows[6])
    assert "Balance as of 20 Nov 2026 14:00" in rows
    assert re.search(r"^Points +110$", answer.text, re.M)
    assert re.search(r"^To the next level +TRY\s?900\.00$", answer.text, re.M)
    assert rows[-2:] == ["Undo reference", entry_id]
    assert all(len(row) <= 42 for row in rows)
    assert "Ayşe" not in answer.text
    assert shop.card.number not in answer.text


@pytest.mark.parametrize(("language", "word"), [("tr", "Geri alma"), ("id", "pembatalan"), ("en", "Undo reference")])
def test_a_slip_speaks_the_member_s_language(till: Till, shop: Shop, language: str, word: str) -> None:
    speak(shop, language)

    assert word in till.client.get(f"/till/slips/{sold(till, shop)}.txt").text


def test_another_language_can_be_asked_for(till: Till, shop: Shop) -> None:
    entry_id = sold(till, shop)

    assert "Geri alma" in till.client.get(f"/till/slips/{entry_id}.txt?language=tr").text
    assert "Undo reference" in till.client.get(f"/till/slips/{entry_id}.txt?language=xx").text


def test_a_printer_prints_the_same(till: Till, shop: Shop) -> None:
    speak(shop, "tr")
    entry_id = sold(till, shop)

    answer = till.client.get(f"/till/slips/{entry_id}.bin")

    printer = Printer().read(answer.data)
    assert answer.mimetype == "application/octet-stream"
    assert (printer.rows[0].text, printer.rows[0].is_bold, printer.rows[0].is_centred) == ("Kahve Durağı", True, True)
    assert (printer.cuts, printer.qr_printed) == (1, 0)
    assert any("TL100,00" in row.text for row in printer.rows)
    assert any(row.text == entry_id for row in printer.rows)


def test_the_code_of_the_member_s_page_is_printed_when_it_is_asked_for(till: Till, shop: Shop) -> None:
    answer = till.client.get(f"/till/slips/{sold(till, shop)}.bin?qr=1")

    assert Printer().read(answer.data).qr.endswith(f"/c/{shop.card.link}".encode())


def test_an_undone_sale_has_a_slip_too(till: Till, shop: Shop) -> None:
    answer = till.undo(sold(till, shop))
    till.done(answer)

    text = till.client.get(f"/till/slips/{answer.location.partition('done=')[2]}.txt").text

    assert re.search(r"^Points +−10$", text, re.M)
    assert re.search(r"^Points +100$", text, re.M)


def test_the_done_zone_leads_to_the_slip(till: Till, shop: Shop) -> None:
    page = till.done(till.earn(shop.card, "100"))

    link = re.search(r'href="(/till/slips/txn_[0-9a-f]+)"', page)
    assert link is not None
    assert "Undo reference" in till.client.get(link[1]).text


@pytest.mark.parametrize("name", ["txn_1", "a" * 64, "txn_%00", "..%2f", "x.pdf"])
def test_what_is_no_entry_is_not_found(till: Till, shop: Shop, name: str) -> None:
    assert till.client.get(f"/till/slips/{name}").status_code == 404
    assert till.client.get(f"/till/slips/{name}.txt").status_code == 404


def test_another_store_s_slip_is_not_shown(app: Flask, till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        far = factories.staff(session, "cashier", email="far@example.com", store=shop.other_store)
    entry_id = sold(till, shop)

    assert Till(app, far).client.get(f"/till/slips/{entry_id}.txt").status_code == 404
