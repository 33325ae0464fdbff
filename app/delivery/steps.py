"""The scheduler's steps. Each is short, harmless when several nodes do it at once, and harmless to repeat."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, delete, inspect, select, update
from sqlalchemy.orm import Session

from app import failpoints, idempotency, localtime, trace
from app.cards import expansion
from app.clock import milliseconds
from app.db import Base, insert_if_new, rows_changed
from app.delivery import nodes, silence
from app.delivery.models import Node, Turn
from app.gate import Priority
from app.offers import service as offers
from app.offers import timing
from app.outbox import hastening, jobs, pace
from app.outbox.models import Message, Sender, SendLog, Target
from app.outbox.rules import DAY_MS, Lane
from app.staff import throttle
from app.wallets.apple.models import DeviceLog
from app.wallets.google.models import GoogleAlert, GoogleNonce
from app.webhooks import deliveries
from app.webhooks.service import JOB
from app.world import World

log = logging.getLogger(__name__)

PRUNE_ROWS = 1_000
SEND_LOG_KEPT_DAYS = 14
DEVICE_LOG_KEPT_DAYS = 30
GONE_KEPT_DAYS = 30
REQUEST_KEYS_KEPT_DAYS = 7


def tick(world: World) -> int:
    """Fire what is due; the number of offers that started or ended."""
    fire_at = next_fire_at(world)
    if fire_at is None or fire_at > world.clock():
        return 0
    failpoints.reached("fire.begun")

    def work(session: Session) -> int:
        fired = offers.tick(session, now=world.clock())
        failpoints.reached("fire.before_commit")
        return fired

    trace.begin()
    return world.database.transact(work)


def next_fire_at(world: World) -> datetime | None:
    """When the next offer starts or ends."""
    with world.database.reading() as session:
        return offers.next_fire_at(session)


def follow_zones(world: World) -> int:
    """Bring the times of offers in line with a new edition of the time zones' rules; how many occurrences moved.

    A node with an older edition than the one that was followed last changes nothing.
    """
    edition = localtime.rules_version()

    def work(session: Session) -> int:
        insert_if_new(session, Turn, name="zones", due_at=0, cursor=0, note={})
        mark = session.get_one(Turn, "zones", with_for_update=True, populate_existing=True)
        known = mark.note.get("edition", "")
        if edition and edition <= known:
            if edition < known:
                log.warning("the rules of time zones here are of %s, older than %s; update tzdata", edition, known)
            return 0
        mark.note = {"edition": edition or known}
        return timing.follow_zones(session, now=world.clock())

    return world.database.transact(work)


def expand(world: World) -> bool:
    """Touch the next chunk of a bulk change; False when there is none, or while phones have enough to catch up with."""
    with world.database.reading() as session:
        turn = expansion.next_turn(session)
    if turn is None:
        return False
    trace.begin(f"change-{turn.expansion_id}")
    return world.database.transact(
        lambda session: expansion.take(session, turn, now=world.clock()), priority=Priority.BULK
    )


def sweep(world: World, *, mended: Mapping[int, str] | None = None) -> int:
    """Try parked rows once a day, senders whose credential was replaced, and sooner what waits out a backoff in vain.

    Returns: the number of rows that are due again.

    Args:
        mended: senders (by id) whose credential changed since their breaker opened.
    """

    def work(session: Session) -> int:
        now_ms = milliseconds(world.clock())
        if mended:
            pace.reopen(session, sorted(mended), now_ms=now_ms)
        return hastening.hasten(session, now_ms=now_ms) + rows_changed(
            session,
            update(Target)
            .where(Target.state == "parked", Target.last_at < now_ms - DAY_MS)
            .values(state="live", lane=int(Lane.BULK), not_before=now_ms, last_at=now_ms)
            .execution_options(synchronize_session=False),
        )

    with world.database.reading() as session:
        now_ms = milliseconds(world.clock())
        day_ago = now_ms - DAY_MS
        parked = session.scalar(select(Target.id).where(Target.state == "parked", Target.last_at < day_ago).limit(1))
        patient = hastening.waiting(session, now_ms=now_ms)
    return world.database.transact(work) if parked or patient or mended else 0


def void_leases(world: World) -> int:
    """Give back what an earlier process had claimed, pushes, mails and webhooks alike; how many.

    Only on one machine, where no other process is sending.
    """
    if not world.database.is_sqlite:
        return 0
    with world.database.reading() as session:
        if nodes.other_workers(session, now=world.clock()):
            return 0

    def work(session: Session) -> int:
        now_ms = milliseconds(world.clock())
        values = {"lease": None, "not_before": now_ms}
        held = update(Target).where(Target.lease.is_not(None)).values(values)
        targets = rows_changed(session, held.execution_options(synchronize_session=False))
        return targets + jobs.void_leases(session, now_ms=now_ms)

    return world.database.transact(work)


def try_breakers(world: World) -> int:
    """Let every stopped sender try one row: whoever restarts the service has usually just mended something."""

    def work(session: Session) -> int:
        stopped = list(session.scalars(select(Sender.id).where(Sender.breaker_failures > 0)))
        return pace.reopen(session, stopped, now_ms=milliseconds(world.clock()))

    return world.database.transact(work)


def housekeeping(world: World) -> dict[str, int]:
    """Forget what is old; counts by what was forgotten."""
    now = world.clock()
    now_ms = milliseconds(now)
    return {
        "send_log": _prune(world, SendLog, SendLog.at < now_ms - SEND_LOG_KEPT_DAYS * DAY_MS),
        "device_log": _prune(world, DeviceLog, DeviceLog.at < now - timedelta(days=DEVICE_LOG_KEPT_DAYS)),
        "google_nonce": _prune(world, GoogleNonce, GoogleNonce.expires_at < now - timedelta(days=1)),
        "google_alert": _prune(world, GoogleAlert, GoogleAlert.at < now - timedelta(days=2)),
        "mail": _prune(
            world,
            Message,
            and_(
                Message.kind != JOB,
                Message.state != "waiting",
                Message.created_at < now_ms - SEND_LOG_KEPT_DAYS * DAY_MS,
            ),
        ),
        "webhook": sum(_prune(world, model, old) for model, old in deliveries.old_rows(now_ms)),
        "gone": _prune(
            world,
            Target,
            and_(
                Target.state == "gone",
                case((Target.last_at > Target.told_at, Target.last_at), else_=Target.told_at)
                < now_ms - GONE_KEPT_DAYS * DAY_MS,
            ),
        ),
        "node": _prune(world, Node, Node.beat_at < now - timedelta(days=1)),
        "request_key": world.database.transact(
            lambda session: idempotency.forget_before(session, now - timedelta(days=REQUEST_KEYS_KEPT_DAYS))
        ),
        "throttle": world.database.transact(lambda session: throttle.forget_old(session, now=now)),
    }


def follow_up_silence(world: World) -> int:
    """Remind phones that were told and never fetched; how many."""
    return silence.follow_up(world)


def _prune(world: World, model: type[Base], old: Any) -> int:
    """Delete in small transactions, so that no till waits for a clean-up."""
    key = inspect(model).primary_key[0]
    total = 0
    while True:
        some = select(key).where(old).limit(PRUNE_ROWS)

        def work(session: Session, some: Any = some) -> int:
            return rows_changed(
                session, delete(model).where(key.in_(some)).execution_options(synchronize_session=False)
            )

        gone = world.database.transact(work, priority=Priority.BULK)
        total += gone
        if gone < PRUNE_ROWS:
            return total
