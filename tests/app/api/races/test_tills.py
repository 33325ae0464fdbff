"""One sale that comes twice, from a till that was without a connection and through the API: booked once."""

import json
import re
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import pytest

from app.cards.models import Programme, Store
from app.clock import system_clock
from app.staff.models import Staff
from tests import factories
from tests.app.api.races.house import NUMBERS, TIMES, Answer, House, ask

DOOR = "all"  # the servers of these tests have the till's pages too


@dataclass(kw_only=True)
class Till:
    """A signed-in browser of a cashier."""

    house: House
    store: Store
    cashier: Staff
    cookies: dict[str, str]
    token: str = ""

    def kept(self, card: str, receipt: str) -> dict[str, Any]:
        """A sale of 10.00 as the till keeps it."""
        return {
            "id": str(uuid.uuid4()), "kind": "earn", "code": card, "amount": 1000, "currency": "TRY",
            "at": (system_clock() - timedelta(hours=1)).isoformat(), "zone": "Europe/Istanbul",
            "cashier": self.cashier.public_id, "place": self.store.public_id, "receipt": receipt,
        }  # fmt: skip

    def sync(self, number: int, kept: dict[str, Any]) -> Answer:
        """Send it; the answer's text is what became of it."""
        body = json.dumps({"sent_at": system_clock().isoformat(), "items": [kept]})
        headers = {"X-CSRFToken": self.token, "X-Requested-With": "fetch", "Content-Type": "application/json"}
        port = self.house.ports[number % len(self.house.ports)]
        answer = self.browse(port, "POST", "/till/sync", body, **headers)
        assert answer.status == 200, answer.text
        return Answer(status=200, text=answer.body["results"][0]["status"], headers={})

    def browse(self, port: int, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = ask(port, method, path, body, {"Cookie": cookie, "Accept": "application/json", **headers})
        for name, morsel in SimpleCookie(answer.headers.get("Set-Cookie", "")).items():
            self.cookies[name] = morsel.value
        return answer

    def sign_in(self) -> None:
        port = self.house.ports[0]
        form = {"csrf_token": self._token_of("/login"), "email": self.cashier.email, "password": factories.PASSWORD}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        assert self.browse(port, "POST", "/login", urlencode(form), **kind).status == 303
        self.token = self._token_of("/account")

    def _token_of(self, page: str) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.browse(self.house.ports[0], "GET", page).text)
        assert found is not None, page
        return found[1]


@pytest.fixture
def till(house: House) -> Till:
    now = system_clock()
    with house.world.database.unit_of_work() as session:
        store = factories.store(
            session, session.get_one(Programme, house.programme.id), f"Store {next(NUMBERS)}", now=now
        )
        cashier = factories.staff(session, email=f"ece-{next(NUMBERS)}@example.com", store=store, now=now)
    made = Till(house=house, store=store, cashier=cashier, cookies={})
    made.sign_in()
    return made


def test_a_receipt_that_comes_from_the_kept_sales_and_through_the_api_earns_once(house: House, till: Till) -> None:
    for card in house.cards(TIMES):
        receipt = f"R-{next(NUMBERS)}"
        sale = {"amount": "10.00", "receipt": receipt, "store": till.store.public_id}

        def one(n: int, card: str = card, sale: dict[str, str] = sale, receipt: str = receipt) -> Answer:
            if n % 2:
                return till.sync(n // 2, till.kept(card, receipt))
            return house.post(f"/cards/{card}/earn", sale)

        answers = house.at_once(one, 8)

        by_api = Counter(answer.outcome for answer in answers[::2])
        kept = Counter(answer.text for answer in answers[1::2])
        assert by_api["201"] + kept["applied"] == 1
        assert set(by_api) <= {"201", "409 duplicate_receipt"}
        assert set(kept) <= {"applied", "duplicate"}
        assert house.balance(card) == 1


def test_a_kept_sale_that_two_servers_are_sent_at_once_is_booked_once(house: House, till: Till) -> None:
    for card in house.cards(TIMES):
        kept = till.kept(card, f"R-{next(NUMBERS)}")

        answers = house.at_once(lambda n, kept=kept: till.sync(n, kept), 8)

        assert Counter(answer.text for answer in answers) == {"applied": 8}
        assert house.balance(card) == 1
