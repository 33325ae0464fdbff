"""The scheduler's steps. Each is short, harmless when several nodes do it at once, and harmless to repeat."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, delete, func, inspect, or_, select, update
from sqlalchemy.orm import Session

from app import idempotency, trace
from app.cards import expansion
from app.cards.models import Card
from app.clock import milliseconds
from app.db import Base, rows_changed
from app.delivery.models import Node
from app.errors import ConfigurationError
from app.offers import service as offers
from app.outbox import pace
from app.outbox.models import Message, Sender, SendLog, Target
from app.outbox.rules import DAY_MS, HOUR_MS, Lane
from app.staff import throttle
from app.wallets.apple.models import DeviceLog
from app.wallets.google.models import GoogleAlert, GoogleNonce
from app.world import World

PRUNE_ROWS = 1_000
SEND_LOG_KEPT_DAYS = 14
DEVICE_LOG_KEPT_DAYS = 30
GONE_KEPT_DAYS = 30
REQUEST_KEYS_KEPT_DAYS = 7
CLOSE_LOOP_FIRST_MS = 6 * HOUR_MS
CLOSE_LOOP_DAYS = 7
CLOCKS_APART_MAX_S = 2


def tick(world: World) -> int:
    """Fire what is due; the number of offers that started or ended."""
    return world.database.transact(lambda session: offers.tick(session, now=world.clock()))


def next_fire_at(world: World) -> datetime | None:
    """When the next offer starts or ends."""
    with world.database.reading() as session:
        return offers.next_fire_at(session)


def expand(world: World) -> bool:
    """Touch the next chunk of a bulk change; False when there is none, or while phones have enough to catch up with."""
    with world.database.reading() as session:
        turn = expansion.next_turn(session)
    if turn is None:
        return False
    trace.begin(f"change-{turn.expansion_id}")
    return world.database.transact(lambda session: expansion.take(session, turn, now=world.clock()))


def sweep(world: World, *, mended: Mapping[int, str] | None = None) -> int:
    """Try parked rows once a day, and senders whose credential was replaced; the number of rows that wait again.

    Args:
        mended: senders (by id) whose credential changed since their breaker opened.
    """

    def work(session: Session) -> int:
        now_ms = milliseconds(world.clock())
        if mended:
            pace.reopen(session, sorted(mended), now_ms=now_ms)
        return rows_changed(
            session,
            update(Target)
            .where(Target.state == "parked", Target.last_at < now_ms - DAY_MS)
            .values(state="live", lane=int(Lane.BULK), not_before=now_ms, last_at=now_ms)
            .execution_options(synchronize_session=False),
        )

    with world.database.reading() as session:
        day_ago = milliseconds(world.clock()) - DAY_MS
        parked = session.scalar(select(Target.id).where(Target.state == "parked", Target.last_at < day_ago).limit(1))
    return world.database.transact(work) if parked or mended else 0


def beat(world: World, *, name: str, role: str, started_at: datetime) -> None:
    """Say that this process is alive."""

    def work(session: Session) -> None:
        now = world.clock()
        if rows_changed(session, update(Node).where(Node.name == name).values(beat_at=now)) == 0:
            session.add(Node(name=name, role=role, started_at=started_at, beat_at=now))

    world.database.transact(work)


def check_clock(world: World) -> None:
    """Leases are counted by each node's own clock, so the clocks must agree; one node alone agrees with itself.

    Raises: ConfigurationError, if this machine's clock and the database's are more than two seconds apart.
    """
    if world.database.is_sqlite:
        return
    with world.database.reading() as session:
        theirs: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    apart_s = abs((world.clock() - theirs).total_seconds())
    if apart_s > CLOCKS_APART_MAX_S:
        raise ConfigurationError(
            f"this machine's clock and the database's are {apart_s:.0f} s apart; let both follow the same time server"
        )


def void_leases(world: World) -> int:
    """Give back what an earlier process had claimed; only where no other process can be sending."""

    def work(session: Session) -> int:
        now_ms = milliseconds(world.clock())
        values = {"lease": None, "not_before": now_ms}
        held = update(Target).where(Target.lease.is_not(None)).values(values)
        return rows_changed(session, held.execution_options(synchronize_session=False))

    return world.database.transact(work)


def try_breakers(world: World) -> int:
    """Let every stopped sender try one row: whoever restarts the service has usually just mended something."""

    def work(session: Session) -> int:
        stopped = list(session.scalars(select(Sender.id).where(Sender.breaker_failures > 0)))
        return pace.reopen(session, stopped, now_ms=milliseconds(world.clock()))

    return world.database.transact(work)


def housekeeping(world: World) -> dict[str, int]:
    """Forget what is old, and push once more to phones that were told and never fetched; counts by what was done."""
    now = world.clock()
    now_ms = milliseconds(now)
    return {
        "send_log": _prune(world, SendLog, SendLog.at < now_ms - SEND_LOG_KEPT_DAYS * DAY_MS),
        "device_log": _prune(world, DeviceLog, DeviceLog.at < now - timedelta(days=DEVICE_LOG_KEPT_DAYS)),
        "google_nonce": _prune(world, GoogleNonce, GoogleNonce.expires_at < now - timedelta(days=1)),
        "google_alert": _prune(world, GoogleAlert, GoogleAlert.at < now - timedelta(days=2)),
        "message": _prune(
            world, Message, and_(Message.state != "waiting", Message.created_at < now_ms - SEND_LOG_KEPT_DAYS * DAY_MS)
        ),
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
        "told_again": world.database.transact(lambda session: tell_again(session, now=now)),
    }


def tell_again(session: Session, *, now: datetime) -> int:
    """Push once more to phones that were told and never fetched: after six hours, then daily for a week.

    Apple's service promises nothing: it keeps one notification for each device and may drop it.
    """
    now_ms = milliseconds(now)
    lately = select(Card.id).where(Card.id == Target.card_id, Card.modified_at > now - timedelta(days=CLOSE_LOOP_DAYS))
    first = select(Card.id).where(
        Card.id == Target.card_id, Card.modified_at > now - timedelta(milliseconds=CLOSE_LOOP_FIRST_MS * 2)
    )
    overdue = or_(Target.told_at < now_ms - DAY_MS, and_(Target.told_at < now_ms - CLOSE_LOOP_FIRST_MS, first.exists()))
    return rows_changed(
        session,
        update(Target)
        .where(
            Target.channel == "apple", Target.state == "live", Target.want == Target.done, Target.fetched < Target.done,
            Target.done > 0, overdue, lately.exists(),
        )
        .values(done=Target.done - 1, lane=int(Lane.BULK), not_before=now_ms, dirty_since=now_ms)
        .execution_options(synchronize_session=False),
    )  # fmt: skip


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

        gone = world.database.transact(work)
        total += gone
        if gone < PRUNE_ROWS:
            return total
