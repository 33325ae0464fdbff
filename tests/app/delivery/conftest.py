"""What tests of delivery share: worlds that live by the real clock, and a vendor in memory."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.db import Database
from app.vault import Vault
from app.world import World
from tests.app.delivery.vendor import Vendor
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import settings_for

WINDOWS_MS = (300, 500, 0)


@pytest.fixture
def kit(world: World) -> Kit:
    return kit_for(world, vendor="apple")


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


def by_the_real_clock(url: str, folder: Path, **over: object) -> World:
    """Threads live by the real clock; their windows are short."""
    settings = settings_for(url, folder, **over)
    vault = Vault(settings.secret_key)
    database = Database(settings.database_url, info={"vault": vault, "windows": WINDOWS_MS})
    return World(settings=settings, database=database, clock=lambda: datetime.now(UTC), vault=vault)


def until(fits: Callable[[], object], within_s: float = 60) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if fits():
            return True
        time.sleep(0.02)
    return False
