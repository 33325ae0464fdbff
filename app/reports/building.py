"""The nightly build: from the ledger into sums by day, a day whole or not at all.

What is to be built is marked first. Then each day, month and run is read in one transaction, which holds no till up,
and written in another one; so it may be killed anywhere and run again, from two processes at once, or ten days late.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.cards.models import Programme
from app.db import insert_if_new
from app.gate import Priority
from app.habits import counting
from app.habits.models import HabitProgress
from app.ledger.models import Entry
from app.reports import cohorts, daily, monthly, periods, runs, touched
from app.reports.models import ReportDay, ReportMonth, ReportProgress
from app.reports.touched import Place
from app.world import World

SQLITE_CACHE_KIB = 64 * 1024
Told = Callable[[str, int], None]


@dataclass(kw_only=True)
class Built:
    """How much was built."""

    days: int = 0
    months: int = 0
    runs: int = 0
    programmes: list[str] = field(default_factory=list)


def work(world: World) -> int:
    """What is due by now: days and the month before this one at each run, the rest once in a programme's night.

    Returns: how much was built.
    """
    with world.database.reading() as session:
        programmes = list(session.scalars(select(Programme).order_by(Programme.id)))
    done = Built()
    counting.follow(world)
    for programme in programmes:
        _build(world, programme, done, at_length=False, told=_nobody)
    return done.days + done.months + done.runs


def build(world: World, *, anew: bool = False, told: Told | None = None) -> Built:
    """Everything that is due, at once. *anew*: all that there ever was, as if nothing had been built yet."""
    with world.database.reading() as session:
        programmes = list(session.scalars(select(Programme).order_by(Programme.id)))
    done = Built()
    counting.follow(world)
    for programme in programmes:
        if anew:
            _forget(world, programme.id)
        _build(world, programme, done, at_length=True, told=told or _nobody)
        done.programmes.append(programme.slug)
    return done


def _build(world: World, programme: Programme, done: Built, *, at_length: bool, told: Told) -> None:
    place = Place.of(programme, world.clock())
    with _reading(world) as session:
        before = touched.progress(session, place.programme_id)
        seen_at, swept_on = (before.seen_at, before.swept_on) if before else (None, None)
        found = touched.since(session, place, seen_at)
    world.database.transact(lambda session: touched.mark(session, place, found))
    for day in _due(world, ReportDay.day, place):
        done.days += _build_day(world, place, day)
        told("days", 1)
    for run_id in _changed_runs(world, place, seen_at):
        _build_run(world, place, run_id)
        done.runs += 1
    if _is_counted(world, place):
        nightly = at_length or swept_on is None or swept_on < place.today
        _build_months(world, place, done, nightly=nightly, told=told)
    world.database.transact(lambda session: _finished(session, place))


def _build_months(world: World, place: Place, done: Built, *, nightly: bool, told: Told) -> None:
    """In the night the sweep and every month that is due; at other times the month before this one, for late sales.

    This month is built after a sweep and at no other time, so that its build says when the sweep was. `swept_on` comes
    last, so that a killed night is done again.
    """
    if nightly:
        _sweep(world, place)
    last_month = periods.month_of(periods.month_of(place.today) - periods.DAY)
    for month in _due(world, ReportMonth.month, place):
        if nightly or month == last_month:
            done.months += _build_month(world, place, month)
            told("months", 1)
    if nightly:
        world.database.transact(lambda session: _set(session, place.programme_id, swept_on=place.today))


def _is_counted(world: World, place: Place) -> bool:
    """Whether the days of cards, which are counted by another job, have come as far as the ledger a while ago."""
    with world.database.reading() as session:
        last = session.scalar(select(func.max(Entry.id)).where(Entry.id < touched.id_at(place.now - touched.LATE)))
        far = session.get(HabitProgress, counting.WHOLE_LEDGER)
        return last is None or (far is not None and far.entry_id >= last)


def _build_day(world: World, place: Place, day: date) -> bool:
    with _reading(world) as session:
        turn = session.scalars(_turn(ReportDay, ReportDay.day, place, day)).one_or_none()
        span = daily.span(place, day)
        rows = daily.read(session, span)

    def keep(session: Session) -> bool:
        if not _is_mine(session, ReportDay, ReportDay.day, place, day, turn):
            return False
        daily.write(session, span, rows)
        return True

    return turn is not None and world.database.transact(keep, priority=Priority.BULK)


def _build_month(world: World, place: Place, month: date) -> bool:
    with _reading(world) as session:
        turn = session.scalars(_turn(ReportMonth, ReportMonth.month, place, month)).one_or_none()
        rows = monthly.month(session, place, month)

    def keep(session: Session) -> bool:
        if not _is_mine(session, ReportMonth, ReportMonth.month, place, month, turn):
            return False
        monthly.write(session, place.programme_id, month, rows)
        return True

    return turn is not None and world.database.transact(keep, priority=Priority.BULK)


def _changed_runs(world: World, place: Place, since: datetime | None) -> list[int]:
    with world.database.reading() as session:
        return runs.changed(session, place, since)


def _build_run(world: World, place: Place, run_id: int) -> None:
    with _reading(world) as session:
        rows = runs.read(session, place, run_id)
    _alone(world, place.programme_id, lambda session: runs.write(session, run_id, rows))


def _sweep(world: World, place: Place) -> None:
    """Count what takes a look at everything."""
    with _reading(world) as session:
        units = cohorts.units(session, place)
        gaps = cohorts.second_purchases(session, place)
        months = list(cohorts.differing(session, place.programme_id, gaps))
    own = place.programme_id
    _alone(world, own, lambda session: cohorts.write_units(session, own, units))
    for month in months:
        _alone(world, own, partial(cohorts.write_second_purchases, programme_id=own, month=month, found=gaps))


def _due(world: World, column: Any, place: Place) -> list[date]:
    model = column.class_
    query = select(column).where(model.programme_id == place.programme_id, model.due).order_by(column)
    with world.database.reading() as session:
        return list(session.scalars(query))


def _turn(model: Any, column: Any, place: Place, which: date) -> Any:
    return select(model.turn).where(model.programme_id == place.programme_id, column == which, model.due)


def _is_mine(session: Session, model: Any, column: Any, place: Place, which: date, turn: int | None) -> bool:
    """Whether what was read is still what is due: nobody built it meanwhile, and nothing was written that it lacks."""
    locked = session.scalars(_turn(model, column, place, which).with_for_update()).one_or_none()
    if locked is None or locked != turn:
        return False
    own = (model.programme_id == place.programme_id, column == which)
    session.execute(update(model).where(*own).values(due=False, built_at=place.now))
    return True


def _alone(world: World, programme_id: int, work: Callable[[Session], None]) -> None:
    """Two that replaced the same rows at once would meet in their keys."""

    def locked(session: Session) -> None:
        session.scalars(
            select(ReportProgress.programme_id).where(ReportProgress.programme_id == programme_id).with_for_update()
        ).one()
        work(session)

    world.database.transact(locked, priority=Priority.BULK)


def _finished(session: Session, place: Place) -> None:
    _set(session, place.programme_id, built_at=place.now)


def _forget(world: World, programme_id: int) -> None:
    world.database.transact(lambda session: _set(session, programme_id, seen_at=None, swept_on=None))


def _set(session: Session, programme_id: int, **values: Any) -> None:
    insert_if_new(session, ReportProgress, programme_id=programme_id)
    session.execute(update(ReportProgress).where(ReportProgress.programme_id == programme_id).values(**values))


@contextmanager
def _reading(world: World) -> Iterator[Session]:
    """One moment's view of the books, for as long as it takes to sum them."""
    with world.database.reading() as session:
        if world.database.is_sqlite:
            session.execute(text(f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}"))
        else:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            session.execute(text("SET LOCAL statement_timeout = 0"))
            session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield session


def _nobody(_what: str, _count: int) -> None:
    return
