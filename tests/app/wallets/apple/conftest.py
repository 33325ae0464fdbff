"""A service that a phone can reach: real sockets, a real authority, the APNs stand-in."""

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app import i18n, web
from app.cards.models import Card
from app.clock import system_clock
from app.sandbox.http_server import LocalServer
from app.sandbox.sandbox import Sandbox
from app.settings import Settings
from app.wallets.apple import routes
from app.wallets.apple.access import pass_token
from app.world import World
from tests import factories
from tests.conftest import MovableClock, open_test_world, settings_for

PASS_TYPE = "pass.com.example.kahve"
TEAM = "A1B2C3D4E5"
DEVICE = "5c1a9a0f4f3e2d1c"
PUSH_TOKEN = "ab" * 32


@pytest.fixture(scope="session")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        sandbox.issue_pass_identity(PASS_TYPE, TEAM)
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.apns.reset()
    running_sandbox.hub.reset()
    return running_sandbox


@pytest.fixture
def clock() -> MovableClock:
    """Certificates are judged by the machine's time, so this clock starts there."""
    return MovableClock(system_clock().replace(microsecond=0))


class Front:
    """The address of a service that is made after its address is known."""

    app: Flask

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


@pytest.fixture
def front() -> Iterator[tuple[Front, str]]:
    application = Front()
    server = LocalServer(application)
    server.start()
    yield application, server.url
    server.stop()


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path, sandbox: Sandbox, front: tuple[Front, str]) -> Settings:
    return settings_for(
        sqlite_url,
        tmp_path,
        base_url=front[1],
        certs_dir=sandbox.folder / "passes",
        apns_url=sandbox.apns_url,
        apns_ca_file=sandbox.ca_file,
    )


def room_alone(world: World) -> Flask:
    """The application with the phones' door and no other."""
    app = Flask("app")
    web.install(app, world)
    i18n.install(app)
    routes.install(app)
    return app


@pytest.fixture
def world(settings: Settings, clock: MovableClock, front: tuple[Front, str]) -> Iterator[World]:
    made = open_test_world(settings, clock)
    front[0].app = room_alone(made)
    yield made
    made.database.close()


@pytest.fixture
def card(world: World) -> Card:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=world.clock())
        return factories.card(session, programme, now=world.clock())


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(kw_only=True)
class Caller:
    """Speaks HTTP/1.1 to the service the way a phone does, with every header in the caller's hand."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}
        connection.request(method, path, body=body, headers=named)
        response = connection.getresponse()
        answer = Answer(status=response.status, headers=response.headers, body=response.read())
        connection.close()
        return answer


@pytest.fixture
def call(world: World) -> Caller:
    return Caller(url=world.settings.base_url)


@pytest.fixture
def token_of(world: World) -> Callable[[Card], str]:
    """The Authorization header that the card's phone would send."""
    return lambda card: f"ApplePass {pass_token(world, PASS_TYPE, card.serial)}"


def registration_path(card: Card, device: str = DEVICE, pass_type: str = PASS_TYPE) -> str:
    return f"/apple/v1/devices/{device}/registrations/{pass_type}/{card.serial}"


def pass_path(card: Card, pass_type: str = PASS_TYPE) -> str:
    return f"/apple/v1/passes/{pass_type}/{card.serial}"


def list_path(device: str = DEVICE, tag: str | None = None, pass_type: str = PASS_TYPE) -> str:
    return f"/apple/v1/devices/{device}/registrations/{pass_type}" + (f"?passesUpdatedSince={tag}" if tag else "")


def registration_body(token: str = PUSH_TOKEN) -> bytes:
    return json.dumps({"pushToken": token}).encode()
