"""What a class says of where this installation stands."""

from dataclasses import replace

import pytest

from app.settings import Settings
from app.wallets.google import face
from passes.google.encode import body
from passes.google.ids import ResourceId
from tests.app.wallets.apple.test_face import VIEW


@pytest.mark.parametrize(
    ("base_url", "callback"),
    [
        ("https://cards.example.com", "https://cards.example.com/google/callback"),
        ("http://127.0.0.1:8080", None),
    ],
)
def test_google_is_given_a_callback_address_that_it_takes_or_none(base_url: str, callback: str | None) -> None:
    settings = Settings(base_url=base_url, google_issuer_id="3388000000012345678")

    assert face.place(settings).callback_url == callback


def test_a_gift_card_says_that_it_is_one_and_what_is_on_it() -> None:
    at = face.place(Settings(base_url="https://cards.example.com", google_issuer_id="3388000000012345678"))
    name = ResourceId(issuer="3388000000012345678", suffix="c1")

    made = body(face.loyalty_object(replace(VIEW, kind="gift", money_minor=179_50, short_name=""), id=name, at=at))

    assert made["loyaltyPoints"]["localizedLabel"]["defaultValue"]["value"] == "Gift card"
    assert made["loyaltyPoints"]["balance"] == {"money": {"micros": "179500000", "currencyCode": "TRY"}}
