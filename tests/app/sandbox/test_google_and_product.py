"""The stand-in and the product were written apart, from the same documents: here they meet."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.sandbox.sandbox import ISSUER_ID, Sandbox
from passes.google import encode
from tests.app.sandbox.google_client import GoogleClient, loyalty_class, loyalty_object
from tests.passes.google import makers


@pytest.fixture
def google(sandbox: Sandbox) -> Iterator[GoogleClient]:
    client = GoogleClient(sandbox)
    yield client
    client.close()


def make_linked(google: GoogleClient, card: dict[str, Any]) -> None:
    """Make the passes that *card* refers to."""
    for linked in card["linkedObjectIds"]:
        google.made("POST", "loyaltyObject", loyalty_object(id=linked, classId=card["classId"]))
    for linked in card["linkedOfferIds"]:
        offers = encode.body(makers.full_offer_class())
        google.made("POST", "offerObject", {"id": linked, "classId": offers["id"], "state": "ACTIVE"})


def test_the_fullest_bodies_that_the_product_makes_are_taken(sandbox: Sandbox, google: GoogleClient) -> None:
    sandbox.google.advance(makers.NOON.timestamp() - sandbox.google.now())
    loyalty, card = encode.body(makers.full_loyalty_class()), encode.body(makers.full_loyalty_object())
    offers, coupon = encode.body(makers.full_offer_class()), encode.body(makers.full_offer_object())
    google.made("POST", "loyaltyClass", loyalty)
    google.made("POST", "offerClass", offers)
    make_linked(google, card)

    made = google.made("POST", "loyaltyObject", card)
    made_coupon = google.made("PUT", f"offerObject/{coupon['id']}", coupon)

    assert {name: made[name] for name in card} == card
    assert {name: made_coupon[name] for name in coupon} == coupon


def test_messages_of_the_product_are_taken(google: GoogleClient) -> None:
    google.made("POST", "loyaltyClass", loyalty_class())
    google.made("POST", "loyaltyObject", loyalty_object())

    for notify in (False, True):
        body = encode.message_body(makers.message(notify=notify))
        google.made("POST", f"loyaltyObject/{ISSUER_ID}.card-1/addMessage", body)
