"""Kahve Durağı with a shop, open for customers."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.cards.models import Programme, Store
from app.settings import Settings
from app.world import World
from tests import factories
from tests.app.enrolment.visitor import Visitor
from tests.authority import pass_certificate
from tests.conftest import MovableClock, application


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, smtp_url="smtp://127.0.0.1:9", base_url="https://cards.example.com")


@pytest.fixture
def kahve(world: World) -> Programme:
    with world.database.unit_of_work() as session:
        return factories.programme(session)


@pytest.fixture
def shop(world: World, kahve: Programme) -> Store:
    with world.database.unit_of_work() as session:
        return factories.store(session, session.get_one(Programme, kahve.id))


@pytest.fixture
def app(world: World) -> Flask:
    made = application(world)
    # the test client speaks http; the cookie's __Host- name and Secure mark would keep it from coming back
    made.config.update(SESSION_COOKIE_NAME="tessera", SESSION_COOKIE_SECURE=False)
    return made


@pytest.fixture
def visitor(app: Flask, kahve: Programme) -> Visitor:
    return Visitor(app)


@pytest.fixture
def certificate(settings: Settings, clock: MovableClock) -> Path:
    """A pass certificate for Kahve Durağı, valid for some time from the clock's present."""
    issued = pass_certificate("pass.com.example.kahve", "A1B2C3D4E5", clock())
    folder = settings.certs_dir / issued.pass_type
    folder.mkdir(parents=True)
    (folder / "certificate.pem").write_bytes(issued.certificate_pem)
    (folder / "key.pem").write_bytes(issued.key_pem)
    (folder / "wwdr.pem").write_bytes(issued.intermediate_pem)
    return folder
