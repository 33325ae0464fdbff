"""Switching persons and a manager's approval in a real browser, by keys alone."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from app.staff import pins
from tests import factories
from tests.app.till.browsing import CHROMIUM, WITHIN_MS, faultless, serving, sign_in
from tests.app.till.conftest import Shop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]
SLOWLY_MS = 120  # a person's fingers, not a scanner
CASHIER, MANAGER, COLLEAGUE = "4821", "730516", "9063"


@pytest.fixture
def page(browser: Browser, app: Flask, shop: Shop) -> Iterator[Page]:
    with shop.world.database.unit_of_work() as session:
        colleague = factories.staff(session, "cashier", email="colleague@example.com", store=shop.store)
        session.get_one(type(colleague), colleague.id).name = "İrem Şahin"
    for staff, pin in ((shop.cashier, CASHIER), (shop.manager, MANAGER), (colleague, COLLEAGUE)):
        pins.set_own(shop.world, staff.id, pin, password=factories.PASSWORD)
    with serving(app) as server:
        context = browser.new_context(base_url=server.address, service_workers="block")
        with faultless(context.new_page()) as opened:
            sign_in(opened)
            yield opened
        context.close()


def open_card(page: Page, shop: Shop) -> None:
    page.locator("#f-code").fill(shop.card.number)
    page.keyboard.press("Enter")
    expect(page.locator("#f-amount")).to_be_visible(timeout=WITHIN_MS)


def test_three_actions_of_keys_switch_the_person_and_clear_the_card(page: Page, shop: Shop) -> None:
    open_card(page, shop)

    page.keyboard.press("F10")
    expect(page.locator("#till-people")).to_be_visible(timeout=WITHIN_MS)
    page.keyboard.press("2")
    expect(page.locator("#till-people [data-pin]")).to_be_focused(timeout=WITHIN_MS)
    page.keyboard.type(MANAGER, delay=SLOWLY_MS)
    with page.expect_navigation(timeout=WITHIN_MS):
        page.keyboard.press("Enter")

    expect(page.locator(".who .name")).to_have_text("Manager", timeout=WITHIN_MS)
    expect(page.locator("#f-code")).to_be_focused(timeout=WITHIN_MS)
    assert "Ayşe" not in page.content()


def test_initials_choose_too_and_a_wrong_pin_says_so(page: Page, shop: Shop) -> None:
    page.keyboard.press("F10")
    expect(page.locator("#till-people")).to_be_visible(timeout=WITHIN_MS)
    page.keyboard.press("i")
    page.keyboard.type("1230", delay=SLOWLY_MS)
    with page.expect_navigation(timeout=WITHIN_MS):
        page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("not right", timeout=WITHIN_MS)
    expect(page.locator("[data-pin]")).to_be_focused()
    page.keyboard.type(COLLEAGUE, delay=SLOWLY_MS)
    with page.expect_navigation(timeout=WITHIN_MS):
        page.keyboard.press("Enter")
    expect(page.locator(".who .name")).to_have_text("İrem Şahin", timeout=WITHIN_MS)


def test_escape_leaves_everything_as_it_was(page: Page, shop: Shop) -> None:
    open_card(page, shop)
    page.keyboard.press("F10")
    expect(page.locator("#till-people")).to_be_visible(timeout=WITHIN_MS)

    page.keyboard.press("Escape")

    expect(page.locator("#till-people")).to_be_hidden()
    expect(page.locator("#f-amount")).to_be_visible()


def test_a_manager_approves_with_f9(page: Page, shop: Shop) -> None:
    open_card(page, shop)
    page.locator("#f-amount").fill("12000")
    page.keyboard.press("Enter")
    expect(page.locator("#till-screen .till-refusal")).to_contain_text("F9", timeout=WITHIN_MS)

    page.keyboard.press("F9")
    expect(page.locator("#till-approve [data-pin]")).to_be_focused(timeout=WITHIN_MS)
    page.keyboard.type("000001", delay=SLOWLY_MS)
    page.keyboard.press("Enter")
    expect(page.locator("#till-approve").get_by_role("alert")).to_contain_text("not right", timeout=WITHIN_MS)
    page.keyboard.type(MANAGER, delay=SLOWLY_MS)
    page.keyboard.press("Enter")

    expect(page.locator(".till-result")).to_contain_text(re.compile(r"1,200"), timeout=WITHIN_MS)
    assert shop.entries()[0].actor == f"staff:{shop.cashier.public_id}"


def test_f11_leads_to_the_day(page: Page) -> None:
    page.keyboard.press("F11")

    page.wait_for_url("**/till/day", timeout=WITHIN_MS)
    expect(page.get_by_role("heading", level=1)).to_contain_text("The day")
