"""The till in a real browser: the keyboard alone, what goes wrong on the way, and no script at all."""

import io

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from app.cards import codes
from app.staff import service
from tests import factories
from tests.app.till.browsing import CHROMIUM, Server, scan
from tests.app.till.conftest import Shop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]


def opened(page: Page) -> None:
    expect(page.locator(".till-name")).to_have_text("Ayşe Y.")


def test_a_scan_works_without_any_focus(page: Page, shop: Shop) -> None:
    page.evaluate("document.activeElement.blur()")

    scan(page, shop.card.number)

    opened(page)


def test_people_type_into_fields_as_ever(page: Page, shop: Shop) -> None:
    field = page.locator("#f-code")
    field.focus()
    page.keyboard.type(shop.card.number.lower(), delay=70)

    assert field.input_value() == codes.grouped(shop.card.number)
    page.keyboard.press("Enter")
    opened(page)


def test_a_key_that_is_held_down_is_no_scan(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").focus()

    for _ in range(8):
        page.keyboard.down("0")
    page.keyboard.up("0")
    page.wait_for_timeout(200)

    assert page.locator("#f-amount").input_value() == "00000000"


def test_an_unknown_code_is_red_with_a_reason_and_the_field_is_empty(page: Page, shop: Shop) -> None:
    page.locator("#f-code").fill("abc")

    scan(page, codes.new_number())

    expect(page.get_by_role("alert")).to_have_text("Card not found.")
    assert page.locator("#f-code").input_value() == ""


def test_a_purchase_by_the_keyboard_alone_then_undone_by_one_key(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    opened(page)
    expect(page.locator("#f-amount")).to_be_focused()
    page.keyboard.type("120,00", delay=70)
    page.keyboard.press("Enter")

    expect(page.locator(".till-big")).to_have_text("+12 points")
    assert shop.balance() == 112
    expect(page.locator("#f-code")).to_be_focused()
    shop.world.clock.advance(seconds=3)  # type: ignore[attr-defined]
    page.keyboard.press("F8")

    expect(page.locator(".till-big")).to_have_text("−12 points")
    assert shop.balance() == 100


def test_a_reward_by_its_digit(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    opened(page)

    page.keyboard.press("F4")
    page.keyboard.press("1")

    expect(page.locator(".till-big")).to_have_text("−80 points")
    assert shop.balance() == 20


def test_an_unclear_amount_is_answered_by_a_digit(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").fill("1.250")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Which amount is meant?")).to_be_visible()
    expect(page.locator('[data-pick="1"]')).to_have_count(1)  # a digit must not mean an amount and a reward at once

    page.keyboard.press("1")

    expect(page.locator(".till-big")).to_have_text("+125 points")


def test_escape_goes_back_and_changes_nothing(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").fill("50")

    page.keyboard.press("Escape")

    expect(page.get_by_role("heading", name="Scan the card")).to_be_visible()
    assert shop.balance() == 100


def test_two_quick_presses_book_once(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").fill("50")

    page.get_by_role("button", name="Give points").dblclick()

    expect(page.locator(".till-big")).to_have_text("+5 points")
    page.wait_for_timeout(200)
    assert shop.balance() == 105


def test_a_lost_answer_is_asked_for_again_and_booked_once(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    opened(page)
    lost: list[bool] = []

    def lose_the_first(route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(True)
        route.fetch()
        route.abort()

    page.route("**/earn", lose_the_first)
    page.locator("#f-amount").fill("50")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No connection")).to_be_visible()

    page.get_by_role("button", name="Try again").click()

    expect(page.locator(".till-big")).to_have_text("+5 points")
    expect(page.get_by_text("Connected")).to_be_visible()
    assert shop.balance() == 105


def test_a_camera_that_is_refused_is_explained_and_typing_goes_on(page: Page) -> None:
    page.get_by_role("button", name="Camera", exact=True).click()

    expect(page.locator("[data-camera-message]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#till-camera")).to_be_hidden()
    expect(page.locator("#f-code")).to_be_editable()


def test_everything_works_without_a_script(browser: Browser, server: Server, shop: Shop) -> None:
    context = browser.new_context(
        base_url=server.address, java_script_enabled=False, viewport={"width": 375, "height": 700}
    )
    page = context.new_page()
    page.goto("/login?next=/till")
    page.get_by_label("E-mail address").fill("cashier@example.com")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#f-code").fill(shop.card.number)
    page.keyboard.press("Enter")
    page.locator("#f-amount").fill("120")
    page.keyboard.press("Enter")
    expect(page.locator(".till-big")).to_have_text("+12 points")
    page.locator("[data-undo]").click()
    expect(page.locator(".till-big")).to_have_text("−12 points")
    context.close()

    assert shop.balance() == 100


@pytest.mark.parametrize("width", [320, 375, 768, 1280, 1920])
def test_no_width_scrolls_sideways(page: Page, shop: Shop, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})

    for path in ("/till", f"/till/cards/{shop.card.serial}", "/account"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_an_authenticator_app_can_read_the_code_on_the_account_page(page: Page) -> None:
    page.goto("/account")
    page.get_by_role("button", name="Set up").click()
    shown = page.locator(".barcode svg").screenshot()

    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(shown)))

    secret = page.locator(".barcode .number").inner_text().replace(" ", "")
    assert [one.text for one in read] == [service.totp_address(secret, "cashier@example.com")]
