"""One campaign: approved by a second person, scheduled, paused, stopped, tried on a colleague's card, copied."""

import html
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.campaigns import working
from app.campaigns.models import CardMessage
from app.fraud import service as fraud
from app.staff.models import AuditEvent
from tests import factories
from tests.app.marketing.shop import FIELDS, NEW, Shop, send
from tests.conftest import MovableClock

ACTS = ("approve", "launch", "pause", "resume", "stop", "test", "duplicate")


@pytest.fixture
def kept(shop: Shop, writer: FlaskClient) -> str:
    """The address of a draft."""
    return str(send(writer, NEW, **FIELDS, action="keep").location)


def act(client: FlaskClient, address: str, name: str, **fields: str) -> str:
    """Press one of its buttons; what the page says then."""
    answer = send(client, f"{address}/{name}", page=address, **fields)
    assert answer.status_code == 303
    return html.unescape(client.get(answer.location).text)


def state(shop: Shop) -> str:
    return shop.campaigns()[0].state


def test_above_the_limit_the_author_waits_and_somebody_else_approves(shop: Shop, writer: FlaskClient) -> None:
    shop.approve_above(2)

    answer = send(writer, NEW, **FIELDS, action="go")

    page = html.unescape(writer.get(answer.location).text)
    assert state(shop) == "draft"
    assert "a second person has to approve it" in page
    assert "/approve" not in page
    assert "Schedule for" not in page

    approved = act(shop.browser("approver"), answer.location, "approve")
    assert "Approved. Whoever wrote it can schedule it now." in approved
    assert state(shop) == "approved"

    assert "Scheduled. It leaves by itself." in act(writer, answer.location, "launch")
    assert state(shop) == "queued"


def test_nobody_approves_what_they_wrote_themselves(shop: Shop) -> None:
    shop.approve_above(0)
    approver = shop.browser("approver")
    address = send(approver, NEW, **FIELDS, action="keep").location

    assert "You wrote this campaign" in act(approver, address, "approve")
    assert state(shop) == "draft"


def test_an_edit_voids_the_approval_and_says_so_before(shop: Shop, writer: FlaskClient, kept: str) -> None:
    act(shop.browser("approver"), kept, "approve")

    form = writer.get(f"{kept}/edit").text
    send(writer, f"{kept}/edit", **FIELDS | {"body": "Bugün geçerli.", "revision": "1"}, action="keep")

    assert "This campaign is approved." in form
    assert (state(shop), shop.campaigns()[0].approved_by) == ("draft", "")


def test_who_read_an_older_text_approves_and_launches_nothing(shop: Shop, writer: FlaskClient, kept: str) -> None:
    send(writer, f"{kept}/edit", **FIELDS | {"body": "Bugün geçerli.", "revision": "1"}, action="keep")

    approved = act(shop.browser("approver"), kept, "approve", revision="1")
    launched = act(writer, kept, "launch", revision="1")

    assert "Somebody changed this campaign while you read it." in approved
    assert "Somebody changed this campaign while you read it." in launched
    assert state(shop) == "draft"
    assert 'name="revision" value="2"' in writer.get(kept).text


def test_it_is_paused_and_goes_on(shop: Shop, writer: FlaskClient, kept: str) -> None:
    act(writer, kept, "launch")

    assert "Paused." in act(writer, kept, "pause")
    assert state(shop) == "paused"
    assert "It goes on." in act(writer, kept, "resume")
    assert state(shop) == "queued"


def test_stopping_asks_first_and_says_how_many_were_told(shop: Shop, writer: FlaskClient, kept: str) -> None:
    act(writer, kept, "launch", at_once="yes")
    page = writer.get(kept).text

    said = act(writer, kept, "stop", because="Wrong price")

    assert "Stop this campaign?" in page
    assert "Stopped. 0 were sent to, 0 were not." in said
    assert "Wrong price" in said
    assert state(shop) == "stopped"
    with shop.world.database.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "campaign_stopped")).one()
    assert event.reason == "Wrong price"


def test_what_cannot_be_done_any_more_is_refused_in_words(writer: FlaskClient, kept: str) -> None:
    act(writer, kept, "stop")

    assert "This campaign is over; make another one." in act(writer, kept, "launch")


def test_a_test_goes_to_a_colleagues_card_and_to_no_customers(shop: Shop, writer: FlaskClient, kept: str) -> None:
    mine, other = shop.cards[0], shop.cards[1]
    shop.change(lambda session: fraud.link_card(session, mine.id, shop.staff["manager"], by="test", now=factories.NOW))

    assert f'<option value="{mine.number}">' in writer.get(kept).text
    assert "Tests go to cards of people who work here" in act(writer, kept, "test", card=other.number)
    assert "There is no card with this number." in act(writer, kept, "test", card="nonsense")
    assert "A test is on its way" in act(writer, kept, "test", card=mine.number)
    with shop.world.database.reading() as session:
        assert session.scalars(select(CardMessage.card_id)).all() == [mine.id]


def test_a_copy_is_a_draft_without_a_time(shop: Shop, writer: FlaskClient, kept: str) -> None:
    answer = send(writer, f"{kept}/duplicate", page=kept)

    one, other = shop.campaigns()
    assert answer.location.endswith(f"{other.public_id}/edit")
    assert (other.name, other.state, other.send_local) == ("Coffee is ready (copy)", "draft", "")
    assert other.message == one.message


@pytest.mark.parametrize("role", ["manager", "auditor"])
def test_readers_see_everything_and_change_nothing(shop: Shop, kept: str, role: str) -> None:
    reader = shop.browser(role)

    page = reader.get(kept)

    assert page.status_code == 200
    assert "Edit" not in page.text
    assert reader.get("/marketing/campaigns").status_code == 200
    assert [reader.get(address).status_code for address in (NEW, f"{kept}/edit")] == [403, 403]
    refused = [send(reader, f"{kept}/{name}", page="/account").status_code for name in ACTS]
    assert refused == [403] * len(ACTS)


def test_a_cashier_sees_none_of_it(shop: Shop, kept: str) -> None:
    cashier = shop.browser("cashier")

    assert [cashier.get(one).status_code for one in (kept, "/marketing/campaigns", "/marketing")] == [403] * 3


def test_a_marketer_does_not_approve(shop: Shop, kept: str) -> None:
    other = shop.browser("marketer")

    assert send(other, f"{kept}/approve", page=kept).status_code == 403
    assert state(shop) == "draft"


def test_a_campaign_of_another_programme_is_nobodys_business(shop: Shop, kept: str) -> None:
    def elsewhere(session: object) -> None:
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")  # type: ignore[arg-type]
        factories.staff(session, "marketer", email="other@example.com", programme=other)  # type: ignore[arg-type]

    shop.change(elsewhere)
    client = shop.app.test_client()
    send(client, "/login", page="/login", email="other@example.com", password=factories.PASSWORD)

    assert client.get(kept).status_code == 403
    assert client.get("/marketing/campaigns/cmp_nothing").status_code == 404


def test_progress_adds_up_and_names_each_reason(shop: Shop, writer: FlaskClient, kept: str) -> None:
    act(writer, kept, "launch", at_once="yes")
    working.settle(shop.world)

    page = html.unescape(writer.get(kept).text)
    rows = html.unescape(writer.get("/marketing/campaigns").text)

    assert "Sending" in page or "Sent" in page
    assert re.search(r"<dt>Planned</dt><dd>3</dd>\s*<dt>Sent</dt><dd>3</dd>", page)
    assert re.search(r'data-label="Sent"[^>]*>3<', rows)


def test_what_did_not_go_because_its_people_were_not_approved_says_so(
    shop: Shop, writer: FlaskClient, kept: str, clock: MovableClock
) -> None:
    act(writer, kept, "launch")
    shop.approve_above(2)  # as if a third had come since
    clock.at = factories.NOW.replace(day=21, hour=7, second=1)
    working.settle(shop.world)

    page = html.unescape(writer.get(kept).text)
    assert state(shop) == "draft"
    assert "It did not go when its time came" in page
    assert "Nobody was told; have it approved, and schedule it anew." in page

    act(shop.browser("approver"), kept, "approve")
    assert "It did not go when its time came" not in writer.get(kept).text


def test_the_list_says_whom_when_and_in_what_state(shop: Shop, writer: FlaskClient, kept: str) -> None:
    page = html.unescape(writer.get("/marketing/campaigns").text)

    assert "Coffee is ready" in page
    assert "Sat 21 Nov 2026, 10:00" in page
    assert "Draft" in page
    assert len(shop.campaigns()) == 1
