"""The browsers in the phones, before a product of a few pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.sandbox.phone_pages import create_pages
from app.sandbox.phones import Phones
from app.sandbox.sandbox import Sandbox
from tests.app.sandbox.phone_kit import Shop, card_json, pack, serve_shop
from tests.app.sandbox.test_google_phone import class_body, object_body, save_link
from tests.authority import Authority


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serve_shop() as shop:
        yield shop


@pytest.fixture
def sandbox(shop: Shop, tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path, product_url=shop.url) as sandbox:
        yield sandbox


@pytest.fixture
def phones(sandbox: Sandbox) -> Iterator[Phones]:
    app = create_pages(sandbox)
    phones: Phones = app.extensions["phones"]
    yield phones
    phones.close()


def sent(shop: Shop, path: str) -> dict[str, str]:
    return next(headers for _, its_path, headers, _ in shop.requests if its_path == path)


def test_each_phone_says_who_it_is_and_in_which_language(phones: Phones, shop: Shop) -> None:
    phones.google.set_language("tr")

    requests.get(phones.browsers["apple"].url + "/c/abc")
    requests.get(phones.browsers["google"].url + "/join/coffee")

    assert "iPhone" in sent(shop, "/c/abc")["User-Agent"]
    assert "Android" in sent(shop, "/join/coffee")["User-Agent"]
    assert sent(shop, "/join/coffee")["Accept-Language"] == "tr"


def test_the_page_may_be_framed_and_its_links_stay_in_the_phone(phones: Phones, shop: Shop) -> None:
    browser = phones.browsers["apple"].url

    page = requests.get(browser + "/join/coffee")

    assert "X-Frame-Options" not in page.headers
    assert "frame-ancestors" not in page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert f"action='{browser}/join/coffee'" in page.text
    assert f"We live at {shop.url}/join/coffee" in page.text


def test_a_form_arrives_as_from_the_products_own_page(phones: Phones, shop: Shop) -> None:
    browser = phones.browsers["apple"].url
    headers = {"Origin": browser, "Referer": f"{browser}/join/coffee", "Cookie": "visitor=1"}

    answer = requests.post(f"{browser}/join/coffee", data={"name": "Ayşe"}, headers=headers, allow_redirects=False)

    assert answer.headers["Location"] == f"{browser}/c/abc"
    method, _, received, body = shop.requests[-1]
    assert (method, body) == ("POST", b"name=Ay%C5%9Fe")
    assert received["Host"] == shop.url.removeprefix("http://")
    assert received["Origin"] == shop.url
    assert received["Referer"] == f"{shop.url}/join/coffee"


def test_cookies_belong_to_the_phone(phones: Phones, shop: Shop) -> None:
    browser = phones.browsers["apple"].url

    first = requests.post(f"{browser}/join/coffee", allow_redirects=False)
    requests.get(f"{browser}/c/abc")
    requests.get(f"{phones.browsers['google'].url}/join/coffee")

    assert "Set-Cookie" not in first.headers
    assert sent(shop, "/c/abc")["Cookie"] == "member=7"
    assert "Cookie" not in shop.requests[-1][2]


def test_a_pass_goes_to_wallet_on_the_iphone_only(phones: Phones, sandbox: Sandbox, shop: Shop) -> None:
    authority = Authority()
    identity = authority.issue_pass_certificate()
    shop.pkpass = pack(card_json(identity), identity)

    refused = requests.get(phones.browsers["apple"].url + "/c/abc.pkpass")
    android = requests.get(phones.browsers["google"].url + "/c/abc.pkpass")

    assert "Wallet cannot add this pass" in refused.text
    assert "unable to get local issuer certificate" in refused.text
    assert "no app for an Apple pass" in android.text
    assert phones.apple.serials == []


@pytest.mark.parametrize("prefix", ["https://pay.google.com/gp/v/save/", "sandbox"])
def test_googles_save_page_opens_in_the_phone_and_its_button_saves(
    phones: Phones, sandbox: Sandbox, shop: Shop, prefix: str
) -> None:
    issuer = sandbox.google_issuer_id
    sandbox.google.wallet.insert("loyaltyClass", class_body(f"{issuer}.gold"))
    sandbox.google.wallet.insert("loyaltyObject", object_body(f"{issuer}.card-1", f"{issuer}.gold"))
    link = save_link(sandbox, f"{issuer}.card-1")
    token = link.rpartition("/")[2]
    shop.save_link = link if prefix != "sandbox" else f"{sandbox.save_url_prefix.rstrip('/')}/{token}"
    browser = phones.browsers["google"].url

    page = requests.get(f"{browser}/google")
    requests.post(page.url, data={"account": "phone"}, headers={"Origin": browser, "Referer": page.url})

    assert page.url == f"{browser}/gp/v/save/{token}"
    assert "Corner Coffee Club" in page.text
    assert phones.google.wait_until(lambda it: it.object_ids == [f"{issuer}.card-1"])


def test_nothing_outside_the_sandbox_is_fetched(phones: Phones, shop: Shop) -> None:
    away = requests.get(phones.browsers["apple"].url + "/away")

    assert "This leaves the sandbox" in away.text
    assert "https://elsewhere.example/" in away.text


def test_airplane_mode_and_a_stopped_product_are_told_apart(phones: Phones, shop: Shop) -> None:
    browser = phones.browsers["apple"]
    phones.apple.set_airplane_mode(True)
    offline = requests.get(f"{browser.url}/c/abc")
    phones.apple.set_airplane_mode(False)
    browser._product = "http://127.0.0.1:9"

    stopped = requests.get(f"{browser.url}/c/abc")

    assert (offline.status_code, stopped.status_code) == (503, 502)
    assert "You are offline" in offline.text
    assert "Nothing answers at http://127.0.0.1:9" in stopped.text
    assert shop.requests == []


def test_another_host_name_is_refused(phones: Phones, shop: Shop) -> None:
    answer = requests.get(f"{phones.browsers['apple'].url}/c/abc", headers={"Host": "evil.example"})

    assert answer.status_code == 421
    assert shop.requests == []


def test_a_path_arrives_as_it_was_sent(phones: Phones, shop: Shop) -> None:
    requests.get(f"{phones.browsers['apple'].url}/c/a%2Fb?next=%2Fx&q=1")

    assert shop.requests[-1][1] == "/c/a%2Fb?next=%2Fx&q=1"


def test_the_poster_leads_to_the_one_join_page(phones: Phones, shop: Shop) -> None:
    assert phones.poster_path() == "/join/coffee"
