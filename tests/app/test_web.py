"""What every page shares: NUL gets into none of them, on both databases."""

import re
from io import BytesIO

import pytest
from flask import Flask

from app.web import FIELD_BY_FIELD, MACHINE_PATHS
from app.world import World
from tests import factories
from tests.app.api.conftest import make_key
from tests.app.marketing.shop import FIELDS, NEW, Shop
from tests.app.marketing.shop import shop as make_shop
from tests.app.pages import csrf_of
from tests.conftest import application

ARGUMENT = re.compile(r"<(?:any\((\w+)[^>]*|[^>]+)>")
ROOMS = ("/till/", "/admin/", "/marketing/", "/join/", "/c/")


@pytest.fixture
def shop(any_world: World) -> Shop:
    return make_shop(any_world, application(any_world))


def pages(app: Flask, method: str) -> list[str]:
    """The rules of all addresses that people open, whatever the room."""
    found = sorted({rule.rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())})
    return [rule for rule in found if not rule.startswith(MACHINE_PATHS)]


def address(rule: str) -> str:
    """An address that a rule takes, whether there is anything at it or not."""
    return ARGUMENT.sub(lambda found: found[1] or "1", rule)


def test_nul_in_the_address_of_any_page_is_nothing_there(shop: Shop) -> None:
    browser = shop.app.test_client()
    rules = [rule for rule in pages(shop.app, "GET") if ARGUMENT.search(rule)]

    answers = {rule: browser.get(ARGUMENT.sub("a%00b", rule)).status_code for rule in rules}

    assert all(any(rule.startswith(room) for rule in rules) for room in ROOMS)
    assert {rule: status for rule, status in answers.items() if status != 404} == {}


def test_nul_in_a_query_is_refused_where_no_room_judges_it(shop: Shop) -> None:
    browser = shop.app.test_client()
    rules = [rule for rule in pages(shop.app, "GET") if not rule.startswith(FIELD_BY_FIELD)]

    answers = {rule: browser.get(address(rule) + "?a=b&c=d%00e").status_code for rule in rules}

    assert any(rule.startswith("/marketing/") for rule in rules)
    assert {rule: status for rule, status in answers.items() if status != 422} == {}


def test_nul_in_a_form_is_refused_where_no_room_judges_it(shop: Shop) -> None:
    browser = shop.app.test_client()
    form = {"csrf_token": csrf_of(browser, "/login"), "note": "a\0b"}
    rules = [rule for rule in pages(shop.app, "POST") if not rule.startswith(FIELD_BY_FIELD)]

    answers = {rule: browser.post(address(rule), data=form).status_code for rule in rules}

    assert any(rule.startswith("/marketing/") for rule in rules)
    assert {rule: status for rule, status in answers.items() if status != 422} == {}


def test_nul_that_a_room_lets_through_is_refused_when_postgresql_is_asked(shop: Shop) -> None:
    browser = shop.browser("auditor")

    answer = browser.get(f"/admin/cards/{shop.cards[0].number}?trace=%00")

    assert answer.status_code == (200 if shop.world.database.is_sqlite else 422)


def test_somebody_signed_in_is_told_so_in_their_language(shop: Shop) -> None:
    browser = shop.browser("marketer")
    form = {**FIELDS, "csrf_token": csrf_of(browser, NEW)}

    refused = browser.get("/marketing/campaigns?page=%00&lang=tr")

    assert "Metinde gösterilemeyen bir karakter var; yeniden yazın." in refused.text
    assert browser.get("/marketing/reports/units?store=%00").status_code == 422
    for room in ("results", "campaigns", "offers", "segments"):
        assert browser.get(f"/marketing/{room}/a%00").status_code == 404, room
    for field in ({"segment": "a\0b"}, {"a\0b": "x"}):
        assert browser.post(NEW, data={**form, **field}).status_code == 422, field
        assert browser.post(NEW, data={**form, **field}, content_type="multipart/form-data").status_code == 422, field


def test_files_and_other_bodies_may_hold_nul(shop: Shop) -> None:
    browser = shop.app.test_client()
    form = {"csrf_token": csrf_of(browser, "/login"), "email": "nobody@example.com", "password": factories.PASSWORD}

    with_a_file = browser.post("/login", data={**form, "picture": (BytesIO(b"\0\1"), "a.png")})
    bare = browser.post("/login", data=b"\0", content_type="image/png", headers={"X-CSRFToken": form["csrf_token"]})

    assert (with_a_file.status_code, bare.status_code) == (401, 401)


def test_doors_for_machines_answer_nul_in_their_own_way(shop: Shop) -> None:
    browser = shop.app.test_client()
    key = {"Authorization": f"Bearer {make_key(shop.world, 'admin')}"}
    rules = {rule.rule for rule in shop.app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    asked = [
        one
        for rule in rules
        if rule.startswith(MACHINE_PATHS)
        for one in (
            ARGUMENT.sub("a%00b", rule),
            address(rule) + "?limit=%00",
            address(rule) + "?passesUpdatedSince=%00",
        )
    ]

    answers = {one: browser.get(one, headers=key).status_code for one in asked}
    told = browser.get("/api/v1/members?limit=%00", headers=key)

    assert {one: status for one, status in answers.items() if status >= 500} == {}
    assert (told.status_code, told.get_json()["code"]) == (422, "invalid_query")
