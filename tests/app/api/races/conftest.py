"""Two server processes on each kind of database, started once for all races of a file."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.clock import system_clock
from tests import factories
from tests.app.api.conftest import make_key
from tests.app.api.races import books
from tests.app.api.races.house import House, line_of, process
from tests.conftest import MovableClock, open_test_world, postgres_database, settings_for


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("races")
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "tessera.db")
            url = f"sqlite:///{folder / 'tessera.db'}"
        else:
            url = stack.enter_context(postgres_database(request.getfixturevalue("postgres")))
        world = open_test_world(settings_for(url, folder), MovableClock(system_clock()))
        stack.callback(world.database.close)
        door = getattr(request.module, "DOOR", "api")
        servers = [stack.enter_context(process("tests.app.api.served", url, str(folder), door)) for _ in range(2)]
        with world.database.unit_of_work() as session:
            programme = factories.programme(session, now=world.clock())
        ports = [int(line_of(server)) for server in servers]
        house = House(
            world=world, url=url, folder=folder, key=make_key(world, "write"), ports=ports, programme=programme
        )
        stack.callback(house.pool.shutdown)
        yield house


@pytest.fixture
def house(running: House) -> Iterator[House]:
    """The house, whose books add up when the race is over."""
    yield running
    assert books.differences(running) == []
