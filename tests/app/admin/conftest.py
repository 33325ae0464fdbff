"""An operator's office: a programme with a store and a card, its certificate in place, and people to sign in as."""

import io
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from app.cards.models import Card, Programme, Store
from app.clock import milliseconds
from app.outbox import service as outbox
from app.outbox.models import Target
from app.staff.models import AuditEvent, Staff
from app.world import World
from tests import factories
from tests.app.pages import post
from tests.authority import pass_certificate
from tests.conftest import MovableClock

PASS_TYPE = "pass.com.example.kahve"
TEAM = "A1B2C3D4E5"


@dataclass
class Office:
    """What the tests of this room start from."""

    world: World
    programme: Programme
    store: Store
    card: Card
    operator: Staff

    def events(self, action: str) -> list[AuditEvent]:
        with self.world.database.reading() as session:
            return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action)))

    def fresh(self) -> Programme:
        with self.world.database.reading() as session:
            return session.get_one(Programme, self.programme.id)

    def target(self, **over: object) -> Target:
        """A wallet that holds the card; it is up to date unless *over* says otherwise."""
        now_ms = milliseconds(self.world.clock())
        with self.world.database.unit_of_work() as session:
            sender = outbox.sender_for(session, "apple", PASS_TYPE)
            made = outbox.ensure_target(
                session, channel="apple", sender_id=sender.id, card_id=self.card.id, address_id=1, want=1, done=1,
                now_ms=now_ms,
            )  # fmt: skip
            for name, value in over.items():
                setattr(made, name, value)
        return made


class Browser:
    """Somebody signed in, sending the forms of this room."""

    def __init__(self, app: Flask, staff: Staff) -> None:
        self.client: FlaskClient = app.test_client()
        signed_in = post(self.client, "/login", page="/login", email=staff.email, password=factories.PASSWORD)
        assert signed_in.status_code == 303
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get("/account").text)
        assert found
        self.token = found[1]

    def get(self, address: str) -> TestResponse:
        return self.client.get(address)

    def send(self, address: str, **fields: object) -> TestResponse:
        return self.client.post(address, data={"csrf_token": self.token, **fields})

    def upload(self, address: str, content: bytes) -> TestResponse:
        """Send a picture as a browser does; encoded here, because the client would leave a large body's file open."""
        values = {"csrf_token": self.token, "picture": FileStorage(io.BytesIO(content), filename="picture.png")}
        boundary, body = encode_multipart(values)
        return self.client.post(address, data=body, content_type=f"multipart/form-data; boundary={boundary}")

    def follow(self, answer: TestResponse) -> str:
        """The page that a finished form leads to."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.location).text


def install_certificate(
    world: World, *, team: str = TEAM, ends_in: timedelta = timedelta(days=300), pass_type: str = PASS_TYPE
) -> None:
    """Put a certificate of an authority of our own where the service looks for it."""
    now = world.clock()
    made = pass_certificate(pass_type, team, now - timedelta(days=400), now - timedelta(days=350), now + ends_in)
    folder: Path = world.settings.certs_dir / pass_type
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("certificate.pem", made.certificate_pem),
        ("key.pem", made.key_pem),
        ("wwdr.pem", made.intermediate_pem),
    ):
        (folder / name).write_bytes(content)
    (folder / "key.pem").chmod(0o600)


@pytest.fixture
def office(world: World, clock: MovableClock) -> Office:
    now: datetime = clock()
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, pass_type_identifier=PASS_TYPE, team_identifier=TEAM)
        store = factories.store(session, programme)
        card = factories.card(session, programme, email="ayse@example.com", phone="+905321234567", now=now)
        operator = factories.staff(session, "operator")
    return Office(world=world, programme=programme, store=store, card=card, operator=operator)


@pytest.fixture
def operator(app: Flask, office: Office) -> Browser:
    return Browser(app, office.operator)


@pytest.fixture
def certified(office: Office) -> Office:
    install_certificate(office.world)
    return office
