"""The rooms behind the till in a real browser: by the keyboard alone, and by fingers alone."""

import pytest
from playwright.sync_api import Page, expect

from app.cards.models import Card
from app.counter import paying, rewarding
from app.ledger import held as holding
from app.ledger import service as ledger
from app.value.service import NewLoad
from tests.app.till.browsing import CHROMIUM, WITHIN_MS, scan
from tests.app.till.conftest import Shop
from tests.app.till.test_goods import BY, add, bearer, codes_of, discounted

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium"),
]


def opened(page: Page, shop: Shop) -> None:
    scan(page, shop.card.number)
    expect(page.locator(".till-name")).to_have_text("Ayşe Y.", timeout=WITHIN_MS)


def typed_by_touch(page: Page, digits: str) -> None:
    for digit in digits:
        page.locator(f'[data-digit="{digit}"]').tap()


def find_by_touch(page: Page, shop: Shop) -> None:
    page.locator("#f-code").fill(shop.card.number)
    page.get_by_role("button", name="Open card").tap()
    expect(page.locator(".till-name")).to_have_text("Ayşe Y.", timeout=WITHIN_MS)


def load(shop: Shop, card: Card, minor: int) -> None:
    with shop.world.database.unit_of_work() as session:
        new = NewLoad(amount_minor=minor, currency="TRY", reference="POS 1")
        paying.load(session, session.get_one(Card, card.id), new, by=BY, now=shop.world.clock())


def test_a_code_that_is_scanned_over_an_open_card_is_used_at_once(page: Page, shop: Shop) -> None:
    first, second = codes_of(shop, size=2)
    opened(page, shop)
    page.keyboard.type("12", delay=80)
    page.wait_for_timeout(300)  # a scan comes a moment later

    scan(page, first)

    expect(page.locator(".till-big")).to_have_text("+20 points", timeout=WITHIN_MS)
    expect(page.locator(".till-name")).to_have_text("Ayşe Y.")
    scan(page, second)
    expect(page.locator(".till-balance .value")).to_have_text("140", timeout=WITHIN_MS)


def test_a_code_waits_for_its_card_and_enter_uses_it(page: Page, shop: Shop) -> None:
    (code,) = codes_of(shop)

    scan(page, code)
    expect(page.locator(".till-waiting-code")).to_contain_text("Scan the customer's card first", timeout=WITHIN_MS)
    opened(page, shop)
    expect(page.locator(".till-waiting-code")).to_contain_text("20 points")
    page.keyboard.press("Enter")

    expect(page.locator(".till-big")).to_have_text("+20 points", timeout=WITHIN_MS)
    expect(page.locator(".till-waiting-code")).to_have_count(0)
    assert shop.balance() == 120


def test_a_code_is_typed_by_keys_alone(page: Page, shop: Shop) -> None:
    (code,) = codes_of(shop)
    opened(page, shop)

    page.keyboard.press("Shift+F4")
    page.keyboard.type(code.lower(), delay=90)
    page.keyboard.press("Enter")

    expect(page.locator(".till-big")).to_have_text("+20 points", timeout=WITHIN_MS)


def test_a_code_by_fingers_alone(touch: Page, shop: Shop) -> None:
    (code,) = codes_of(shop)
    find_by_touch(touch, shop)

    touch.locator("[data-use-code] summary").tap()
    touch.locator("#f-use-code").fill(code)
    touch.get_by_role("button", name="Use the code").tap()

    expect(touch.locator(".till-big")).to_have_text("+20 points", timeout=WITHIN_MS)
    assert shop.balance() == 120


def discount(shop: Shop) -> None:
    add(shop, name="Money off", points=50, kind="discount", value_minor=1_000, flexible=True)


def test_a_reward_asks_for_the_basket_by_keys_alone(page: Page, shop: Shop) -> None:
    discount(shop)
    opened(page, shop)

    page.keyboard.press("F4")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_text("What does the purchase cost?")).to_be_visible(timeout=WITHIN_MS)
    page.keyboard.type("42", delay=90)
    page.keyboard.press("Enter")

    expect(page.locator(".till-deal")).to_contain_text("22.00 to pay", timeout=WITHIN_MS)
    expect(page.locator(".till-deal")).to_contain_text("100 points for")
    assert shop.balance() == 0


def test_the_amount_that_is_typed_is_the_basket_by_fingers_alone(touch: Page, shop: Shop) -> None:
    discount(shop)
    find_by_touch(touch, shop)
    typed_by_touch(touch, "42")

    touch.locator(".till-choice", has_text="Money off").tap()

    expect(touch.locator(".till-deal")).to_contain_text("22.00 to pay", timeout=WITHIN_MS)
    assert shop.balance() == 0


def test_a_reward_asks_for_the_basket_by_fingers_alone(touch: Page, shop: Shop) -> None:
    discount(shop)
    find_by_touch(touch, shop)

    touch.locator(".till-choice", has_text="Money off").tap()
    expect(touch.get_by_text("What does the purchase cost?")).to_be_visible(timeout=WITHIN_MS)
    typed_by_touch(touch, "42")
    touch.get_by_role("button", name="Redeem").tap()

    expect(touch.locator(".till-deal")).to_contain_text("22.00 to pay", timeout=WITHIN_MS)


def test_what_waits_is_handed_over_by_one_key(page: Page, shop: Shop) -> None:
    reward = add(shop, name="Mug", points=40, pick_up=True)
    with shop.world.database.unit_of_work() as session:
        card = holding.by_id(session, shop.card.id)
        rewarding.redeem_reward(session, card, reward, by=BY, now=shop.world.clock(), store=shop.store)
    opened(page, shop)

    page.keyboard.press("F5")

    expect(page.locator(".till-big")).to_have_text("Handed over: Mug", timeout=WITHIN_MS)
    expect(page.locator("[data-collect]")).to_have_count(0)


def test_money_is_one_key_away_and_the_amount_goes_along(page: Page, shop: Shop) -> None:
    load(shop, shop.card, 17_950)
    opened(page, shop)
    page.keyboard.type("42,50", delay=90)

    page.keyboard.press("Shift+F3")
    page.wait_for_url("**/till/money/**", timeout=WITHIN_MS)
    expect(page.locator("[name=amount]").first).to_have_value("42,50")
    page.keyboard.press("Enter")

    expect(page.get_by_text("TRY 42.50 paid")).to_be_visible(timeout=WITHIN_MS)
    expect(page.get_by_text("137.00").first).to_be_visible()


def test_money_by_fingers_alone(touch: Page, shop: Shop) -> None:
    load(shop, shop.card, 17_950)
    find_by_touch(touch, shop)
    typed_by_touch(touch, "42")

    touch.get_by_role("button", name="Loaded money").tap()
    touch.wait_for_url("**/till/money/**", timeout=WITHIN_MS)
    touch.get_by_role("button", name="Pay", exact=True).tap()

    expect(touch.get_by_text("137.50").first).to_be_visible(timeout=WITHIN_MS)


def test_a_gift_card_opens_its_money(page: Page, shop: Shop) -> None:
    card = bearer(shop, "gift")
    load(shop, card, 5_000)

    scan(page, card.number)

    page.wait_for_url(f"**/till/money/{card.serial}", timeout=WITHIN_MS)
    expect(page.get_by_text("50.00").first).to_be_visible()


def test_a_bearer_card_s_discount_by_keys_alone(page: Page, shop: Shop) -> None:
    discounted(shop)
    card = bearer(shop)
    scan(page, card.number)
    expect(page.locator("[data-number]")).to_be_visible(timeout=WITHIN_MS)

    page.keyboard.type("125", delay=90)
    page.keyboard.press("Enter")
    expect(page.locator(".till-question .till-big")).to_contain_text("12.50 off", timeout=WITHIN_MS)
    expect(page.locator(".till-question .till-pay")).to_contain_text("112.50 to pay")
    page.keyboard.press("Enter")

    expect(page.locator(".till-result .till-pay")).to_contain_text("112.50 to pay", timeout=WITHIN_MS)
    with shop.world.database.reading() as session:
        assert [entry.amount_minor for entry in ledger.history(session, card.id)] == [11_250]


def test_a_bearer_card_s_discount_by_fingers_alone(touch: Page, shop: Shop) -> None:
    discounted(shop)
    card = bearer(shop)
    touch.locator("#f-code").fill(card.number)
    touch.get_by_role("button", name="Open card").tap()
    expect(touch.locator("[data-number]")).to_be_visible(timeout=WITHIN_MS)

    typed_by_touch(touch, "125")
    touch.get_by_role("button", name="Show the discount").tap()
    touch.get_by_role("button", name="Book it").tap(timeout=WITHIN_MS)

    expect(touch.locator(".till-result .till-pay")).to_contain_text("112.50 to pay", timeout=WITHIN_MS)


@pytest.mark.parametrize("size", [(375, 740), (1280, 800)])
def test_every_target_is_large_enough_for_a_finger(page: Page, shop: Shop, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    discount(shop)
    load(shop, shop.card, 17_950)
    (code,) = codes_of(shop)
    scan(page, code)
    opened(page, shop)

    small = page.evaluate(
        """() => [...document.querySelectorAll("main button, main a, main input:not([type=hidden]), main summary")]
          .filter((one) => one.checkVisibility())
          .map((one) => [one.textContent.trim() || one.id, one.getBoundingClientRect()])
          .filter(([, box]) => box.height < 44 || box.width < 44)
          .map(([name, box]) => `${name}: ${Math.round(box.width)} x ${Math.round(box.height)}`)"""
    )

    assert small == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
