"""A marketer's journey in Chromium: a campaign is written, seen, approved by somebody else, moved, sent and stopped."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.journeys.browser import DESK, PHONE, Demo, chromium, demo, faults_of, in_chromium, visitor
from tests.journeys.stage import wait_for

pytestmark = in_chromium

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
PAGE_BYTES_MAX = 150_000
NOTHING: Mapping[str, str] = {}
STATES = {"en": ("Sent", "Stopped"), "tr": ("Gönderildi", "Durdu"), "id": ("Terkirim", "Dihentikan")}
LOOKS = [("en", "light"), ("tr", "dark"), ("id", "light")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, chromium(playwright) as started:
        yield started


@pytest.fixture(scope="module")
def running(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo with a member who agreed to marketing and has the card; all needs approval, and no cap is in the way."""
    with demo(tmp_path_factory.mktemp("marketing")) as started:
        join(started, browser)
        settle(started, browser)
        yield started


def join(started: Demo, browser: Browser) -> None:
    street = visitor(browser, viewport=PHONE)
    page = street.new_page()
    page.goto(f"{started.phone_browser('apple')}/join/kahve-duragi")
    page.get_by_label("Your name").fill("Elif Arslan")
    for tick in page.locator("input[type=checkbox]").all():
        tick.check()
    page.get_by_role("button", name="Make my card").click()
    page.locator("a.wallet").first.click()
    page.get_by_role("heading", name="Added to Wallet").wait_for()
    wait_for(lambda: started.state()["apple"]["cards"])
    street.close()


def settle(started: Demo, browser: Browser) -> None:
    context = visitor(browser)
    page = context.new_page()
    started.sign_in(page, "owner", "marketing")
    page.goto(f"{started.base}/marketing/settings")
    for field, most in (("approve_above", "0"), ("cap_day", "10"), ("cap_week", "50"), ("global_holdout", "0")):
        page.locator(f"#f-{field}").fill(most)
    page.keyboard.press("Enter")
    page.locator(".notice.good").wait_for()
    context.close()


def desk_of(running: Demo, browser: Browser, who: str, language: str, **options: object) -> tuple[BrowserContext, Page]:
    """Somebody at work, with pages in their language."""
    context = visitor(browser, reduced_motion="reduce", **options)
    page = context.new_page()
    running.sign_in(page, who, "marketing")
    page.goto(f"{running.base}/account")
    page.locator("#f-language").select_option(language)
    page.locator("form[action$='/account/language'] button").click()
    page.wait_for_function("language => document.documentElement?.lang === language", arg=language)
    page.goto(f"{running.base}/marketing")
    return context, page


def audit(page: Page) -> list[str]:
    return [f"{page.url} {said}" for said in page.evaluate(AUDIT, PAGE_BYTES_MAX)]


def choose_people(page: Page, running: Demo, name: str) -> list[str]:
    """Make a segment: a rule comes and goes again; what is wrong with its page."""
    page.goto(f"{running.base}/marketing/segments/new")
    page.locator("#f-name").fill(name)
    page.locator("button[value^='add:']").first.click()
    page.locator("fieldset.rule-row").first.wait_for()
    faults = audit(page)
    page.locator("fieldset.rule-row button[value^='remove:']").first.click()
    page.locator("button[value=save]").click()
    page.wait_for_url("**/marketing/segments/seg_*")
    return faults


def promise(page: Page, running: Demo, title: str) -> list[str]:
    """Make an offer as its page proposes it; what is wrong with its pages."""
    page.goto(f"{running.base}/marketing/offers/new")
    page.locator("#f-title").fill(title)
    faults = audit(page)
    page.locator("button[value=schedule]").click()
    page.wait_for_url(lambda address: "/marketing/offers/" in address and not address.endswith("/new"))
    return [*faults, *audit(page)]


def write(page: Page, running: Demo, title: str, day: str, chosen: Mapping[str, str] = NOTHING) -> list[str]:
    """Write a campaign by keyboard and see it drawn while typing; what is wrong with the pages on the way."""
    page.goto(f"{running.base}/marketing/campaigns/new")
    page.locator("#f-send_local").fill(f"{day}T10:00")
    for part, label in chosen.items():
        page.locator(f"#f-{part}").select_option(label=label)
    for quiet in ("#f-quiet_from", "#f-quiet_to"):
        page.locator(quiet).fill("")
    page.locator("#f-title").focus()
    page.keyboard.type(title)
    page.locator("[data-field*=first_name]").first.focus()
    page.keyboard.press("Enter")
    page.locator(".face").first.wait_for(state="attached")
    page.locator(".lock-line", has_text=title).first.wait_for()
    faults = audit(page)
    page.locator("#go button").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/marketing/campaigns/cmp_*")
    return [*faults, *audit(page)]


def approve(running: Demo, browser: Browser, address: str, language: str) -> None:
    context, page = desk_of(running, browser, "owner", language)
    page.goto(address)
    page.locator("form[action$='/approve'] button").click()
    page.locator(".notice.good").first.wait_for()
    context.close()


@pytest.mark.parametrize(("language", "scheme"), LOOKS)
@pytest.mark.parametrize("width", [375, 1280])
def test_a_marketer_writes_has_approved_sends_and_stops(
    running: Demo, browser: Browser, language: str, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 900}
    context, page = desk_of(running, browser, "marketer", language, viewport=viewport, color_scheme=scheme)
    faults = faults_of(context)
    found = audit(page)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    sent, stopped = STATES[language]

    people = f"Elif {language}{width}"
    found += choose_people(page, running, people)
    found += promise(page, running, f"Simit {language}{width}")
    chosen = {"segment": people, "what": f"Simit {language}{width}"}
    found += write(page, running, f"Kahve {language}{width}", tomorrow, chosen)
    address = page.url
    assert page.locator("form[action$='/launch']").count() == 0, "nobody has approved it yet"
    approve(running, browser, address, language)
    page.goto(address)
    found += audit(page)
    page.locator("[popovertarget=now]").click()
    page.locator("#now button").click()
    page.locator(".page-head .badge", has_text=sent).wait_for(timeout=60_000)
    found += audit(page)
    shown = page.locator("#progress").inner_text()

    found += write(page, running, f"Çay {language}{width}", tomorrow)
    page.locator("[popovertarget=stop]").click()
    page.locator("#stop button").click()
    page.locator(".page-head .badge", has_text=stopped).wait_for()

    for path in ("", "/campaigns", "/calendar", "/calendar?view=week", "/settings"):
        page.goto(f"{running.base}/marketing{path}")
        found += audit(page)
    page.goto(address.replace("/campaigns/", "/results/"))
    found += audit(page)
    context.close()
    assert "1" in shown
    assert "\n".join([*found, *faults]) == ""


def test_a_send_is_carried_to_another_day_by_keys_and_put_back(running: Demo, browser: Browser) -> None:
    context, page = desk_of(running, browser, "marketer", "en", viewport=DESK)
    day = (datetime.now(UTC) + timedelta(days=2)).date()
    write(page, running, "Carried", day.isoformat())
    page.goto(f"{running.base}/marketing/calendar?view=week&on={day.isoformat()}")
    send = page.locator("[data-send]", has_text="Carried")
    assert send.get_attribute("data-local") == f"{day.isoformat()}T10:00"
    there = "ArrowLeft" if day.isoweekday() == 7 else "ArrowRight"
    other = day + timedelta(days=-1 if there == "ArrowLeft" else 1)

    send.focus()
    page.keyboard.press("Space")
    page.keyboard.press(there)
    said = page.locator("#told").inner_text()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo").wait_for()
    carried = page.locator("[data-send]", has_text="Carried").get_attribute("data-local")
    page.get_by_role("button", name="Undo").click()
    page.locator(".notice", has_text="Moved back.").wait_for()
    back = page.locator("[data-send]", has_text="Carried").get_attribute("data-local")

    context.close()
    assert f"{other.day} {other:%B}" in said
    assert (carried, back) == (f"{other.isoformat()}T10:00", f"{day.isoformat()}T10:00")


def test_the_arrows_walk_through_the_days_and_tab_leaves_the_grid(running: Demo, browser: Browser) -> None:
    context, page = desk_of(running, browser, "marketer", "en", viewport=DESK)
    page.goto(f"{running.base}/marketing/calendar?on=2027-02-10")
    page.locator("td[tabindex='0']").focus()

    page.keyboard.press("Home")
    first = page.evaluate("document.activeElement.dataset.day")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    then = page.evaluate("document.activeElement.dataset.day")
    stops = page.locator("td[tabindex='0']").count()

    context.close()
    assert (first, then, stops) == ("2027-02-01", "2027-02-09", 1)


def test_a_send_is_dragged_to_another_day(running: Demo, browser: Browser) -> None:
    context, page = desk_of(running, browser, "marketer", "en", viewport=DESK)
    write(page, running, "Dragged", "2027-03-10")
    page.goto(f"{running.base}/marketing/calendar?on=2027-03-10")

    page.locator("[data-send]", has_text="Dragged").drag_to(page.locator("td[data-day='2027-03-17']"))
    page.get_by_role("button", name="Undo").wait_for()
    local = page.locator("[data-send]", has_text="Dragged").get_attribute("data-local")

    context.close()
    assert local == "2027-03-17T10:00"


def test_the_campaigns_page_works_without_a_script(running: Demo, browser: Browser) -> None:
    context, page = desk_of(running, browser, "marketer", "en", viewport=PHONE, java_script_enabled=False)
    page.goto(f"{running.base}/marketing/campaigns/new")
    page.locator("#f-title").fill("Plain and simple")

    page.locator("button[value=preview]").last.click()
    drawn = page.locator(".face").count()
    page.locator("button[value=keep]").click()
    heading = page.locator("h1").inner_text()

    context.close()
    assert (drawn, heading) == (18, "Plain and simple")
