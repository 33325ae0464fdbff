"""Whole errands at the till in a real browser: by the keyboard alone, by fingers alone, and nothing that moves."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from app.cards.models import Programme
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning.sale import Line
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from app.stamps import service as stamps
from app.stamps.drafts import StampCardDraft
from tests.app.till.browsing import CHROMIUM, WITHIN_MS, scan
from tests.app.till.conftest import Shop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]


@pytest.fixture
def full_shop(shop: Shop) -> Shop:
    """The shop with a stamp card, an offer, a dearer reward that is worth more, and a receipt with lines."""
    now = shop.world.clock()
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        stamps.create(session, StampCardDraft(programme=programme, name="Coffee card", reward="A coffee", size=10),
                      by="cli", now=now)  # fmt: skip
        catalogue.add(session, programme, RewardDraft(name="Two cakes", points=95, value_minor=9_000), now=now)
        offer = OfferDraft(
            programme=programme, title="Second cup free", body="Today.", starts_at=now + timedelta(seconds=1),
            ends_at=now + timedelta(hours=9), timezone="Europe/Istanbul", limit_per_card=1,
        )  # fmt: skip
        offers.create(session, offer, by="cli", now=now)
        lines = (Line(number=1, amount_minor=9_000, product="Beans", quantity=3), Line(number=2, amount_minor=3_000))
        bought = Sale(amount_minor=12_000, currency="TRY", receipt="R-1", store=shop.store, lines=lines)
        sales.earn(session, shop.card, bought, by=Actor(name="key:pos", channel="api"), now=now)
    shop.world.clock.advance(minutes=20)  # type: ignore[attr-defined]
    with shop.world.database.unit_of_work() as session:
        offers.tick(session, now=shop.world.clock())
    return shop


@pytest.fixture
def page(full_shop: Shop, page: Page) -> Page:
    return page


@pytest.fixture
def touch(full_shop: Shop, touch: Page) -> Page:
    return touch


def opened(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    expect(page.locator(".till-name")).to_have_text("Ayşe Y.", timeout=WITHIN_MS)


def wait_a_moment(shop: Shop) -> None:
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]


def test_the_best_is_proposed_and_taken_by_enter(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    titles = page.locator(".till-choice .title")
    expect(titles.nth(0)).to_contain_text("Second cup free")
    expect(titles.nth(1)).to_contain_text("Two cakes")
    expect(titles.nth(2)).to_contain_text("Free coffee")

    page.keyboard.press("F4")
    page.keyboard.press("Enter")

    expect(page.locator(".till-big")).to_have_text("Second cup free", timeout=WITHIN_MS)
    expect(page.locator(".till-name")).to_have_text("Ayşe Y.")
    expect(page.locator(".till-choice").last).to_contain_text("Used ")
    expect(page.locator(".till-choice").last).to_contain_text("at Kadıköy")
    wait_a_moment(full_shop)
    page.keyboard.press("F8")
    expect(page.locator(".till-result")).to_contain_text("Undone", timeout=WITHIN_MS)


def test_arrows_walk_through_the_choices_and_enter_takes_one(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    page.keyboard.press("F4")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.locator(".till-big")).to_have_text("−95 points", timeout=WITHIN_MS)
    assert full_shop.balance() == 17


def test_stamps_by_their_keys(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    page.keyboard.press("F6")
    expect(page.locator(".till-big")).to_have_text("+1 stamp", timeout=WITHIN_MS)
    expect(page.locator(".till-stamp-line")).to_contain_text("1 of 10")
    wait_a_moment(full_shop)

    page.keyboard.press("F7")
    page.keyboard.type("8", delay=70)
    page.keyboard.press("Enter")
    expect(page.locator(".till-stamp-line")).to_contain_text("9 of 10", timeout=WITHIN_MS)
    wait_a_moment(full_shop)

    page.keyboard.press("F6")
    expect(page.locator(".till-stamp-line")).to_contain_text("0 of 10", timeout=WITHIN_MS)
    expect(page.locator(".till-choice", has_text="A coffee")).to_contain_text("Stamp card full")
    wait_a_moment(full_shop)

    page.keyboard.press("F8")
    expect(page.locator(".till-result")).to_contain_text("9 of 10", timeout=WITHIN_MS)


def test_an_undo_that_is_pressed_too_soon_waits_for_what_it_undoes(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    page.locator("#f-amount").fill("50")
    page.keyboard.press("Enter")
    expect(page.locator(".till-big")).to_have_text("+5 points", timeout=WITHIN_MS)
    wait_a_moment(full_shop)
    page.goto(f"/till/cards/{full_shop.card.serial}")
    page.wait_for_selector("html[data-till=ready]")

    def slowly(route: Route) -> None:
        wait_a_moment(full_shop)
        route.continue_()

    page.route("**/stamp", slowly)
    page.keyboard.press("F6")
    page.keyboard.press("F8")

    expect(page.locator(".till-result")).to_contain_text("0 of 10", timeout=WITHIN_MS)
    assert full_shop.balance() == 117


def test_a_reward_is_reserved_and_handed_out(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    page.get_by_role("button", name="Reserve Two cakes").click()
    expect(page.locator("[data-hold]")).to_contain_text("Two cakes", timeout=WITHIN_MS)
    expect(page.locator("[data-hold] .till-clock")).to_contain_text(":")
    assert full_shop.balance() == 17
    wait_a_moment(full_shop)

    page.get_by_role("button", name="Hand it out").click()

    expect(page.locator("[data-hold]")).to_have_count(0, timeout=WITHIN_MS)
    expect(page.locator(".till-big")).to_have_text("−95 points")
    assert full_shop.balance() == 17


def test_a_reservation_is_let_go_by_the_undo_key(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    page.get_by_role("button", name="Reserve Two cakes").click()
    expect(page.locator("[data-hold]")).to_have_count(1, timeout=WITHIN_MS)
    wait_a_moment(full_shop)

    page.keyboard.press("F8")

    expect(page.locator(".till-result")).to_contain_text("Reservation let go", timeout=WITHIN_MS)
    assert full_shop.balance() == 112


def test_a_reservation_that_is_over_says_so(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    page.get_by_role("button", name="Reserve Two cakes").click()
    expect(page.locator("[data-hold]")).to_have_count(1, timeout=WITHIN_MS)
    full_shop.world.clock.advance(seconds=301)  # type: ignore[attr-defined]

    page.get_by_role("button", name="Hand it out").click()

    expect(page.get_by_role("alert")).to_contain_text("reservation is over", timeout=WITHIN_MS)
    expect(page.get_by_role("button", name="Hand it out")).to_be_disabled()


def test_a_return_by_the_keyboard_alone(page: Page, full_shop: Shop) -> None:
    page.keyboard.press("Shift+F8")
    expect(page.locator("#f-return")).to_be_focused(timeout=WITHIN_MS)
    page.keyboard.type("R-1", delay=70)
    page.keyboard.press("Enter")
    expect(page.locator("#f-line-1")).to_be_focused(timeout=WITHIN_MS)

    page.keyboard.press("Control+A")
    page.keyboard.type("2", delay=70)
    expect(page.locator(".till-takes")).to_contain_text("−6 points", timeout=WITHIN_MS)
    assert full_shop.balance() == 112
    page.keyboard.press("Enter")

    expect(page.locator(".till-big")).to_have_text("−6 points", timeout=WITHIN_MS)
    assert full_shop.balance() == 106


def test_a_scan_of_a_receipt_opens_its_return(page: Page, full_shop: Shop) -> None:
    with full_shop.world.database.unit_of_work() as session:
        bought = Sale(amount_minor=5_000, currency="TRY", receipt="20261120-7", store=full_shop.store)
        sales.earn(session, full_shop.card, bought, by=Actor(name="x", channel="api"), now=full_shop.world.clock())

    scan(page, "20261120-7")

    expect(page.locator(".till-return")).to_contain_text("50.00", timeout=WITHIN_MS)


def test_everything_by_fingers_alone(touch: Page, full_shop: Shop) -> None:
    touch.goto(f"/till/cards/{full_shop.card.serial}")
    touch.wait_for_selector("html[data-till=ready]")
    for key in ("1", "2", "0", ".", "5", "0"):
        touch.locator(f"[data-digit='{key}']").tap()
    touch.locator("[data-digit=back]").tap()
    assert touch.locator("#f-amount").input_value() == "120.5"
    assert touch.locator("#f-amount").evaluate("field => field.inputMode") == "none"
    touch.get_by_role("button", name="Give points").tap()
    expect(touch.locator(".till-big")).to_have_text("+12 points", timeout=WITHIN_MS)
    wait_a_moment(full_shop)
    touch.locator("[data-undo]").tap()
    expect(touch.locator(".till-big")).to_have_text("−12 points", timeout=WITHIN_MS)
    wait_a_moment(full_shop)

    touch.goto(f"/till/cards/{full_shop.card.serial}")
    touch.wait_for_selector("html[data-till=ready]")
    touch.get_by_role("button", name="One stamp").tap()
    expect(touch.locator(".till-big")).to_have_text("+1 stamp", timeout=WITHIN_MS)
    expect(touch.locator(".till-result")).to_be_in_viewport()
    wait_a_moment(full_shop)
    touch.wait_for_timeout(700)  # sooner, the browser takes it for the second tap of a double tap
    touch.locator(".till-choice").first.tap()
    expect(touch.locator(".till-big")).to_have_text("Second cup free", timeout=WITHIN_MS)
    wait_a_moment(full_shop)

    touch.goto("/till/returns")
    touch.wait_for_selector("html[data-till=ready]")
    touch.locator("#f-return").fill("R-1")
    touch.get_by_role("button", name="Find the purchase").tap()
    touch.get_by_role("button", name="One piece more: Beans").tap()
    expect(touch.locator(".till-takes")).to_contain_text("−3 points", timeout=WITHIN_MS)
    touch.get_by_role("button", name="Return these").tap()
    expect(touch.locator(".till-big")).to_have_text("−3 points", timeout=WITHIN_MS)
    assert full_shop.balance() == 109


def test_a_double_tap_does_one_thing(touch: Page, full_shop: Shop) -> None:
    touch.goto(f"/till/cards/{full_shop.card.serial}")
    touch.wait_for_selector("html[data-till=ready]")

    touch.get_by_role("button", name="One stamp").dblclick()

    expect(touch.locator(".till-stamp-line")).to_contain_text("1 of 10", timeout=WITHIN_MS)
    touch.wait_for_timeout(300)
    expect(touch.locator(".till-stamp-line")).to_contain_text("1 of 10")


@pytest.mark.parametrize("size", [(375, 740), (768, 1024), (1280, 800)])
def test_every_target_is_large_enough_for_a_finger(page: Page, full_shop: Shop, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for path in ("/till", f"/till/cards/{full_shop.card.serial}", "/till/returns"):
        page.goto(path)
        page.wait_for_selector("html[data-till=ready]")
        small = page.evaluate(
            """() => [...document.querySelectorAll("main button, main a, main input:not([type=hidden]), main summary")]
              .filter((one) => one.checkVisibility())
              .map((one) => [one.textContent.trim() || one.id, one.getBoundingClientRect()])
              .filter(([, box]) => box.height < 44 || box.width < 44)
              .map(([name, box]) => `${name}: ${Math.round(box.width)} x ${Math.round(box.height)}`)"""
        )
        assert small == [], path


def test_a_refusal_is_large_and_red_and_moves_nothing(page: Page, full_shop: Shop) -> None:
    opened(page, full_shop)
    page.locator("#f-amount").fill("50")
    page.keyboard.press("Enter")
    expect(page.locator(".till-big")).to_have_text("+5 points", timeout=WITHIN_MS)
    watched = "'[data-undo], #f-code, .lines'"
    places = f"() => [...document.querySelectorAll({watched})].map((one) => one.getBoundingClientRect().y)"
    before = page.evaluate(places)

    page.locator("#f-code").fill("nonsense")
    page.keyboard.press("Enter")

    refusal = page.get_by_role("alert")
    expect(refusal).to_contain_text("not a card code", timeout=WITHIN_MS)
    assert page.evaluate(places) == before
    assert refusal.evaluate("one => getComputedStyle(one).fontSize") == "20px"
    assert page.locator("#f-code").input_value() == ""
