"""Why this balance? The answer that support gives."""

import re
from typing import Any

from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.ledger import held
from tests import factories
from tests.app.admin.conftest import Browser, Office

TILL = Actor(name="staff:1", channel="till")


def earn(office: Office, *amounts: int) -> None:
    for amount_minor in amounts:
        with office.world.database.unit_of_work() as session:
            sale = Sale(amount_minor=amount_minor, currency="TRY", store=session.merge(office.store), receipt=None)
            sales.earn(session, held.by_id(session, office.card.id), sale, by=TILL, now=office.world.clock())


def test_every_movement_says_why_and_what_it_left(operator: Browser, office: Office) -> None:
    earn(office, 17_800, 900)

    page = operator.get(f"/admin/cards/{office.card.number}/ledger").text

    assert page.index("then 17") < page.rindex("then 17")  # the second sale earned nothing and left the same
    assert "Points for the purchase" in page
    assert "version 1" in page
    assert "TRY\u00a0178.00" in page
    assert "Kadıköy" in page
    assert f"/admin/cards/{office.card.number}/ledger" in operator.get(f"/admin/cards/{office.card.number}").text


def test_the_whole_history_is_paged_and_the_unit_chosen(operator: Browser, office: Office) -> None:
    earn(office, *[1_000] * 52)
    base = f"/admin/cards/{office.card.number}/ledger"

    first = operator.get(base).text
    [before] = re.findall(r"before=(\d+)", first)
    second = operator.get(f"{base}?unit=points&before={before}").text

    assert (first.count("<li><details>"), second.count("<li><details>")) == (50, 2)
    assert "then 52" in first
    assert "then 1<" in second
    assert "before=" not in second
    assert operator.get(f"{base}?unit=all").text.count("<li><details>") == 50
    assert operator.get(f"{base}?unit=nonsense&before=x").status_code == 200


def test_a_card_without_movements_and_one_that_is_not_there(operator: Browser, office: Office) -> None:
    assert "Nothing was moved here yet" in operator.get(f"/admin/cards/{office.card.number}/ledger").text
    assert operator.get("/admin/cards/AAAABBBBCCC/ledger").status_code == 404


def test_support_of_another_programme_is_refused(app: Any, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        support = factories.staff(session, "support", programme=other)

    assert Browser(app, support).get(f"/admin/cards/{office.card.number}/ledger").status_code == 403
