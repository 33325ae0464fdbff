"""The page of webhooks: made, tried, switched, sent again; secrets shown once; strangers kept out."""

import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.settings import Settings
from app.webhooks.deliver import Deliverer
from app.webhooks.models import Endpoint
from app.world import World
from tests import factories
from tests.app.admin.conftest import Browser, Office
from tests.app.webhooks.sink import Sink, sink


@pytest.fixture
def receiving() -> Any:
    with sink() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, receiving: Sink) -> Settings:
    return replace(settings, webhook_allow=frozenset({receiving.neighbour}))


def deliver(world: World) -> None:
    made = Deliverer(threads=2)
    while made.deliver_due(world):
        pass
    made.close()


def add(operator: Browser, url: str, **over: str) -> str:
    """The address of the page of a new webhook."""
    answer = operator.send("/admin/webhooks", url=url, **{"event-card.created": "yes", **over})
    assert answer.status_code == 201, answer.text
    found = re.search(r'action="(/admin/webhooks/whk_[^"/]+)/test"', answer.text)
    assert found
    return found[1]


def only(world: World) -> Endpoint:
    with world.database.reading() as session:
        return session.scalars(select(Endpoint)).one()


def test_a_new_webhook_shows_its_secret_once(operator: Browser, office: Office, receiving: Sink) -> None:
    answer = operator.send("/admin/webhooks", url=receiving.url, description="Shop", **{"event-card.created": "yes"})

    assert answer.status_code == 201
    assert len(re.findall(r"whsec_[A-Za-z0-9+/=]{40,}", answer.text)) == 1
    page = operator.get("/admin/webhooks").text
    assert "Shop" in page
    assert "Not used yet" in page
    assert "whsec_" not in page
    assert "whsec_" not in operator.get(f"/admin/webhooks/{only(office.world).public_id}").text
    assert [one.after for one in office.events("webhook_created")] == [None]


def test_an_address_that_must_not_be_reached_is_said_beside_its_field(operator: Browser, office: Office) -> None:
    answer = operator.send("/admin/webhooks", url="https://169.254.169.254/", **{"event-card.created": "yes"})

    assert answer.status_code == 422
    assert "metadata service" in answer.text
    assert 'value="https://169.254.169.254/"' in answer.text


def test_without_an_event_it_is_not_made(operator: Browser, office: Office, receiving: Sink) -> None:
    answer = operator.send("/admin/webhooks", url=receiving.url)

    assert answer.status_code == 422
    assert "Choose at least one event." in answer.text


def test_a_test_is_sent_and_its_answer_shown_and_sent_again(operator: Browser, office: Office, receiving: Sink) -> None:
    receiving.answer = lambda _: (500, {}, b"<b>a secret of theirs</b>")
    page = add(operator, receiving.url)
    assert "A test is on its way" in operator.follow(operator.send(f"{page}/test"))
    deliver(office.world)

    shown = operator.get(page).text
    assert "It answered 500" in shown
    assert "secret of theirs" not in shown
    assert "It fails since" in shown
    assert "Failing" in operator.get("/admin/webhooks").text

    receiving.answer = lambda _: 204
    found = re.search(r'name="delivery" value="([^"]+)"', shown)
    assert found
    assert "1 event is sent again." in operator.follow(operator.send(f"{page}/replay", delivery=found[1]))
    deliver(office.world)
    assert len({one.id for one in receiving.received}) == 1
    assert "Working" in operator.get(page).text


def test_a_webhook_is_switched_off_and_on_changed_and_deleted(
    operator: Browser, office: Office, receiving: Sink
) -> None:
    page = add(operator, receiving.url)

    assert "Nothing is sent to it" in operator.follow(operator.send(f"{page}/switch", to="off"))
    assert only(office.world).state == "disabled"
    assert "It is on" in operator.follow(operator.send(f"{page}/switch", to="on"))
    operator.follow(operator.send(page, url=receiving.url, description="Till", **{"event-card.updated": "yes"}))
    assert (only(office.world).events, only(office.world).description) == (["card.updated"], "Till")
    refused = operator.send(page, url="http://shop.example.com/", **{"event-card.updated": "yes"})
    assert refused.status_code == 422
    assert only(office.world).url == receiving.url
    rotated = operator.send(f"{page}/rotate")
    assert "whsec_" in rotated.text
    assert "The old secret signs until" in rotated.text
    assert "No webhooks yet" in operator.follow(operator.send(f"{page}/delete"))
    assert operator.get(page).status_code == 404


def test_a_span_of_time_is_sent_again_and_a_wrong_one_is_said(
    operator: Browser, office: Office, receiving: Sink
) -> None:
    page = add(operator, receiving.url)
    with office.world.database.unit_of_work() as session:
        factories.card(session, office.programme, "Fatma Demir", now=office.world.clock())
    deliver(office.world)

    wrong = operator.send(f"{page}/replay", since="yesterday", until="")
    assert wrong.status_code == 422
    assert "Choose a day and a time." in wrong.text
    span = {"since": "2026-11-20T09:00", "until": "2026-11-20T11:00"}
    assert "1 event is sent again." in operator.follow(operator.send(f"{page}/replay", **span))
    deliver(office.world)

    assert [one.event["type"] for one in receiving.received] == ["card.created"] * 2


def test_who_only_reads_changes_nothing_and_strangers_see_nothing(
    app: Flask, office: Office, operator: Browser, receiving: Sink
) -> None:
    page = add(operator, receiving.url)
    with office.world.database.unit_of_work() as session:
        auditor = factories.staff(session, "auditor")
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        mallory = factories.staff(session, "operator", email="mallory@example.com", programme=other)
    reader, stranger = Browser(app, auditor), Browser(app, mallory)

    assert reader.get(page).status_code == 200
    assert 'method="post" action="/admin/webhooks' not in reader.get(page).text
    assert "whk_" not in stranger.get("/admin/webhooks").text
    for one, status in ((reader, 403), (stranger, 403)):
        for path in ("/test", "/switch", "/rotate", "/delete", "/replay", ""):
            assert one.send(f"{page}{path}", url=receiving.url).status_code == status
    assert stranger.get(page).status_code == 403
    assert only(office.world).state == "enabled"


def test_a_programme_s_operator_makes_webhooks_of_that_programme_alone(
    app: Flask, office: Office, receiving: Sink
) -> None:
    with office.world.database.unit_of_work() as session:
        own = factories.staff(session, "operator", email="own@example.com", programme=office.programme)
    mine = Browser(app, own)

    refused = mine.send("/admin/webhooks", url=receiving.url, **{"event-card.created": "yes"})
    assert refused.status_code == 422
    add(mine, receiving.url, programme=office.programme.public_id)

    assert only(office.world).programme_id == office.programme.id
    assert "event-alarm" not in mine.get("/admin/webhooks").text
