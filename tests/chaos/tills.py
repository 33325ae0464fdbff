"""Tills that go on whatever happens: each repeats its request, with the same key, until it knows what became of it."""

import random
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.journeys.stage import Stage

DONE, REFUSED, UNKNOWN = "done", "refused", "unknown"


@dataclass
class Books:
    """What the tills were told: the only truth that a shop has. Points by card, and the ids of all transactions."""

    points: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    transactions: list[str] = field(default_factory=list)
    repeats: int = 0
    surprises: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, number: str, points: int, transaction: str) -> None:
        with self.lock:
            self.points[number] += points
            self.transactions.append(transaction)


class Till(threading.Thread):
    """One till. `closing` lets it finish what it began and begin nothing new."""

    def __init__(self, place: Stage, numbers: list[str], books: Books, seed: int) -> None:
        super().__init__(daemon=True)
        self._base = place.product.base
        self._session = requests.Session()
        self._session.headers.update(place.api.session.headers)
        self._numbers = numbers
        self._books = books
        self._dice = random.Random(seed)
        self.closing = threading.Event()
        self.given_up = threading.Event()

    def run(self) -> None:
        earned: list[tuple[str, str, int]] = []
        while not self.closing.is_set():
            number = self._dice.choice(self._numbers)
            chance = self._dice.random()
            if chance < 0.1 and earned:
                self._undo(*earned.pop(self._dice.randrange(len(earned))))
            elif chance < 0.25:
                self._spend(number)
            else:
                self._earn(number, earned)
            self.closing.wait(self._dice.uniform(0, 0.05))

    def _earn(self, number: str, earned: list[tuple[str, str, int]]) -> None:
        points = self._dice.randint(1, 97)
        body = {"amount": f"{points * 10}.00", "receipt": uuid.uuid4().hex}
        what, answer = self._until_told(f"cards/{number}/earn", body)
        if what == DONE:
            # a better tier gives more than the price alone: what was written is what counts
            given = int(answer["transaction"]["points"])
            self._books.note(number, given, answer["transaction"]["id"])
            earned.append((number, answer["transaction"]["id"], given))

    def _spend(self, number: str) -> None:
        points = self._dice.randint(1, 20)
        what, answer = self._until_told(f"cards/{number}/redeem", {"points": points})
        if what == DONE:
            self._books.note(number, -points, answer["transaction"]["id"])

    def _undo(self, number: str, transaction: str, points: int) -> None:
        what, answer = self._until_told(f"transactions/{transaction}/reverse", {"reason": "mistake"})
        if what == DONE:
            self._books.note(number, int(answer["transaction"]["points"]), answer["transaction"]["id"])
        elif what == REFUSED and answer.get("code") == "already_reversed":
            self._books.surprises.append(f"{transaction} was reversed by a request that nobody answered")

    def _until_told(self, path: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        key = str(uuid.uuid4())
        for attempt in range(1_000_000):
            if self.given_up.is_set():
                break
            if attempt:
                self._books.repeats += 1
            try:
                answer = self._session.post(
                    f"{self._base}/api/v1/{path}", json=body, headers={"Idempotency-Key": key}, timeout=8
                )
            except requests.RequestException:
                self.given_up.wait(0.05)
                continue
            if answer.status_code == 201:
                return DONE, answer.json()
            if answer.status_code == 503 or (answer.status_code == 409 and "Retry-After" in answer.headers):
                self.given_up.wait(0.05)
                continue
            if answer.status_code not in {409, 422}:
                self._books.surprises.append(f"{path}: {answer.status_code} {answer.text[:300]}")
            return REFUSED, answer.json() if answer.content else {}
        self._books.surprises.append(f"{path}: never told what became of it")
        return UNKNOWN, {}
