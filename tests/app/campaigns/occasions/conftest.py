"""A street on both databases."""

import pytest

from app.world import World
from tests.app.campaigns.occasions.street import Street
from tests.conftest import MovableClock


@pytest.fixture
def street(any_world: World, clock: MovableClock) -> Street:
    return Street(any_world, clock)
