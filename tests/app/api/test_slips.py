"""Slips over the API: as text and for a printer, of what the key may see."""

import base64

from tests.app.api.conftest import Api, Shop, problem
from tests.app.counter.printer import Printer


def test_a_slip_is_read_as_text_and_for_a_printer(api: Api, shop: Shop) -> None:
    earned = api.post(f"/cards/{shop.card.number}/earn", {"amount": "125.00", "receipt": "A-1"}).get_json()
    address = f"/transactions/{earned['transaction']['id']}/slip"

    text = api.get(f"{address}?language=en").get_json()
    printed = api.get(f"{address}?format=escpos&language=en").get_json()

    assert text["format"] == "text"
    assert "A-1" in text["content"]
    assert text["content"].splitlines()[-1] == earned["transaction"]["id"]
    rows = [row.text for row in Printer().read(base64.b64decode(printed["content"])).rows]
    assert earned["transaction"]["id"] in rows


def test_an_unknown_slip_and_a_wrong_form_are_refused(api: Api, shop: Shop) -> None:
    earned = api.post(f"/cards/{shop.card.number}/earn", {"amount": "125.00", "receipt": "A-1"}).get_json()
    address = f"/transactions/{earned['transaction']['id']}/slip"

    problem(api.get("/transactions/txn_none/slip"), 404, "unknown_transaction")
    assert api.get(f"{address}?format=pdf").status_code == 422
    assert api.get(f"{address}?language=xx").status_code == 422
