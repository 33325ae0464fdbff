"""The till without a connection in a real browser: opens, keeps, survives, and sends everything once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from sqlalchemy import select

from app.cards import codes
from app.clock import system_clock
from app.errors import Unprocessable
from app.money import LARGEST_MINOR, exponent
from app.settings import Settings
from app.till import amounts
from app.till.models import OfflineSale
from tests import factories
from tests.app.till.browsing import (
    ARGUMENTS,
    CHROMIUM,
    LAYOUTS,
    WITHIN_MS,
    Scanner,
    Server,
    faultless,
    installed,
    sign_in,
)
from tests.app.till.conftest import Shop
from tests.conftest import SECRET, MovableClock
from tests.journeys.stage import wait_for
from tests.ports import free_port

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]
WHOLE_STORE = """async () => {
  const seen = [JSON.stringify(localStorage), JSON.stringify(sessionStorage)];
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      seen.push(request.url, await (await cache.match(request)).text());
    }
  }
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve) => {
      const asked = indexedDB.open(name);
      asked.onsuccess = () => resolve(asked.result);
    });
    for (const store of database.objectStoreNames) {
      const rows = await new Promise((resolve) => {
        const asked = database.transaction(store).objectStore(store).getAll();
        asked.onsuccess = () => resolve(asked.result);
      });
      for (const row of rows) {
        if (row instanceof CryptoKey) seen.push(`extractable: ${row.extractable}`);
        for (const value of Object.values(row)) {
          const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
          seen.push(bytes instanceof Uint8Array ? new TextDecoder("latin1").decode(bytes) : JSON.stringify(bytes));
        }
      }
    }
    database.close();
  }
  return seen;
}"""


class RealClock(MovableClock):
    """The real time, moved by as much as a test asks: browsers have clocks of their own."""

    def __init__(self) -> None:
        super().__init__(system_clock())
        self.begun = self.at

    def __call__(self) -> datetime:
        return self.at + (system_clock() - self.begun)


@pytest.fixture
def clock() -> RealClock:
    clock = RealClock()
    clock.advance(hours=-1)  # the shop opens an hour ago and then moves to now
    return clock


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
    yield chromium
    chromium.close()


@pytest.fixture
def page(browser: Browser, server: Server, shop: Shop) -> Iterator[Page]:
    context = browser.new_context(base_url=server.address, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WITHIN_MS)
    with faultless(context.new_page()) as page:
        sign_in(page)
        installed(page)
        yield page
    context.close()


def cut(page: Page, address: str = "/till") -> None:
    """Lose the connection and open the till again."""
    page.context.set_offline(True)
    page.goto(address)
    page.wait_for_selector("html[data-offline=ready]", timeout=WITHIN_MS)
    expect(page.locator("#offline")).to_be_visible()


def keep(page: Page, number: str, amount: str) -> None:
    page.locator("#f-code").fill(number)
    page.keyboard.press("Enter")
    page.locator("#f-amount").fill(amount)
    page.keyboard.press("Enter")
    expect(page.locator("#offline-result")).to_be_visible()


def rejoin(page: Page) -> None:
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")


def unsent(page: Page) -> int:
    badge = page.locator("#till-unsent")
    return int(badge.locator("[data-count]").inner_text()) if badge.is_visible() else 0


def all_sent(page: Page) -> None:
    expect(page.locator("#till-unsent")).to_be_hidden(timeout=WITHIN_MS)


def kept(shop: Shop) -> list[OfflineSale]:
    with shop.world.database.reading() as session:
        return list(session.scalars(select(OfflineSale).order_by(OfflineSale.id)))


def test_the_till_opens_keeps_and_sends_once_when_somebody_answers_again(page: Page, shop: Shop) -> None:
    cut(page)
    scan = Scanner(page.context, page, "turkish_q").scan

    scan(codes.barcode_message(shop.card.number))
    expect(page.locator("[data-card]")).to_have_text(codes.grouped(shop.card.number))
    page.locator("#f-amount").fill("120,00")
    page.keyboard.press("Enter")
    expect(page.locator("#offline-result")).to_contain_text("120.00")
    keep(page, shop.card.number.lower(), "50")
    assert unsent(page) == 2
    assert shop.balance() == 100
    page.reload()
    page.wait_for_selector("html[data-offline=ready]")
    assert unsent(page) == 2

    rejoin(page)

    expect(page.locator("#offline-back")).to_contain_text("Kept sales sent: 2.", timeout=WITHIN_MS)
    assert shop.balance() == 117
    page.get_by_role("link", name="Back to the till").click()
    page.wait_for_selector("html[data-till=ready]")
    all_sent(page)
    assert {one.actor for one in shop.entries()[:2]} == {f"staff:{shop.cashier.public_id}"}


def test_a_scan_works_on_every_layout_without_a_connection_too(page: Page, shop: Shop) -> None:
    cut(page)
    for layout in sorted(LAYOUTS):
        for prefix in ("", "]C1"):
            Scanner(page.context, page, layout).scan(prefix + codes.barcode_message(shop.card.number))
            expect(page.locator("[data-card]")).to_have_text(codes.grouped(shop.card.number))
            page.reload()
            page.wait_for_selector("html[data-offline=ready]")


def test_a_scan_that_was_heard_in_two_parts_is_one_without_a_connection_too(page: Page, shop: Shop) -> None:
    cut(page)
    message = codes.barcode_message(shop.card.number)

    Scanner(page.context, page).scan(message, late_from=len(message) - 1)

    expect(page.locator("[data-card]")).to_have_text(codes.grouped(shop.card.number))
    expect(page.locator("#f-code")).to_have_value("")


def test_nothing_is_kept_that_is_no_card_no_amount_or_too_much(page: Page, shop: Shop) -> None:
    cut(page)
    wrong = shop.card.number[:-1] + ("0" if shop.card.number[-1] != "0" else "1")
    page.locator("#f-code").fill(wrong)
    page.keyboard.press("Enter")
    expect(page.locator("#offline-refusal")).to_contain_text("not a card code")
    assert page.locator("#f-code").input_value() == ""

    page.locator("#f-code").fill(shop.card.number)
    page.keyboard.press("Enter")
    for typed, said in (("twelve", "Type the amount as"), ("0", "more than zero"), ("10.000,01", "manager")):
        page.locator("#f-amount").fill(typed)
        page.keyboard.press("Enter")
        expect(page.locator("#e-amount")).to_contain_text(said)
    expect(page.locator("#offline-redeem")).to_contain_text("Nothing can be redeemed without a connection")
    expect(page.locator("#f-points")).to_be_hidden()
    assert unsent(page) == 0


def test_an_unclear_amount_is_asked_and_the_last_sale_is_taken_back(page: Page, shop: Shop) -> None:
    cut(page)
    page.locator("#f-code").fill(shop.card.number)
    page.keyboard.press("Enter")
    page.locator("#f-amount").fill("1.250")
    page.keyboard.press("Enter")
    expect(page.locator("#offline-question")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("#offline-result")).to_contain_text("1,250")
    assert unsent(page) == 1

    page.keyboard.press("F8")

    expect(page.locator("#offline-result")).to_contain_text("Taken back")
    assert unsent(page) == 0


def test_an_allowance_is_used_up_card_by_card(page: Page, shop: Shop, app: Flask) -> None:
    page.context.clear_cookies()
    sign_in(page, "manager")
    page.goto("/till/conflicts")
    page.get_by_label("Points a card may use in a day").fill("60")
    page.get_by_role("button", name="Save").click()
    page.goto("/till")
    installed(page)
    cut(page)

    for points, said in (("50", ""), ("20", "10 more points today"), ("10", "")):
        page.locator("#f-code").fill(shop.card.number)
        page.keyboard.press("Enter")
        page.locator("#f-points").fill(points)
        page.keyboard.press("Enter")
        if said:
            expect(page.locator("#e-points")).to_contain_text(said)
            page.keyboard.press("Escape")
        else:
            expect(page.locator("#offline-result")).to_be_visible()
    rejoin(page)

    all_sent(page)
    assert shop.balance() == 40


def test_after_three_seconds_without_an_answer_the_same_sale_goes_on_and_counts_once(page: Page, shop: Shop) -> None:
    page.locator("#f-code").fill(shop.card.number)
    page.keyboard.press("Enter")
    expect(page.locator(".till-name")).to_be_visible()
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/earn", hold)
    page.locator("#f-amount").fill("120")
    page.keyboard.press("Enter")

    page.get_by_role("button", name="Go on without a connection").click(timeout=WITHIN_MS)

    page.wait_for_selector("html[data-offline=ready]")
    expect(page.locator("#f-amount")).to_have_value("120")
    page.context.set_offline(True)
    # the request that nobody answered arrives after all
    sent = held[0].request
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    late = requests.post(
        sent.url, data=sent.post_data_buffer, headers={"Content-Type": sent.headers["content-type"]}, cookies=cookies,
        timeout=30,
    )  # fmt: skip
    assert late.status_code == 200, late.text
    page.locator("#f-amount").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#offline-result")).to_be_visible()
    rejoin(page)
    expect(page.locator("#offline-back")).to_contain_text("manager", timeout=WITHIN_MS)

    assert shop.balance() == 112
    assert [(one.status, one.reason) for one in kept(shop)] == [("duplicate", "already_booked")]


def test_a_lost_connection_while_the_page_is_open_offers_to_go_on(page: Page, shop: Shop) -> None:
    page.locator("#f-code").fill(shop.card.number)
    page.context.set_offline(True)
    page.keyboard.press("Enter")

    page.get_by_role("button", name="Go on without a connection").click(timeout=WITHIN_MS)

    page.wait_for_selector("html[data-offline=ready]")
    expect(page.locator("[data-card]")).to_have_text(codes.grouped(shop.card.number))


def test_an_answer_that_is_lost_on_the_way_books_nothing_twice(page: Page, shop: Shop) -> None:
    cut(page)
    for amount in ("10", "20", "30"):
        keep(page, shop.card.number, amount)
    lost: list[int] = []

    def lose(route: Any) -> None:
        if len(lost) < 2:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.context.route("**/till/sync", lose)
    rejoin(page)
    expect(page.locator("#till-unsent")).to_be_hidden(timeout=WITHIN_MS)

    assert lost == [200, 200]
    assert shop.balance() == 106
    assert len(kept(shop)) == 3


def test_another_cashier_sends_what_waits_after_the_first_one_signed_out(page: Page, shop: Shop) -> None:
    cut(page)
    keep(page, shop.card.number, "120")
    page.context.clear_cookies()  # the session ended meanwhile
    rejoin(page)
    expect(page.locator("#offline-back")).to_contain_text("nobody is signed in", timeout=WITHIN_MS)
    assert unsent(page) == 1
    page.locator("#f-code").fill(shop.card.number)
    page.keyboard.press("Enter")
    expect(page.locator("#offline-refusal")).to_contain_text("Nobody is signed in")

    sign_in(page, "manager")

    all_sent(page)
    expect(page.locator("#till-told")).to_contain_text("Kept sales sent: 1.", timeout=WITHIN_MS)
    entry = shop.entries()[0]
    assert entry.actor == f"staff:{shop.cashier.public_id}"
    assert entry.note.endswith(f"staff:{shop.manager.public_id}")


def test_signing_out_leaves_no_cashier_and_keeps_what_waits(page: Page, shop: Shop) -> None:
    cut(page)
    keep(page, shop.card.number, "120")
    page.context.route("**/till/sync", lambda route: route.abort())
    page.context.set_offline(False)
    page.goto("/till")
    installed(page)
    assert unsent(page) == 1
    page.keyboard.press("F10")
    page.get_by_role("button", name="Sign in with a password").click()
    page.wait_for_url("**/login**")

    cut(page)

    expect(page.locator("#offline-warning")).to_contain_text("Nobody is signed in")
    assert unsent(page) == 1
    assert page.locator("[data-place]").inner_text() == ""


def test_a_day_s_use_leaves_no_member_s_name_in_the_browser(page: Page, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        other = factories.card(session, shop.programme, "Zebulon Quartermain", email="zebulon@example.com").number
    for number in (shop.card.number, other):
        page.locator("#f-code").fill(number)
        page.keyboard.press("Enter")
        page.locator("#f-amount").fill("20")
        page.keyboard.press("Enter")
        expect(page.locator(".till-result")).to_be_visible()
    page.goto(f"/till/cards/{shop.card.serial}")
    cut(page)
    keep(page, other, "30")

    seen = page.evaluate(WHOLE_STORE)

    text = "\n".join(seen)
    for name in ("Ayşe", "Yılmaz", "Zebulon", "Quartermain", "zebulon@example.com", other, "Cashier", "csrf_token"):
        assert name not in text, name
    assert "extractable: false" in text
    assert not any("/till/cards/" in one for one in seen)
    pages = [one for one in seen if one.startswith("http")]
    assert {one.split("/", 3)[3].split("/")[0] for one in pages} == {"till", "static"}
    assert "till/offline" in "\n".join(pages)
    page.context.set_offline(False)
    page.goto("/till")
    all_sent(page)


def test_a_full_queue_says_so_and_loses_nothing(page: Page, shop: Shop) -> None:
    cut(page)
    keep(page, shop.card.number, "10")
    page.evaluate(
        """async () => {
          const { Store } = await import("/static/till/offline_store.js");
          const store = await Store.open();
          const [item] = (await store.all()).items;
          for (let n = 0; n < 499; n += 1) await store.keep({ ...item, id: crypto.randomUUID() });
        }"""
    )
    page.reload()
    page.wait_for_selector("html[data-offline=ready]")
    expect(page.locator("#offline-warning")).to_contain_text("500 sales wait")

    page.locator("#f-code").fill(shop.card.number)
    page.keyboard.press("Enter")
    page.locator("#f-amount").fill("20")
    page.keyboard.press("Enter")

    expect(page.locator("#offline-refusal")).to_contain_text("no more fit")
    assert page.locator("#f-amount").input_value() == "20"
    assert unsent(page) == 500


def test_sales_older_than_three_days_are_said_and_wait_for_a_manager(page: Page, shop: Shop) -> None:
    cut(page)
    keep(page, shop.card.number, "10")
    page.evaluate(
        """async () => {
          const { Store } = await import("/static/till/offline_store.js");
          const store = await Store.open();
          const [item] = (await store.all()).items;
          const at = new Date(Date.now() - 73 * 3600 * 1000).toISOString();
          await store.keep({ ...item, id: crypto.randomUUID(), at });
        }"""
    )
    page.reload()
    page.wait_for_selector("html[data-offline=ready]")
    expect(page.locator("#offline-warning")).to_contain_text("more than 72 hours old")

    rejoin(page)
    all_sent(page)

    assert sorted((one.status, one.reason) for one in kept(shop)) == [("applied", ""), ("refused", "too_old")]
    page.goto("/till")
    page.locator("#till-conflicts").click()
    expect(page.get_by_text("This is more than 72 hours old.")).to_be_visible()


def test_a_till_whose_clock_is_wrong_is_told(page: Page, shop: Shop) -> None:
    cut(page)
    keep(page, shop.card.number, "10")
    shop.world.clock.advance(minutes=20)  # type: ignore[attr-defined]

    rejoin(page)

    expect(page.locator("#offline-back")).to_contain_text("wrong by 20 min", timeout=WITHIN_MS)
    assert kept(shop)[0].flags == ["clock"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "profile"


def launched(playwright: Playwright, folder: Path, address: str) -> BrowserContext:
    context = playwright.chromium.launch_persistent_context(
        folder, executable_path=str(CHROMIUM), args=list(ARGUMENTS), base_url=address,
        viewport={"width": 375, "height": 700},
    )  # fmt: skip
    context.set_default_timeout(WITHIN_MS)
    return context


def processes_of(folder: Path) -> list[int]:
    """The processes of the browser that a test started with this profile."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--user-data-dir={folder}".encode() in command:
            found.append(int(entry.name))
    return found


def kill_browser(folder: Path) -> None:
    """kill -9, as a power cut would."""
    for process in processes_of(folder):
        os.kill(process, signal.SIGKILL)
    wait_for(lambda: not processes_of(folder))


def test_a_killed_browser_still_has_everything(
    playwright: Playwright, server: Server, shop: Shop, folder: Path
) -> None:
    context = launched(playwright, folder, server.address)
    page = context.pages[0]
    sign_in(page)
    installed(page)
    cut(page)
    keep(page, shop.card.number, "120")
    kill_browser(folder)

    again = launched(playwright, folder, server.address)
    page = again.pages[0]
    cut(page)
    assert unsent(page) == 1
    sign_in_if_asked(page)
    again.close()

    assert shop.balance() == 112


def sign_in_if_asked(page: Page) -> None:
    """The session may have gone with the browser; what waits is sent either way."""
    page.context.set_offline(False)
    page.goto("/till")
    if "/login" in page.url:
        sign_in(page)
    all_sent(page)


class Product:
    """The product's own web process, as an operator starts it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.environ = {
            **os.environ,
            "TESSERA_DATABASE_URL": settings.database_url,
            "TESSERA_SECRET_KEY": SECRET,
            "TESSERA_VAR_DIR": str(folder / "var"),
            "TESSERA_CERTS_DIR": str(folder / "certs"),
            "TESSERA_BASE_URL": self.address,
            "TESSERA_LISTEN": f"127.0.0.1:{self.port}",
        }

    def start(self, **environ: str) -> None:
        with (self.folder / "web.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "web"], env={**self.environ, **environ}, stdout=log, stderr=log
            )
        wait_for(self._is_ready)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def has_lost_its_worker(self) -> bool:
        return "Unexpected exit" in (self.folder / "web.log").read_text(encoding="utf-8")

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.address}/healthz", timeout=5).ok
        except requests.RequestException:
            return False


@pytest.fixture
def product(settings: Settings, shop: Shop, tmp_path: Path) -> Iterator[Product]:
    made = Product(settings, tmp_path)
    yield made
    made.stop()


@pytest.mark.parametrize("point", ["offline.before_commit=kill@2", "offline.committed=kill@2"])
def test_a_server_that_is_killed_in_the_middle_books_each_sale_once(
    browser: Browser, product: Product, shop: Shop, point: str
) -> None:
    product.start(TESSERA_FAILPOINT=point)
    context = browser.new_context(base_url=product.address)
    context.set_default_timeout(WITHIN_MS)
    page = context.new_page()
    sign_in(page)
    installed(page)
    cut(page)
    for amount in ("10", "20", "30"):
        keep(page, shop.card.number, amount)
    rejoin(page)
    wait_for(product.has_lost_its_worker)

    product.stop()
    product.start()
    all_sent(page)
    context.close()

    assert shop.balance() == 106
    assert sorted(one.amount_minor or 0 for one in kept(shop)) == [1000, 2000, 3000]


TYPED_PLAINLY = """12 12,5 12.50 1.250,00 1,250.00 1.250 1,250 0,5 ,5 .5 5, 5. 0 0,00 -1 ₺12,50 12,50TL 12,50try
Rp25.000 25.000 25.000,00 1.2.3 1.234.567 1,234,567.89 1.234.567,8 12,345,67 1,2,3.4 01.250 0.250 1..2 1e5 NaN １２
999999999999 9999999999999
10000000,00 10000000,01 12,5000 12,50000 12,505 1.2500 100.000.000 1.000.000.000 $12 12$ € €12€ 1'250"""
TYPED = (
    *TYPED_PLAINLY.split(),
    *("", " ", "1 250", "1\u00a0250,00", "12,50 TL", "TRY 12,50", "Rp. 25.000", "12 .5", "x" * 30, "1" * 25),
)


def test_amounts_are_read_as_the_server_reads_them(page: Page) -> None:
    for currency in ("TRY", "IDR", "JPY", "KWD", "EUR"):
        money = {
            "currency": currency,
            "exponent": exponent(currency),
            "used": amounts.used_decimals(currency),
            "largest": LARGEST_MINOR,
        }
        found = page.evaluate(
            """async ({ typed, money }) => {
              const { parse } = await import("/static/till/offline_amounts.js");
              return typed.map((text) => parse(text, money));
            }""",
            {"typed": list(TYPED), "money": money},
        )
        assert dict(zip(TYPED, found, strict=True)) == {text: as_the_server(text, currency) for text in TYPED}


def as_the_server(text: str, currency: str) -> dict[str, Any]:
    codes_of = {"invalid_amount": "invalid", "amount_zero": "zero", "amount_too_large": "large"}
    try:
        found = amounts.parse(text, currency)
    except Unprocessable as refusal:
        return {"refusal": codes_of[refusal.code]}
    if isinstance(found, int):
        return {"minor": found}
    return {"question": [found.as_thousands_minor, found.as_decimals_minor]}


def test_codes_are_read_as_the_server_reads_them(page: Page) -> None:
    numbers = [codes.new_number() for _ in range(300)]
    texts = [
        *numbers, *(one.lower() for one in numbers), *(codes.barcode_message(one) for one in numbers),
        *(codes.grouped(one) for one in numbers), *(one[:-1] + "0" for one in numbers),
        *(one[1] + one[0] + one[2:] for one in numbers), "", "LY1:", "7K3M9QX2TDS", "7k3m-9qx2-tds", "ı" * 11, "x" * 70,
        "7K3M9QX2TDSS", "OOOOOOOOOOO", "LLLLLLLLLLL", "UUUUUUUUUUU",
    ]  # fmt: skip
    found = page.evaluate(
        """async (texts) => {
          const { normalise } = await import("/static/till/offline_codes.js");
          return texts.map(normalise);
        }""",
        texts,
    )

    assert found == [codes.normalise(text) for text in texts]


def test_the_till_can_be_installed(page: Page) -> None:
    address = page.locator("link[rel=manifest]").get_attribute("href") or ""
    manifest = page.evaluate("async (address) => (await fetch(address)).json()", address)

    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == ("/till", "/till", "standalone")
    sizes = page.evaluate(
        """async (icons) => Promise.all(icons.map(async ({ src }) => {
          const picture = await createImageBitmap(await (await fetch(src)).blob());
          return `${picture.width}x${picture.height}`;
        }))""",
        [{"src": f"/static/till/{icon['src']}"} for icon in manifest["icons"]],
    )
    assert sizes == [icon["sizes"] for icon in manifest["icons"]]
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}
    cdp = page.context.new_cdp_session(page)
    faults = {one["errorId"] for one in cdp.send("Page.getInstallabilityErrors")["installabilityErrors"]}
    assert faults <= {"in-incognito"}
    assert json.dumps(cdp.send("Page.getAppManifest")["errors"]) == "[]"


def test_no_width_scrolls_sideways(page: Page) -> None:
    for width in (320, 375, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for path in ("/till/conflicts", "/till/offline?now"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
