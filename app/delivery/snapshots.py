"""What the plots and totals of the sync ledger are made of, written by a scheduler.

Every minute the tallies and what is behind; every few minutes a census of all addresses, which may take one hundredth
of the time.
"""

import time
from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, delete, select, type_coerce
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.db import insert_if_new
from app.delivery import backlog, book, census, checks, lags, turns
from app.delivery.census import Counted
from app.delivery.models import Census, Snapshot, Tally
from app.world import World

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
CENSUS_REST = 100
CENSUS_LOST_AFTER_MS = 30 * MINUTE_MS
TALLIED = ("lag", "fetched_lag", "push", "drift")
MINUTES_KEPT = timedelta(hours=26)
HOURS_KEPT = timedelta(days=32)


def take(world: World) -> bool:
    """Do what is due of the minute's snapshot, the census and the rolling check; whether anything was.

    To be called every few seconds by every scheduler: one of them has each turn.
    """
    worked = _snapshot(world)
    worked |= _census(world)
    return checks.step(world) or worked


def since(session: Session, start: datetime) -> list[Snapshot]:
    """The snapshots from *start* on and the one before it, in order of time."""
    before = select(Snapshot).where(Snapshot.at < start).order_by(Snapshot.at.desc()).limit(1)
    later = select(Snapshot).where(Snapshot.at >= start).order_by(Snapshot.at)
    return [*session.scalars(before), *session.scalars(later)]


def begun_before(session: Session, moment: datetime) -> bool:
    """Whether there is a snapshot as old as that."""
    return session.scalar(select(Snapshot.at).where(Snapshot.at <= moment).limit(1)) is not None


def grown(session: Session, start: datetime, prefix: str) -> dict[str, int]:
    """By how much tallies of that prefix grew since *start*; nothing while there is no snapshot as old."""
    before = session.scalars(select(Snapshot).where(Snapshot.at <= start).order_by(Snapshot.at.desc()).limit(1))
    found = before.one_or_none()
    return lags.between(found.tallies, _tallies(session), prefix) if found else {}


def totals(session: Session, *, now: datetime) -> list[Census]:
    """The conditions of all addresses: counted now where they are few, else as at the last census."""
    if census.is_small(session):
        return census.count_now(session, now=now)
    return list(session.scalars(select(Census)))


def _snapshot(world: World) -> bool:
    now = world.clock()
    now_ms = milliseconds(now)
    mine = turns.take(world, "snapshot", every_ms=MINUTE_MS - now_ms % MINUTE_MS)
    if mine is None:
        return False
    with world.database.reading() as session:
        owed = backlog.read(session, now_ms=now_ms)
    behind: Counter[str] = Counter()
    for one in owed:
        if one.is_stopped:
            behind[f"{one.channel}:stopped"] += one.count
        else:
            behind[f"{one.channel}:retrying"] += one.retrying
            behind[f"{one.channel}:waiting"] += one.count - one.retrying

    def work(session: Session) -> None:
        at = now.replace(second=0, microsecond=0)
        insert_if_new(session, Snapshot, at=at, tallies=_tallies(session), behind=dict(+behind))
        if at.minute == 0:
            _thin(session, now)

    world.database.transact(work)
    return True


def _tallies(session: Session) -> dict[str, int]:
    rows = session.execute(select(Tally.name, Tally.label, Tally.detail, Tally.value).where(Tally.name.in_(TALLIED)))
    return {f"{name}:{label}:{detail}": value for name, label, detail, value in rows}


def _thin(session: Session, now: datetime) -> None:
    """Keep every minute for a day and every hour for a month."""
    old = Snapshot.at < now - MINUTES_KEPT
    off_the_hour = type_coerce(Snapshot.at, BigInteger) % HOUR_MS != 0
    session.execute(delete(Snapshot).where(old, off_the_hour).execution_options(synchronize_session=False))
    outdated = delete(Snapshot).where(Snapshot.at < now - HOURS_KEPT)
    session.execute(outdated.execution_options(synchronize_session=False))


def _census(world: World) -> bool:
    now = world.clock()
    mine = turns.take(world, "census", every_ms=CENSUS_LOST_AFTER_MS)
    if mine is None:
        return False
    began = time.monotonic()
    found = census.walk(world, fetched_from_ms=mine.cursor or milliseconds(now), now=now)
    took_ms = int((time.monotonic() - began) * 1000)
    next_ms = milliseconds(now) + max(MINUTE_MS, CENSUS_REST * took_ms)

    def work(session: Session) -> None:
        session.execute(delete(Census))
        session.add_all(found.rows(now))
        book.add(session, _fetched(found))
        turns.finish(session, mine, cursor=milliseconds(now), note={"took_ms": took_ms}, due_ms=next_ms)

    world.database.transact(work)
    return True


def _fetched(found: Counted) -> dict[tuple[str, str, str], int]:
    counts = {("fetched_lag", "", bound): count for bound, count in found.fetched.items()}
    return counts | ({("fetched_lag_sum", "", ""): found.fetched_sum_ms} if counts else {})
