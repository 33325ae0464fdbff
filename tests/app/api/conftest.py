"""A shop with an integrator: programmes, keys, and a client that speaks for a key."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import health, i18n, web
from app.api import routes
from app.cards.models import Card, Programme, Store
from app.staff import service as staff
from app.world import World
from tests import factories

NUMBERS = itertools.count(1)


@dataclass(kw_only=True)
class Api:
    """Calls as an integrator makes them: with a key, and a new Idempotency-Key for each write."""

    client: FlaskClient
    key: str
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.key}", **self.headers, **options.pop("headers", {})}
        if method not in {"GET", "HEAD"}:
            headers.setdefault("Idempotency-Key", f"test-{next(NUMBERS)}")
        headers = {name: value for name, value in headers.items() if value is not None}
        if json is not None:
            options["json"] = json
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.call("POST", path, json, **options)


@dataclass(kw_only=True)
class Shop:
    """Two programmes: ours, with a store and Ayşe's card, and a stranger's."""

    programme: Programme
    store: Store
    card: Card
    other: Programme
    other_store: Store
    other_card: Card


def make_shop(world: World) -> Shop:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        other = factories.programme(session, slug="stranger", pass_type_identifier="pass.com.example.stranger")
        return Shop(
            programme=programme,
            store=factories.store(session, programme),
            card=factories.card(session, programme, email="ayse@example.com", phone="+905321234567"),
            other=other,
            other_store=factories.store(session, other, "Elsewhere"),
            other_card=factories.card(session, other, "Mallory Malone"),
        )


def make_key(world: World, scope: str, programme: Programme | None = None) -> str:
    with world.database.unit_of_work() as session:
        return staff.create_key(session, "till", scope, programme.id if programme else None, world.clock())[1]


def make_app(world: World) -> Flask:
    """The API and the health room as the service has them, without the pages."""
    app = Flask("app")
    web.install(app, world)
    i18n.install(app)
    routes.install(app)
    health.install(app)
    return app


@pytest.fixture
def app(world: World) -> Flask:
    return make_app(world)


@pytest.fixture
def shop(world: World) -> Shop:
    return make_shop(world)


@pytest.fixture
def key_for(world: World) -> Callable[..., str]:
    return lambda scope, programme=None: make_key(world, scope, programme)


@pytest.fixture
def api(client: FlaskClient, shop: Shop, key_for: Callable[..., str]) -> Api:
    """A key of scope write for every programme."""
    return Api(client=client, key=key_for("write"))


@pytest.fixture
def bound(client: FlaskClient, shop: Shop, key_for: Callable[..., str]) -> Api:
    """A key of scope write for our programme alone."""
    return Api(client=client, key=key_for("write", shop.programme))


@pytest.fixture
def admin(app: Flask, shop: Shop, key_for: Callable[..., str]) -> Api:
    return Api(client=app.test_client(), key=key_for("admin"))


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The problem of a refusal, checked for its form."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.get_json()
    assert (body["code"], body["status"]) == (code, status)
    assert body["type"] == f"urn:tessera:problem:{code}"
    assert len(body["detail"]) > 10
    return body
