"""The page of the two phones: what it says, what it may, and that a camera can read the cards on it."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import zxingcpp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from app.sandbox.hub import Push
from app.sandbox.phone_barcode import APPLE_FORMATS, barcode_png
from app.sandbox.phone_pages import create_pages
from app.sandbox.phones import Phones
from app.sandbox.sandbox import Sandbox
from tests.app.sandbox.phone_kit import PassKit, Shop, card_json, pack, png, serve_passkit, serve_shop
from tests.app.sandbox.test_google_phone import class_body, object_body, save_link
from tests.authority import PassCertificate

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PASS_TYPE = "pass.test.tessera"


class Bench:
    """A sandbox with its page, a shop, and a PassKit service for its cards."""

    def __init__(self, sandbox: Sandbox, phones: Phones, shop: Shop, passkit: PassKit) -> None:
        self.sandbox, self.phones, self.shop, self.passkit = sandbox, phones, shop, passkit
        self.url = sandbox.pages_url

    def push(self) -> bool:
        push = Push(topic=PASS_TYPE, token=self.phones.apple.device.push_token, apns_id="1")
        return self.sandbox.hub.publish(push)

    def state(self) -> Any:
        return requests.get(f"{self.url}/sandbox/state").json()

    def issue_google_card(self) -> str:
        issuer = self.sandbox.google_issuer_id
        self.sandbox.google.wallet.insert("loyaltyClass", class_body(f"{issuer}.gold"))
        self.sandbox.google.wallet.insert("loyaltyObject", object_body(f"{issuer}.card-1", f"{issuer}.gold"))
        return f"{issuer}.card-1"


def sandbox_identity(sandbox: Sandbox) -> PassCertificate:
    folder = sandbox.issue_pass_identity(PASS_TYPE)
    key = load_pem_private_key((folder / "key.pem").read_bytes(), None)
    certificates = {
        name: x509.load_pem_x509_certificate(file.read_bytes())
        for name, file in (
            ("certificate", folder / "certificate.pem"),
            ("intermediate", folder / "wwdr.pem"),
            ("root", sandbox.ca_file),
        )
    }
    return PassCertificate(pass_type=PASS_TYPE, team="TEAM123456", key=key, **certificates)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sandbox that has made its keys: making them anew for each test takes long."""
    folder = tmp_path_factory.mktemp("keys")
    with Sandbox(folder) as sandbox:
        sandbox.issue_pass_identity(PASS_TYPE)
    return folder


@pytest.fixture
def bench(tmp_path: Path, keys: Path) -> Iterator[Bench]:
    shutil.copytree(keys, tmp_path, dirs_exist_ok=True)
    apps: list[Any] = []

    def pages(sandbox: Sandbox) -> Any:
        app = create_pages(sandbox)
        sandbox.at_stop(app.extensions["phones"].close)
        apps.append(app)
        return app

    with (
        serve_shop() as shop,
        Sandbox(tmp_path, product_url=shop.url, create_pages=pages) as sandbox,
        serve_passkit(sandbox_identity(sandbox)) as passkit,
    ):
        yield Bench(sandbox, apps[0].extensions["phones"], shop, passkit)


def registered(phones: Phones) -> bool:
    return phones.apple.wait_until(lambda it: it.is_registered("card-1") and it.is_idle)


def test_the_state_tells_both_cards_as_the_phones_show_them(bench: Bench) -> None:
    bench.phones.apple.add(bench.passkit.issue(expirationDate="2999-01-01T00:00:00Z"))
    assert registered(bench.phones)
    object_id = bench.issue_google_card()
    bench.phones.google.save(save_link(bench.sandbox, object_id))

    state = bench.state()

    (apple,), (google,) = state["apple"]["cards"], state["google"]["cards"]
    assert apple["groups"]["header"][0]["text"] == "40"
    assert apple["colours"]["background"] == "rgb(24,60,52)"
    assert apple["signature"]["valid"] is True
    assert apple["findings"] == []
    assert apple["registered"] is True
    assert (google["programme"], google["points"][0]["value"]) == ("Corner Coffee Club", "40")


def test_the_barcode_pictures_decode_to_the_message(bench: Bench) -> None:
    bench.phones.apple.add(bench.passkit.issue())
    object_id = bench.issue_google_card()
    bench.phones.google.save(save_link(bench.sandbox, object_id))

    for path, message in (("apple/card-1.png", "CC-card-1"), (f"google/{object_id}.png", "CC-1")):
        answer = requests.get(f"{bench.url}/sandbox/barcodes/{path}")
        picture = Image.open(io.BytesIO(answer.content)).convert("L")
        assert [code.text for code in zxingcpp.read_barcodes(picture)] == [message]
    assert requests.get(f"{bench.url}/sandbox/barcodes/apple/unknown.png").status_code == 404
    assert requests.get(f"{bench.url}/sandbox/barcodes/nokia/card-1.png").status_code == 404


@pytest.mark.parametrize(
    ("apple_format", "message"),
    [
        ("PKBarcodeFormatQR", "Şeker-1"),
        ("PKBarcodeFormatPDF417", "12345"),
        ("PKBarcodeFormatAztec", "ABC-1"),
        ("PKBarcodeFormatCode128", "ABC123"),
        ("PKBarcodeFormatEAN13", "4006381333931"),
    ],
)
def test_every_kind_of_barcode_can_be_read(apple_format: str, message: str) -> None:
    picture = Image.open(io.BytesIO(barcode_png(APPLE_FORMATS[apple_format], message))).convert("L")

    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [message]


def test_a_barcode_that_cannot_be_drawn_is_an_answer_not_a_fault(bench: Bench) -> None:
    barcode = {"format": "PKBarcodeFormatEAN13", "message": "letters", "messageEncoding": "ascii"}
    identity = bench.passkit.identity
    bench.phones.apple.add(pack(card_json(identity, barcodes=[barcode]), identity))

    assert requests.get(f"{bench.url}/sandbox/barcodes/apple/card-1.png").status_code == 422


def test_the_switches_do_what_they_say(bench: Bench) -> None:
    bench.phones.apple.add(bench.passkit.issue())
    assert registered(bench.phones)

    def press(phone: str, action: str, **values: Any) -> Any:
        answer = requests.post(f"{bench.url}/sandbox/phones/{phone}/{action}", json=values)
        return answer.json() if answer.ok else answer.status_code

    assert press("apple", "airplane", on=True)["apple"]["airplane"] is True
    assert press("apple", "airplane", on=False)["apple"]["airplane"] is False
    assert press("google", "language", language="tr")["google"]["language"] == "tr"
    assert press("apple", "updates", id="card-1", on=False)["apple"]["cards"][0]["automatic_updates"] is False
    assert press("apple", "delete", id="card-1")["apple"]["cards"] == []
    assert press("apple", "language", language="klingon") == 422
    assert press("apple", "airplane", on="yes") == 422
    assert press("apple", "delete", id=["card-1"]) == 422
    assert press("apple", "explode") == 404


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [(b"{", "application/json", 400), (b"[]", "application/json", 404), (b"on=1", "text/plain", 415)],
)
def test_a_spoilt_press_is_refused(bench: Bench, body: bytes, media: str, status: int) -> None:
    url = f"{bench.url}/sandbox/phones/apple/airplane"

    assert requests.post(url, data=body, headers={"Content-Type": media}).status_code == status


def test_other_sites_and_names_are_refused(bench: Bench) -> None:
    url = f"{bench.url}/sandbox/phones/apple/airplane"

    assert requests.post(url, json={"on": True}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert requests.get(f"{bench.url}/sandbox/state", headers={"Host": "evil.example"}).status_code == 421
    assert bench.phones.apple.device.airplane is False


def test_a_pass_can_be_dropped_on_the_iphone(bench: Bench) -> None:
    good = requests.post(f"{bench.url}/sandbox/passes", data=bench.passkit.issue())
    bad = requests.post(f"{bench.url}/sandbox/passes", data=b"no archive")

    assert (good.status_code, good.json()["accepted"]) == (200, True)
    assert (bad.status_code, bad.json()["findings"][0]["code"]) == (422, "zip.broken")


def test_the_events_bring_the_state_at_once_and_after_each_change(bench: Bench) -> None:
    with requests.get(f"{bench.url}/sandbox/events", stream=True, timeout=30) as answer:
        lines = (line for line in answer.iter_lines(decode_unicode=True) if line.startswith("data: "))
        first = json.loads(next(lines).removeprefix("data: "))
        bench.phones.google.set_language("id")
        second = json.loads(next(lines).removeprefix("data: "))

    assert (first["google"]["language"], second["google"]["language"]) == ("en", "id")
    assert second["version"] > first["version"]


def test_the_page_allows_no_inline_script_and_no_frame_around_it(bench: Bench) -> None:
    answer = requests.get(f"{bench.url}/sandbox")

    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


@pytest.fixture
def page() -> Iterator[Page]:
    if not CHROMIUM.exists():
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.problems = []  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.problems.append(str(error)))  # type: ignore[attr-defined]
        page.on("console", lambda message: _note(page, message))
        yield page
        browser.close()


def _note(page: Any, message: Any) -> None:
    if message.type == "error" and "net::ERR" not in message.text:
        page.problems.append(message.text)


def codes_on(page: Page) -> list[str]:
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("L")
    return sorted(code.text for code in zxingcpp.read_barcodes(picture))


@pytest.mark.browser
def test_from_the_poster_to_a_card_whose_balance_moves(bench: Bench, page: Page) -> None:
    bench.shop.pkpass = bench.passkit.issue(extra={"strip@2x.png": png(750, 288)})
    page.goto(f"{bench.url}/sandbox")
    iphone = page.locator('.phone[data-phone="apple"]')

    iphone.get_by_role("button", name="Scan the poster").click()
    frame = page.frame_locator('.phone[data-phone="apple"] iframe')
    frame.get_by_role("button", name="Get the card").click()
    frame.get_by_role("link", name="Add to Apple Wallet").click()
    frame.get_by_role("heading", name="Added to Wallet").wait_for()
    iphone.locator(".pass .code img").wait_for()
    assert registered(bench.phones)
    bench.passkit.change(balance=52, extra={"strip@2x.png": png(750, 288)})
    assert bench.push()

    iphone.locator('.field-value[title="52"]').wait_for()
    iphone.locator(".banner.is-shown", has_text="You now have 52 points").wait_for()
    page.locator(".story", has_text="POINTS 40 → 52").wait_for()
    assert codes_on(page) == ["CC-card-1"]
    assert page.problems == []  # type: ignore[attr-defined]


@pytest.mark.browser
def test_the_back_shows_the_verdict_and_the_keyboard_reaches_it(bench: Bench, page: Page) -> None:
    bench.phones.apple.add(bench.passkit.issue())
    page.goto(f"{bench.url}/sandbox")
    iphone = page.locator('.phone[data-phone="apple"]')

    iphone.get_by_role("button", name="Show the back of the card").focus()
    page.keyboard.press("Enter")

    iphone.get_by_text("Signature valid").wait_for()
    assert iphone.get_by_role("button", name="Done").evaluate("node => node === document.activeElement")
    page.keyboard.press("Enter")
    iphone.get_by_role("button", name="Show the back of the card").wait_for()
    assert page.problems == []  # type: ignore[attr-defined]


@pytest.mark.browser
def test_both_barcodes_can_be_scanned_off_the_page_at_any_width(bench: Bench, page: Page) -> None:
    bench.phones.apple.add(bench.passkit.issue())
    bench.phones.google.save(save_link(bench.sandbox, bench.issue_google_card()))

    page.goto(f"{bench.url}/sandbox")
    page.locator(".gcard .code img").wait_for()
    page.locator(".pass .code img").wait_for()
    page.wait_for_load_state("load")

    for width in (320, 375, 768, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert codes_on(page) == ["CC-1", "CC-card-1"], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_deleting_asks_first(bench: Bench, page: Page) -> None:
    bench.phones.apple.add(bench.passkit.issue())
    page.goto(f"{bench.url}/sandbox")
    delete = page.locator('.phone[data-phone="apple"]').get_by_role("button", name="Delete the card")

    delete.click()
    page.get_by_role("button", name="Keep it").click()
    assert bench.phones.apple.serials == ["card-1"]
    delete.click()
    page.get_by_role("button", name="Delete", exact=True).click()

    page.locator('.phone[data-phone="apple"]').get_by_text("No card yet").wait_for()
    assert bench.phones.apple.serials == []
