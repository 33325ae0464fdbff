"""The main story as people live it, in Chromium, against `tessera demo`: join, pay, be told, be offered something."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests
from playwright.sync_api import Locator, Page, Playwright, expect, sync_playwright

from tests.journeys.browser import (
    PHONE,
    Demo,
    camera_on,
    chromium,
    demo,
    faults_of,
    film_of,
    in_chromium,
    visitor,
)
from tests.journeys.stage import wait_for

pytestmark = in_chromium

SHOP_ZONE = ZoneInfo("Europe/Istanbul")
OFFER = "Simit with your tea"
PATIENCE_MS = 20_000
TUESDAY = 2  # twice the points in the demo
OFFER_LINES = (OFFER, "You have a new message")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Demo]:
    with demo(tmp_path) as started:
        yield started


@pytest.fixture
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


def join(demo: Demo, page: Page) -> str:
    """Become a member in the iPhone's browser and add the card to its Wallet; the path of the card's page."""
    page.goto(f"{demo.phone_browser('apple')}/join/kahve-duragi")
    page.get_by_label("Your name").fill("Elif Arslan")
    page.get_by_role("button", name="Make my card").click()
    expect(page.get_by_text("Your card is ready")).to_be_visible()
    path = "/c/" + page.url.partition("/c/")[2].partition("?")[0]
    wallets = page.locator("a.wallet")
    expect(wallets.first).to_have_text("Add to Apple Wallet")
    wallets.first.click()
    expect(page.get_by_role("heading", name="Added to Wallet")).to_be_visible()
    return path


def add_to_android(demo: Demo, page: Page, path: str) -> None:
    """Open the same card in the Android phone's browser and save it there."""
    page.goto(f"{demo.phone_browser('google')}{path}")
    wallets = page.locator("a.wallet")
    expect(wallets.first).to_have_text("Add to Google Wallet")
    wallets.first.click()
    expect(page.get_by_role("heading")).to_have_text("Add to Google Wallet")
    page.get_by_role("button", name="Add to Google Wallet").click()
    expect(page.get_by_role("heading", name="Added to Google Wallet")).to_be_visible()


def code_of(demo: Demo) -> bytes:
    """The picture of the code in the pass that the iPhone downloaded."""
    serial = demo.card("apple")["id"]
    answer = requests.get(f"{demo.sandbox}/sandbox/barcodes/apple/{serial}.png", timeout=10)
    answer.raise_for_status()
    return answer.content


def pay(demo: Demo, page: Page, pictures: Path) -> str:
    """The cashier holds the customer's phone before the camera, types the amount, and presses Enter; the points."""
    demo.sign_in(page, "cashier", "till")
    page.wait_for_selector("html[data-till=ready]")
    page.get_by_role("button", name="Camera", exact=True).click()
    expect(page.locator(".till-name")).to_have_text("Elif A.", timeout=PATIENCE_MS)
    expect(page.locator("#till-camera")).to_be_hidden()
    page.screenshot(path=pictures / "till-card-1280.png")
    expect(page.locator("#f-amount")).to_be_focused()
    page.keyboard.type("125,00", delay=70)
    page.keyboard.press("Enter")
    points = "25" if datetime.now(SHOP_ZONE).isoweekday() == TUESDAY else "12"
    expect(page.locator(".till-big")).to_have_text(f"+{points} points")
    page.screenshot(path=pictures / "till-done-1280.png")
    return points


def make_offer(demo: Demo, page: Page, pictures: Path) -> datetime:
    """The marketer writes an offer, sees it on both faces, and schedules it from now on; when it ends."""
    demo.sign_in(page, "marketer", "marketing")
    page.get_by_role("link", name="Offers").click()
    page.get_by_role("link", name="New offer").first.click()
    page.get_by_label("Title in Türkçe").fill("Çayın yanında simit")
    page.get_by_label("Text in Türkçe").fill("Bugün her çayın yanında bir simit bizden.")
    page.get_by_text("In English").click()
    page.locator("[name=title_en]").fill(OFFER)
    page.locator("[name=body_en]").fill("A simit on us with every tea today.")
    page.get_by_label("Start at once").check()
    page.get_by_role("button", name="Preview").click()
    english = page.get_by_role("article", name="English")
    expect(english.locator(".lock-line")).to_contain_text(OFFER)
    page.screenshot(path=pictures / "marketing-preview-1280.png", full_page=True)
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=15)
    # the picker shows minutes; its value may be finer
    page.get_by_role("textbox", name="Until").fill(ends_at.astimezone(SHOP_ZONE).strftime("%Y-%m-%dT%H:%M:%S"))
    page.get_by_role("button", name=re.compile(r"Schedule for \d+ people")).click()
    expect(page.get_by_text("It starts and ends by itself")).to_be_visible()
    return ends_at


def wallets(page: Page) -> tuple[Locator, Locator]:
    """What each phone's wallet shows on the page of the two phones."""
    shown = [page.locator(f'.phone[data-phone="{name}"] [data-part="wallet"]') for name in ("apple", "google")]
    return shown[0], shown[1]


def expect_lines(page: Page, lines: tuple[str, str]) -> None:
    """The newest line on each lock screen."""
    for name, words in zip(("apple", "google"), lines, strict=True):
        expect_line(page, name, words)


def expect_line(page: Page, name: str, words: str) -> None:
    """The newest line on one lock screen."""
    newest = page.locator(f'.phone[data-phone="{name}"] [data-part="messages"] .note-text').first
    expect(newest).to_contain_text(words, timeout=PATIENCE_MS)


def expect_balance(page: Page, points: str) -> None:
    iphone, android = wallets(page)
    expect(iphone.locator('[data-key="balance"] .field-value').first).to_have_text(points, timeout=PATIENCE_MS)
    expect(android.locator(".grow .field-value").first).to_have_text(points, timeout=PATIENCE_MS)


def test_the_story_from_the_join_page_to_an_offer_that_ends(
    running: Demo, playwright: Playwright, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    with chromium(playwright) as browser:
        desk = visitor(browser)
        faults = faults_of(desk)
        phones = desk.new_page()
        phones.goto(f"{running.sandbox}/sandbox")

        street = visitor(browser, viewport=PHONE, java_script_enabled=False)
        path = join(running, street.new_page())
        add_to_android(running, street.new_page(), path)
        expect_balance(phones, "0")
        expect_line(
            phones, "apple", "Welcome"
        )  # or it may come in one update with the balance, which is told as neither

        film_of(code_of(running), tmp_path / "code.y4m")
        with chromium(playwright, *camera_on(tmp_path / "code.y4m")) as at_the_till:
            counter = visitor(at_the_till, permissions=["camera"])
            faults_at_the_till = faults_of(counter)
            points = pay(running, counter.new_page(), pictures)
            counter.close()

        expect_balance(phones, points)
        # on Android an issuer chooses when an alert comes, not its words
        expect_lines(phones, (f"New balance: {points}", "Your pass was updated"))
        phones.screenshot(path=pictures / "phones-1280.png", full_page=True)

        ends_at = make_offer(running, desk.new_page(), pictures)
        for wallet in wallets(phones):
            expect(wallet).to_contain_text(OFFER, timeout=PATIENCE_MS)
        expect_lines(phones, OFFER_LINES)
        assert datetime.now(UTC) < ends_at
        phones.screenshot(path=pictures / "phones-offer-1280.png", full_page=True)
        for wallet in wallets(phones):
            expect(wallet).not_to_contain_text(OFFER, timeout=PATIENCE_MS + 15_000)
        assert datetime.now(UTC) >= ends_at

        office = visitor(browser)
        faults_in_the_office = faults_of(office)
        expect_all_is_well(running, office.new_page(), pictures)
        assert [*faults, *faults_at_the_till, *faults_in_the_office] == []


def expect_all_is_well(demo: Demo, page: Page, pictures: Path) -> None:
    """The operator's first page says that every phone is current and that nothing is refused."""
    demo.sign_in(page, "owner", "admin")
    for question in ("Is every phone current?", "Is anything refused?"):
        answer = page.get_by_role("region", name=question)
        wait_for(lambda answer=answer: _is_good(page, answer))
    page.screenshot(path=pictures / "admin-1280.png", full_page=True)
    expect(page.get_by_role("region", name="Is every phone current?")).to_contain_text("told of every change")


def _is_good(page: Page, answer: Locator) -> bool:
    page.reload()
    return answer.get_by_text("Good", exact=True).is_visible()
