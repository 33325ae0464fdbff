"""Wedge scanners in a real browser, by the keys they press: every layout, every state of the page, every ending."""

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.cards import codes
from tests import factories
from tests.app.till.browsing import CHROMIUM, LAYOUTS, Scanner, Server, faultless, sign_in
from tests.app.till.conftest import Shop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]


def scanner(page: Page, layout: str = "us", *, capitals: bool = False) -> Scanner:
    return Scanner(page.context, page, layout, capitals=capitals)


def opened(page: Page, name: str = "Ayşe Y.") -> None:
    expect(page.locator(".till-name")).to_have_text(name)


def second_card(shop: Shop) -> str:
    with shop.world.database.unit_of_work() as session:
        return factories.card(session, shop.programme, "Can Öz").number


def test_a_scanner_opens_the_card_whatever_the_layout_and_the_end(page: Page, shop: Shop) -> None:
    for layout in sorted(LAYOUTS):
        for end in ("Enter", "Tab", None):
            page.goto("/till")
            page.wait_for_selector("html[data-till=ready]")

            scanner(page, layout).scan(codes.barcode_message(shop.card.number), end=end)

            opened(page)


@pytest.mark.parametrize("late_from", [3, 7, -1])
def test_a_scan_that_a_busy_machine_heard_in_two_parts_is_one(page: Page, shop: Shop, late_from: int) -> None:
    message = codes.barcode_message(shop.card.number)

    scanner(page).scan(message, late_from=late_from % len(message))

    opened(page)
    expect(page.locator(".till-refusal")).to_have_count(0)


def test_a_scan_into_the_amount_leaves_nothing_in_it_on_any_layout(page: Page, shop: Shop) -> None:
    numbers = [second_card(shop), shop.card.number]
    seen = (
        "window.seen = []; addEventListener('input', ({target}) => target.name === 'amount' && seen.push(target.value))"
    )
    page.evaluate(seen)
    scanner(page).scan(shop.card.number)
    opened(page)
    for layout in sorted(LAYOUTS):
        page.locator("#f-amount").fill("12,5")

        scanner(page, layout).scan(codes.barcode_message(numbers[0]))

        opened(page, "Ayşe Y." if numbers[0] == shop.card.number else "Can Ö.")
        assert page.locator("#f-amount").input_value() == ""
        numbers.reverse()
    assert page.evaluate("seen.at(-1)") == "12,5"
    assert len(shop.entries()) == 1


def test_caps_lock_changes_nothing(page: Page, shop: Shop) -> None:
    for layout in ("us", "turkish_q", "azerty"):
        page.goto("/till")
        page.wait_for_selector("html[data-till=ready]")

        scanner(page, layout, capitals=True).scan(codes.barcode_message(shop.card.number))

        opened(page)


def test_a_symbology_prefix_is_dropped(page: Page, shop: Shop) -> None:
    for prefix, layout in (("]Q3", "us"), ("]C1", "german"), ("]Q3", "turkish_q"), ("]C1", "azerty")):
        page.goto("/till")
        page.wait_for_selector("html[data-till=ready]")

        scanner(page, layout).scan(prefix + codes.barcode_message(shop.card.number))

        opened(page)


def test_a_scan_with_the_keys_help_open(page: Page, shop: Shop) -> None:
    page.keyboard.press("F12")
    expect(page.locator("#till-help")).to_be_visible()
    page.locator("#till-gap").focus()
    before = page.locator("#till-gap").input_value()

    scanner(page).scan(codes.barcode_message(shop.card.number))

    opened(page)
    assert page.locator("#till-gap").input_value() == before


def test_a_scan_with_the_camera_open_closes_it(page: Page, shop: Shop) -> None:
    page.get_by_role("button", name="Camera", exact=True).click()
    expect(page.locator("#till-camera")).to_be_visible()

    scanner(page).scan(shop.card.number)

    opened(page)
    expect(page.locator("#till-camera")).to_be_hidden()


def test_a_scan_while_a_request_is_running_waits_for_its_turn(page: Page, shop: Shop) -> None:
    other = second_card(shop)
    scan = scanner(page).scan
    scan(shop.card.number)
    opened(page)
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/earn", hold)
    page.locator("#f-amount").fill("50")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#till-screen').hasAttribute('aria-busy')")

    scan(other)
    waiting[0].continue_()

    opened(page, "Can Ö.")
    assert shop.balance() == 105


def test_a_scan_presses_no_button_that_has_the_focus(page: Page, shop: Shop) -> None:
    scan = scanner(page).scan
    scan(shop.card.number)
    opened(page)
    page.locator("[data-pick]").first.focus()

    scan("1111112222")

    expect(page.locator(".till-refusal")).to_contain_text("not a card code")
    assert shop.balance() == 100


def test_a_bluetooth_scanner_may_take_100_ms_between_two_keys(page: Page, shop: Shop) -> None:
    page.keyboard.press("F12")
    page.locator("#till-gap").select_option("100")
    for gap_ms in (60, 85, 100):
        _open_by_a_slow_scanner(page, shop, gap_ms)

        opened(page)


def _open_by_a_slow_scanner(page: Page, shop: Shop, gap_ms: int) -> None:
    """A busy machine adds to the pauses of a scanner; then this one scans again, as a cashier would."""
    for _attempt in range(8):
        page.goto("/till")
        page.wait_for_selector("html[data-till=ready]")
        scanner(page).scan(codes.barcode_message(shop.card.number), gap_ms=gap_ms)
        page.locator(".till-name, .till-refusal").first.wait_for()
        if page.locator(".till-name").count():
            return


def test_a_person_who_types_is_no_scanner(page: Page, shop: Shop) -> None:
    scans: list[str] = []
    page.on("request", lambda request: scans.append(request.url) if request.url.endswith("/till/scan") else None)
    page.locator("#f-code").focus()

    scanner(page).scan(shop.card.number[:6], gap_ms=90, end=None)
    page.wait_for_timeout(300)

    assert scans == []
    assert page.locator("#f-code").input_value().replace(" ", "") == shop.card.number[:6]


def test_the_same_code_twice_within_two_seconds_is_one_scan(page: Page, shop: Shop) -> None:
    scans: list[str] = []
    whole = shop.card.number  # a busy machine may tear a scan, and what it hears first is asked for too
    page.on("request", lambda request: scans.append(request.url) if whole in (request.post_data or "") else None)
    page.evaluate("const now = performance.now(); performance.now = () => window.clock ?? now")
    scan = scanner(page).scan

    scan(shop.card.number)
    opened(page)
    page.evaluate("window.clock = performance.now() + 1990")
    scan(shop.card.number)
    page.wait_for_timeout(300)
    assert len(scans) == 1

    page.evaluate("window.clock += 2010")
    with page.expect_request(lambda request: whole in (request.post_data or "")):
        scan(shop.card.number)


def test_a_scan_opens_the_card_from_the_till_s_other_pages(page: Page, shop: Shop) -> None:
    page.goto(f"/till/cards/{shop.card.serial}")
    page.locator("#f-amount").fill("50")
    page.keyboard.press("Enter")
    expect(page.locator(".till-big")).to_have_text("+5 points")
    other = second_card(shop)
    for path in ("day", "conflicts", f"money/{shop.card.serial}", f"slips/{shop.entries()[0].id}"):
        page.goto(f"/till/{path}")
        page.wait_for_selector("#till-scan[data-ready]", state="attached")

        scanner(page, "azerty").scan(codes.barcode_message(other))

        opened(page, "Can Ö.")


def test_a_receipt_is_scanned_into_its_field_and_an_unknown_card_is_refused_in_red(page: Page, shop: Shop) -> None:
    page.goto(f"/till/money/{shop.card.serial}")
    page.wait_for_selector("#till-scan[data-ready]", state="attached")
    receipt = page.locator("[name=receipt]").first
    receipt.focus()

    scanner(page).scan("2026-000417")

    expect(receipt).to_have_value("2026-000417")
    scanner(page).scan(codes.barcode_message(codes.new_number()))
    expect(page.get_by_role("alert")).to_have_text("Card not found.")


def test_a_field_for_a_card_takes_the_scanned_card(browser: Browser, server: Server, shop: Shop) -> None:
    context = browser.new_context(base_url=server.address, service_workers="block")
    with faultless(context.new_page()) as page:
        sign_in(page, "manager")
        page.goto("/till/notices")
        page.wait_for_selector("#till-scan[data-ready]", state="attached")
        field = page.locator("[name=code]:visible")
        field.focus()

        scanner(page).scan(codes.barcode_message(shop.card.number))

        expect(field).to_have_value(codes.barcode_message(shop.card.number))
        assert page.url.endswith("/till/notices")
    context.close()
