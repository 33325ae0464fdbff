"""Every route of sign-in and till, tried by every role and by a stranger; and where a till stands."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.staff.models import ROLES, AuditEvent, Staff
from app.world import World
from tests import factories
from tests.app.pages import csrf_of, post
from tests.app.till.conftest import Shop, Till

EVERYBODY = {"stranger", *ROLES}
SIGNED_IN = set(ROLES)
TILL = {"owner", "manager", "cashier"}
MATRIX: dict[tuple[str, str], set[str]] = {
    ("GET", "/login"): EVERYBODY,
    ("POST", "/login"): EVERYBODY,
    ("GET", "/login/code"): EVERYBODY,
    ("POST", "/login/code"): EVERYBODY,
    ("POST", "/logout"): EVERYBODY,
    ("GET", "/account"): SIGNED_IN,
    ("POST", "/account/language"): SIGNED_IN,
    ("POST", "/account/password"): SIGNED_IN,
    ("POST", "/account/pin"): SIGNED_IN,
    ("POST", "/account/authenticator"): SIGNED_IN,
    ("POST", "/account/authenticator/on"): SIGNED_IN,
    ("POST", "/account/authenticator/off"): SIGNED_IN,
    ("GET", "/till"): TILL,
    ("GET", "/till/cards/<serial>"): TILL,
    ("POST", "/till/scan"): TILL,
    ("POST", "/till/code/forget"): TILL,
    ("POST", "/till/cards/<serial>/code"): TILL,
    ("POST", "/till/cards/<serial>/collect"): TILL,
    ("POST", "/till/cards/<serial>/goal"): TILL,
    ("POST", "/till/cards/<serial>/earn"): TILL,
    ("POST", "/till/cards/<serial>/redeem"): TILL,
    ("POST", "/till/cards/<serial>/stamp"): TILL,
    ("POST", "/till/cards/<serial>/hold"): TILL,
    ("POST", "/till/cards/<serial>/move"): TILL,
    ("POST", "/till/undo"): TILL,
    ("GET", "/till/returns"): TILL,
    ("POST", "/till/returns"): TILL,
    ("GET", "/till/returns/<entry_id>"): TILL,
    ("POST", "/till/returns/<entry_id>"): TILL,
    ("POST", "/till/decode"): TILL,
    ("GET", "/till/people"): TILL,
    ("POST", "/till/people"): TILL,
    ("GET", "/till/people/pins"): TILL - {"cashier"},
    ("POST", "/till/people/pins/<staff_id>/remove"): TILL - {"cashier"},
    ("GET", "/till/day"): TILL,
    ("GET", "/till/day.<form>"): TILL,
    ("GET", "/till/slips/<entry_id>"): TILL,
    ("GET", "/till/slips/<entry_id>.<form>"): TILL,
    ("GET", "/till/notices"): TILL - {"cashier"},
    ("POST", "/till/notices/<notice_id>/dismiss"): TILL - {"cashier"},
    ("POST", "/till/notices/corrections/<adjustment_id>/<verdict>"): TILL - {"cashier"},
    ("POST", "/till/notices/corrections"): TILL - {"cashier"},
    ("GET", "/till/store"): TILL,
    ("POST", "/till/store"): TILL,
}


def test_the_table_names_every_route(app: Flask) -> None:
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(("staff.", "till.", "till_day.", "till_goods.", "till_notices.", "till_people."))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert routes == set(MATRIX)


@pytest.fixture
def people(world: World) -> dict[str, Staff]:
    with world.database.unit_of_work() as session:
        factories.store(session, factories.programme(session))
        return {role: factories.staff(session, role) for role in ROLES}


def tries(client: FlaskClient, method: str, path: str, token: str) -> int:
    address = path.replace("<serial>", "no-such-card")
    if method == "GET":
        return client.get(address, headers={"X-Requested-With": "fetch"}).status_code
    fields = {"csrf_token": token, "key": "k"}
    return client.post(address, data=fields, headers={"X-Requested-With": "fetch"}).status_code


def signed_in(app: Flask, people: dict[str, Staff], role: str) -> FlaskClient:
    client = app.test_client()
    if role != "stranger":
        post(client, "/login", page="/login", email=people[role].email, password=factories.PASSWORD)
    return client


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_each_role_is_let_in_or_kept_out_everywhere(app: Flask, people: dict[str, Staff], role: str) -> None:
    outcomes = {}
    client = signed_in(app, people, role)
    for method, path in sorted(MATRIX, key=lambda route: route[1] == "/logout"):
        token = csrf_of(client, "/login" if role == "stranger" else "/account")
        outcomes[method, path] = tries(client, method, path, token)

    kept_out = 401 if role == "stranger" else 403
    for route, allowed in MATRIX.items():
        if role in allowed:
            assert outcomes[route] not in {403, 500}, (route, outcomes[route])
            assert role != "stranger" or outcomes[route] in {200, 303, 401}, route
        else:
            assert outcomes[route] == kept_out, (route, outcomes[route])


def test_being_kept_out_is_a_page_and_a_line_in_the_audit_log(client, world: World, people: dict[str, Staff]) -> None:
    post(client, "/login", page="/login", email=people["marketer"].email, password=factories.PASSWORD)

    answer = client.get("/till")

    assert answer.status_code == 403
    with world.database.reading() as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert last is not None
    assert (last.actor, last.action, last.subject) == (
        f"staff:{people['marketer'].public_id}",
        "forbidden",
        "GET /till",
    )


def test_a_stranger_s_page_request_leads_to_the_sign_in_page(client) -> None:
    answer = client.get("/till?done=txn_1")

    assert (answer.status_code, answer.location) == (303, "/login?next=/till?done%3Dtxn_1")


def test_a_limit_that_was_hit_is_in_the_audit_log(till: Till, shop: Shop) -> None:
    till.earn(shop.card, "10000,01")

    with shop.world.database.reading() as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert last is not None
    assert (last.action, last.reason) == ("limit_hit", "needs_manager")


def test_a_person_of_the_whole_programme_chooses_a_store_once(app: Flask, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        walker = factories.staff(session, "cashier", email="w@example.com", programme=shop.programme)
    till = Till(app, walker)

    assert till.client.get("/till").location == "/till/store"
    assert till.scan(shop.card.number).status_code == 303
    page = till.client.get("/till/store").text
    assert "Kadıköy" in page
    assert "Beşiktaş" in page
    till.send("/till/store", place=shop.other_store.public_id)
    till.done(till.earn(shop.card, "50"))

    assert shop.entries()[0].store_id == shop.other_store.id


@pytest.mark.parametrize("place", ["", "sto_unknown", "\x00"])
def test_a_store_that_is_not_in_the_list_cannot_be_chosen(app: Flask, shop: Shop, place: str) -> None:
    with shop.world.database.unit_of_work() as session:
        walker = factories.staff(session, "cashier", email="w@example.com", programme=shop.programme)
    till = Till(app, walker)

    assert till.send("/till/store", place=place).status_code == 422


def test_nobody_stands_in_another_programme_s_store(app: Flask, till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other")
        foreign = factories.store(session, other, "Foreign")

    assert till.send("/till/store", place=foreign.public_id).status_code == 422
    assert "Foreign" not in till.client.get("/till/store").text


def test_without_any_programme_the_till_says_what_to_do(client, world: World) -> None:
    with world.database.unit_of_work() as session:
        factories.staff(session, "owner")
    post(client, "/login", page="/login", email="owner@example.com", password=factories.PASSWORD)

    assert "No programme yet" in client.get(client.get("/till").location).text
