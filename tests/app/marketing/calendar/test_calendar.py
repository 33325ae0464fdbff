"""The calendar's page: what is planned stands on its day, clashes are said, sends move and move back."""

import html
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.campaigns import service as campaigns
from app.campaigns.drafting import Draft
from app.campaigns.models import Campaign
from app.earning import service as earning
from app.offers.models import Offer
from tests import factories
from tests.app.marketing.shop import Shop, send

CALENDAR = "/marketing/calendar"
MOVE = f"{CALENDAR}/move"
RULES = {
    "rules": [
        {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"},
        {
            "kind": "multiplier", "name": "Anniversary", "factor": "3",
            "when": {"windows": [{"first_on": "2026-11-27", "last_on": "2026-11-29"}]},
        },
    ]
}  # fmt: skip


def planned(shop: Shop, name: str, local: str, **over: object) -> Campaign:
    """A draft for everybody."""
    made: list[Campaign] = []

    def work(session: Session) -> None:
        draft = Draft(
            programme=shop.programme, name=name, message={"title": name}, send_local=local,
            goal={"metric": "purchase", "days": 14}, **over,  # type: ignore[arg-type]
        )  # fmt: skip
        made.append(campaigns.create(session, draft, by=shop.staff["marketer"], now=factories.NOW))

    shop.change(work)
    return made[0]


def launched(shop: Shop, campaign: Campaign) -> None:
    shop.change(
        lambda session: campaigns.launch(
            session, campaigns.by_id(session, campaign.public_id), by="test", now=factories.NOW
        )
    )


def shown(client: FlaskClient, **asked: str) -> str:
    return html.unescape(client.get(CALENDAR, query_string=asked).text)


def moved(client: FlaskClient, campaign: Campaign, local: str, **more: str) -> TestResponse:
    return send(client, MOVE, page=CALENDAR, campaign=campaign.public_id, local=local, **more)


def test_a_month_shows_offers_sends_rules_and_days_that_shops_speak_of(shop: Shop, writer: FlaskClient) -> None:
    planned(shop, "Beans", "2026-11-24T10:00")

    def more(session: Session) -> None:
        session.add(
            Offer(
                public_id="off_1", programme_id=shop.programme.id, title="Simit", body="", texts={},
                starts_at=factories.NOW, ends_at=factories.NOW + timedelta(days=3), timezone="Europe/Istanbul",
                created_by="test", created_at=factories.NOW,
            )
        )  # fmt: skip
        earning.publish(session, shop.programme, RULES, starts_at=None, note="", by="test", now=factories.NOW)

    shop.change(more)

    page = shown(writer)

    assert "November 2026" in page
    assert 'datetime="2026-11-24T10:00">10:00' in page
    assert "20 Nov – 23 Nov 2026" in page, "an offer is a span over its days"
    assert "3× from 27 Nov 2026 until 29 Nov 2026" in page
    assert "Teachers' Day" in page
    assert "Days by the clock of Europe/Istanbul." in page


def test_a_recurring_campaign_stands_on_each_of_its_days(shop: Shop, writer: FlaskClient) -> None:
    planned(shop, "Weekly", "2026-11-06T10:00", recurrence={"every": "week"})

    page = shown(writer, on="2026-12-15")

    assert [day for day in (4, 11, 18, 25) if f'datetime="2026-12-{day:02}T10:00"' in page] == [4, 11, 18, 25]
    assert "data-send" not in page, "one of many times cannot be moved alone"


def test_two_sends_of_one_day_to_the_same_people_clash(shop: Shop, writer: FlaskClient) -> None:
    planned(shop, "First", "2026-11-24T10:00")
    planned(shop, "Second", "2026-11-24T16:00")
    planned(shop, "Elsewhere", "2026-11-24T18:00", stores=(shop.stores[0],))

    page = shown(writer)

    assert "1 clash" in page
    assert "3 people are in both “First” and “Second”" in page or "3 people are in both “Second” and “First”" in page


def test_a_send_moves_to_another_day_and_back(shop: Shop, writer: FlaskClient) -> None:
    one = planned(shop, "Beans", "2026-11-24T10:00")

    answer = moved(writer, one, "2026-11-26T10:00")

    page = html.unescape(writer.get(answer.location).text)
    assert shop.campaigns()[0].send_local == "2026-11-26T10:00"
    assert "“Beans” moved from Tue 24 Nov 2026, 10:00 to Thu 26 Nov 2026, 10:00." in page
    assert parse_qs(urlsplit(answer.location).query)["on"] == ["2026-11-26"]

    moved(writer, one, "2026-11-24T10:00", is_undo="yes")

    assert shop.campaigns()[0].send_local == "2026-11-24T10:00"


def test_what_needs_no_approval_stays_scheduled_when_it_moves(shop: Shop, writer: FlaskClient) -> None:
    one = planned(shop, "Beans", "2026-11-24T10:00")
    launched(shop, one)

    moved(writer, one, "2026-11-26T10:00")

    assert (shop.campaigns()[0].state, shop.campaigns()[0].send_local) == ("queued", "2026-11-26T10:00")


def test_moving_what_a_second_person_approved_voids_it_and_says_so(shop: Shop, writer: FlaskClient) -> None:
    shop.approve_above(1)
    one = planned(shop, "Beans", "2026-11-24T10:00")
    shop.change(
        lambda session: campaigns.approve(
            session, campaigns.by_id(session, one.public_id), by=shop.staff["approver"], now=factories.NOW
        )
    )
    launched(shop, one)

    answer = moved(writer, one, "2026-11-26T10:00")

    assert shop.campaigns()[0].state == "draft"
    assert "its approval is void" in html.unescape(writer.get(answer.location).text)


def test_moving_into_the_past_leaves_a_draft_that_is_not_sent(shop: Shop, writer: FlaskClient) -> None:
    one = planned(shop, "Beans", "2026-11-24T10:00")
    launched(shop, one)

    moved(writer, one, "2026-11-02T10:00")

    assert shop.campaigns()[0].state == "draft"


@pytest.mark.parametrize("local", ["", "soon", "2026-11-31T10:00", "2026-11-24T10:00+03:00"])
def test_a_time_that_is_none_is_refused_beside_its_field(shop: Shop, writer: FlaskClient, local: str) -> None:
    one = planned(shop, "Beans", "2026-11-24T10:00")

    refused = moved(writer, one, local)

    assert refused.status_code == 422
    assert "Write the time as the clock on the wall shows it" in refused.text
    assert shop.campaigns()[0].send_local == "2026-11-24T10:00"


def test_readers_see_the_calendar_and_move_nothing(shop: Shop) -> None:
    one = planned(shop, "Beans", "2026-11-24T10:00")
    auditor = shop.browser("auditor")

    page = shown(auditor)

    assert "Beans" in page
    assert "data-send" not in page
    assert send(auditor, MOVE, page="/account", campaign=one.public_id, local="2026-11-26T10:00").status_code == 403


def test_double_points_lead_to_the_rules_for_who_may_and_name_who_may_for_the_others(
    shop: Shop, writer: FlaskClient
) -> None:
    asked = f"{CALENDAR}/plan?on=2026-12-05&what=points"

    by_marketer = writer.get(asked, follow_redirects=True).text
    by_owner = shop.browser("owner").get(asked, follow_redirects=True).text

    assert "Rules of earning are published by an operator. Ask Operator" in by_marketer
    assert 'value="2026-12-05"' in by_owner
    assert "Double points" in by_owner


@pytest.mark.parametrize("what", ["campaign", "offer"])
def test_something_is_planned_for_a_day(writer: FlaskClient, what: str) -> None:
    answer = writer.get(f"{CALENDAR}/plan?on=2026-12-05&what={what}")

    assert "on=2026-12-05" in answer.location
    assert writer.get(answer.location).status_code == 200


@pytest.mark.parametrize(
    "asked", [{"view": "year"}, {"on": "x"}, {"view": "week", "on": "2026-02-30"}, {"moved": "x", "back": "y"}]
)
def test_addresses_that_make_no_sense_show_this_month(writer: FlaskClient, asked: dict[str, str]) -> None:
    assert "November 2026" in shown(writer, **asked) or "16 Nov – 22 Nov 2026" in shown(writer, **asked)


def test_the_week_tells_more_of_each_send(shop: Shop, writer: FlaskClient) -> None:
    planned(shop, "Beans", "2026-11-24T10:00")

    page = shown(writer, view="week", on="2026-11-24")

    assert "23 Nov – 29 Nov 2026" in page
    assert "Everybody, each member’s own time" in page
