"""A process that delivers is told to end while a push is on its way."""

import signal
from pathlib import Path

from sqlalchemy import select

from app.cards.models import Card
from app.outbox.models import SendLog, Target
from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.sandbox import Sandbox
from app.world import World
from tests.app.commands.shell import Shell, wait_for
from tests.app.wallets.apple.test_push import change, hold

SLOW_S = 1.5


def test_what_is_on_its_way_to_apple_when_a_worker_is_told_to_end_is_awaited_and_written(
    world: World, sandbox: Sandbox, card: Card, tmp_path: Path
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    sandbox.apns.script(Fault(kind=FaultKind.SLOW, delay_s=SLOW_S))
    settings = world.settings
    shell = Shell(
        tmp_path / "installation",
        TESSERA_DATABASE_URL=settings.database_url,
        TESSERA_SECRET_KEY=settings.secret_key,
        TESSERA_CERTS_DIR=str(settings.certs_dir),
        TESSERA_APNS_URL=settings.apns_url,
        TESSERA_APNS_CA_FILE=str(settings.apns_ca_file),
    )
    process = shell.serve("deliver")
    try:
        wait_for(lambda: sandbox.apns.count == 1)
        with world.database.reading() as session:
            in_hand = session.scalars(select(Target)).one()
        process.send_signal(signal.SIGTERM)

        assert process.wait(20) == 0
    finally:
        shell.close()

    assert (in_hand.done, in_hand.lease is None) == (1, False)
    with world.database.reading() as session:
        target, log = session.scalars(select(Target)).one(), session.scalars(select(SendLog)).one()
    assert (target.done, target.lease, target.last_status) == (2, None, 200)
    assert (log.status, log.took_ms >= SLOW_S * 1000) == (200, True)
    assert sandbox.apns.count == 1
