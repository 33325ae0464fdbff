"""The till in a real browser: scanners on any keyboard layout, the keyboard alone, and no script at all."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.cards import codes
from app.staff import service
from tests import factories
from tests.app.till.conftest import Shop

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]

# What the same physical keys give on other layouts: the scanner presses the keys of "LY1:7K3M…" on a US keyboard.
LAYOUTS = {
    "us": {},
    "turkish_q": {"i": "ı", "I": "I", ":": "Ş", ";": "ş"},
    "turkish_f": {"l": "v", "y": "d", "k": "t", "m": "s", "q": "f", "x": "k", "t": "i", "d": "e", "s": "u", ":": "Y"},
    "azerty": dict(zip("1234567890qwazm:", "&é\"'(-è_çàazqw,M", strict=True)),
    "german": {"y": "z", "z": "y", "Y": "Z", "Z": "Y", ":": "Ö"},
}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, address: str, shop: Shop) -> Iterator[Page]:
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    sign_in(page)
    yield page
    context.close()
    assert faults == []


def sign_in(page: Page) -> None:
    page.goto("/login?next=/till")
    page.get_by_label("E-mail address").fill("cashier@example.com")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-till=ready]")


def keys_of(text: str) -> list[dict[str, object]]:
    """The key positions that a wedge scanner sends for a text, with Shift for capitals and the colon."""
    pressed = []
    for symbol in text:
        code = {":": "Semicolon", "-": "Minus"}.get(symbol) or (
            f"Digit{symbol}" if symbol.isdigit() else f"Key{symbol.upper()}"
        )
        pressed.append({"code": code, "shift": symbol.isupper() or symbol == ":", "us": symbol})
    return pressed


def wedge(page: Page, text: str, *, layout: str = "us", gap_ms: float = 8, end: str | None = "Enter") -> None:
    """Type as a scanner does: each character goes into the focused field unless the page refuses it.

    The events say themselves when they happened, so that a busy machine does not turn a scan into slow typing.
    """
    page.evaluate(
        """({ keys, layout, gap, end }) => {
          let at = performance.now() - gap * keys.length;
          const press = (code, key, shiftKey) => {
            const target = document.activeElement ?? document.body;
            const send = (kind) => {
              const event = new KeyboardEvent(kind, { code, key, shiftKey, bubbles: true, cancelable: true });
              Object.defineProperty(event, "timeStamp", { value: at });
              return target.dispatchEvent(event);
            };
            const wanted = send("keydown");
            if (wanted && key.length === 1 && target.matches("input")) {
              target.setRangeText(key, target.selectionStart, target.selectionEnd, "end");
            }
            if (wanted && key === "Enter" && target.form) target.form.requestSubmit();
            send("keyup");
            at += gap;
          };
          for (const { code, shift, us } of keys) {
            const plain = layout[us] ?? layout[us.toLowerCase()] ?? us;
            press(code, shift && plain.length === 1 ? plain.toUpperCase() : plain, shift);
          }
          if (end) press(end, end, false);
        }""",
        {"keys": keys_of(text), "layout": LAYOUTS[layout], "gap": gap_ms, "end": end},
    )


def opened(page: Page) -> None:
    expect(page.locator(".till-name")).to_have_text("Ayşe Y.")


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_scanner_opens_the_card_on_any_keyboard_layout(page: Page, shop: Shop, layout: str) -> None:
    wedge(page, codes.barcode_message(shop.card.number), layout=layout)

    opened(page)
    assert page.url.endswith(f"/till/cards/{shop.card.serial}")


@pytest.mark.parametrize("end", ["Enter", "Tab", None])
def test_a_scan_ends_with_enter_tab_or_silence(page: Page, shop: Shop, end: str | None) -> None:
    wedge(page, codes.barcode_message(shop.card.number), end=end)

    opened(page)


def test_a_scan_works_without_any_focus(page: Page, shop: Shop) -> None:
    page.evaluate("document.activeElement.blur()")

    wedge(page, shop.card.number)

    opened(page)


def test_a_scan_into_the_amount_leaves_the_amount_alone_and_opens_the_next_customer(page: Page, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        factories.card(session, shop.card.programme, "Barış Demir")
        number = factories.card(session, shop.card.programme, "Can Öz").number
    wedge(page, shop.card.number)
    opened(page)
    amount = page.locator("#f-amount")
    amount.fill("12,5")
    changes = page.evaluate_handle(
        """() => {
          const seen = [];
          document.querySelector("#f-amount").addEventListener("input", (e) => seen.push(e.target.value));
          return seen;
        }"""
    )

    wedge(page, codes.barcode_message(number))

    expect(page.locator(".till-name")).to_have_text("Can Ö.")
    assert changes.json_value() == ["12,5"]
    assert page.locator("#f-amount").input_value() == ""
    assert len(shop.entries()) == 1


def test_a_scan_s_digits_and_enter_press_no_button(page: Page, shop: Shop) -> None:
    wedge(page, shop.card.number)
    opened(page)
    page.locator("[data-pick='1']").focus()

    wedge(page, "1111112222", gap_ms=8)

    expect(page.locator(".till-refusal")).to_contain_text("not a card code")
    page.wait_for_timeout(300)
    assert shop.balance() == 100


def test_people_type_into_fields_as_ever(page: Page, shop: Shop) -> None:
    field = page.locator("#f-code")
    field.focus()
    page.keyboard.type(shop.card.number.lower(), delay=70)

    assert field.input_value() == codes.grouped(shop.card.number)
    page.keyboard.press("Enter")
    opened(page)


def test_a_key_that_is_held_down_is_no_scan(page: Page, shop: Shop) -> None:
    wedge(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").focus()

    for _ in range(8):
        page.keyboard.down("0")
    page.keyboard.up("0")
    page.wait_for_timeout(200)

    assert page.locator("#f-amount").input_value() == "00000000"


def test_slow_bluetooth_characters_are_a_scan_where_the_setting_says_so(page: Page, shop: Shop) -> None:
    page.keyboard.press("F12")
    page.locator("#till-gap").select_option("100")
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")

    wedge(page, shop.card.number, gap_ms=65)

    opened(page)


def test_the_same_code_within_two_seconds_is_ignored(page: Page, shop: Shop) -> None:
    scans: list[str] = []
    page.on("request", lambda request: scans.append(request.url) if request.url.endswith("/till/scan") else None)
    page.evaluate("const now = performance.now(); performance.now = () => window.clock ?? now")

    wedge(page, shop.card.number)
    opened(page)
    page.evaluate("window.clock = performance.now() + 1990")
    wedge(page, shop.card.number)
    page.wait_for_timeout(300)
    assert len(scans) == 1

    page.evaluate("window.clock += 2010")
    wedge(page, shop.card.number)
    page.wait_for_timeout(300)
    assert len(scans) == 2


def test_an_unknown_code_is_red_with_a_reason_and_the_field_is_empty(page: Page, shop: Shop) -> None:
    page.locator("#f-code").fill("abc")

    wedge(page, codes.new_number())

    expect(page.get_by_role("alert")).to_have_text("Card not found.")
    assert page.locator("#f-code").input_value() == ""


def test_a_purchase_by_the_keyboard_alone_then_undone_by_one_key(page: Page, shop: Shop) -> None:
    wedge(page, shop.card.number)
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
    wedge(page, shop.card.number)
    opened(page)

    page.keyboard.press("F4")
    page.keyboard.press("1")

    expect(page.locator(".till-big")).to_have_text("−80 points")
    assert shop.balance() == 20


def test_an_unclear_amount_is_answered_by_a_digit(page: Page, shop: Shop) -> None:
    wedge(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").fill("1.250")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Which amount is meant?")).to_be_visible()
    expect(page.locator('[data-pick="1"]')).to_have_count(1)  # a digit must not mean an amount and a reward at once

    page.keyboard.press("1")

    expect(page.locator(".till-big")).to_have_text("+125 points")


def test_escape_goes_back_and_changes_nothing(page: Page, shop: Shop) -> None:
    wedge(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").fill("50")

    page.keyboard.press("Escape")

    expect(page.get_by_role("heading", name="Scan the card")).to_be_visible()
    assert shop.balance() == 100


def test_two_quick_presses_book_once(page: Page, shop: Shop) -> None:
    wedge(page, shop.card.number)
    opened(page)
    page.locator("#f-amount").fill("50")

    page.get_by_role("button", name="Give points").dblclick()

    expect(page.locator(".till-big")).to_have_text("+5 points")
    page.wait_for_timeout(200)
    assert shop.balance() == 105


def test_a_lost_answer_is_asked_for_again_and_booked_once(page: Page, shop: Shop) -> None:
    wedge(page, shop.card.number)
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


def test_everything_works_without_a_script(browser: Browser, address: str, shop: Shop) -> None:
    context = browser.new_context(base_url=address, java_script_enabled=False, viewport={"width": 375, "height": 700})
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
