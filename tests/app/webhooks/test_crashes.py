"""kill -9 of the delivering process around a send: the message arrives twice under one id, and is never lost."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.webhooks.turns import LEASE_MS
from tests.app.webhooks.conftest import House
from tests.conftest import SECRET, MovableClock


def killed_at(point: str, house: House, folder: Path) -> None:
    """Run a worker that ends itself at *point*."""
    environ = {
        **os.environ,
        "TESSERA_DATABASE_URL": house.world.settings.database_url,
        "TESSERA_SECRET_KEY": SECRET,
        "TESSERA_VAR_DIR": str(folder / "var"),
        "TESSERA_CERTS_DIR": str(folder / "certs"),
        "TESSERA_WEBHOOK_ALLOW": house.sink.neighbour,
        "TESSERA_FAILPOINT": f"{point}=kill",
    }
    log = folder / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen([sys.executable, "-m", "app", "worker"], env=environ, stdout=output, stderr=output)
        try:
            assert worker.wait(60) == -signal.SIGKILL, log.read_text()
        finally:
            worker.kill()
            worker.wait()


@pytest.mark.parametrize("point", ["webhook.sent", "webhook.before_settle"])
def test_a_worker_killed_around_a_send_repeats_it_and_loses_nothing(
    point: str, any_house: House, clock: MovableClock, tmp_path: Path
) -> None:
    house = any_house
    clock.at = datetime.now(UTC) - timedelta(seconds=1)
    endpoint = house.listen()
    for _ in range(3):
        house.announce()

    killed_at(point, house, tmp_path)

    first = list(house.sink.received)
    assert len(first) == {"webhook.sent": 1, "webhook.before_settle": 3}[point]
    assert {job.state for job in house.jobs()} == {"waiting"}
    clock.at = datetime.now(UTC)
    house.deliver()
    assert len(house.sink.received) == len(first), "the lease was not kept"
    clock.advance(milliseconds=LEASE_MS)
    house.deliver()
    again = house.sink.received[len(first) :]
    assert {one.id for one in first} <= {one.id for one in again}
    assert {one.id: one.body for one in first}.items() <= {one.id: one.body for one in again}.items()
    assert sorted(one.event["sequence"] for one in again) == sorted(job.event_id or 0 for job in house.jobs())
    assert {job.state for job in house.jobs()} == {"sent"}
    assert house.fresh(endpoint).delivered == 3
