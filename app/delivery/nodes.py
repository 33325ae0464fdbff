"""Which processes of this installation live, on which machine, and whether workers hear."""

import os
import socket
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import metadata
from pathlib import Path

from sqlalchemy import BigInteger, case, delete, func, literal, select, update
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.db import insert_for, rows_changed
from app.delivery.models import LaneState, Node
from app.errors import ConfigurationError
from app.outbox.rules import Lane
from app.world import World

BEAT_EVERY_S = 10
FRESH = timedelta(seconds=30)
ANOTHER_HOST_LOOKS_S = BEAT_EVERY_S + 3
CLOCKS_APART_MAX_S = 2
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What a process knows of itself when it beats."""

    role: str
    started_at: datetime
    works: bool = True
    clock_apart_ms: int = 0
    clock_jump_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Degraded:
    """A lane whose workers do not hear; schedulers send in their stead."""

    lane: Lane
    since_ms: int


def node_name() -> str:
    """This process, for people: its machine's name and its number there."""
    return f"{socket.gethostname()}:{os.getpid()}"


@cache
def machine() -> str:
    """Tells one running kernel from another: containers of one kernel may share a SQLite file, two machines may not."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()


@cache
def build() -> str:
    """The release that this process runs."""
    try:
        return metadata.version("tessera")
    except metadata.PackageNotFoundError:
        return ""


def beat(session: Session, signs: Signs, *, now: datetime) -> None:
    """Say that this process lives, and whether it works."""
    changing: dict[str, object] = {"beat_at": now, "clock_apart_ms": signs.clock_apart_ms}
    if signs.works:
        changing["worked_at"] = now
    if signs.clock_jump_ms:
        changing |= {"clock_jump_ms": signs.clock_jump_ms, "clock_jumped_at": now}
    if rows_changed(session, update(Node).where(Node.name == node_name()).values(changing)) == 0:
        session.add(
            Node(
                name=node_name(),
                role=signs.role,
                started_at=signs.started_at,
                host=socket.gethostname(),
                machine=machine(),
                build=build(),
                **changing,
            )
        )


def forget_self(session: Session) -> None:
    """This process ends in order; nobody need wonder where it is."""
    session.execute(delete(Node).where(Node.name == node_name()))


def note_heard(session: Session, lanes: Collection[Lane], *, now_ms: int) -> None:
    """Workers took these lanes up. Never moves back, whichever of two workers writes last."""
    for lane in sorted(lanes):
        fresh = insert_for(session, LaneState).values(lane=int(lane), heard_at=now_ms, degraded_since=0)
        later = case((LaneState.heard_at < now_ms, literal(now_ms, BigInteger)), else_=LaneState.heard_at)
        session.execute(fresh.on_conflict_do_update(index_elements=["lane"], set_={"heard_at": later}))


def heard_at(session: Session) -> dict[Lane, int]:
    """When a worker last took each lane up."""
    found = {row.lane: row.heard_at for row in session.execute(select(LaneState.lane, LaneState.heard_at))}
    return {lane: found.get(int(lane), 0) for lane in Lane}


def degraded(session: Session) -> list[Degraded]:
    """The lanes in which schedulers send because workers do not hear."""
    rows = session.execute(select(LaneState).where(LaneState.degraded_since > 0).order_by(LaneState.lane)).scalars()
    return [Degraded(lane=Lane(row.lane), since_ms=row.degraded_since) for row in rows]


def degrade(session: Session, lane: Lane, *, now_ms: int) -> bool:
    """Workers do not hear this lane; True if nobody had noticed."""
    fresh = insert_for(session, LaneState).values(lane=int(lane), heard_at=0, degraded_since=0)
    session.execute(fresh.on_conflict_do_nothing())
    noticed = update(LaneState).where(LaneState.lane == int(lane), LaneState.degraded_since == 0)
    return rows_changed(session, noticed.values(degraded_since=now_ms)) == 1


def relieve(session: Session, lane: Lane) -> bool:
    """Workers hear this lane again since it was degraded; True if that was news."""
    heard = update(LaneState).where(
        LaneState.lane == int(lane), LaneState.degraded_since > 0, LaneState.heard_at > LaneState.degraded_since
    )
    return rows_changed(session, heard.values(degraded_since=0)) == 1


def other_workers(session: Session, *, now: datetime) -> list[str]:
    """Processes on this machine, besides this one, that beat lately and still run."""
    fresh = select(Node.name).where(
        Node.role.in_(("worker", "delivery")), Node.beat_at > now - FRESH, Node.machine == machine()
    )
    return [name for name in session.scalars(fresh) if name != node_name() and _runs(name)]


def require_one_machine(world: World) -> None:
    """SQLite's file serves the processes of one machine.

    A machine that has just died looks like one that lives, so its next sign of life is awaited, at most 13 s.

    Raises: ConfigurationError, if a process of another machine uses the file.
    """
    if not world.database.is_sqlite:
        return
    before = _elsewhere(world)
    end = time.monotonic() + ANOTHER_HOST_LOOKS_S
    while before and time.monotonic() < end:
        time.sleep(0.2)
        for host, beat_at in _elsewhere(world).items():
            if beat_at != before.get(host, beat_at):
                raise ConfigurationError(
                    f"the SQLite file of TESSERA_DATABASE_URL is in use by another machine ({host}), which "
                    "corrupts it; stop Tessera there, or use postgresql://user:password@host/name for several machines"
                )


def require_same_clock(world: World) -> None:
    """Leases are counted by each node's own clock, so the clocks must agree; one machine agrees with itself.

    Raises: ConfigurationError, if this machine's clock and the database's are more than two seconds apart.
    """
    apart_s = abs(clock_apart_ms(world)) / 1000
    if apart_s > CLOCKS_APART_MAX_S:
        raise ConfigurationError(
            f"this machine's clock and the database's are {apart_s:.0f} s apart; let both follow the same time server"
        )


def clock_apart_ms(world: World) -> int:
    """This machine's clock minus the database's; 0 on SQLite, where there is but one."""
    if world.database.is_sqlite:
        return 0
    with world.database.reading() as session:
        before = world.clock()
        theirs: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        after = world.clock()
    if before <= theirs <= after:
        return 0
    ours = before if theirs < before else after
    return milliseconds(ours) - milliseconds(theirs)


def _elsewhere(world: World) -> dict[str, datetime]:
    """The latest sign of life of each other machine that beat lately."""
    fresh = world.clock() - FRESH
    with world.database.reading() as session:
        rows = session.execute(
            select(Node.host, func.max(Node.beat_at).label("beat_at"))
            .where(Node.beat_at > fresh, Node.machine != "", Node.machine != machine())
            .group_by(Node.host)
        )
        return {row.host: row.beat_at for row in rows}


def _runs(name: str) -> bool:
    number = name.rpartition(":")[2]
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True
