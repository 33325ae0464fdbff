"""From the till to the phones: how long a sale takes, and how long until both phones show its balance."""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from tests.bench.wire import Timings, offered, one_after_another, request
from tests.journeys.stage import Stage, balance_on

SALES = 20
PHONES_WITHIN_S = 2.0
GIVE_UP_S = 15
RESTS_S = (0.0, 1.5)
SEED = 11
ONE_CLIENT_EARNS = 300
CLIENTS = 4
OFFERED_PER_S = 200
OFFERED_S = 4


def till_to_phones(place: Stage) -> Iterator[str]:
    """Sales through the API; the clock runs from the answer of a sale until a phone holds its balance."""
    iphone, android = place.iphone(), place.android()
    card = place.member("Till To Phone")
    place.add_to_iphone(iphone, card)
    object_id = place.add_to_android(android, card)
    dice = random.Random(SEED)
    found: dict[str, list[float]] = {"Apple": [], "Google": []}
    for points in range(1, SALES + 1):
        time.sleep(dice.uniform(*RESTS_S))
        for name, took_s in _one_sale(place, card, points, iphone, (android, object_id)).items():
            found[name].append(took_s)
    for name, took in found.items():
        timings = Timings(took_s=took)
        fits = "kept" if timings.at(1) <= PHONES_WITHIN_S else "MISSED"
        yield (
            f"sale answered -> balance on the {name + ' phone:':14} p50 {timings.at(0.5):5.2f} s  "
            f"p95 {timings.at(0.95):5.2f} s  max {timings.at(1):5.2f} s  (limit {PHONES_WITHIN_S:.0f} s, of which up "
            f"to 1 s gathers changes)  {fits}"
        )


def _one_sale(
    place: Stage, card: dict[str, Any], points: int, iphone: ApplePhone, android: tuple[GooglePhone, str]
) -> dict[str, float]:
    shown: dict[str, float] = {}
    phone, object_id = android

    def watch(name: str, wait: Callable[[], bool]) -> threading.Thread:
        def job() -> None:
            if wait():
                shown[name] = time.perf_counter()

        thread = threading.Thread(target=job)
        thread.start()
        return thread

    threads = [
        watch("Apple", lambda: iphone.wait_until(lambda it: it.shows(card["serial"], "balance") == points, GIVE_UP_S)),
        watch("Google", lambda: phone.wait_until(lambda it: balance_on(it, object_id) == points, GIVE_UP_S)),
    ]
    place.api.earn(card["number"], "10.00")
    answered = time.perf_counter()
    for thread in threads:
        thread.join()
    if len(shown) != len(threads):
        raise SystemExit(f"a phone did not show {points} points within {GIVE_UP_S} s")
    return {name: max(0.0, at - answered) for name, at in shown.items()}


def earn(place: Stage, cards: list[dict[str, Any]]) -> Iterator[str]:
    """Earning at the API beside a route of the same server that does nothing."""
    base = place.product.base
    host = base.removeprefix("http://")
    bare = one_after_another(base, [request(host, "GET", "/healthz", {})] * 1000).only(200)
    yield f"bare route, one client:             {_line(bare)}"
    alone = one_after_another(base, list(_earns(place, cards, ONE_CLIENT_EARNS))).only(201)
    yield f"earn, one client:                   {_line(alone)}  (no limit given)"
    busy = one_after_another(base, list(_earns(place, cards, ONE_CLIENT_EARNS)), clients=CLIENTS).only(201)
    yield f"earn, {CLIENTS} clients:                    {_line(busy)}  (no limit given)"
    crowd = offered(base, list(_earns(place, cards, OFFERED_PER_S * OFFERED_S)), rate=OFFERED_PER_S).only(201)
    reached = "reached" if crowd.rate >= 0.95 * OFFERED_PER_S else "NOT reached"
    yield f"earn, {OFFERED_PER_S}/s offered for {OFFERED_S} s:       {_line(crowd)}  ({reached}; no limit given)"


def _line(timings: Timings) -> str:
    return f"{timings.rate:6,.0f}/s  p50 {timings.at(0.5) * 1e3:6.1f} ms  p99 {timings.at(0.99) * 1e3:6.1f} ms"


def _earns(place: Stage, cards: list[dict[str, Any]], count: int) -> Iterator[bytes]:
    host = place.product.base.removeprefix("http://")
    key = str(place.api.session.headers["Authorization"])
    body = json.dumps({"amount": "10.00"}).encode()
    for number in range(count):
        path = f"/api/v1/cards/{cards[number % len(cards)]['number']}/earn"
        yield request(host, "POST", path, {"Authorization": key, "Idempotency-Key": str(uuid.uuid4())}, body)
