"""The sync ledger, senders, a card's own page, and the overview that sums them up."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.admin import home
from app.alarms import backups
from app.cards import service as cards
from app.clock import milliseconds
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.delivery import queries
from app.delivery.models import Node
from app.outbox import pace
from app.outbox.models import Sender, SendLog, Target
from app.outbox.service import Lane
from app.staff.guards import identity_of
from app.wallets.apple import registrations
from tests.app.admin.conftest import Browser, Office, install_certificate
from tests.conftest import MovableClock


def alive(office: Office) -> None:
    now = office.world.clock()
    with office.world.database.unit_of_work() as session:
        session.merge(Node(name="one", role="delivery", started_at=now, beat_at=now))


def stop(office: Office, reason: str = "Apple refuses the certificate; renew it") -> int:
    with office.world.database.unit_of_work() as session:
        sender = session.scalars(select(Sender)).one()
        pace.open_until_mended(session, sender.id, reason)
        return sender.id


def log(office: Office, target: Target, **over: object) -> None:
    values: dict[str, object] = {
        "target_id": target.id,
        "card_id": office.card.id,
        "channel": "apple",
        "version": 2,
        "outcome": "refused",
        "status": 400,
        "reason": "BadTopic",
        "took_ms": 12,
        "lag_ms": 40,
        "at": milliseconds(office.world.clock()),
        **over,
    }
    with office.world.database.unit_of_work() as session:
        session.add(SendLog(**values))


def test_when_all_is_well_all_answers_are_good(operator: Browser, certified: Office) -> None:
    certified.target()
    alive(certified)
    with certified.world.database.unit_of_work() as session:
        backups.note(session, "made", now=certified.world.clock())

    text = operator.get("/admin").text

    assert text.count('class="badge good"') == 5
    assert "The one wallet that holds a card was told" in text
    assert "300 days" in text


def test_delivery_that_is_silent_is_said_with_what_starts_it(
    operator: Browser, certified: Office, clock: MovableClock
) -> None:
    assert "Delivery has never run here" in operator.get("/admin").text
    alive(certified)
    clock.advance(minutes=10)

    text = operator.get("/admin").text

    assert "Delivery last showed a sign of life 10 minutes ago" in text
    assert "tessera run" in text


def test_an_expired_certificate_is_shown_with_its_reason_and_the_way_to_renew_it(
    operator: Browser, office: Office
) -> None:
    install_certificate(office.world, ends_in=timedelta(days=-3))

    first, page = operator.get("/admin").text, operator.get("/admin/certificates").text

    for text in (first, page):
        assert "expired" in text
        assert "The till goes on" in text
    assert "Cannot sign" in page
    assert "tessera certs csr pass.com.example.kahve" in page
    assert "-3" in page or "−3" in page
    assert operator.get("/till").status_code == 403  # an operator is no cashier; the till itself is not stopped


@pytest.mark.parametrize(("days", "tone"), [(59, "warn"), (6, "bad"), (61, "good")])
def test_a_certificate_that_ends_soon_is_said_in_time(operator: Browser, office: Office, days: int, tone: str) -> None:
    install_certificate(office.world, ends_in=timedelta(days=days, hours=1))

    with office.world.database.reading() as session, operator.client.application.test_request_context():
        who = identity_of(office.operator)
        expires = home.answers(office.world, session, who, now=office.world.clock())[1]

    assert expires.tone == tone


def test_the_certificate_page_shows_the_chain_and_google(operator: Browser, certified: Office) -> None:
    text = operator.get("/admin/certificates").text

    assert "Worldwide Developer Relations" in text
    assert "Not configured" in text
    assert "TESSERA_GOOGLE_ISSUER_ID" in text


def test_who_is_behind_is_listed_with_cause_and_last_answer(operator: Browser, certified: Office) -> None:
    certified.target(want=3, attempts=4, last_status=503, last_reason="ServiceUnavailable", not_before=1)

    text = operator.get("/admin/deliveries").text

    assert "1 behind" in text
    assert certified.card.number in text
    assert "Failed, will be tried again" in text
    assert "service was unwell" in text


def test_what_waits_for_long_is_said_even_behind_something_parked(
    operator: Browser, certified: Office, clock: MovableClock
) -> None:
    certified.target(want=3, attempts=4, last_status=503)
    clock.advance(minutes=10)
    alive(certified)

    text = operator.get("/admin").text

    assert "The longest wait is 10 minutes. Failed, will be tried again." in text
    assert "0 / 1" in text


def test_the_list_is_narrowed_to_a_cause_and_a_channel(operator: Browser, certified: Office) -> None:
    certified.target(want=3, state="parked", last_status=400, last_reason="BadTopic")

    assert certified.card.number in operator.get("/admin/deliveries?cause=parked&channel=apple").text
    assert certified.card.number not in operator.get("/admin/deliveries?cause=waiting").text
    assert certified.card.number not in operator.get("/admin/deliveries?channel=google").text
    assert operator.get("/admin/deliveries?cause=%27%3B--&channel=x").status_code == 200
    assert "1 wallet is parked" in operator.get("/admin").text


def test_a_stopped_sender_is_shown_with_its_reason_and_tried_again(operator: Browser, certified: Office) -> None:
    certified.target(want=2)
    sender_id = stop(certified)
    assert "Apple refuses the certificate" in operator.get("/admin").text
    assert "Waits until it is mended" in operator.get("/admin/deliveries").text

    page = operator.follow(operator.send(f"/admin/deliveries/senders/{sender_id}/reopen"))

    assert "One card is tried now" in page
    with certified.world.database.reading() as session:
        assert not queries.senders(session, now_ms=milliseconds(certified.world.clock()))[0].is_open
    assert len(certified.events("sender_reopened")) == 1


def test_a_sender_that_is_not_stopped_is_left_alone(operator: Browser, certified: Office) -> None:
    certified.target()

    page = operator.follow(operator.send("/admin/deliveries/senders/1/reopen"))

    assert "not stopped" in page
    assert operator.send("/admin/deliveries/senders/999999999999/reopen").status_code == 303
    assert not certified.events("sender_reopened")


def test_lines_of_phones_are_grouped_by_cause_with_a_hint(operator: Browser, certified: Office) -> None:
    now = certified.world.clock()
    with certified.world.database.unit_of_work() as session:
        said = "Get pass task (pass type {0}, serial number …) encountered error: line {1} <b>"
        lines = [("fetch:signature", said.format("pass.com.example.kahve", number)) for number in range(3)]
        lines += [("fetch:signature", said.format("pass.com.example.other", 9)), ("list:status-502", "502!")]
        registrations.keep_log(session, lines, now=now)
        registrations.keep_log(session, lines[:1], now=now - timedelta(days=2))

    text = operator.get("/admin/device-logs").text

    assert text.count("3 lines") == 1
    assert text.count("1 line<") == 3
    assert "pass.com.example.other" in text
    assert "Phones did not accept the signature (when fetching a card)" in text
    assert "an answer 502" in text
    assert "line 2 &lt;b&gt;" in text
    assert "most of them: Phones did not accept the signature" in operator.get("/admin").text


def test_a_card_s_page_says_how_far_each_wallet_is_and_what_happened(operator: Browser, certified: Office) -> None:
    target = certified.target()
    now = certified.world.clock()
    with certified.world.database.unit_of_work() as session:
        card = cards.lock(session, certified.card.id)
        by = Actor(name="key:import", channel="api")
        sales.earn(session, card, Sale(amount_minor=12_000, currency="TRY"), by=by, now=now)
    log(certified, target)

    text = operator.get(f"/admin/cards/{certified.card.number}").text

    assert "Behind" in text
    assert "Purchase +12" in text
    assert "Refused" in text
    assert "400 BadTopic" in text
    assert 'class="face"' in text
    assert "Ayşe Y." in text
    assert "ayse@example.com" not in text


@pytest.mark.parametrize("grouping", ["{0}", "LY1:{0}", " {0} ", "ayse@example.com", "+90 532 123 45 67"])
def test_a_card_is_found_by_number_or_by_its_holder_s_contact(
    operator: Browser, certified: Office, grouping: str
) -> None:
    answer = operator.client.get("/admin/cards", query_string={"q": grouping.format(certified.card.number)})

    assert (answer.status_code, answer.location) == (303, f"/admin/cards/{certified.card.number}")


@pytest.mark.parametrize("text", ["nobody@example.com", "7K3M9QX2TDX", "\x00", "x" * 500, "' OR 1=1 --", "+90"])
def test_what_is_not_found_is_said_with_the_input_kept(operator: Browser, certified: Office, text: str) -> None:
    answer = operator.client.get("/admin/cards", query_string={"q": text})

    assert answer.status_code == 404
    assert "No card was found" in answer.text
    assert operator.get("/admin/cards/7K3M9QX2TDX").status_code == 404


def test_a_parked_card_is_tried_now(operator: Browser, certified: Office) -> None:
    target = certified.target(want=2, state="parked", last_status=400, last_reason="BadTopic")
    address = f"/admin/cards/{certified.card.number}/retry"

    page = operator.follow(operator.send(address, target=str(target.id)))

    assert "It is tried now" in page
    with certified.world.database.reading() as session:
        fresh = session.get_one(Target, target.id)
    assert (fresh.state, fresh.lane) == ("live", Lane.URGENT)
    assert len(certified.events("card_retried")) == 1


def test_a_wallet_that_is_up_to_date_is_not_tried(operator: Browser, certified: Office) -> None:
    target = certified.target()
    address = f"/admin/cards/{certified.card.number}/retry"

    assert "Nothing to do" in operator.follow(operator.send(address, target=str(target.id)))
    for wrong in ("", "x", "99999999999999999999", str(target.id + 1)):
        assert operator.send(address, target=wrong).status_code == 404
    assert not certified.events("card_retried")


def test_an_erased_card_can_still_be_looked_at(operator: Browser, certified: Office) -> None:
    with certified.world.database.unit_of_work() as session:
        card = cards.lock(session, certified.card.id)
        cards.erase(session, card.member, now=certified.world.clock())

    answer = operator.get(f"/admin/cards/{certified.card.number}")

    assert answer.status_code == 200
    assert "Erased" in answer.text
    assert "Ayşe" not in answer.text
