"""Every route of the operator's room, tried by every role and by a stranger; and programmes that are not one's own."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from app.staff.models import ROLES, AuditEvent, Staff
from app.world import World
from tests import factories
from tests.app.admin.conftest import Browser, Office

READ = {"owner", "operator", "auditor", "support"}
WRITE = {"owner", "operator"}
DECIDE = {"owner", "operator", "support"}
PROGRAMME = "/admin/programmes/<slug>"
WEBHOOK = "/admin/webhooks/<name>"
MATRIX: dict[tuple[str, str], set[str]] = {
    ("GET", "/admin"): READ,
    ("GET", "/admin/certificates"): READ,
    ("GET", "/admin/programmes"): READ,
    ("POST", "/admin/programmes"): WRITE,
    ("GET", "/admin/programmes/new"): WRITE,
    ("GET", PROGRAMME): READ,
    ("POST", f"{PROGRAMME}/status"): WRITE,
    ("GET", f"{PROGRAMME}/stores"): READ,
    ("POST", f"{PROGRAMME}/stores"): WRITE,
    ("POST", f"{PROGRAMME}/stores/regions"): WRITE,
    ("GET", f"{PROGRAMME}/rewards"): READ,
    ("POST", f"{PROGRAMME}/rewards"): WRITE,
    ("POST", f"{PROGRAMME}/rewards/<reward_id>/end"): WRITE,
    ("GET", f"{PROGRAMME}/rewards/new"): WRITE,
    ("GET", f"{PROGRAMME}/rewards/<reward_id>"): READ,
    ("POST", f"{PROGRAMME}/rewards/<reward_id>"): WRITE,
    ("POST", f"{PROGRAMME}/rewards/<reward_id>/stock"): WRITE,
    ("POST", f"{PROGRAMME}/rewards/<reward_id>/slots"): WRITE,
    ("POST", f"{PROGRAMME}/rewards/<reward_id>/slots/<slot_id>/call-off"): WRITE,
    ("GET", f"{PROGRAMME}/codes"): READ,
    ("POST", f"{PROGRAMME}/codes"): WRITE,
    ("POST", f"{PROGRAMME}/codes/bring"): WRITE,
    ("GET", f"{PROGRAMME}/codes/<batch_id>"): READ,
    ("POST", f"{PROGRAMME}/codes/<batch_id>/download"): WRITE,
    ("POST", f"{PROGRAMME}/codes/<batch_id>/revoke"): WRITE,
    ("GET", f"{PROGRAMME}/look"): READ,
    ("POST", f"{PROGRAMME}/look"): WRITE,
    ("POST", f"{PROGRAMME}/look/pictures/<slot>"): WRITE,
    ("GET", "/admin/cards/<number>/ledger"): READ,
    ("GET", f"{PROGRAMME}/clubs"): READ,
    ("POST", f"{PROGRAMME}/clubs"): WRITE,
    ("POST", f"{PROGRAMME}/clubs/<public_id>/end"): WRITE,
    ("POST", f"{PROGRAMME}/clubs/links"): WRITE,
    ("POST", f"{PROGRAMME}/clubs/links/<public_id>/close"): WRITE,
    ("POST", f"{PROGRAMME}/clubs/members"): WRITE,
    ("GET", f"{PROGRAMME}/expiry"): READ,
    ("POST", f"{PROGRAMME}/expiry"): WRITE,
    ("GET", f"{PROGRAMME}/gift-cards"): READ,
    ("POST", f"{PROGRAMME}/gift-cards"): WRITE,
    ("GET", f"{PROGRAMME}/gift-cards/<serial>"): READ,
    ("POST", f"{PROGRAMME}/gift-cards/<serial>/<action>"): WRITE,
    ("POST", f"{PROGRAMME}/gift-cards/batches"): WRITE,
    ("GET", f"{PROGRAMME}/gift-cards/batches/<batch_id>"): READ,
    ("GET", f"{PROGRAMME}/gift-cards/batches/<batch_id>.csv"): READ,
    ("GET", f"{PROGRAMME}/gift-cards/liability.csv"): READ,
    ("POST", f"{PROGRAMME}/gift-cards/limits"): WRITE,
    ("GET", f"{PROGRAMME}/rules"): READ,
    ("GET", f"{PROGRAMME}/rules/draft"): WRITE,
    ("POST", f"{PROGRAMME}/rules/draft"): WRITE,
    ("GET", f"{PROGRAMME}/rules/versions/<int:number>"): READ,
    ("GET", f"{PROGRAMME}/stamps"): READ,
    ("POST", f"{PROGRAMME}/stamps"): WRITE,
    ("GET", f"{PROGRAMME}/stamps/<public_id>"): READ,
    ("POST", f"{PROGRAMME}/stamps/<public_id>"): WRITE,
    ("POST", f"{PROGRAMME}/stamps/<public_id>/end"): WRITE,
    ("GET", f"{PROGRAMME}/tiers"): READ,
    ("POST", f"{PROGRAMME}/tiers"): WRITE,
    ("POST", f"{PROGRAMME}/tiers/grant"): WRITE,
    ("GET", f"{PROGRAMME}/notices"): READ,
    ("POST", f"{PROGRAMME}/notices/<notice_id>/dismiss"): DECIDE,
    ("POST", f"{PROGRAMME}/corrections/<adjustment_id>/<verdict>"): DECIDE,
    ("GET", f"{PROGRAMME}/limits"): READ,
    ("POST", f"{PROGRAMME}/limits"): WRITE,
    ("GET", f"{PROGRAMME}/top-cards"): READ,
    ("GET", "/admin/cards/<number>/correct"): DECIDE,
    ("POST", "/admin/cards/<number>/correct"): DECIDE,
    ("GET", "/admin/cards/<number>/join"): DECIDE,
    ("POST", "/admin/cards/<number>/join"): DECIDE,
    ("POST", "/admin/cards/<number>/join/<merge_id>/undo"): DECIDE,
    ("GET", "/account/card"): set(ROLES),
    ("POST", "/account/card"): set(ROLES),
    ("GET", "/admin/staff/<staff_id>/card"): WRITE,
    ("POST", "/admin/staff/<staff_id>/card"): WRITE,
    ("GET", "/admin/staff"): READ,
    ("POST", "/admin/staff"): WRITE,
    ("POST", "/admin/staff/<staff_id>/end"): WRITE,
    ("GET", "/admin/keys"): READ,
    ("POST", "/admin/keys"): WRITE,
    ("POST", "/admin/keys/<key_id>/revoke"): WRITE,
    ("GET", "/admin/deliveries"): READ,
    ("POST", "/admin/deliveries/senders/<int:sender_id>/reopen"): WRITE,
    ("GET", "/admin/deliveries/lag.csv"): READ,
    ("POST", "/admin/deliveries/switch"): WRITE,
    ("GET", "/admin/device-logs"): READ,
    ("GET", "/admin/alarms"): READ,
    ("GET", "/admin/health"): READ,
    ("GET", "/admin/cards"): READ,
    ("GET", "/admin/cards/<number>"): READ,
    ("POST", "/admin/cards/<number>/retry"): WRITE,
    ("GET", "/admin/webhooks"): READ,
    ("POST", "/admin/webhooks"): WRITE,
    ("GET", WEBHOOK): READ,
    ("POST", WEBHOOK): WRITE,
    ("POST", f"{WEBHOOK}/switch"): WRITE,
    ("POST", f"{WEBHOOK}/rotate"): WRITE,
    ("POST", f"{WEBHOOK}/delete"): WRITE,
    ("POST", f"{WEBHOOK}/test"): WRITE,
    ("POST", f"{WEBHOOK}/replay"): WRITE,
    ("GET", "/admin/audit"): READ,
    ("GET", "/admin/changes"): READ,
    ("POST", "/admin/changes/<int:change_id>/stop"): WRITE,
}
FOREIGN_PAGES = ("", "/look", "/stores", "/rewards")


def test_the_table_names_every_route(app: Flask) -> None:
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("admin")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert routes == set(MATRIX)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_let_in_or_kept_out_everywhere(app: Flask, world: World, office: Office, role: str) -> None:
    with world.database.unit_of_work() as session:
        browser_of = factories.staff(session, role, email="somebody@example.com")
    browser = Browser(app, browser_of)

    for (method, rule), allowed in MATRIX.items():
        answer = _try(browser, method, rule, office)
        if role in allowed:
            assert answer not in {401, 403, 500}, (method, rule, answer)
        else:
            assert answer == 403, (method, rule, answer)


def test_a_stranger_is_sent_to_the_sign_in_page_from_every_page(app: Flask, office: Office) -> None:
    client = app.test_client()

    for method, rule in MATRIX:
        if method == "GET":
            answer = client.get(_address(rule, office))
            assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/login"), rule


def test_no_form_is_taken_without_its_token(operator: Browser, office: Office) -> None:
    for method, rule in MATRIX:
        if method == "POST":
            assert operator.client.post(_address(rule, office)).status_code == 400, rule


@pytest.fixture
def limited(app: Flask, world: World, office: Office) -> tuple[Browser, Staff]:
    """An operator of another programme, who has nothing to do with the office's."""
    with world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other")
        staff = factories.staff(session, "operator", email="limited@example.com", programme=other)
    return Browser(app, staff), staff


def test_a_programme_that_is_not_one_s_own_is_refused_and_noted(
    limited: tuple[Browser, Staff], office: Office, world: World
) -> None:
    browser, staff = limited

    for page in FOREIGN_PAGES:
        assert browser.get(f"/admin/programmes/kahve{page}").status_code == 403
    assert browser.get(f"/admin/cards/{office.card.number}").status_code == 403
    assert browser.send("/admin/programmes/kahve/status", status="paused").status_code == 403

    with world.database.reading() as session:
        query = select(AuditEvent.subject).where(AuditEvent.action == "forbidden")
        noted = set(session.scalars(query.where(AuditEvent.actor == f"staff:{staff.public_id}")))
    assert {"GET /admin/programmes/kahve/look", "POST /admin/programmes/kahve/status"} <= noted
    assert office.fresh().status == "live"


def test_people_of_one_programme_see_nothing_of_another(limited: tuple[Browser, Staff], office: Office) -> None:
    browser, _ = limited
    office.target(want=2)

    for page in ("/admin", "/admin/programmes", "/admin/staff", "/admin/keys", "/admin/deliveries", "/admin/audit"):
        text = browser.get(page).text
        assert "Kahve" not in text, page
        assert office.card.number not in text, page
        assert "operator@example.com" not in text, page
    assert browser.get(f"/admin/cards?q={office.card.number}").status_code == 404
    assert browser.get("/admin/cards?q=ayse@example.com").status_code == 404


def test_people_of_one_programme_make_no_programme_and_no_key_for_all(limited: tuple[Browser, Staff]) -> None:
    browser, _ = limited

    assert browser.get("/admin/programmes/new").status_code == 403
    assert browser.send("/admin/programmes", slug="mine").status_code == 403
    assert browser.send("/admin/keys", name="All", scope="write", programme="").status_code == 422
    assert browser.send("/admin/keys", name="All", scope="admin").status_code == 422
    assert "Read and write" in browser.get("/admin/keys").text


def _try(browser: Browser, method: str, rule: str, office: Office) -> int:
    address = _address(rule, office)
    if method == "GET":
        return browser.get(address).status_code
    return browser.send(address).status_code


def _address(rule: str, office: Office) -> str:
    known = {
        "<slug>": "kahve",
        "<number>": office.card.number,
        "<slot>": "logo",
        "<int:sender_id>": "1",
        "<int:change_id>": "1",
        "<int:number>": "1",
    }
    return re.sub(r"<[^>]+>", lambda found: known.get(found[0], "nothing"), rule)
