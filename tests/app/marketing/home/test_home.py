"""Marketing's first page: what runs, what waits, and three figures that say of when they are."""

import html
from datetime import date, timedelta

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.campaigns import service as campaigns
from app.campaigns.models import CampaignRun
from app.offers.models import Offer, OfferBudget, OfferBudgetUse
from app.reports.models import ReportBuyers
from app.reports.monthly import ANYWHERE
from tests import factories
from tests.app.marketing.calendar.test_calendar import launched, planned
from tests.app.marketing.shop import Shop

HOME = "/marketing"


def read(client: FlaskClient) -> str:
    return html.unescape(client.get(HOME).text)


def test_a_new_programme_says_that_nothing_is_planned_and_when_figures_come(writer: FlaskClient) -> None:
    page = read(writer)

    assert "Nothing is planned for today." in page
    assert "The first report is built tonight." in page
    assert "No campaign has a result yet." in page
    assert "Needs a decision" not in page


def test_figures_are_those_of_the_reports(shop: Shop, writer: FlaskClient) -> None:
    def built(session: Session) -> None:
        for month, buyers, repeaters in ((date(2026, 10, 1), 4000, 1300), (date(2026, 11, 1), 2000, 300)):
            session.add(
                ReportBuyers(
                    programme_id=shop.programme.id, month=month, store_id=ANYWHERE, buyers=buyers,
                    repeaters=repeaters, sales=9000, spend_minor=1, active=5000, installed=7200,
                    active_installed=4321,
                )
            )  # fmt: skip

    shop.change(built)

    page = read(writer)

    assert "4,321" in page
    assert "of 7,200 in a wallet" in page
    assert "32.5" in page, "of the last whole month: 1,300 of 4,000"
    assert "October 2026" in page


def test_what_waits_for_approval_is_offered_to_who_may_give_it(shop: Shop, writer: FlaskClient) -> None:
    shop.approve_above(1)
    planned(shop, "Beans", "2026-11-24T10:00")

    by_author, by_approver = read(writer), read(shop.browser("approver"))

    assert "waits for a second person’s approval" in by_author
    assert "Read and approve" not in by_author
    assert "Read and approve" in by_approver


def test_a_budget_that_is_nearly_spent_and_a_run_that_was_missed_are_said(shop: Shop, writer: FlaskClient) -> None:
    one = planned(shop, "Beans", "2026-11-24T10:00")

    def happened(session: Session) -> None:
        offer = Offer(
            public_id="off_1", programme_id=shop.programme.id, title="Simit", body="", texts={}, state="live",
            starts_at=factories.NOW, ends_at=factories.NOW + timedelta(days=3), timezone="Europe/Istanbul",
            created_by="test", created_at=factories.NOW,
        )  # fmt: skip
        session.add(offer)
        session.flush()
        budget = OfferBudget(offer_id=offer.id, measure="uses", period="all", most=2000)
        session.add(budget)
        session.flush()
        session.add(OfferBudgetUse(budget_id=budget.id, period="", used=1600, warned_at=factories.NOW))
        session.add(
            CampaignRun(campaign_id=one.id, occurrence="2026-11-19T10:00", state="missed", fire_at=factories.NOW)
        )

    shop.change(happened)

    page = read(writer)

    assert "80\u00a0% of its budget is used." in page
    assert "was no longer worth it afterwards" in page
    assert page.index("was no longer worth") < page.index("of its budget"), "what is worst comes first"


def test_what_is_being_sent_and_what_comes_this_week_stand_there(shop: Shop, writer: FlaskClient) -> None:
    paused = planned(shop, "Beans", "2026-11-24T10:00")
    launched(shop, paused)
    shop.change(
        lambda session: campaigns.pause(
            session, campaigns.by_id(session, paused.public_id), by="test", now=factories.NOW
        )
    )
    planned(shop, "Tea", "2026-11-25T09:00")

    page = read(writer)

    assert "Paused" in page
    assert "Tea" in page
    assert "Wednesday 25 November" in page
