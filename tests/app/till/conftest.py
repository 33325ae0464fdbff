"""A till with people, a programme, stores and members around it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.test import TestResponse

from app.cards.models import Card, Programme, Store
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.ledger import service as ledger
from app.ledger.models import Entry
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward
from app.staff.models import Staff
from app.world import World
from tests import factories
from tests.app.pages import csrf_of, post
from tests.app.till.browsing import ARGUMENTS, CHROMIUM, Server, faultless, serving, sign_in
from tests.conftest import MovableClock


@dataclass
class Shop:
    """One programme with two stores, a cashier at the first, a card with 100 points, and a reward for 80."""

    world: World
    programme: Programme
    store: Store
    other_store: Store
    cashier: Staff
    manager: Staff
    card: Card
    reward: Reward

    def balance(self, card: Card | None = None) -> int:
        with self.world.database.reading() as session:
            return ledger.balance_of(session, (card or self.card).member_id)

    def entries(self) -> list[Entry]:
        with self.world.database.reading() as session:
            return ledger.history(session, self.card.id)


@pytest.fixture
def shop(world: World, clock: MovableClock) -> Shop:
    now = clock()
    clock.advance(hours=1)
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        store, other = factories.store(session, programme), factories.store(session, programme, "Beşiktaş")
        card = factories.card(
            session, programme, "Ayşe Yılmaz", email="ayse@example.com", phone="+905321234567", birthday="11-21"
        )
        reward = catalogue.add(session, programme, RewardDraft(name="Free coffee", points=80), now=now)
        catalogue.add(session, programme, RewardDraft(name="Cake", points=150), now=now)
        by = Actor(name="key:import", channel="api")
        sales.earn(session, card, Sale(amount_minor=100_000, currency="TRY"), by=by, now=now)
        cashier = factories.staff(session, "cashier", store=store)
        manager = factories.staff(session, "manager", store=store)
    return Shop(
        world=world,
        programme=programme,
        store=store,
        other_store=other,
        cashier=cashier,
        manager=manager,
        card=card,
        reward=reward,
    )


class Till:
    """A signed-in browser at the till that sends the forms it is shown."""

    def __init__(self, app: Flask, staff: Staff) -> None:
        self.client: FlaskClient = app.test_client()
        self.keys = 0
        signed_in = post(self.client, "/login", page="/login", email=staff.email, password=factories.PASSWORD)
        assert signed_in.status_code == 303
        self.token = csrf_of(self.client, "/account")

    def key(self) -> str:
        self.keys += 1
        return f"form-{self.keys}"

    def send(self, address: str, **fields: str) -> TestResponse:
        return self.client.post(address, data={"csrf_token": self.token, **fields})

    def scan(self, code: str) -> TestResponse:
        return self.send("/till/scan", code=code)

    def earn(self, card: Card, amount: str, **more: str) -> TestResponse:
        fields = {"key": self.key(), "amount": amount, **more}
        return self.send(f"/till/cards/{card.serial}/earn", **fields)

    def redeem(self, card: Card, **more: str) -> TestResponse:
        return self.send(f"/till/cards/{card.serial}/redeem", **{"key": self.key(), **more})

    def undo(self, entry_id: str, **more: str) -> TestResponse:
        return self.send("/till/undo", **{"key": self.key(), "entry": entry_id, **more})

    def done(self, answer: TestResponse) -> str:
        """The page that a finished action leads to."""
        assert answer.status_code == 303, answer.text
        return self.client.get(answer.location).text


@pytest.fixture
def till(app: Flask, shop: Shop) -> Till:
    return Till(app, shop.cashier)


@pytest.fixture
def manager_till(app: Flask, shop: Shop) -> Till:
    return Till(app, shop.manager)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def server(app: Flask) -> Iterator[Server]:
    with serving(app) as one:
        yield one


@pytest.fixture
def page(browser: Browser, server: Server, shop: Shop) -> Iterator[Page]:
    """The cashier's till on a PC."""
    context = browser.new_context(
        base_url=server.address, viewport={"width": 1280, "height": 800}, service_workers="block"
    )
    with faultless(context.new_page()) as page:
        sign_in(page)
        yield page
    context.close()


@pytest.fixture
def touch(browser: Browser, server: Server, shop: Shop) -> Iterator[Page]:
    """The cashier's till on a phone without any key."""
    context = browser.new_context(
        base_url=server.address, viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True,
        service_workers="block",
    )  # fmt: skip
    with faultless(context.new_page()) as page:
        sign_in(page)
        yield page
    context.close()
