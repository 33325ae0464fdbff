"""The phones' web service after a campaign: lists, unchanged and changed fetches, per core of the web process.

The limits are shares of what the same run measured: the bare RSA operation, and a bare route of the same server. The
rate on a core is requests by the processor time that the web process spent on them; the rate beside it is what came
over the wire with the load generator on the same machine.
"""

import io
import json
import secrets
import sys
import tempfile
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.bench.bare import bare_server
from tests.bench.load import Server
from tests.bench.wire import Timings, offered, one_after_another, request
from tests.journeys.stage import PASS_TYPE, Stage, stage, wait_for

CARDS = 400
CLIENTS = 4
RAW_S = 0.5
ROUNDS = 3
SHARE = 0.6
HERD = 64
HERD_STARTS_S = 1.5
SALES = 300
SALES_A_SECOND = 50
SALE_P99_MS = 100


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Timings over the wire, and what one request cost the web process."""

    timings: Timings
    cpu_s: float

    @property
    def per_core(self) -> float:
        return 1 / self.cpu_s

    def line(self, name: str, limit: float | None = None, of: str = "") -> str:
        text = f"{name + ':':34} {self.per_core:7,.0f}/s a core, {self.cpu_s * 1e6:5.0f} µs"
        text += f"; {self.timings.rate:7,.0f}/s on the wire"
        text += f", p99 {self.timings.at(0.99) * 1e3:5.1f} ms"
        if limit is None:
            return text
        verdict = "OK" if self.per_core >= limit else "MISSED"
        return f"{text}; limit {limit:6,.0f}/s = {SHARE} of {of}: {verdict}"


def run(cards: int = CARDS) -> Iterator[str]:
    """A stage of its own, with that many cards on as many phones."""
    with (
        tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder,
        stage(Path(folder), f"sqlite:///{folder}/tessera.db") as place,
    ):
        yield from figures(place, [place.member(f"Member {number}") for number in range(cards)])


def figures(place: Stage, cards: list[dict[str, Any]]) -> Iterator[str]:
    """Each card is put on a phone, changed, pushed, then listed and fetched: as the API gave them, any number.

    Delivery is ended before anything is measured.
    """
    base = place.product.base
    host = base.removeprefix("http://")
    tokens = {card["serial"]: _token(card) for card in cards}
    devices = {card["serial"]: _registered(place, card, tokens[card["serial"]]) for card in cards}
    for card in cards:
        place.api.earn(card["number"], "10.00")
    _deliver_all(place)

    bare = _measured(place, [request(host, "GET", "/healthz", {})] * 3000, 200)
    raw = _raw_signatures(place)
    yield bare.line(f"bare route, {CLIENTS} clients")
    yield f"{'bare RSA operation:':34} {raw:7,.0f}/s a core"
    fetches = [request(host, "GET", _pass(card), _shown(tokens, card)) for card in cards]
    limit = SHARE * min(raw, bare.per_core)
    signed = _measured_signed(place, cards, fetches)
    yield signed.line("fetch of a changed card (signed)", limit, "the slower of the two")
    yield _bound(place, raw, _pass_bytes(base, tokens, cards[0]), signed)
    limit, of = SHARE * bare.per_core, "the bare route"
    yield _measured(place, fetches * 3, 200).line("fetch of a card signed before", limit, of)
    stamp = _stamps(base, tokens, cards[:50])
    unchanged = [request(host, "GET", _pass(card), _shown(tokens, card) | stamp[card["serial"]]) for card in cards[:50]]
    yield _measured(place, unchanged * 30, 304).line("fetch of an unchanged card (304)", limit, of)
    lists = [request(host, "GET", devices[card["serial"]], {}) for card in cards]
    yield _measured(place, lists * 3, 200).line("list of changed serials", limit, of)
    told = [request(host, "GET", f"{path}?passesUpdatedSince={_tag(base, path)}", {}) for path in devices.values()]
    yield _measured(place, told * 3, 204).line("list with nothing new (204)", limit, of)
    yield _till_beside_phones(place, cards, fetches)


def _measured(place: Stage, prepared: list[bytes], status: int) -> Figure:
    return _measured_at(place.product.base, place.product.processes["web"].pid, prepared, status)


def _measured_signed(place: Stage, cards: list[dict[str, Any]], fetches: list[bytes]) -> Figure:
    """All cards in several rounds: one round is too short for the clock that counts the processor's time."""
    rounds = [_measured(place, fetches, 200)]
    while len(rounds) < ROUNDS:
        for card in cards:
            place.api.earn(card["number"], "10.00")
        rounds.append(_measured(place, fetches, 200))
    took_s = [one for each in rounds for one in each.timings.took_s]
    whole_s = sum(each.timings.whole_s for each in rounds)
    return Figure(timings=Timings(took_s=took_s, whole_s=whole_s), cpu_s=sum(each.cpu_s for each in rounds) / ROUNDS)


def _measured_at(base: str, pid: int, prepared: list[bytes], status: int) -> Figure:
    server = Server(pid)
    before_s = server.cpu_s()
    timings = one_after_another(base, prepared, clients=CLIENTS).only(status)
    return Figure(timings=timings, cpu_s=(server.cpu_s() - before_s) / len(prepared))


def _bound(place: Stage, raw: float, body_bytes: int, signed: Figure) -> str:
    """What a signed fetch cannot go below: the RSA operation, and this server's cheapest answer of the same size."""
    with bare_server(place.product.environ, body_bytes) as (base, pid):
        answer = _measured_at(base, pid, [request(base.removeprefix("http://"), "GET", "/", {})] * 3000, 200)
    least_s = 1 / raw + answer.cpu_s
    return (
        f"{'bound: RSA and a bare answer:':34} {1 / least_s:7,.0f}/s a core, {least_s * 1e6:5.0f} µs: "
        f"{1e6 / raw:.0f} and {answer.cpu_s * 1e6:.0f} for {body_bytes:,} bytes; "
        f"the rest of a signed fetch takes {(signed.cpu_s - least_s) * 1e6:.0f} µs"
    )


def _till_beside_phones(place: Stage, cards: list[dict[str, Any]], fetches: list[bytes]) -> str:
    """A till's sales while far more phones fetch than the server can sign for: some of them are sent away."""
    base = place.product.base
    host = base.removeprefix("http://")
    key = str(place.api.session.headers["Authorization"])
    body = json.dumps({"amount": "10.00"}).encode()
    sales = [
        request(
            host,
            "POST",
            f"/api/v1/cards/{cards[number % len(cards)]['number']}/earn",
            {"Authorization": key, "Idempotency-Key": str(uuid.uuid4())},
            body,
        )
        for number in range(SALES)
    ]
    # in a process of their own: sixty threads beside the till's would make the till's clock wait, not the till
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        herd = elsewhere.submit(_herd, base, fetches, SALES / SALES_A_SECOND + HERD_STARTS_S)
        time.sleep(HERD_STARTS_S)
        sold = offered(base, sales, rate=SALES_A_SECOND, clients=32).only(201)
        answered = herd.result()
    p99_ms = sold.at(0.99) * 1e3
    return (
        f"{'sale beside ' + str(HERD) + ' phones at once:':34} p50 {sold.at(0.5) * 1e3:5.1f} ms, p99 {p99_ms:5.1f} ms; "
        f"limit {SALE_P99_MS} ms at {SALES_A_SECOND}/s: {'OK' if p99_ms < SALE_P99_MS else 'MISSED'}; "
        f"phones: {answered[200]} served, {answered[503]} sent away"
    )


def _herd(base: str, fetches: list[bytes], for_s: float) -> Counter[int]:
    """Phones that fetch again and again; the statuses they got."""
    answered: Counter[int] = Counter()
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        answered.update(one_after_another(base, fetches, clients=HERD).statuses)
    return answered


def _deliver_all(place: Stage) -> None:
    """Let every phone be told, then end delivery, so that it takes no processor from what is measured."""
    wait_for(lambda: _behind(place) == 0, 120)
    place.product.kill(*(name for name in place.product.processes if name != "web"))


def _behind(place: Stage) -> float:
    text = requests.get(f"{place.product.base}/metrics", timeout=20).text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("tessera_cards_behind{"))


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


def _registered(place: Stage, card: dict[str, Any], token: str) -> str:
    """Put the card on a phone of its own that APNs knows; the address of that phone's list."""
    path = f"/apple/v1/devices/{secrets.token_hex(16)}/registrations/{PASS_TYPE}"
    push_token = secrets.token_hex(32)
    place.sandbox.hub.register(push_token)
    answer = requests.post(
        f"{place.product.base}{path}/{card['serial']}",
        json={"pushToken": push_token},
        headers={"Authorization": f"ApplePass {token}"},
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    return path


def _pass(card: dict[str, Any]) -> str:
    return f"/apple/v1/passes/{PASS_TYPE}/{card['serial']}"


def _shown(tokens: dict[str, str], card: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"ApplePass {tokens[card['serial']]}"}


def _pass_bytes(base: str, tokens: dict[str, str], card: dict[str, Any]) -> int:
    return len(requests.get(base + _pass(card), headers=_shown(tokens, card), timeout=20).content)


def _stamps(base: str, tokens: dict[str, str], cards: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    return {
        card["serial"]: {
            "If-Modified-Since": requests.get(base + _pass(card), headers=_shown(tokens, card), timeout=20).headers[
                "Last-Modified"
            ]
        }
        for card in cards
    }


def _tag(base: str, path: str) -> str:
    return str(requests.get(base + path, timeout=20).json()["lastUpdated"])


if __name__ == "__main__":
    for line in run(int(sys.argv[1]) if len(sys.argv) > 1 else CARDS):
        print(line, flush=True)
