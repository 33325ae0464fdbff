"""Every main page in Chromium: named, ordered, readable in light and dark, within its width, usable by keyboard."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.journeys.browser import DESK, PHONE, Demo, chromium, demo, faults_of, in_chromium, visitor
from tests.journeys.stage import wait_for

pytestmark = in_chromium

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
LOOKS = [("light", 320), ("dark", 375), ("light", 1280)]
STAFF = {"cashier": "till", "marketer": "marketing", "owner": "admin"}
PAGE_BYTES_MAX = 150_000
JOIN_BYTES_MAX = 100_000
# A date field has several stops inside.
STOPS_IN_A_DATE = 8

WALK = (Path(__file__).parent / "walk.js").read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Places:
    """A running demo with one member whose card is on both phones, and the addresses to look at by visitor."""

    demo: Demo
    by_visitor: dict[str, list[str]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, chromium(playwright) as started:
        yield started


@pytest.fixture(scope="module")
def places(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with demo(tmp_path_factory.mktemp("pages")) as running:
        card = become_member(running, browser)
        serial = running.card("apple")["id"]
        join = f"{running.base}/join/kahve-duragi"
        yield Places(
            demo=running,
            by_visitor={
                "customer": [
                    *(f"{running.base}/", join, f"{join}/again", f"{join}/poster", f"{join}/poster?size=slip"),
                    *(card, f"{card}/leave", f"{running.base}/join/nowhere", f"{running.base}/login"),
                    f"{running.sandbox}/sandbox",
                ],
                "cashier": [
                    *(f"{running.base}/till", f"{running.base}/till/cards/{serial}", f"{running.base}/account"),
                    *(f"{running.base}/till/offline", f"{running.base}/till/conflicts"),
                ],
                "marketer": [
                    f"{running.base}/marketing{page}"
                    for page in (
                        *("", "/campaigns", "/campaigns/new", "/calendar", "/calendar?view=week", "/settings"),
                        *("/offers", "/offers/new", "/segments", "/segments/new", "/reports", "/pilots"),
                    )
                ],
                "owner": [
                    f"{running.base}/admin{page}"
                    for page in (
                        *("", "/programmes", "/programmes/new", "/cards", "/deliveries", "/certificates", "/staff"),
                        *("/keys", "/audit", "/programmes/kahve-duragi", "/programmes/kahve-duragi/look"),
                    )
                ],
            },
        )


def become_member(running: Demo, browser: Browser) -> str:
    """Join and add the card to both phones; the address of the card's page."""
    street = visitor(browser, viewport=PHONE)
    page = street.new_page()
    page.goto(f"{running.phone_browser('apple')}/join/kahve-duragi")
    page.get_by_label("Your name").fill("Elif Arslan")
    page.get_by_role("button", name="Make my card").click()
    path = "/c/" + page.url.partition("/c/")[2].partition("?")[0]
    page.locator("a.wallet").first.click()
    page.get_by_role("heading", name="Added to Wallet").wait_for()
    page.goto(f"{running.phone_browser('google')}{path}")
    page.locator("a.wallet").first.click()
    page.get_by_role("button", name="Add to Google Wallet").click()
    wait_for(lambda: all(running.state()[phone]["cards"] for phone in ("apple", "google")))
    street.close()
    return running.base + path


def enter(places: Places, context: BrowserContext, who: str) -> Page:
    page = context.new_page()
    if who in STAFF:
        places.demo.sign_in(page, who, STAFF[who])
    return page


@pytest.mark.parametrize("who", ["customer", *STAFF])
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pages_are_named_ordered_readable_and_within_their_width(
    places: Places, browser: Browser, who: str, scheme: str, width: int
) -> None:
    context = visitor(browser, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    faults = faults_of(context)
    page = enter(places, context, who)

    found = [f"{path_of(address)} {said}" for address in places.by_visitor[who] for said in audit(page, address)]

    context.close()
    assert "\n".join([*found, *unexpected(faults)]) == ""


def audit(page: Page, address: str) -> list[str]:
    answer = page.goto(address)
    assert answer is not None
    assert answer.ok or address.endswith("/nowhere"), f"{address} answers {answer.status}"
    if address.endswith("/sandbox"):
        page.locator(".gcard .code img").wait_for()
        page.locator(".pass .code img").wait_for()
    said: list[str] = page.evaluate(AUDIT, JOIN_BYTES_MAX if "/join/" in address else PAGE_BYTES_MAX)
    return said


def path_of(address: str) -> str:
    return "/" + address.split("/", 3)[3]


def unexpected(faults: list[str]) -> list[str]:
    """A page that is not there is said to be so on the console as well."""
    return [fault for fault in faults if "/join/nowhere" not in fault]


@pytest.mark.parametrize("who", ["customer", *STAFF])
def test_the_keyboard_reaches_every_control_and_its_place_can_be_seen(
    places: Places, browser: Browser, who: str
) -> None:
    context = visitor(browser, viewport=DESK, reduced_motion="reduce")
    page = enter(places, context, who)

    found = [f"{path_of(address)} {said}" for address in places.by_visitor[who] for said in walk(page, address)]

    context.close()
    assert "\n".join(found) == ""


def walk(page: Page, address: str) -> list[str]:
    """Press Tab through the page; what is wrong with where it leads."""
    page.goto(address)
    if address.endswith("/sandbox"):
        page.locator(".gcard .code img").wait_for()
    return walk_on(page)


def walk_on(page: Page) -> list[str]:
    walk = page.evaluate_handle(WALK)
    stops = int(page.evaluate("walk => walk.waiting()", walk))
    stops += STOPS_IN_A_DATE * page.locator("[type=datetime-local], [type=date], [type=time]").count()
    said: list[str] = []
    for _ in range(stops + 4):
        page.keyboard.press("Tab")
        said.append(page.evaluate("walk => walk.judge(document.activeElement)", walk))
        if not page.evaluate("walk => walk.waiting()", walk):
            break
    missed: list[str] = page.evaluate("walk => walk.missed()", walk)
    return [one for one in [*said, *missed] if one]


FAULTY = """<!doctype html><html><head></head><body><main>
<h2>Second</h2><h4>Fourth</h4><p style="color: #999">Pale</p><p style="opacity: .5">Faded</p>
<input name="unnamed"><button></button><img src="data:,"><svg></svg><label for="nobody">Lost</label>
<i id="twice"></i><i id="twice"></i><div style="inline-size: 3000px">Wide</div></main></body></html>"""
NOTICED = (
    *("no language", "no title", "field without a label", "control without a name", "picture without alt", "drawing"),
    *("the id twice", "for leads nowhere", "headings of the first level", "headings skip a level", "sideways"),
    *('contrast 2.85: <p style="color', ': <p style="opacity'),
)


def test_the_audit_notices_what_it_is_for(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(FAULTY)

    said = page.evaluate(AUDIT, PAGE_BYTES_MAX)

    page.close()
    assert [fault for fault in NOTICED if not any(fault in line for line in said)] == []
    assert len(said) == len(NOTICED)


def test_the_walk_notices_what_cannot_be_seen_or_reached(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        "<style>#plain { outline: none }</style><a href='/a'>Seen</a><a href='/b' id='plain'>Plain</a>"
        "<a href='/c' style='position: fixed; left: -900px'>Away</a>"
        "<div onkeydown='event.preventDefault()'><a href='/d'>Trap</a></div><a href='/e'>Beyond</a>"
    )

    said = walk_on(page)

    page.close()
    assert [line.partition(":")[0] for line in said] == [
        "focus cannot be seen",
        "focus is off the screen",
        "Tab never comes to",
    ]
