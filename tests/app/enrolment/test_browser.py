"""The join journey in a real browser: without a script, with the keyboard alone, and how it looks and reads."""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from app.cards.models import Programme
from app.settings import Settings
from app.world import World
from tests import factories
from tests.conftest import application, settings_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]

UNNAMED = """() => [...document.querySelectorAll('a,button,input:not([type=hidden]),select,textarea')]
  .filter(e => e.checkVisibility() && !e.closest('[aria-hidden=true]'))
  .filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim()))
  .map(e => e.outerHTML)"""
SMALL = """() => [...document.querySelectorAll('.button,.wallet,.field input,.field select,summary,.languages a')]
  .filter(e => e.checkVisibility() && !e.closest('[aria-hidden=true]') && e.getBoundingClientRect().height < 43.5)
  .map(e => e.outerHTML)"""
CONTRAST = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const lum = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255;
    return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  return [...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && !e.closest('svg,.unnamed,.unseen')
    && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
      const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(ground(e))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e.outerHTML.slice(0, 90)]; }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.fixture
def app(world: World) -> Flask:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, design={"background_color": "#4a2c1d"})
        factories.store(session, programme)
    return application(world)


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    """Plain http on this machine, so that the browser keeps the cookies."""
    return settings_for(sqlite_url, tmp_path)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


def page_of(browser: Browser, **context: object) -> Page:
    return browser.new_context(**{"viewport": {"width": 375, "height": 812}, **context}).new_page()  # type: ignore[arg-type]  # Playwright's options


def test_a_card_is_made_without_a_script(browser: Browser, address: str) -> None:
    page = page_of(browser, java_script_enabled=False)

    page.goto(f"{address}/join/kahve")
    page.get_by_label("Your name").fill("Ayşe Yılmaz")
    page.get_by_label("E-mail or phone").fill("ayse@")
    page.get_by_role("button", name="Make my card").click()
    assert page.get_by_text("This is not an e-mail address").is_visible()
    assert page.get_by_label("Your name").input_value() == "Ayşe Yılmaz"
    page.get_by_label("E-mail or phone").fill("")
    page.get_by_role("button", name="Make my card").click()

    page.wait_for_url("**/c/*?new=1")
    assert page.get_by_text("Your card is ready").is_visible()
    assert page.get_by_text("Ayşe Y.").is_visible()
    page.context.close()


def test_the_name_appears_on_the_card_as_it_is_typed(browser: Browser, address: str) -> None:
    page = page_of(browser)
    page.goto(f"{address}/join/kahve")

    page.get_by_label("Your name").press_sequentially("Müge 🦊")

    assert page.locator(".card-hero .holder").inner_text() == "Müge 🦊"
    page.context.close()


def test_the_keyboard_alone_makes_a_card(browser: Browser, address: str) -> None:
    page = page_of(browser)
    page.goto(f"{address}/join/kahve")

    page.get_by_label("Your name").focus()
    page.keyboard.type("Ayşe")
    page.keyboard.press("Enter")

    page.wait_for_url("**/c/*?new=1")
    page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("dark", 375), ("light", 1280), ("dark", 1920)])
def test_pages_can_be_read_and_touched_and_never_scroll_sideways(
    browser: Browser, address: str, scheme: str, width: int
) -> None:
    page = page_of(browser, color_scheme=scheme, viewport={"width": width, "height": 800})
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}/join/kahve")
    page.get_by_label("Your name").fill("Ayşe")
    page.get_by_role("button", name="Make my card").click()
    page.wait_for_url("**/c/*")
    card = page.url.partition("?")[0]

    for path in (
        f"{address}/",
        f"{address}/join/kahve?another=1",
        f"{address}/join/kahve/again",
        card,
        f"{card}/leave",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.evaluate(UNNAMED) == [], path
        assert page.evaluate(SMALL) == [], path
        assert page.evaluate(CONTRAST) == [], path
        assert page.locator("h1").count() == 1, path
    assert faults == []
    page.context.close()


def test_the_poster_prints_on_one_sheet_with_a_symbol_of_four_centimetres_or_more(
    browser: Browser, address: str
) -> None:
    page = page_of(browser)
    for size in ("a4", "a6", "slip"):
        page.goto(f"{address}/join/kahve/poster?size={size}")
        sheet = page.pdf(prefer_css_page_size=True, print_background=True)
        page.emulate_media(media="print")
        box = page.locator(".poster .code svg").bounding_box()
        page.emulate_media(media="screen")
        modules = int((page.locator(".poster .code svg").get_attribute("viewBox") or "").split()[2])

        assert len(re.findall(rb"/Type /Page\b", sheet)) == 1, size
        assert box is not None
        assert box["width"] / 96 * 25.4 * (modules - 8) / modules >= 40, size
    page.context.close()


def test_a_long_sentence_still_leaves_room_for_the_symbol(browser: Browser, address: str, world: World) -> None:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, 1)
        programme.name = "Kahve Durağı Anadolu Yakası " * 3
        programme.design = {**programme.design, "benefit": {"en": "One free coffee for every ten. " * 12}}
    page = page_of(browser)

    for size in ("a4", "a6"):
        page.goto(f"{address}/join/kahve/poster?size={size}")
        sheet = page.pdf(prefer_css_page_size=True, print_background=True)
        assert len(re.findall(rb"/Type /Page\b", sheet)) == 1, size
    page.context.close()


def test_a_name_from_right_to_left_stays_inside_the_card(browser: Browser, address: str, world: World) -> None:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, 1)
        card = factories.card(session, programme, "أحمد بن سعيد بن محمد الطويل جدا " * 6)
    page = page_of(browser)

    page.goto(f"{address}/c/{card.link}")

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.context.close()
