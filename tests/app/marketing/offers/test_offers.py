"""Marketing's pages: an offer is written, seen, scheduled, read and cancelled."""

import re
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.cards.models import Card, Programme
from app.offers import service as offers
from app.offers.models import Offer
from app.staff.models import AuditEvent
from app.world import World
from tests import factories
from tests.app.pages import csrf_of
from tests.bench import seed
from tests.conftest import MovableClock

Offers = Callable[[], list[Offer]]
NEW = "/marketing/offers/new"

FIELDS = {
    "title": "Çayın yanında simit",
    "body": "Her çayla bir simit.",
    "title_en": "A simit with your tea",
    "audience": "all",
    "starts_at": "2026-11-20T14:00",
    "ends_at": "2026-11-21T00:00",
    "timezone": "Europe/Istanbul",
    "announce": "yes",
    "limit_per_card": "1",
}


def sign_in(client: FlaskClient, email: str) -> None:
    client.post(
        "/login",
        data={"csrf_token": csrf_of(client, "/login"), "email": email, "password": factories.PASSWORD},
    )


def post(client: FlaskClient, address: str, fields: dict[str, str]) -> TestResponse:
    return client.post(address, data={"csrf_token": csrf_of(client, NEW), **fields})


@pytest.fixture
def card(world: World) -> Card:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        factories.staff(session, "marketer")
        factories.staff(session, "auditor")
        factories.staff(session, "cashier")
        return factories.card(session, programme)


@pytest.fixture
def marketer(client: FlaskClient, card: Card) -> FlaskClient:
    sign_in(client, "marketer@example.com")
    return client


@pytest.fixture
def kept(world: World) -> Offers:
    def read() -> list[Offer]:
        with world.database.reading() as session:
            return list(session.scalars(select(Offer)))

    return read


def test_the_home_page_of_a_new_programme_says_what_to_do_next(marketer: FlaskClient) -> None:
    page = marketer.get("/marketing/offers").text

    assert "No offer is live at the moment." in page
    assert "/marketing/offers/new" in page


def test_a_preview_draws_both_wallets_from_a_real_card_and_keeps_nothing(marketer: FlaskClient, kept: Offers) -> None:
    page = post(marketer, NEW, {**FIELDS, "action": "preview"}).text

    assert page.count('class="face"') == 6, "two wallets in each of three languages"
    assert "A simit with your tea" in page
    assert "Çayın yanında simit" in page
    assert kept() == []


def test_a_double_click_makes_one_offer_and_another_form_another(marketer: FlaskClient, kept: Offers) -> None:
    twice = [post(marketer, NEW, {**FIELDS, "action": "schedule", "key": "k1"}).location for _ in range(2)]

    other = post(marketer, NEW, {**FIELDS, "action": "schedule", "key": "k2"}).location

    assert twice[0] == twice[1] != other
    assert len(kept()) == 2
    assert 'name="key" value="' in marketer.get(NEW).text


def test_a_form_that_was_refused_can_be_sent_again(marketer: FlaskClient, kept: Offers) -> None:
    wrong = {**FIELDS, "title": "", "action": "schedule", "key": "k1"}
    assert [post(marketer, NEW, wrong).status_code for _ in range(2)] == [200, 200]

    assert post(marketer, NEW, {**FIELDS, "action": "schedule", "key": "k1"}).status_code == 303
    assert len(kept()) == 1


def test_an_offer_is_scheduled_in_the_local_time_that_was_typed(
    marketer: FlaskClient, kept: Offers, world: World
) -> None:
    answer = post(marketer, NEW, {**FIELDS, "action": "schedule"})

    (offer,) = kept()
    assert answer.status_code == 303
    assert offer.starts_at.isoformat() == "2026-11-20T11:00:00+00:00"
    assert offer.ends_at.isoformat() == "2026-11-20T21:00:00+00:00"
    assert offer.texts["tr"]["title"] == "Çayın yanında simit"
    with world.database.reading() as session:
        assert "offer_scheduled" in session.scalars(select(AuditEvent.action)).all()
    page = marketer.get(answer.location).text
    assert "Çayın yanında simit" in page
    assert "Scheduled" in page


def test_start_at_once_needs_no_start(marketer: FlaskClient, kept: Offers, clock: MovableClock) -> None:
    post(marketer, NEW, {**FIELDS, "starts_at": "", "start_now": "yes", "action": "schedule"})

    assert [one.starts_at for one in kept()] == [clock()]


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"title": ""}, "An offer has a title"),
        ({"starts_at": "soon"}, "Choose a day and a time."),
        ({"ends_at": ""}, "Choose a day and a time."),
        ({"ends_at": "2026-11-20T13:00"}, "The end comes after the start."),
        ({"timezone": "Mars/Olympus"}, "Choose a time zone from the list."),
        ({"audience": "999"}, "Choose who the offer is for."),
        ({"limit_total": "many"}, "Write a whole number above zero"),
        ({"starts_at": "9999-12-31T23:59", "ends_at": "0001-01-01T00:00"}, "Choose a day and a time."),
        ({"title_en": "x" * 61}, "this has 61"),
    ],
)
def test_a_field_that_is_wrong_is_named_and_what_was_typed_stays(
    marketer: FlaskClient, kept: Offers, over: dict[str, str], sentence: str
) -> None:
    answer = post(marketer, NEW, {**FIELDS, **over, "action": "schedule"})

    assert answer.status_code == 200
    assert sentence in answer.text
    assert "Her çayla bir simit." in answer.text
    assert kept() == []


@pytest.mark.parametrize(
    ("on", "starts", "ends"),
    [
        ("2026-12-24", "2026-12-24T00:00", "2026-12-26T00:00"),
        ("2026-11-20", "2026-11-20T14:00", "2026-11-22T00:00"),  # today: from the next full hour
        ("2020-01-01", "2026-11-20T14:00", "2026-11-22T00:00"),
        ("soon", "2026-11-20T14:00", "2026-11-22T00:00"),
    ],
)
def test_the_calendar_names_the_day_of_a_new_offer(marketer: FlaskClient, on: str, starts: str, ends: str) -> None:
    page = marketer.get(NEW, query_string={"on": on}).text

    assert re.search(rf'value="{starts}"[^>]*name="starts_at"', page)
    assert re.search(rf'value="{ends}"[^>]*name="ends_at"', page)


def test_a_time_that_the_clocks_skip_is_explained(marketer: FlaskClient) -> None:
    skipped = {"timezone": "Europe/Berlin", "starts_at": "2027-03-28T02:30", "ends_at": "2027-04-01T00:00"}

    page = post(marketer, NEW, {**FIELDS, **skipped, "action": "preview"}).text

    assert "The clocks skip that time on that day; it means 03:30." in page


def test_the_offers_page_counts_what_happened(marketer: FlaskClient, kept: Offers, world: World) -> None:
    answer = post(marketer, NEW, {**FIELDS, "starts_at": "", "start_now": "yes", "action": "schedule"})
    with world.database.unit_of_work() as session:
        offers.tick(session, now=world.clock())

    page = marketer.get(answer.location).text

    assert re.search(r"Started 0.0 s after its time; 0 cards changed", page)
    assert "Live" in page


def test_an_offer_written_after_its_start_is_late_by_what_it_took_us(
    marketer: FlaskClient, kept: Offers, world: World, clock: MovableClock
) -> None:
    answer = post(marketer, NEW, {**FIELDS, "starts_at": "2026-11-20T09:00", "action": "schedule"})
    clock.advance(seconds=2)
    with world.database.unit_of_work() as session:
        offers.tick(session, now=clock())

    page = marketer.get(answer.location).text
    assert "Started 2.0 s after its time" in page
    english = page[page.index('· English"') :]
    assert re.search(r"<dt>Offers</dt><dd>A simit with your tea[^<]*</dd>", english)
    assert not re.search(r"<dt>Offers</dt><dd>[^<]*A simit with your tea[^<]*A simit with your tea", english)


def test_a_cancelled_offer_says_so_and_cannot_be_cancelled_again(marketer: FlaskClient, kept: Offers) -> None:
    post(marketer, NEW, {**FIELDS, "action": "schedule"})
    (offer,) = kept()

    for _ in range(2):
        answer = post(marketer, f"/marketing/offers/{offer.public_id}/cancel", {})
        assert answer.status_code == 303

    page = marketer.get(f"/marketing/offers/{offer.public_id}").text
    assert "there is nothing to cancel" in page
    assert "Cancelled" in page


def test_who_may_read_may_not_write(client: FlaskClient, card: Card) -> None:
    sign_in(client, "auditor@example.com")

    assert client.get("/marketing/offers").status_code == 200
    assert "New offer" not in client.get("/marketing/offers").text
    assert client.get("/marketing/offers/new").status_code == 403


def test_a_cashier_has_no_business_here(client: FlaskClient, card: Card) -> None:
    sign_in(client, "cashier@example.com")

    assert client.get("/marketing/offers").status_code == 403


def test_a_marketer_of_one_programme_sees_no_other(client: FlaskClient, world: World, card: Card) -> None:
    with world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other", pass_type_identifier="pass.com.example.other")
        factories.staff(session, "marketer", email="other@example.com", programme=other)
        own = session.scalars(select(Programme).where(Programme.slug == "kahve")).one()
        draft = offers.OfferDraft(
            programme=own,
            title="Mine",
            body="",
            starts_at=world.clock(),
            ends_at=world.clock().replace(year=2027),
            timezone="UTC",
        )
        offer = offers.create(session, draft, by="test", now=world.clock())
    sign_in(client, "other@example.com")

    assert client.get(f"/marketing/offers/{offer.public_id}").status_code == 403
    assert client.get("/marketing/offers/off_nothing").status_code == 404
    assert "Mine" not in client.get("/marketing/offers").text


def test_the_form_says_before_the_start_how_long_it_takes(marketer: FlaskClient, card: Card, world: World) -> None:
    crowd = seed.Crowd(programme_id=card.programme_id, cards=1_500, google=300)
    seed.seed(world.database, crowd, now=world.clock())

    page = marketer.get(NEW).text

    assert "Schedule for 1501 people" in page
    assert re.search(r"Apple phones.*?1,500.*?In Google Wallet.*?300.*?Until the last phone.*?3 seconds", page, re.S)


def test_an_offer_on_its_way_is_followed_and_stopped(marketer: FlaskClient, kept: Offers, world: World) -> None:
    post(marketer, NEW, {**FIELDS, "starts_at": "", "start_now": "yes", "action": "schedule"})
    (offer,) = kept()
    with world.database.unit_of_work() as session:
        offers.tick(session, now=world.clock())
    address = f"/marketing/offers/{offer.public_id}"

    assert "It has not begun yet." in marketer.get("/marketing/offers").text
    stopped = post(marketer, f"{address}/stop", {})

    assert stopped.status_code == 303
    page = marketer.get(address).text
    assert "No further card is changed" in page
    assert "0 cards were changed" in page
    assert "On its way" not in marketer.get("/marketing/offers").text
    with world.database.reading() as session:
        assert "offer_spreading_stopped" in session.scalars(select(AuditEvent.action)).all()


FULL = {
    **FIELDS, "kind": "percent", "percent": "20", "at_most": "30,00", "minimum": "50", "categories": "tea, cake",
    "w0_d1": "yes", "w0_d5": "yes", "w0_from": "15:00", "w0_to": "17:00", "grace_min": "5", "combines": "all",
    "budget_money_all": "1000,00", "budget_uses_day": "50", "audience": "targeted", "by_store": "yes",
    "ends_at": "2026-11-30T00:00",
}  # fmt: skip


def test_all_that_an_offer_can_say_is_kept_and_shown_again_to_be_changed(
    marketer: FlaskClient, kept: Offers, world: World
) -> None:
    with world.database.unit_of_work() as session:
        store = factories.store(session, session.scalars(select(Programme)).one()).public_id
    answer = post(marketer, NEW, {**FULL, f"store_{store}": "yes", "action": "draft"})

    (offer,) = kept()
    assert (answer.status_code, offer.state, offer.kind, offer.audience) == (303, "draft", "percent", "targeted")
    assert offer.terms == {"percent": "20", "at_most": "30.00", "minimum": "50", "categories": ["tea", "cake"]}
    assert offer.windows == [{"weekdays": [1, 5], "from": "15:00", "to": "17:00"}]
    assert (offer.grace_min, offer.combines, offer.by_store, len(offer.stores)) == (5, "all", True, 1)
    page = marketer.get(f"/marketing/offers/{offer.public_id}/edit").text
    for value in ('value="20"', 'value="30.00"', 'value="tea, cake"', 'value="15:00"', 'value="1000.00"', 'value="50"'):
        assert value in page
    assert re.search(r'name="w0_d5" value="yes" checked', page)
    assert not re.search(r'name="w0_d4" value="yes" checked', page)
    shown = marketer.get(answer.location).text
    assert "20 % off" in shown
    assert "Mon, Fri 15–17 h" in shown


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"kind": "percent", "percent": "110"}, "percent"),
        ({"kind": "amount", "amount": ""}, "amount"),
        ({"kind": "product"}, "products"),
        ({"kind": "multiplier", "factor": "1"}, "factor"),
        ({"kind": "bonus", "points": "many"}, "points"),
        ({"kind": "magic"}, "kind"),
        ({"w1_from": "25:00"}, "w1_from"),
        ({"w2_d7": "yes", "ends_at": "2026-11-20T15:00"}, "w2_days"),
        ({"grace_min": "16"}, "grace_min"),
        ({"budget_money_all": "1,2345"}, "budget_money_all"),
        ({"budget_uses_day": "0"}, "budget_uses_day"),
        ({"minimum": "much"}, "minimum"),
    ],
)
def test_what_cannot_be_given_is_said_beside_its_field(
    marketer: FlaskClient, kept: Offers, over: dict[str, str], field: str
) -> None:
    page = post(marketer, NEW, {**FIELDS, **over, "action": "schedule"}).text

    assert f'href="#f-{field}"' in page
    assert kept() == []


def test_an_offer_is_approved_scheduled_paused_and_let_go_on_by_buttons(
    marketer: FlaskClient, kept: Offers, world: World
) -> None:
    post(marketer, NEW, {**FIELDS, "action": "draft"})
    where = f"/marketing/offers/{kept()[0].public_id}"

    states = []
    for turn in ("schedule", "approve", "schedule", "pause", "resume", "archive"):
        post(marketer, f"{where}/{turn}", {})
        states.append(kept()[0].state)

    assert states == ["draft", "approved", "scheduled", "paused", "scheduled", "scheduled"]
    assert "That cannot be done with an offer in the state" in marketer.get(where).text
    with world.database.reading() as session:
        actions = set(session.scalars(select(AuditEvent.action)))
    assert {"offer_approve", "offer_schedule", "offer_pause", "offer_resume"} <= actions


def test_a_change_that_voids_the_approval_says_so_and_a_budget_does_not(marketer: FlaskClient, kept: Offers) -> None:
    post(marketer, NEW, {**FIELDS, "action": "schedule"})
    where = f"/marketing/offers/{kept()[0].public_id}"

    budget = post(marketer, f"{where}/edit", {**FIELDS, "budget_uses_all": "9", "action": "save"})
    assert (budget.status_code, kept()[0].state) == (303, "scheduled")
    assert "0 of 9" in marketer.get(where).text
    post(marketer, f"{where}/edit", {**FIELDS, "budget_uses_all": "9", "title": "Başka", "action": "save"})
    assert kept()[0].state == "draft"
    assert "It is a draft again" in marketer.get(where).text


def test_an_offer_is_duplicated_into_a_draft_that_is_opened_to_be_changed(
    marketer: FlaskClient, kept: Offers, clock: MovableClock
) -> None:
    post(marketer, NEW, {**FIELDS, "action": "schedule"})
    clock.advance(days=8)
    sign_in(marketer, "marketer@example.com")

    answer = post(marketer, f"/marketing/offers/{kept()[0].public_id}/duplicate", {})

    first, second = kept()
    assert answer.location.endswith(f"/{second.public_id}/edit")
    assert (second.state, (second.starts_at - first.starts_at).days) == ("draft", 14)


def test_the_most_that_an_offer_can_cost_is_said_before_it_starts(marketer: FlaskClient) -> None:
    fields = {**FIELDS, "kind": "amount", "amount": "25,00", "limit_per_card": "3"}

    page = post(marketer, NEW, {**fields, "action": "preview"}).text
    bounded = post(marketer, NEW, {**fields, "budget_money_all": "40", "action": "preview"}).text

    assert re.search(r'<dt>Money</dt><dd class="num">TRY.?75\.00', page)
    assert re.search(r'<dt>Money</dt><dd class="num">TRY.?40\.00', bounded)


SIX = [
    *({"weekdays": [day], "from": "10:00", "to": "12:00"} for day in (5, 1, 2, 3, 4)),
    {"weekdays": [7, 6], "from": "09:00", "to": "10:00", "first_on": "2026-11-20", "last_on": "2026-12-10"},
]  # fmt: skip


@pytest.fixture
def rich(world: World, card: Card) -> str:
    """The page of a live offer that says more than a form can show, as it may be made over the API."""
    now = world.clock() + timedelta(seconds=7)
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, card.programme_id)
        draft = offers.OfferDraft(
            programme=programme, title="Simit", body="Taze", timezone="Europe/Istanbul", starts_at=now,
            ends_at=now + timedelta(days=40, milliseconds=123), texts={"id": {"title": "Roti wijen"}},
            kind="amount", terms={"amount": "25.00", "at_most": "20.00", "products": ["tea, black", "simit"]},
            windows=SIX, tiers=[programme.tiers[0].id], limit_total=10**9,
        )  # fmt: skip
        made = offers.create(session, draft, by="key:till", now=now)
        offers.tick(session, now=now)
    return f"/marketing/offers/{made.public_id}"


def as_shown(client: FlaskClient, address: str) -> dict[str, str]:
    """The fields of a form as a browser would send them back untouched."""
    form = Form()
    form.feed(client.get(address).text)
    return form.values


class Form(HTMLParser):
    """Reads the values of the fields of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        name, value = said.get("name") or "", said.get("value") or ""
        if tag == "input" and name and ("checked" in said or said.get("type") not in ("checkbox", "radio")):
            self.values[name] = value
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in said:
            self.values[self._select] = value
        elif tag == "textarea":
            self._text = name

    def handle_endtag(self, tag: str) -> None:
        self._select = "" if tag == "select" else self._select
        self._text = "" if tag == "textarea" else self._text

    def handle_data(self, data: str) -> None:
        if self._text:
            self.values[self._text] = data


def test_a_limit_changed_on_the_page_changes_nothing_else(marketer: FlaskClient, kept: Offers, rich: str) -> None:
    (before,) = kept()
    fields = as_shown(marketer, f"{rich}/edit") | {"limit_total": "9", "action": "save"}

    answer = post(marketer, f"{rich}/edit", fields)

    (after,) = kept()
    assert (answer.status_code, after.state, after.limit_total) == (303, "live", 9)
    same = ("title", "body", "texts", "starts_at", "ends_at", "terms", "windows", "tiers", "tier_id", "audience")
    assert {name: getattr(after, name) for name in same} == {name: getattr(before, name) for name in same}


def test_what_is_changed_on_the_page_leaves_the_parts_beside_it_as_they_were(
    marketer: FlaskClient, kept: Offers, rich: str
) -> None:
    changes = {"amount": "30", "title": "Çay", "w5_from": "08:00", "audience": "all", "w0_from": "", "w0_to": ""}
    fields = as_shown(marketer, f"{rich}/edit") | changes
    del fields["w0_d5"]

    post(marketer, f"{rich}/edit", {**fields, "action": "save"})

    (after,) = kept()
    assert after.terms == {"amount": "30", "at_most": "20.00", "products": ["tea, black", "simit"]}
    assert after.texts == {"id": {"title": "Roti wijen"}, "tr": {"title": "Çay"}}
    assert after.windows == [*SIX[1:5], {**SIX[5], "weekdays": [6, 7], "from": "08:00"}]
    assert (after.state, after.title, after.tiers, after.tier_id) == ("draft", "Çay", [], None)
    assert after.ends_at.microsecond == 123_000


def test_a_code_for_what_depends_on_products_is_refused_beside_its_field(marketer: FlaskClient, kept: Offers) -> None:
    fields = {**FIELDS, "kind": "product", "products": "tea", "needs_code": "yes"}

    page = post(marketer, NEW, {**fields, "action": "schedule"}).text

    assert 'href="#f-needs_code"' in page
    assert kept() == []


def test_the_most_that_a_targeted_offer_can_cost_counts_everybody_who_can_be_given_it(
    marketer: FlaskClient, kept: Offers
) -> None:
    fields = {**FIELDS, "kind": "gift", "gift": "Simit", "cost": "10", "limit_per_card": "2", "audience": "targeted"}

    post(marketer, NEW, {**fields, "action": "draft"})
    page = marketer.get(f"/marketing/offers/{kept()[0].public_id}").text

    assert re.search(r'<dt>Money</dt><dd class="num">TRY.?20\.00', page)
