"""Marketing's pages of reports: figures with their definitions, plots, tables, CSV, and days that cannot be meant."""

import csv
import io
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.ledger import held, service
from app.ledger.booking import Circumstance
from app.ledger.service import Earning
from app.reports import building, valuing
from app.reports import service as reports
from app.reports.models import ReportRun
from app.staff.models import AuditEvent, Staff
from tests.app.marketing.shop import Shop
from tests.app.pages import post

HOME = "/marketing/reports"


def sell(shop: Shop, amount_minor: int = 12_000, *, actor: str = "staff:x", store: int = 0) -> None:
    """Somebody buys, at each store somebody else."""
    now = shop.world.clock()
    with shop.world.database.unit_of_work() as session:
        card = held.by_id(session, shop.cards[store].id)
        by = Circumstance(
            actor=actor, channel="till", now=now, version=card.version + 1, store_id=shop.stores[store].id
        )
        service.earn(
            session, card, Earning(points=amount_minor // 1000, amount_minor=amount_minor, currency="TRY"), by=by
        )
    building.build(shop.world)


def test_the_first_page_shows_the_figures_and_leads_to_every_report(shop: Shop, writer: FlaskClient) -> None:
    sell(shop)

    page = writer.get(HOME).text

    assert "Repeat purchase rate" in page
    assert "Today (20 Nov 2026) is not complete." in page
    assert "Europe/Istanbul" in page
    for name, kind in reports.kinds("en").items():
        assert (f"{HOME}/{name}?" in page) is (name != "overview" and not kind.about_people)


@pytest.mark.parametrize("language", ["en", "tr", "id"])
def test_every_report_has_a_page_and_a_csv_in_every_language(shop: Shop, language: str) -> None:
    sell(shop)
    owner = shop.browser("manager")

    for name in reports.kinds("en"):
        page = owner.get(f"{HOME}/{name}?lang={language}")
        table = owner.get(f"{HOME}/{name}.csv?lang={language}")

        assert page.status_code == 200, name
        assert reports.kinds(language)[name].title.replace("'", "&#39;") in page.text
        assert table.mimetype == "text/csv"
        assert "attachment" in table.headers["Content-Disposition"]


def test_without_anything_there_is_a_sentence_in_place_of_the_plot(shop: Shop, writer: FlaskClient) -> None:
    page = writer.get(f"{HOME}/units")

    assert page.status_code == 200
    assert "There is nothing to show for these days." in page.text
    assert "Nothing happened in these days." in page.text
    assert "–" in page.text  # the redemption rate: nothing was issued


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-11-20&to=2026-11-19", "The last day is before the first one"),
        ("from=2020-01-01&to=2026-11-19", "at most 5 years"),
        ("from=soon", "Write the day as 2026-11-20"),
        ("store=sto_nowhere", "There is no such store"),
    ],
)
@pytest.mark.parametrize("name", ["", "/units"])
def test_what_cannot_be_meant_is_said_beside_its_field(
    shop: Shop, writer: FlaskClient, query: str, said: str, name: str
) -> None:
    page = writer.get(f"{HOME}{name}?{query}")

    assert page.status_code == 422
    assert said in page.text
    assert 'class="field wrong"' in page.text


def test_numbers_are_written_as_the_reader_writes_them(shop: Shop, writer: FlaskClient) -> None:
    sell(shop, 123_456_700)

    assert "₺1,234,567.00" in writer.get(f"{HOME}/stores?lang=en").text.replace("TRY\u00a0", "₺")
    assert "1.234.567,00" in writer.get(f"{HOME}/stores?lang=tr").text


@pytest.mark.parametrize(
    ("name", "title"), [("overview", "Purchases per buyer in 30 days"), ("value", "Purchases of a member in a year")]
)
def test_a_number_of_purchases_is_no_share_in_the_table_either(
    shop: Shop, writer: FlaskClient, name: str, title: str
) -> None:
    sell(shop)

    words = " ".join(re.sub(r"<[^>]+>|What is this\?", " ", writer.get(f"{HOME}/{name}?lang=en").text).split())

    shown = re.findall(rf"{title} ([0-9.,]+%?)", words)
    assert len(shown) == 2, "once as a figure, once in the table"
    assert shown[0] == shown[1]
    assert "%" not in shown[0]


def test_what_happens_by_time_has_a_name_among_the_cashiers(shop: Shop, writer: FlaskClient) -> None:
    sell(shop, actor="system:time")

    page = shop.browser("manager").get(f"{HOME}/cashiers?lang=en").text

    assert "Tessera, when the time came" in page
    assert "system:time" not in page


def test_one_store_is_shown_alone(shop: Shop, writer: FlaskClient) -> None:
    sell(shop, store=0)
    sell(shop, 5_000, store=1)
    with shop.world.database.reading() as session:
        found = reports.store_choices(session, shop.programme)
    one = next(key for key, name in found.items() if name == shop.stores[1].name)

    rows = list(csv.DictReader(io.StringIO(writer.get(f"{HOME}/stores.csv?store={one}").text.removeprefix("\ufeff"))))

    assert [row["Member sales"] for row in rows] == ["50.00"]


def test_marketers_do_not_read_about_cashiers_and_managers_do(shop: Shop, writer: FlaskClient) -> None:
    with shop.world.database.reading() as session:
        cashier = session.scalars(select(Staff).where(Staff.role == "manager")).one()
    sell(shop, actor=f"staff:{cashier.public_id}")

    assert writer.get(f"{HOME}/cashiers").status_code == 403
    assert writer.get(f"{HOME}/cashiers.csv").status_code == 403
    assert cashier.name in shop.browser("manager").get(f"{HOME}/cashiers").text


def test_a_report_that_is_not_there_is_not_found(shop: Shop, writer: FlaskClient) -> None:
    assert writer.get(f"{HOME}/horoscope").status_code == 404


def test_what_points_are_worth_is_set_by_operators_and_noted(shop: Shop) -> None:
    operator = shop.browser("operator")

    answer = post(
        operator, f"{HOME}/settings", page=f"{HOME}/settings", point_value="0,10", expected_use="0.8", margin="",
        member_years="",
    )  # fmt: skip

    assert answer.status_code == 303
    with shop.world.database.reading() as session:
        assert valuing.texts(session, shop.programme.id)["point_value"] == "0.10"
        assert session.scalars(select(AuditEvent).where(AuditEvent.action == "valuation_changed")).one().after[
            "expected_use"
        ] == "0.8"  # fmt: skip


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("point_value", "-1"), ("point_value", "0.1e3"), ("point_value", "ten"), ("expected_use", "80"),
        ("margin", "1.01"), ("member_years", "0"), ("member_years", "51"),
    ],
)  # fmt: skip
def test_a_worth_that_cannot_be_meant_is_said_beside_its_field(shop: Shop, field: str, typed: str) -> None:
    operator = shop.browser("operator")

    answer = post(operator, f"{HOME}/settings", page=f"{HOME}/settings", **{field: typed})

    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    assert typed in answer.text


def test_marketers_see_what_points_are_worth_and_cannot_change_it(shop: Shop, writer: FlaskClient) -> None:
    page = writer.get(f"{HOME}/settings").text

    assert "Owners and operators change this." in page
    assert post(writer, f"{HOME}/settings", page=f"{HOME}/settings", point_value="9").status_code == 403


def test_a_manager_of_one_store_reads_about_the_people_of_that_store(shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        manager = session.scalars(select(Staff).where(Staff.role == "manager")).one()
        manager.store_id = shop.stores[0].id
    sell(shop, actor="key:here", store=0)
    sell(shop, actor="key:elsewhere", store=1)

    page = shop.browser("manager").get(f"{HOME}/cashiers").text

    assert "key:here" in page
    assert "key:elsewhere" not in page


def test_why_a_message_was_not_sent_is_said_in_the_reader_s_words(shop: Shop, writer: FlaskClient) -> None:
    with shop.world.database.unit_of_work() as session:
        session.add(
            ReportRun(
                run_id=1, state="suppressed", arm="", reason="no_consent", programme_id=shop.programme.id,
                day=shop.world.clock().date(), campaign_id=0, offer_id=0, cards=1200,
            )
        )  # fmt: skip

    page = writer.get(f"{HOME}/messages?lang=tr").text
    table = writer.get(f"{HOME}/messages.csv?lang=tr").text

    assert "no_consent" not in page
    assert "Pazarlama izni yok 1.200" in page, "in the table"
    assert page.count("Pazarlama izni yok") > 1, "and in the plot"
    assert "no_consent 1200" in table
