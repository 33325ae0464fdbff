"""What a class says of where this installation stands."""

import pytest

from app.settings import Settings
from app.wallets.google import face


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
