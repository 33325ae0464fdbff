"""Webhooks through the API: made, changed, tried, replayed, and hidden from strangers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from sqlalchemy import select

from app.api.webhook_events import DATA, envelope
from app.idempotency import RequestKey
from app.settings import Settings
from app.webhooks import endpoints, kinds
from app.webhooks.deliver import Deliverer
from app.webhooks.models import Endpoint
from app.world import World
from tests.app.api.conftest import Api, Shop, problem
from tests.app.webhooks import receiver
from tests.app.webhooks.sink import Sink, sink

URL = "https://93.184.216.34/hooks/tessera"


@pytest.fixture
def receiving() -> Any:
    with sink() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, receiving: Sink) -> Settings:
    return replace(settings, webhook_allow=frozenset({receiving.neighbour}))


@pytest.fixture
def mine(app: Flask, shop: Shop, key_for: Callable[..., str]) -> Api:
    """A key of scope admin for our programme alone."""
    return Api(client=app.test_client(), key=key_for("admin", shop.programme))


def deliver(world: World) -> None:
    made = Deliverer(threads=2)
    while made.deliver_due(world):
        pass
    made.close()


def made(api: Api, **over: Any) -> dict[str, Any]:
    answer = api.post("/webhooks", {"url": URL, **over})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_webhook_shows_its_secret_once_and_keeps_it_sealed(admin: Api, world: World) -> None:
    answer = admin.post("/webhooks", {"url": URL, "events": ["card.created"], "description": "Shop"})

    body = answer.get_json()
    assert answer.status_code == 201
    assert body["secret"].startswith("whsec_")
    assert {name: body[name] for name in ("url", "events", "programme", "state", "disabled_because")} == {
        "url": URL, "events": ["card.created"], "programme": None, "state": "enabled", "disabled_because": None,
    }  # fmt: skip
    for again in (admin.get(f"/webhooks/{body['id']}").get_json(), admin.get("/webhooks").get_json()["items"][0]):
        assert again == {name: value for name, value in body.items() if name != "secret"}
    raw = body["secret"].removeprefix("whsec_")
    with world.database.reading() as session:
        kept = session.scalars(select(Endpoint)).one().secret_sealed
        answers = "".join(session.scalars(select(RequestKey.answer)))
    assert raw not in answers
    assert raw.encode() not in kept


def test_a_repeated_request_gets_the_same_secret_and_makes_nothing_new(admin: Api) -> None:
    key = {"Idempotency-Key": "make-one"}

    first = admin.post("/webhooks", {"url": URL}, headers=key)
    second = admin.post("/webhooks", {"url": URL}, headers=key)

    assert first.get_json() == second.get_json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(admin.get("/webhooks").get_json()["items"]) == 1


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://shop.example.com/hook", "https"),
        ("https://127.0.0.1/hook", "public"),
        ("https://localhost/hook", "public"),
        ("https://10.0.0.1/hook", "private"),
        ("https://169.254.169.254/latest/meta-data", "metadata"),
        ("https://[::ffff:127.0.0.1]/", "IPv4"),
        ("https://shop.example.com:8443/hook", "port 443"),
        ("https://me:word@shop.example.com/", "password"),
        ("https://2130706433/", "name"),
        ("not an address", "whole address"),
    ],
)
def test_an_address_that_must_not_be_reached_is_refused_and_says_why(admin: Api, url: str, word: str) -> None:
    body = problem(admin.post("/webhooks", {"url": url}), 422, "webhook_address")

    assert word in body["errors"]["url"]
    assert admin.get("/webhooks").get_json()["items"] == []


def test_a_changed_address_is_judged_as_well(admin: Api) -> None:
    name = made(admin)["id"]

    problem(admin.call("PATCH", f"/webhooks/{name}", {"url": "https://192.168.0.1/"}), 422, "webhook_address")

    assert admin.get(f"/webhooks/{name}").get_json()["url"] == URL


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["card.eaten"]}, "events"),
        ({"url": URL, "events": "card.created"}, "events"),
        ({"url": URL, "events": [None]}, "events"),
        ({"url": URL, "description": "x" * 201}, "description"),
        ({"url": URL, "colour": "red"}, "colour"),
        ({"url": 7}, "url"),
    ],
)
def test_a_faulty_body_is_refused_by_field(admin: Api, body: dict[str, Any], field: str) -> None:
    refused = problem(admin.post("/webhooks", body), 422, "invalid_body")

    assert any(name.startswith(field) for name in refused["errors"])


def test_a_programme_s_webhook_is_not_told_of_alarms(admin: Api, shop: Shop) -> None:
    refused = admin.post("/webhooks", {"url": URL, "programme": "kahve", "events": [kinds.ALARM_RAISED]})

    problem(refused, 422, "invalid_webhook")
    assert kinds.ALARM_RAISED not in made(admin, programme="kahve")["events"]
    assert kinds.ALARM_RAISED in made(admin)["events"]


def test_a_smaller_scope_is_refused(api: Api) -> None:
    problem(api.get("/webhooks"), 403, "scope_too_small")
    problem(api.post("/webhooks", {"url": URL}), 403, "scope_too_small")


def test_a_key_of_one_programme_sees_its_own_webhooks_and_no_others(admin: Api, mine: Api, shop: Shop) -> None:
    whole, strange = made(admin)["id"], made(admin, programme="stranger")["id"]
    own = made(mine)

    assert own["programme"] == shop.programme.public_id
    assert [one["id"] for one in mine.get("/webhooks").get_json()["items"]] == [own["id"]]
    problem(mine.post("/webhooks", {"url": URL, "programme": "stranger"}), 404, "unknown_programme")
    for name in (whole, strange, "whk_unknown"):
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"enabled": False}),
            ("DELETE", "", None),
            ("POST", "/rotate", None),
            ("POST", "/test", None),
            ("GET", "/deliveries", None),
            ("POST", "/deliveries/x/replay", None),
            ("POST", "/replay", {"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}),
        ):
            problem(mine.call(method, f"/webhooks/{name}{path}", body), 404, "unknown_webhook")


def test_a_ping_arrives_signed_and_is_in_the_list(admin: Api, world: World, receiving: Sink) -> None:
    hook = made(admin, url=receiving.url)

    told = admin.post(f"/webhooks/{hook['id']}/test")
    deliver(world)

    assert told.status_code == 202
    (one,) = receiving.received
    assert one.event["type"] == "ping"
    assert receiver.check(hook["secret"], one.headers, one.body, now_s=world.clock().timestamp()) == one.event["id"]
    (listed,) = admin.get(f"/webhooks/{hook['id']}/deliveries").get_json()["items"]
    assert (listed["id"], listed["event"], listed["type"]) == (told.get_json()["id"], one.id, "ping")
    assert (listed["state"], listed["status"], listed["attempts"]) == ("sent", 204, 1)


def test_what_failed_is_sent_again_under_its_id(admin: Api, world: World, receiving: Sink) -> None:
    receiving.answer = lambda _: 410
    hook = made(admin, url=receiving.url)["id"]
    admin.post(f"/webhooks/{hook}/test")
    deliver(world)
    shown = admin.get(f"/webhooks/{hook}").get_json()
    assert (shown["state"], shown["disabled_because"], shown["last_status"]) == ("disabled", "gone", 410)
    (parked,) = admin.get(f"/webhooks/{hook}/deliveries").get_json()["items"]
    assert parked["state"] == "parked"
    replay = f"/webhooks/{hook}/deliveries/{parked['id']}/replay"
    problem(admin.post(replay), 409, "webhook_disabled")
    problem(admin.post(f"/webhooks/{hook}/test"), 409, "webhook_disabled")

    receiving.answer = lambda _: 204
    assert admin.call("PATCH", f"/webhooks/{hook}", {"enabled": True}).get_json()["state"] == "enabled"
    assert admin.post(replay).status_code == 202
    deliver(world)

    assert [one.id for one in receiving.received] == [parked["event"]] * 2
    problem(admin.post(f"/webhooks/{hook}/deliveries/evt_x.whk_y/replay"), 404, "unknown_delivery")


def test_a_span_is_sent_again_with_what_was_missed_while_off(
    admin: Api, api: Api, world: World, receiving: Sink, shop: Shop
) -> None:
    hook = made(admin, url=receiving.url, events=["transaction.created"])["id"]
    for receipt, enabled in (("A", False), ("B", True)):
        answer = api.post(f"/cards/{shop.card.number}/earn", {"amount": "10.00", "receipt": receipt})
        assert answer.status_code == 201
        deliver(world)
        admin.call("PATCH", f"/webhooks/{hook}", {"enabled": enabled})
    assert len(receiving.received) == 1

    span = {"since": "2026-11-20T09:00:00Z", "until": "2026-11-20T11:00:00Z"}
    answer = admin.post(f"/webhooks/{hook}/replay", span)
    deliver(world)

    assert (answer.status_code, answer.get_json()) == (202, {"count": 2})
    receipts = [one.event["data"]["transaction"]["receipt"] for one in receiving.received]
    assert sorted(receipts) == ["A", "A", "B"]
    assert len({one.id for one in receiving.received}) == 2
    backwards = {"since": span["until"], "until": span["since"]}
    problem(admin.post(f"/webhooks/{hook}/replay", backwards), 422, "invalid_range")


def test_deliveries_come_by_pages_newest_first(admin: Api, receiving: Sink) -> None:
    hook = made(admin, url=receiving.url)["id"]
    names = [admin.post(f"/webhooks/{hook}/test").get_json()["id"] for _ in range(5)]

    first = admin.get(f"/webhooks/{hook}/deliveries?limit=3").get_json()
    second = admin.get(f"/webhooks/{hook}/deliveries?limit=3&cursor={first['next']}").get_json()

    assert [one["id"] for one in first["items"] + second["items"]] == names[::-1]
    assert second["next"] is None
    other = made(admin, url=receiving.url)["id"]
    problem(admin.get(f"/webhooks/{other}/deliveries?cursor={first['next']}"), 422, "invalid_cursor")


def test_a_new_secret_signs_beside_the_old_one(admin: Api, world: World, receiving: Sink) -> None:
    hook = made(admin, url=receiving.url)

    rotated = admin.post(f"/webhooks/{hook['id']}/rotate").get_json()
    admin.post(f"/webhooks/{hook['id']}/test")
    deliver(world)

    assert rotated["old_secret_until"] == "2026-11-21T10:00:00.000+00:00"
    (one,) = receiving.received
    for secret in (hook["secret"], rotated["secret"]):
        receiver.check(secret, one.headers, one.body, now_s=world.clock().timestamp())


def test_a_deleted_webhook_is_gone_and_gets_nothing_that_waited(admin: Api, world: World, receiving: Sink) -> None:
    hook = made(admin, url=receiving.url)["id"]
    admin.post(f"/webhooks/{hook}/test")

    assert admin.call("DELETE", f"/webhooks/{hook}").status_code == 204
    deliver(world)

    assert receiving.received == []
    problem(admin.get(f"/webhooks/{hook}"), 404, "unknown_webhook")
    assert admin.get("/webhooks").get_json()["items"] == []


def test_there_is_an_end_to_the_number_of_webhooks(admin: Api) -> None:
    for _ in range(endpoints.ENDPOINTS_MAX):
        made(admin)

    problem(admin.post("/webhooks", {"url": URL}), 409, "too_many_webhooks")


def test_every_event_is_described_and_every_body_keeps_to_its_description(
    client: FlaskClient, admin: Api, api: Api, world: World, receiving: Sink
) -> None:
    hook = made(admin, url=receiving.url)["id"]
    card = api.post("/members", {"programme": "kahve", "name": "Fatma Demir"}).get_json()["card"]["number"]
    sale = api.post(f"/cards/{card}/earn", {"amount": "50.00"}).get_json()["transaction"]
    assert (
        api.post(
            f"/transactions/{sale['id'] if isinstance(sale, dict) else sale}/reverse", {"reason": "no"}
        ).status_code
        == 201
    )
    admin.post(f"/webhooks/{hook}/test")
    deliver(world)

    described = client.get("/api/openapi.json").get_json()["webhooks"]
    assert set(described) == set(DATA) == {*kinds.ALL, kinds.PING}
    said = [one.event for one in receiving.received]
    assert {one["type"] for one in said} == {"card.created", "card.updated", "transaction.created", "ping"}
    for one in said:
        schema = described[one["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert schema == envelope(one["type"])
        assert [error.message for error in Draft202012Validator(schema).iter_errors(one)] == []
        extra = set(one["data"]) - set(schema["properties"]["data"]["properties"])
        assert extra == set()
