"""Save links, the wallets of accounts, and the callbacks that tell the product."""

import base64
import json
import queue
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.sandbox.google.account import LinkRefused
from app.sandbox.google.callbacks import Tamper
from app.sandbox.sandbox import ISSUER_ID, Sandbox
from passes.google import callback, root_keys
from tests.app.sandbox.google_client import (
    CLASS_ID,
    OBJECT_ID,
    GoogleClient,
    loyalty_class,
    loyalty_object,
    save_jwt,
    thin_jwt,
)
from tests.app.sandbox.product_sink import Sink, listening


@pytest.fixture
def product() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest.fixture
def google(sandbox: Sandbox, product: Sink) -> Iterator[GoogleClient]:
    client = GoogleClient(sandbox)
    client.made("POST", "loyaltyClass", loyalty_class(callbackOptions={"url": product.url}))
    client.made("POST", "loyaltyObject", loyalty_object(accountName="Ayşe <b>"))
    yield client
    client.close()


def lengths_and_texts(*texts: str) -> bytes:
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def verified(sandbox: Sandbox, body: bytes) -> dict[str, Any]:
    """Google's layout, step by step, with the keys from the published address."""
    outer = json.loads(body)
    keys = requests.get(sandbox.root_keys_url, timeout=30).json()["keys"]
    root = next(key for key in keys if key["protocolVersion"] == "ECv2SigningOnly")
    signed_key = outer["intermediateSigningKey"]["signedKey"]
    check(
        root["keyValue"],
        outer["intermediateSigningKey"]["signatures"][0],
        lengths_and_texts("GooglePayPasses", "ECv2SigningOnly", signed_key),
    )
    message = outer["signedMessage"]
    check(
        json.loads(signed_key)["keyValue"],
        outer["signature"],
        lengths_and_texts("GooglePayPasses", ISSUER_ID, "ECv2SigningOnly", message),
    )
    return dict(json.loads(message))


def check(spki: str, signature: str, data: bytes) -> None:
    key = serialization.load_der_public_key(base64.b64decode(spki))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(base64.b64decode(signature), data, ec.ECDSA(hashes.SHA256()))


def test_saving_by_the_button_puts_the_card_into_the_wallet_and_tells_the_product(
    sandbox: Sandbox, google: GoogleClient, product: Sink
) -> None:
    link = f"{sandbox.save_url_prefix}/{thin_jwt(sandbox)}"
    page = requests.get(link, timeout=30)
    assert page.status_code == 200
    assert "Ayşe &lt;b&gt;" in page.text
    assert "no-store" in page.headers["Cache-Control"]
    assert google.made("GET", f"loyaltyObject/{OBJECT_ID}")["hasUsers"] is False

    pressed = requests.post(link, timeout=30)

    event = verified(sandbox, product.bodies.get(timeout=30))
    assert pressed.status_code == 200
    assert google.made("GET", f"loyaltyObject/{OBJECT_ID}")["hasUsers"] is True
    assert (event["classId"], event["objectId"], event["eventType"]) == (CLASS_ID, OBJECT_ID, "save")
    assert event["expTimeMillis"] > time.time() * 1000
    assert event["nonce"]


def test_the_padding_of_the_signed_key_is_escaped_as_google_does(
    sandbox: Sandbox, google: GoogleClient, product: Sink
) -> None:
    sandbox.google.save(thin_jwt(sandbox))

    signed_key = json.loads(product.bodies.get(timeout=30))["intermediateSigningKey"]["signedKey"]

    assert r"\u003d" in signed_key


def test_deleting_tells_the_product_and_twice_tells_it_once(
    sandbox: Sandbox, google: GoogleClient, product: Sink
) -> None:
    sandbox.google.save(thin_jwt(sandbox), "alice")
    sandbox.google.save(thin_jwt(sandbox), "alice")
    sandbox.google.delete(OBJECT_ID, "alice")
    sandbox.google.delete(OBJECT_ID, "alice")

    events = [verified(sandbox, product.bodies.get(timeout=30))["eventType"] for _ in range(2)]

    assert events == ["save", "del"]
    with pytest.raises(queue.Empty):
        product.bodies.get(timeout=0.2)
    assert google.made("GET", f"loyaltyObject/{OBJECT_ID}")["hasUsers"] is False


def test_a_callback_is_repeated_with_the_same_nonce_until_the_product_is_back(
    sandbox: Sandbox, google: GoogleClient, product: Sink
) -> None:
    product.answers = [503, 500, 200]

    sandbox.google.save(thin_jwt(sandbox))

    bodies = [product.bodies.get(timeout=30) for _ in range(3)]
    assert len(set(bodies)) == 1
    record = sandbox.google.courier.wait_for(sandbox.google.callbacks[-1])
    assert (record.status, record.attempts) == (200, 3)


def test_a_refused_callback_is_not_repeated(sandbox: Sandbox, google: GoogleClient, product: Sink) -> None:
    product.answers = [400]

    sandbox.google.save(thin_jwt(sandbox))

    record = sandbox.google.courier.wait_for(sandbox.google.callbacks[-1])
    assert (record.status, record.attempts) == (400, 1)


def test_a_card_for_one_person_is_not_for_the_next(sandbox: Sandbox, google: GoogleClient) -> None:
    change = {"reviewStatus": "UNDER_REVIEW", "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES"}
    google.made("PATCH", f"loyaltyClass/{CLASS_ID}", change)
    sandbox.google.save(thin_jwt(sandbox), "alice")

    with pytest.raises(LinkRefused, match="another person"):
        sandbox.google.save(thin_jwt(sandbox), "bob")

    assert sandbox.google.wallet.holders(OBJECT_ID) == ("alice",)


def test_a_fat_link_makes_what_is_new_and_leaves_what_exists(sandbox: Sandbox, google: GoogleClient) -> None:
    new = loyalty_object(id=f"{ISSUER_ID}.card-9", accountName="New")
    changed = loyalty_object(accountName="Changed")
    token = save_jwt(sandbox, {"loyaltyObjects": [new, changed]})

    assert sandbox.google.save(token) == [f"{ISSUER_ID}.card-9", OBJECT_ID]

    assert sandbox.google.objects[f"{ISSUER_ID}.card-9"]["accountName"] == "New"
    assert sandbox.google.objects[OBJECT_ID]["accountName"] == "Ayşe <b>"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "Google"}, "Audience"),
        ({"aud": ["google"]}, "aud must be"),
        ({"typ": "savetoandroidpay"}, "typ"),
        ({"iss": "somebody@else.example"}, "issuer"),
        ({"iat": ""}, "verify"),
        ({"iat": 1.5}, "whole seconds"),
        ({"exp": 1}, "expired"),
        ({"origins": "http://127.0.0.1"}, "origins"),
        ({"payload": {}}, "no payload"),
        ({"payload": {"giftCardObjects": []}}, "unknown list"),
        ({"payload": {"loyaltyObjects": ["x"]}}, "each with an id"),
        ({"payload": {"loyaltyClasses": [{"id": CLASS_ID}]}}, "no object"),
        ({"payload": {"loyaltyObjects": [{"id": f"{ISSUER_ID}.none", "classId": CLASS_ID}]}}, "does not exist"),
        ({"payload": {"loyaltyObjects": [{"id": f"{ISSUER_ID}.x", "nonsense": 1}]}}, "nonsense"),
        ({"payload": {"loyaltyObjects": [{"id": CLASS_ID}]}}, "not an object"),
    ],
)
def test_a_link_that_google_would_not_open_says_why(
    sandbox: Sandbox, google: GoogleClient, changes: dict[str, Any], reason: str
) -> None:
    token = thin_jwt(sandbox, **changes)

    page = requests.get(f"{sandbox.save_url_prefix}/{token}", timeout=30)

    assert page.status_code == 400
    assert "Something went wrong" in page.text
    with pytest.raises(LinkRefused, match=reason):
        sandbox.google.save(token)


def test_a_link_that_was_changed_or_is_none_is_refused(sandbox: Sandbox, google: GoogleClient) -> None:
    head, payload, signature = thin_jwt(sandbox).split(".")
    for token in (f"{head}.{payload}.{signature[::-1]}", "x", "a.b.c", "%F0%9F", ".."):
        with pytest.raises(LinkRefused):
            sandbox.google.save(token)


def test_phones_hear_of_every_change_and_of_what_to_show(sandbox: Sandbox, google: GoogleClient) -> None:
    events: list[dict[str, Any]] = []
    leave = sandbox.google.subscribe(events.append)
    news = {"message": {"id": "m1", "header": "Cake", "body": "Free today", "messageType": "TEXT_AND_NOTIFY"}}

    sandbox.google.save(thin_jwt(sandbox), "alice")
    google.made("PATCH", f"loyaltyObject/{OBJECT_ID}", {"loyaltyPoints": {"balance": {"int": 11}}})
    google.made("POST", f"loyaltyClass/{CLASS_ID}/addMessage", news)
    leave()
    google.made("PATCH", f"loyaltyObject/{OBJECT_ID}", {"accountName": "later"})

    assert [(event["kind"], event["notify"], event["accounts"]) for event in events] == [
        ("saved", False, ["alice"]),
        ("patched", False, ["alice"]),
        ("message", True, ["alice"]),
    ]
    assert events[1]["object_id"] == OBJECT_ID
    assert events[2]["class_id"] == CLASS_ID
    assert events[2]["message"]["header"] == "Cake"
    assert events[2]["header"] == "Beans"


def test_the_product_believes_a_genuine_callback_and_no_tampered_one(
    sandbox: Sandbox, google: GoogleClient, product: Sink
) -> None:
    keys = root_keys.parse(requests.get(sandbox.root_keys_url, timeout=30).content)
    believed = set()
    for tamper in Tamper:
        sandbox.google.call_back(OBJECT_ID, "save", tamper=tamper)
        try:
            callback.verify(product.bodies.get(timeout=30), keys=keys, issuer=ISSUER_ID, now=datetime.now(UTC))
        except callback.RefusedCallback:
            continue
        believed.add(tamper)

    assert believed == {Tamper.NOTHING}
