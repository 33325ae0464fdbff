"""The phones' web service: lists, unchanged and changed fetches, beside a bare route and the bare RSA operation."""

import io
import json
import secrets
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.bench.wire import Timings, one_after_another, request
from tests.journeys.stage import PASS_TYPE, Stage

CLIENTS = 4
RAW_S = 0.5


def figures(place: Stage, cards: list[dict[str, Any]]) -> Iterator[str]:
    """Every card is registered by a device of its own and fetched for the first time, then again."""
    base = place.product.base
    host = base.removeprefix("http://")
    bare = _rate(base, [request(host, "GET", "/healthz", {})] * 2000, 200)
    raw = _raw_signatures(place)
    yield f"bare route, {CLIENTS} clients:              {bare.rate:7,.0f}/s"
    tokens = {card["serial"]: _token(card) for card in cards}
    fetches = [
        request(host, "GET", _pass(card), {"Authorization": f"ApplePass {tokens[card['serial']]}"}) for card in cards
    ]
    _change_all(place, cards)
    signed = _rate(base, fetches, 200)
    yield _beside(
        "fetch of a changed card (signed)", signed, bare.rate, f", {signed.rate / raw:.2f} of {raw:,.0f} bare"
    )
    yield _beside("fetch of a card signed before", _rate(base, fetches * 2, 200), bare.rate)
    unchanged = [_conditional(base, host, card, tokens[card["serial"]]) for card in cards[:50]]
    yield _beside("fetch of an unchanged card (304)", _rate(base, unchanged * 20, 304), bare.rate)
    lists = [_registered_list(base, host, card, tokens[card["serial"]]) for card in cards]
    yield _beside("list of changed serials", _rate(base, lists * 3, 200), bare.rate)


def _beside(name: str, timings: Timings, bare: float, more: str = "") -> str:
    return (
        f"{name + ':':35} {timings.rate:7,.0f}/s  p99 {timings.at(0.99) * 1e3:6.1f} ms  "
        f"({timings.rate / bare:.2f} of the bare route{more}; no limit given)"
    )


def _rate(base: str, prepared: list[bytes], status: int) -> Timings:
    return one_after_another(base, prepared, clients=CLIENTS).only(status)


def _raw_signatures(place: Stage) -> float:
    """RSA-2048 signatures a second on one core, with the key that signs these passes."""
    pem = (place.folder / "sandbox" / "passes" / PASS_TYPE / "key.pem").read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    count, began = 0, time.process_time()
    while time.process_time() - began < RAW_S:
        key.sign(b"attributes" * 11, PKCS1v15(), SHA256())
        count += 1
    return count / (time.process_time() - began)


def _token(card: dict[str, Any]) -> str:
    """The secret in the card's own pass."""
    content = requests.get(card["links"]["apple"], timeout=20).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return str(json.loads(archive.read("pass.json"))["authenticationToken"])


def _change_all(place: Stage, cards: list[dict[str, Any]]) -> None:
    """A version that nobody has fetched yet for each card."""
    for card in cards:
        place.api.earn(card["number"], "10.00")


def _pass(card: dict[str, Any]) -> str:
    return f"/apple/v1/passes/{PASS_TYPE}/{card['serial']}"


def _conditional(base: str, host: str, card: dict[str, Any], token: str) -> bytes:
    headers = {"Authorization": f"ApplePass {token}"}
    stamp = requests.get(base + _pass(card), headers=headers, timeout=20).headers["Last-Modified"]
    return request(host, "GET", _pass(card), {**headers, "If-Modified-Since": stamp})


def _registered_list(base: str, host: str, card: dict[str, Any], token: str) -> bytes:
    path = f"/apple/v1/devices/{secrets.token_hex(16)}/registrations/{PASS_TYPE}"
    answer = requests.post(
        f"{base}{path}/{card['serial']}",
        json={"pushToken": secrets.token_hex(32)},
        headers={"Authorization": f"ApplePass {token}"},
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    return request(host, "GET", path, {})
