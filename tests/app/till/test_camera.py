"""The camera of a till in a real browser, with a film of a card in front of it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import segno
from PIL import Image
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from app.cards import codes
from tests.app.till.browsing import ARGUMENTS, CHROMIUM, WITHIN_MS, Server, faultless, sign_in
from tests.app.till.conftest import Shop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]
WIDTH, HEIGHT = 640, 480
WATCH_TRACKS = """() => {
  window.tracks = [];
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    tracks.push(...stream.getTracks());
    return stream;
  };
}"""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


def film(folder: Path, text: str | None) -> Path:
    """A film (YUV4MPEG2) of a barcode on a desk, or of the empty desk."""
    frame = Image.new("L", (WIDTH, HEIGHT), 190)
    if text is not None:
        picture = io.BytesIO()
        segno.make_qr(text).save(picture, kind="png", scale=7, border=4)
        frame.paste(Image.open(picture).convert("L"), (180, 90))
    colourless = bytes([128]) * (WIDTH * HEIGHT // 2)
    path = folder / f"film-{text is not None}.y4m"
    head = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F15:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + (b"FRAME\n" + frame.tobytes() + colourless) * 5)
    return path


@contextmanager
def till(playwright: Playwright, server: Server, *arguments: str) -> Iterator[Page]:
    browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS, *arguments])
    context = browser.new_context(base_url=server.address, service_workers="block")
    context.set_default_timeout(WITHIN_MS)
    with faultless(context.new_page()) as page:
        sign_in(page)
        page.evaluate(WATCH_TRACKS)
        yield page
    browser.close()


def watching(path: Path) -> tuple[str, ...]:
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )


def test_the_camera_opens_the_card_it_sees_and_lets_go(
    playwright: Playwright, server: Server, shop: Shop, tmp_path: Path
) -> None:
    path = film(tmp_path, codes.barcode_message(shop.card.number))
    with till(playwright, server, *watching(path)) as page:
        page.get_by_role("button", name="Camera", exact=True).click()

        expect(page.locator(".till-name")).to_have_text("Ayşe Y.", timeout=WITHIN_MS)

        expect(page.locator("#till-camera")).to_be_hidden()
        assert page.evaluate("tracks.map((one) => one.readyState)") == ["ended"]


def test_a_page_that_nobody_sees_holds_no_camera(
    playwright: Playwright, server: Server, shop: Shop, tmp_path: Path
) -> None:
    with till(playwright, server, *watching(film(tmp_path, None))) as page:
        page.get_by_role("button", name="Camera", exact=True).click()
        page.wait_for_function("() => tracks.length === 1 && document.querySelector('video').videoWidth > 0")

        page.evaluate(
            """() => {
              Object.defineProperty(document, "hidden", { value: true });
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )

        assert page.evaluate("tracks.map((one) => one.readyState)") == ["ended"]
        expect(page.locator("#till-camera")).to_be_hidden()


def test_a_camera_that_is_not_allowed_says_how_to_allow_it(playwright: Playwright, server: Server, shop: Shop) -> None:
    with till(playwright, server, "--use-fake-device-for-media-stream", "--deny-permission-prompts") as page:
        page.get_by_role("button", name="Camera", exact=True).click()

        expect(page.locator("[data-camera-message]")).to_contain_text("not allowed for this page")
        expect(page.locator("#f-code")).to_be_editable()
