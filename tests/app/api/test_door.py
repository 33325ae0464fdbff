"""The API's door: keys and scopes, hostile requests, and the same answer for the same request."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app import idempotency
from app.api.limits import Buckets
from app.api.routes import LIMITS, OPERATIONS
from app.cards import service as cards
from app.ledger.models import Entry
from app.staff import service as staff
from app.staff.models import ApiKey
from app.world import World
from tests.app.api.conftest import Api, Shop, make_app, make_key, make_shop, problem
from tests.conftest import MovableClock, application

EARN = {"amount": "125.00"}
SCOPES = ("read", "write", "admin")


def path_of(rule: str, shop: Shop) -> str:
    """An address of this rule that leads to something of ours, where there is something."""
    names = {
        "<programme>": "kahve",
        "<member>": shop.card.member.public_id,
        "<number>": shop.card.number,
        "<transaction>": "txn_none",
        "<offer>": "off_none",
    }
    for name, value in names.items():
        rule = rule.replace(name, value)
    return rule


def test_every_call_wants_a_key(client: FlaskClient, shop: Shop) -> None:
    for operation in OPERATIONS:
        answer = client.open(f"/api/v1{path_of(operation.rule, shop)}", method=operation.method, json={})
        problem(answer, 401, "key_missing")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token x", "\xff\xfe"])
def test_anything_but_a_bearer_key_is_no_key(client: FlaskClient, header: str) -> None:
    problem(client.get("/api/v1/programmes", headers={"Authorization": header}), 401, "key_missing")


@pytest.mark.parametrize("text", ["nonsense", "tsk_nonsense", "tsk_" + "x" * 500, "tsk_\xe9", "tsk_a b"])
def test_a_key_that_was_never_made_opens_nothing(client: FlaskClient, text: str) -> None:
    problem(client.get("/api/v1/programmes", headers={"Authorization": f"Bearer {text}"}), 401, "key_unknown")


def test_a_revoked_key_opens_nothing_from_then_on(api: Api, world: World) -> None:
    assert api.get("/programmes").status_code == 200
    with world.database.unit_of_work() as session:
        for key in session.scalars(select(ApiKey)):
            staff.revoke_key(session, key.public_id, now=world.clock())

    answer = api.get("/programmes")

    problem(answer, 401, "key_unknown")
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_too_small_is_refused_and_one_that_suffices_is_not(
    client: FlaskClient, shop: Shop, key_for: Callable[..., str], scope: str
) -> None:
    api = Api(client=client, key=key_for(scope))

    for operation in OPERATIONS:
        answer = api.call(operation.method, path_of(operation.rule, shop), {} if operation.body else None)
        suffices = SCOPES.index(scope) >= SCOPES.index(operation.scope)
        assert (answer.status_code != 403) == suffices, (operation.name, answer.text)


def test_a_key_of_one_programme_sees_nothing_of_another(bound: Api, api: Api, shop: Shop) -> None:
    number, member = shop.other_card.number, shop.other_card.member.public_id
    earned = api.post(f"/cards/{number}/earn", EARN).get_json()["transaction"]["id"]
    window = {"starts_at": "2026-11-20T14:00:00Z", "ends_at": "2026-11-20T18:00:00Z"}
    offer = api.post("/offers", {"programme": "stranger", "title": "X", **window}).get_json()["id"]
    api.post("/rewards", {"programme": "stranger", "name": "X", "points": 1})

    for path in (f"/cards/{number}", f"/members/{member}", "/programmes/stranger", f"/transactions/{earned}",
                 f"/offers/{offer}", f"/transactions?card={number}", "/members?programme=stranger"):  # fmt: skip
        assert bound.get(path).status_code == 404, path
    writes: list[tuple[str, dict[str, Any] | None]] = [
        (f"/cards/{number}/earn", EARN),
        (f"/cards/{number}/redeem", {"points": 1}),
        (f"/transactions/{earned}/reverse", {"reason": "x"}),
        (f"/offers/{offer}/cancel", None),
        ("/offers", {"programme": "stranger", "title": "X", **window}),
        ("/members", {"programme": shop.other.public_id, "name": "X"}),
        ("/stores", {"programme": "stranger", "name": "X"}),
        (f"/cards/{shop.card.number}/redeem", {"offer": offer}),
    ]
    for path, body in writes:
        assert bound.post(path, body).status_code == 404, path
    assert bound.call("DELETE", f"/members/{member}").status_code == 404
    assert [one["slug"] for one in bound.get("/programmes").get_json()["items"]] == ["kahve"]
    assert [one["name"] for one in bound.get("/members").get_json()["items"]] == ["Ayşe Yılmaz"]
    assert [one["name"] for one in bound.get("/stores").get_json()["items"]] == ["Kadıköy"]
    assert bound.get("/rewards").get_json()["items"] == bound.get("/offers").get_json()["items"] == []


def test_a_programme_cannot_be_made_by_a_key_of_another(
    client: FlaskClient, shop: Shop, key_for: Callable[..., str]
) -> None:
    bound = Api(client=client, key=key_for("admin", shop.programme))
    wanted = {
        "slug": "x", "name": "X", "currency": "TRY", "timezone": "UTC", "language": "en",
        "pass_type_identifier": "pass.x.y", "team_identifier": "A1B2C3D4E5", "organization_name": "X",
    }  # fmt: skip

    problem(bound.post("/programmes", wanted), 403, "scope_too_small")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'amount': 1}",
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b'{"amount": 1e999}',
        b'{"amount": "1", "amount": "2"}',
        b'{"receipt": "\\u0000", "amount": "1"}',
        b'{"receipt": "\\ud800", "amount": "1"}',
        b'{"\\ud800": 1, "amount": "1"}',
        b'{"receipt": "\xed\xa0\x80", "amount": "1"}',
        b'{"receipt": "\xff", "amount": "1"}',
        b'{"amount": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        '{"amount": "1"}'.encode("utf-16"),
    ],
    ids=range(15),
)
def test_a_body_that_is_no_json_is_refused(api: Api, shop: Shop, raw: bytes) -> None:
    answer = api.post(f"/cards/{shop.card.number}/earn", data=raw, content_type="application/json")

    problem(answer, 400, "broken_json")


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"x"', b"1", b"true"])
def test_a_body_that_is_no_object_is_refused(api: Api, shop: Shop, raw: bytes) -> None:
    answer = api.post(f"/cards/{shop.card.number}/earn", data=raw, content_type="application/json")

    assert problem(answer, 422, "invalid_body")["errors"] == {"body": "Send a JSON object with named fields."}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_a_body_of_another_kind_is_refused(api: Api, shop: Shop, kind: str | None) -> None:
    answer = api.post(f"/cards/{shop.card.number}/earn", data=b'{"amount": "1"}', content_type=kind)

    problem(answer, 415, "unsupported_media_type")


def test_a_body_too_large_is_refused_before_it_is_read(api: Api, shop: Shop) -> None:
    huge = json.dumps({"amount": "1", "receipt": "x" * 300_000}).encode()

    problem(api.post(f"/cards/{shop.card.number}/earn", data=huge, content_type="application/json"), 413, "too_large")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=1000000", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=1&limit=2",
     "limit=" + "9" * 5000, "cursor=x", "cursor=%00", "cursor=" + "A" * 64, "cursor=" + "A" * 5000, "cursor=%FF",
     "cursor=..%2F..", "page=2", "%00=1", "programme=%00"],
)  # fmt: skip
def test_a_hostile_query_is_refused(api: Api, query: str) -> None:
    answer = api.get(f"/members?{query}")

    assert answer.status_code == 422, answer.text
    assert answer.get_json()["errors"]


def test_a_cursor_of_one_list_does_not_open_another(api: Api) -> None:
    cursor = api.get("/members?limit=1").get_json()["next"]

    problem(api.get(f"/stores?cursor={cursor}"), 422, "invalid_cursor")
    problem(api.get(f"/members?cursor={cursor[:-4]}AAAA"), 422, "invalid_cursor")


def test_what_is_not_there_is_a_problem_too(api: Api) -> None:
    problem(api.get("/flags"), 404, "not_found")
    answer = api.call("PUT", "/programmes", {})
    problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(",", " ").split())


def test_moving_points_needs_an_idempotency_key(api: Api, shop: Shop) -> None:
    for path, body in ((f"/cards/{shop.card.number}/earn", EARN), (f"/cards/{shop.card.number}/redeem", {"points": 1}),
                       ("/transactions/txn_x/reverse", {"reason": "x"})):  # fmt: skip
        for header in (None, ""):
            problem(api.post(path, body, headers={"Idempotency-Key": header}), 400, "idempotency_key_missing")
        for header in ("x" * 256, "sch\xf6n", "a\tb"):
            problem(api.post(path, body, headers={"Idempotency-Key": header}), 400, "idempotency_key_invalid")


def test_other_writes_work_without_an_idempotency_key_and_honour_one(api: Api) -> None:
    body = {"programme": "kahve", "name": "Coffee", "points": 5}
    api.post("/rewards", body, headers={"Idempotency-Key": None})
    api.post("/rewards", body, headers={"Idempotency-Key": None})
    first = api.post("/rewards", body, headers={"Idempotency-Key": "mine"})
    again = api.post("/rewards", body, headers={"Idempotency-Key": "mine"})

    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    assert len(api.get("/rewards").get_json()["items"]) == 3


def test_the_same_key_and_body_answer_the_same_and_move_points_once(api: Api, shop: Shop, world: World) -> None:
    once = {"headers": {"Idempotency-Key": "sale-1"}}
    answers = [api.post(f"/cards/{shop.card.number}/earn", EARN, **once) for _ in range(3)]

    assert {(one.status_code, one.text) for one in answers} == {(201, answers[0].text)}
    assert [one.headers.get("Idempotency-Replayed") for one in answers] == [None, "true", "true"]
    with world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Entry)) == 1


def test_the_same_key_with_another_request_is_refused(api: Api, shop: Shop) -> None:
    once = {"headers": {"Idempotency-Key": "sale-1"}}
    path = f"/cards/{shop.card.number}/earn"
    api.post(path, EARN, **once)

    problem(api.post(path, {"amount": "126.00"}, **once), 422, "idempotency_mismatch")
    problem(api.post(f"/cards/{shop.other_card.number}/earn", EARN, **once), 422, "idempotency_mismatch")
    assert api.post(f"/cards/{shop.card.number}/redeem", {"points": 12}, **once).status_code == 201


def test_each_caller_has_keys_of_their_own(api: Api, bound: Api, shop: Shop) -> None:
    once = {"headers": {"Idempotency-Key": "1"}}
    path = f"/cards/{shop.card.number}/earn"

    assert [one.post(path, EARN, **once).get_json()["balance"] for one in (api, bound)] == [12, 24]


def test_a_refusal_is_not_kept_so_the_key_can_be_used_again(api: Api, shop: Shop) -> None:
    once = {"headers": {"Idempotency-Key": "spend-1"}}
    path = f"/cards/{shop.card.number}"
    problem(api.post(f"{path}/redeem", {"points": 12}, **once), 422, "insufficient")
    api.post(f"{path}/earn", EARN)

    assert api.post(f"{path}/redeem", {"points": 12}, **once).status_code == 201


def test_keys_that_moved_points_are_kept_for_ever_and_others_for_a_while(
    api: Api, shop: Shop, world: World, clock: MovableClock
) -> None:
    api.post(f"/cards/{shop.card.number}/earn", EARN, headers={"Idempotency-Key": "sale"})
    api.post("/rewards", {"programme": "kahve", "name": "A", "points": 5}, headers={"Idempotency-Key": "reward"})
    clock.advance(days=400)
    with world.database.unit_of_work() as session:
        idempotency.forget_before(session, clock())

    again = api.post(f"/cards/{shop.card.number}/earn", EARN, headers={"Idempotency-Key": "sale"})

    assert again.headers["Idempotency-Replayed"] == "true"
    with world.database.reading() as session:
        assert list(session.scalars(select(idempotency.RequestKey.key))) == ["sale"]


def test_an_answer_says_how_many_calls_are_left(api: Api) -> None:
    first, second = (api.get("/programmes").headers for _ in range(2))

    assert int(second["RateLimit-Remaining"]) <= int(first["RateLimit-Limit"])
    assert first["RateLimit-Limit"] == "1200"


def test_a_bucket_gives_its_burst_then_waits_and_refills() -> None:
    buckets = Buckets(burst=3, per_second=2)

    taken = [buckets.take("a", at_s=100.0) for _ in range(4)]

    assert [one.wait_s for one in taken] == [0, 0, 0, 1]
    assert [one.remaining for one in taken] == [2, 1, 0, 0]
    assert buckets.take("b", at_s=100.0).wait_s == 0
    assert [buckets.take("a", at_s=101.0).wait_s for _ in range(3)] == [0, 0, 1]


def test_a_key_that_calls_too_fast_is_told_to_wait_and_others_are_not(app: Flask, api: Api, bound: Api) -> None:
    app.extensions[LIMITS] = Buckets(burst=2, per_second=0.001)

    answers = [api.get("/programmes") for _ in range(3)]

    assert [one.status_code for one in answers[:2]] == [200, 200]
    problem(answers[2], 429, "slow_down")
    assert int(answers[2].headers["Retry-After"]) >= 900
    assert answers[2].headers["RateLimit-Remaining"] == "0"
    assert bound.get("/programmes").status_code == 200


@pytest.mark.parametrize(
    "raised", [NoConnectionFree("pool"), OperationalError("x", {}, Exception("database is locked"))]
)
def test_a_database_that_is_taken_is_told_as_busy(app: Flask, raised: Exception) -> None:
    def fail() -> None:
        raise raised

    app.add_url_rule("/api/fails", view_func=fail)
    answer = app.test_client().get("/api/fails")

    problem(answer, 503, "busy")
    assert answer.headers["Retry-After"] == "2"


def test_a_lock_that_another_holds_too_long_is_told_as_busy_and_changes_nothing(
    any_world: World,
) -> None:
    """PostgreSQL gives up after three seconds, SQLite after five."""
    held = make_shop(any_world)
    api = Api(client=make_app(any_world).test_client(), key=make_key(any_world, "write"))
    path = f"/cards/{held.card.number}/earn"

    with any_world.database.unit_of_work() as session:
        cards.lock(session, held.card.id)
        answer = api.post(path, EARN, headers={"Idempotency-Key": "late"})

    problem(answer, 503, "busy")
    assert api.post(path, EARN, headers={"Idempotency-Key": "late"}).get_json()["balance"] == 12


def test_the_service_serves_the_api(world: World) -> None:
    client = application(world).test_client()

    problem(client.get("/api/v1/programmes"), 401, "key_missing")
    problem(client.post("/api/v1/programmes", json={}), 401, "key_missing")  # no form token is asked for
    assert client.get("/api/openapi.json").status_code == 200
