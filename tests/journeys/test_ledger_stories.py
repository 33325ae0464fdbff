"""What a shop does all day, seen on both phones: twice the points, stamps, money, something kept ready, a return."""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from tests.journeys.stage import ANSWER_WITHIN_S, PROGRAMME, SHOWN_WITHIN_S, Stage, balance_on, stage

ZONE = str(PROGRAMME["timezone"])
EMAIL, PASSWORD = "ece@example.com", "a long walk by the sea"
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@pytest.fixture(scope="module")
def on_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One served house for all stories; every story has a member and phones of its own."""
    folder = tmp_path_factory.mktemp("ledger-stories")
    with stage(folder, f"sqlite:///{folder}/tessera.db") as set_stage:
        set_stage.api.post("stores", {"programme": "stage", "name": "Kadıköy"})
        add = ("user", "add", "--email", EMAIL, "--role", "manager", "--programme", "stage", "--store", "Kadıköy")
        set_stage.product.tessera(*add, stdin=PASSWORD + "\n")
        set_stage.api.post("programmes/stage/rules", {"rules": rules_with_double_points_today()})
        yield set_stage


def rules_with_double_points_today() -> dict[str, Any]:
    """Twice the points on this weekday, and on the next one: midnight may come while the stories are told."""
    today = datetime.now(ZoneInfo(ZONE)).isoweekday()
    return {
        "rules": [
            {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"},
            {
                "kind": "multiplier",
                "name": "Double day",
                "factor": "2",
                "when": {"windows": [{"weekdays": [today, today % 7 + 1]}]},
                "no_end": True,
            },
        ],
        "expiry": {"policy": "rolling", "days": 20},
    }


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A member with the card on an iPhone and on an Android phone."""

    card: dict[str, Any]
    iphone: ApplePhone
    android: GooglePhone
    object_id: str

    def number(self) -> str:
        return str(self.card["number"])

    def sees(self, on_iphone: Callable[[str], bool], field: str, on_android: Callable[[str], bool]) -> None:
        """Wait until the field of the pass, and all that the Android phone holds, say so."""
        serial = self.card["serial"]
        assert self.iphone.wait_until(lambda p: on_iphone(str(p.shows(serial, field))), SHOWN_WITHIN_S), (
            self.iphone.shows(serial, field),
            self.iphone.log,
        )
        assert self.android.wait_until(lambda p: on_android(str(p.stored(self.object_id))), SHOWN_WITHIN_S), (
            self.android.stored(self.object_id),
            self.android.log,
        )

    def has(self, points: int) -> None:
        """Wait until both phones show that balance."""
        serial = self.card["serial"]
        assert self.iphone.wait_until(lambda p: p.shows(serial, "balance") == points, SHOWN_WITHIN_S), self.iphone.log
        assert self.android.wait_until(lambda p: balance_on(p, self.object_id) == points, SHOWN_WITHIN_S), (
            self.android.log
        )


@pytest.fixture
def holder(on_stage: Stage, request: pytest.FixtureRequest) -> Holder:
    return with_phones(on_stage, on_stage.member(), request.node.name)


def with_phones(on_stage: Stage, card: dict[str, Any], name: str) -> Holder:
    iphone, android = on_stage.iphone(f"iphone-{name}"), on_stage.android(f"android-{name}")
    on_stage.add_to_iphone(iphone, card)
    return Holder(card=card, iphone=iphone, android=android, object_id=on_stage.add_to_android(android, card))


class Till:
    """A cashier's browser without scripts: signs in with a password and sends forms."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.session = requests.Session()
        page = self.session.get(f"{base}/login?next=/till", timeout=ANSWER_WITHIN_S)
        self.token = self._token(page.text)
        self.send("/login", email=EMAIL, password=PASSWORD, next="/till")
        self.token = self._token(self.session.get(f"{base}/till", timeout=ANSWER_WITHIN_S).text)

    def send(self, path: str, **form: str) -> str:
        """Send a form and follow to the next page; what it shows."""
        answer = self.session.post(self.base + path, data={"csrf_token": self.token, **form}, timeout=ANSWER_WITHIN_S)
        assert answer.ok, answer.text
        return answer.text

    def at_card(self, card: dict[str, Any], what: str, **form: str) -> str:
        return self.send(f"/till/cards/{card['serial']}/{what}", key=str(uuid.uuid4()), **form)

    def sync(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Bring what the till kept while it had no connection."""
        answer = self.session.post(
            f"{self.base}/till/sync",
            json={"sent_at": datetime.now(UTC).isoformat(), "items": items},
            headers={"X-CSRFToken": self.token},
            timeout=ANSWER_WITHIN_S,
        )
        assert answer.ok, answer.text
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.session.get(f"{self.base}/till/offline/state", timeout=ANSWER_WITHIN_S).json()
        return found

    def _token(self, page: str) -> str:
        found = TOKEN.search(page)
        assert found is not None, page
        return found[1]


@pytest.fixture(scope="module")
def till(on_stage: Stage) -> Till:
    return Till(on_stage.product.base)


def page_of(card: dict[str, Any]) -> str:
    """The customer's page."""
    answer = requests.get(card["links"]["page"], headers={"Accept-Language": "en"}, timeout=ANSWER_WITHIN_S)
    assert answer.ok, answer.text
    return answer.text


def test_a_sale_on_a_double_day_stands_on_both_phones_with_what_leads_to_the_next_tier_and_what_expires(
    holder: Holder, till: Till
) -> None:
    done = till.at_card(holder.card, "earn", amount="1250,00")

    assert "250" in done
    holder.has(250)
    # 5,000.00 lead to gold; points live for 20 days, so both warnings stand on the card at once
    holder.sees(lambda line: "3,750" in line, "next", lambda shown: "3,750" in shown)
    holder.sees(lambda line: "250" in line, "expiring", lambda shown: "expire after" in shown)


def test_three_taps_fill_a_stamp_card_and_its_reward_leaves_the_phone_when_it_is_used(
    on_stage: Stage, holder: Holder, till: Till
) -> None:
    coffee = {"programme": "stage", "name": "Coffee card", "reward": "A coffee on us", "size": 10}
    stamp_card = on_stage.api.post("stamp-cards", coffee)["id"]
    till.at_card(holder.card, "stamp", stamp_card=stamp_card, count="7")
    holder.sees(lambda line: "7 of 10" in line, "stamps", lambda shown: "7 of 10" in shown)

    for _ in range(3):
        till.at_card(holder.card, "stamp", stamp_card=stamp_card, count="1")

    holder.sees(lambda text: "1 × A coffee on us" in text, "stamp-cards", lambda shown: "1 × A coffee on us" in shown)
    assert holder.iphone.lock_screen
    till.at_card(holder.card, "redeem", stamp_card=stamp_card)

    holder.sees(
        lambda text: "Coffee card" in text and "Yours to use" not in text,
        "stamp-cards",
        lambda shown: "Coffee card" in shown and "Yours to use" not in shown,
    )
    on_stage.api.post(f"stamp-cards/{stamp_card}/end", {}, expect=200)


def test_money_on_a_gift_card_is_right_on_the_phone_after_each_payment_and_refund(on_stage: Stage) -> None:
    sold = on_stage.api.post("gift-cards", {"programme": "stage", "amount": "500.00", "funding_reference": "RCPT-1"})
    holder = with_phones(on_stage, sold, "gift")
    shows_money(holder, "500.00")

    paid = on_stage.api.post(f"cards/{sold['number']}/pay", {"amount": "125.50"})
    shows_money(holder, "374.50")
    on_stage.api.post(f"transactions/{paid['transaction']['id']}/refund", {"amount": "25.50"})
    shows_money(holder, "400.00")
    on_stage.api.post(f"transactions/{paid['transaction']['id']}/refund", {})
    shows_money(holder, "500.00")

    refused = on_stage.api.post(f"transactions/{paid['transaction']['id']}/refund", {}, expect=409)
    assert refused["type"].endswith("already_reversed")


def shows_money(holder: Holder, amount: str) -> None:
    micros = str(int(amount.replace(".", "")) * 10_000)
    holder.sees(lambda value: float(value) == float(amount), "balance", lambda shown: f"'{micros}'" in shown)


def test_what_is_kept_ready_at_the_till_is_off_the_balance_until_it_is_let_go(
    on_stage: Stage, holder: Holder, till: Till
) -> None:
    cake = on_stage.api.post("rewards", {"programme": "stage", "name": "A slice of cake", "points": 15})["id"]
    on_stage.api.earn(holder.number(), "100.00")
    holder.has(20)

    kept = till.at_card(holder.card, "redeem", reserve=cake)
    holder.has(5)

    hold = re.search(r'name="hold" value="(hld_[^"]+)"', kept)
    assert hold is not None, kept
    till.at_card(holder.card, "hold", hold=hold[1], act="let_go")
    holder.has(20)


def test_a_sale_that_a_till_kept_without_a_connection_comes_to_the_phones_once(
    on_stage: Stage, holder: Holder, till: Till
) -> None:
    here = till.state()
    item = {
        "id": str(uuid.uuid4()),
        "kind": "earn",
        "code": holder.number(),
        "amount": 8_000,
        "currency": "TRY",
        "receipt": f"OFF-{holder.number()}",
        "at": (datetime.now(UTC) - timedelta(minutes=20)).isoformat(),
        "zone": here["zone"],
        "cashier": here["cashier"],
        "place": here["place"]["id"],
    }

    first, again = till.sync([item])[0], till.sync([item])[0]

    assert (first["status"], first["replayed"]) == ("applied", False)
    assert again["replayed"]
    holder.has(on_stage.api.get(f"cards/{holder.number()}")["balance"])
    assert len(on_stage.api.get(f"cards/{holder.number()}/ledger")["items"]) == 1


def test_a_line_that_comes_back_leaves_the_phones_and_the_customers_page_says_why(
    on_stage: Stage, holder: Holder
) -> None:
    lines = [
        {"product": "latte", "category": "coffee", "amount": "120.00"},
        {"product": "cake", "category": "cake", "amount": "90.00"},
    ]
    sale = on_stage.api.post(f"cards/{holder.number()}/earn", {"lines": lines, "receipt": f"R-{holder.number()}"})
    holder.has(42)

    back = {"transaction": sale["transaction"]["id"], "lines": [{"number": 2, "quantity": 1}], "reason": "too sweet"}
    on_stage.api.post(f"cards/{holder.number()}/returns", back)

    holder.has(24)
    page = page_of(holder.card)
    assert "Double day" in page
    assert "cake" in page
    assert "−18" in page or "-18" in page


def test_the_books_of_the_day_verify_while_everything_runs(on_stage: Stage) -> None:
    assert "The ledger adds up." in on_stage.product.tessera("ledger", "verify")
