"""A shop to plan campaigns for."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.world import World
from tests.app.marketing.shop import Shop
from tests.app.marketing.shop import shop as make


@pytest.fixture
def shop(world: World, app: Flask) -> Shop:
    return make(world, app)


@pytest.fixture
def writer(shop: Shop) -> FlaskClient:
    """A marketer at work."""
    return shop.browser("marketer")
