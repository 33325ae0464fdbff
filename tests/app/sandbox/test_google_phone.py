"""The simulated Android phone on the Google Wallet stand-in."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from app.sandbox.google_card import GoogleCard
from app.sandbox.google_phone import GooglePhone
from app.sandbox.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def shop(sandbox: Sandbox) -> str:
    """A class and an object; the id of the object."""
    sandbox.google.reset()
    issuer = sandbox.google_issuer_id
    sandbox.google.wallet.insert("loyaltyClass", class_body(f"{issuer}.gold"))
    sandbox.google.wallet.insert("loyaltyObject", object_body(f"{issuer}.card-1", f"{issuer}.gold"))
    return f"{issuer}.card-1"


def class_body(class_id: str) -> dict[str, Any]:
    return {
        "id": class_id,
        "issuerName": "Corner Coffee",
        "programName": "Corner Coffee Club",
        "programLogo": {"sourceUri": {"uri": "https://shop.example/logo.png"}},
        "reviewStatus": "UNDER_REVIEW",
        "rewardsTier": "Gold",
        "rewardsTierLabel": "Tier",
    }


def object_body(object_id: str, class_id: str) -> dict[str, Any]:
    return {
        "id": object_id,
        "classId": class_id,
        "state": "ACTIVE",
        "accountId": "CC-1",
        "accountName": "Ayşe Yılmaz",
        "loyaltyPoints": {"label": "Points", "balance": {"int": 40}},
        "barcode": {"type": "QR_CODE", "value": "CC-1"},
    }


def save_link(sandbox: Sandbox, object_id: str, **claims: Any) -> str:
    account = json.loads(sandbox.google_credentials.read_text())
    content: dict[str, Any] = {
        "iss": account["client_email"],
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(time.time()),
        "payload": {"loyaltyObjects": [{"id": object_id, "classId": f"{sandbox.google_issuer_id}.gold"}]},
    }
    token = jwt.encode(content | claims, account["private_key"], algorithm="RS256")
    return f"https://pay.google.com/gp/v/save/{token}"


@pytest.fixture
def phone(sandbox: Sandbox, shop: str, tmp_path: Path) -> Iterator[GooglePhone]:
    phone = GooglePhone(sandbox.google, tmp_path / "android")
    yield phone
    phone.close()


def points(phone: GooglePhone, object_id: str) -> str:
    card = phone.card(object_id)
    return card["points"][0]["value"] if card else ""


def test_a_save_link_puts_the_card_on_the_phone(phone: GooglePhone, sandbox: Sandbox, shop: str) -> None:
    assert phone.save(save_link(sandbox, shop)) == [shop]

    card = phone.card(shop)
    assert card is not None
    assert (card["programme"], points(phone, shop)) == ("Corner Coffee Club", "40")
    assert card["tiers"] == [{"label": "Tier", "value": "Gold"}]
    assert sandbox.google.get_object(shop)["hasUsers"] is True  # type: ignore[index]


def test_a_link_that_google_refuses_says_why(phone: GooglePhone, sandbox: Sandbox, shop: str) -> None:
    with pytest.raises(ValueError, match="typ must be savetowallet"):
        phone.save(save_link(sandbox, shop, typ="savetophone"))

    assert phone.object_ids == []
    assert "Google refused it" in phone.log[-1]


def test_a_silent_change_shows_and_a_notifying_one_also_buzzes(phone: GooglePhone, sandbox: Sandbox, shop: str) -> None:
    phone.save(save_link(sandbox, shop))

    sandbox.google.wallet.patch("loyaltyObject", shop, {"loyaltyPoints": {"balance": {"int": 45}}})
    assert phone.wait_until(lambda it: points(it, shop) == "45" and it.is_idle)
    assert phone.lock_screen == []
    sandbox.google.wallet.patch(
        "loyaltyObject", shop, {"loyaltyPoints": {"balance": {"int": 52}}, "notifyPreference": "NOTIFY_ON_UPDATE"}
    )

    assert phone.wait_until(lambda it: bool(it.lock_screen))
    assert points(phone, shop) == "52"
    assert "Points 45 → 52" in phone.log[-1]


def test_offline_the_old_balance_stays_and_the_buzz_comes_later(
    phone: GooglePhone, sandbox: Sandbox, shop: str
) -> None:
    phone.save(save_link(sandbox, shop))
    phone.set_airplane_mode(True)
    message = {"message": {"header": "Hello", "body": "Two for one", "messageType": "TEXT_AND_NOTIFY"}}
    sandbox.google.wallet.add_message("loyaltyObject", shop, message)
    assert phone.wait_until(lambda it: it.is_idle)
    assert phone.lock_screen == []
    assert phone.card(shop)["messages"] == []  # type: ignore[index]

    phone.set_airplane_mode(False)

    assert phone.card(shop)["messages"] == [{"header": "Hello", "body": "Two for one"}]  # type: ignore[index]
    assert len(phone.lock_screen) == 1


def test_deleting_leaves_the_account_and_the_object_stays(phone: GooglePhone, sandbox: Sandbox, shop: str) -> None:
    phone.save(save_link(sandbox, shop))

    phone.delete(shop)

    assert phone.object_ids == []
    assert sandbox.google.get_object(shop)["hasUsers"] is False  # type: ignore[index]


def test_a_deletion_while_offline_waits_for_the_network(phone: GooglePhone, sandbox: Sandbox, shop: str) -> None:
    phone.save(save_link(sandbox, shop))
    phone.set_airplane_mode(True)
    phone.delete(shop)
    assert sandbox.google.get_object(shop)["hasUsers"] is True  # type: ignore[index]

    phone.set_airplane_mode(False)

    assert sandbox.google.get_object(shop)["hasUsers"] is False  # type: ignore[index]


def test_a_card_saved_on_googles_page_reaches_the_phone(phone: GooglePhone, sandbox: Sandbox, shop: str) -> None:
    sandbox.google.save(save_link(sandbox, shop), "phone")

    assert phone.wait_until(lambda it: shop in it.object_ids)


def test_another_accounts_cards_stay_away(phone: GooglePhone, sandbox: Sandbox, shop: str) -> None:
    sandbox.google.save(save_link(sandbox, shop), "somebody else")
    sandbox.google.wallet.patch("loyaltyObject", shop, {"accountName": "Bob"})

    assert phone.wait_until(lambda it: it.is_idle)
    assert phone.object_ids == []


def test_a_restart_keeps_the_card(phone: GooglePhone, sandbox: Sandbox, shop: str, tmp_path: Path) -> None:
    phone.save(save_link(sandbox, shop))
    phone.close()
    sandbox.google.wallet.patch("loyaltyObject", shop, {"loyaltyPoints": {"balance": {"int": 52}}})

    again = GooglePhone(sandbox.google, tmp_path / "android")

    assert points(again, shop) == "52"
    again.close()


NOW, LATER, BEFORE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2019-01-01T00:00:00Z"


def shown(wallet_object: dict[str, Any], wallet_class: dict[str, Any] | None = None, language: str = "en") -> Any:
    return GoogleCard(wallet_object, wallet_class or {}, language).view()


def test_what_is_outside_its_interval_is_not_shown() -> None:
    def message(body: str, **interval: str) -> dict[str, Any]:
        return {"body": body, "displayInterval": {edge: {"date": date} for edge, date in interval.items()}}

    card = shown(
        {"messages": [message("now", start=NOW, end=LATER), message("over", start=BEFORE, end=NOW)]},
        {"messages": [message("soon", start=LATER), {"body": "always"}]},
    )

    assert [item["body"] for item in card["messages"]] == ["now", "always"]


def test_offers_of_the_object_come_before_those_of_the_class_and_hide_by_interval() -> None:
    def offer(text: str, order: int, **constraint: Any) -> dict[str, Any]:
        header = {"defaultValue": {"language": "en", "value": text}}
        return {"header": header, "sortIndex": order, "uri": "https://shop.example", **constraint}

    over = {"viewConstraints": {"displayInterval": {"end": {"date": NOW}}}}
    card = shown(
        {"valueAddedModuleData": [offer("second", 2), offer("first", 1)]},
        {"valueAddedModuleData": [offer("class", 0), offer("over", 0, **over)]},
    )

    assert [item["header"] for item in card["offers"]] == ["first", "second", "class"]


def test_the_object_wins_over_the_class_and_lists_are_shown_together() -> None:
    def picture(name: str) -> dict[str, Any]:
        return {"sourceUri": {"uri": f"https://shop.example/{name}.png"}}

    card = shown(
        {"heroImage": picture("own"), "textModulesData": [{"header": "a"}]},
        {"heroImage": picture("class"), "textModulesData": [{"header": "b"}], "hexBackgroundColor": "#102030"},
    )

    assert card["hero"] == "https://shop.example/own.png"
    assert [item["header"] for item in card["texts"]] == ["a", "b"]
    assert card["colour"] == "#102030"


@pytest.mark.parametrize(
    ("language", "text"), [("tr", "Puan"), ("tr-TR", "Puan"), ("id", "Points"), ("en-GB", "Points")]
)
def test_a_localised_label_is_read_in_the_phones_language(language: str, text: str) -> None:
    label = {
        "defaultValue": {"language": "en", "value": "Points"},
        "translatedValues": [{"language": "tr", "value": "Puan"}],
    }

    card = shown({"loyaltyPoints": {"localizedLabel": label, "label": "x", "balance": {"int": 1}}}, language=language)

    assert card["points"][0]["label"] == text


@pytest.mark.parametrize(
    ("balance", "text"),
    [
        ({"int": 0}, "0"),
        ({"string": "12 stamps"}, "12 stamps"),
        ({"money": {"micros": "12500000", "currencyCode": "EUR"}}, "€12.50"),
        ({"double": 2.5}, "2.5"),
        ({"money": {"micros": "many"}}, "?"),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_balance_is_written_as_a_person_reads_it(balance: Any, text: str) -> None:
    assert shown({"loyaltyPoints": {"balance": balance}})["points"][0]["value"] == text


def test_an_address_that_is_no_link_is_not_offered_as_one() -> None:
    card = shown({"linksModuleData": {"uris": [{"uri": "javascript:alert(1)", "description": "Click"}]}})

    assert card["links"] == [{"text": "Click", "uri": ""}]
