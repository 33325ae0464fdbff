"""What only the calendar changes: windows that days leave, what is bought most, and the scores of all members.

Once a day of each programme, from the first call after its midnight on. A night goes through cards in chunks, first
those whose windows changed, then all that have a score; killed anywhere, it goes on where it was, as of the day on
which it began. After ten days off there is one night, not ten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Select, and_, case, func, literal, or_, select, union, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.cards.models import Programme
from app.db import insert_if_new, rows_changed
from app.gate import Priority
from app.habits import favourites, sums
from app.habits.counting import books_of, locked
from app.habits.models import CardDay, Habit, HabitProgress
from app.habits.windows import STORE_DAYS, YEAR_DAYS, first_day
from app.world import World

CHUNK = 500
SCORES_CHUNK = 5_000
WINDOWS, SCORES = "windows", "scores"
BEST = 5


def work(world: World, *, chunk: int = CHUNK, scores_chunk: int = SCORES_CHUNK) -> int:
    """Do what is due of each programme's night; how many chunks were done."""
    with world.database.reading() as session:
        programmes = list(session.scalars(select(Programme.id).order_by(Programme.id)))
    return sum(_night(world, one, chunk, scores_chunk) for one in programmes)


def _night(world: World, programme_id: int, chunk: int, scores_chunk: int) -> int:
    done = 0
    cuts: Cuts | None = None
    while True:
        with world.database.reading() as session:
            step = session.scalar(select(HabitProgress.night_step).where(HabitProgress.programme_id == programme_id))
            if step != SCORES:
                cuts = None
            elif cuts is None:
                cuts = cuts_of(session, programme_id)
        step_on = partial(
            turn,
            programme_id=programme_id,
            now=world.clock(),
            chunk=chunk if cuts is None else scores_chunk,
            cuts=cuts,
        )
        if not world.database.transact(step_on, priority=Priority.BULK):
            return done
        done += 1


def turn(session: Session, programme_id: int, *, now: datetime, chunk: int, cuts: "Cuts | None") -> bool:
    """One chunk of a night; False if none is due. *cuts*: `cuts_of`, once the night has come to the scores."""
    locked(session, now, waiting=True)  # habits are written by one at a time
    books = books_of(session, programme_id)
    progress = _progress(session, programme_id, now)
    if not progress.night_step:
        if progress.day_done is not None and progress.day_done >= books.day_of(now):
            return False
        progress.night_step, progress.night_card_id, progress.changed_at = WINDOWS, 0, now
    today = books.day_of(progress.changed_at)
    if progress.night_step == WINDOWS:
        ids = list(session.scalars(_due(progress, today).limit(chunk)))
        sums.refresh(session, books, ids, today, {})
        favourites.renew(session, books, ids, today)
        _go_on(progress, ids, chunk, then=SCORES)
    elif cuts is not None:
        up_to = _last_of(session, programme_id, progress.night_card_id, chunk)
        if up_to is not None:
            _score(session, programme_id, progress.night_card_id, up_to, cuts)
        progress.night_card_id = up_to or 0
        if up_to is None:
            progress.night_step, progress.day_done = "", today
    session.flush()
    return True


def _progress(session: Session, programme_id: int, now: datetime) -> HabitProgress:
    insert_if_new(
        session, HabitProgress, programme_id=programme_id, entry_id="", night_step="", night_card_id=0, changed_at=now
    )
    wanted = select(HabitProgress).where(HabitProgress.programme_id == programme_id)
    return session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one()


def _due(progress: HabitProgress, today: date) -> Select[Any]:
    """Cards that bought since the last night, or of which a day has left a window since, after the night's cursor."""
    after, programme_id = progress.night_card_id, progress.programme_id
    if progress.day_done is None:
        return (
            select(Habit.card_id)
            .where(Habit.programme_id == programme_id, Habit.card_id > after)
            .order_by(Habit.card_id)
        )
    spans = [(progress.day_done, today)]
    for days in (STORE_DAYS, YEAR_DAYS):
        spans.append((first_day(progress.day_done, days), first_day(today, days) - timedelta(days=1)))
    found = union(
        *(
            select(CardDay.card_id).where(
                CardDay.programme_id == programme_id, CardDay.day.between(start, end), CardDay.card_id > after
            )
            for start, end in spans
        )
    ).subquery()
    return select(found.c.card_id).order_by(found.c.card_id)


def _go_on(progress: HabitProgress, ids: Sequence[int], chunk: int, *, then: str) -> None:
    if len(ids) < chunk:
        progress.night_step, progress.night_card_id = then, 0
    else:
        progress.night_card_id = ids[-1]


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """The least value for each of the scores 5, 4, 3 and 2, by what is scored."""

    recency: Sequence[datetime]
    frequency: Sequence[int]
    monetary: Sequence[int]


def cuts_of(session: Session, programme_id: int) -> Cuts:
    """Where the fifths of those who bought in 365 days begin; nowhere, if nobody did.

    Of n members, whoever has fewer than n/5 better ones before them is in the best fifth: equals share the better
    score. Recency goes by the instant of the last purchase.
    """
    bought = and_(Habit.programme_id == programme_id, Habit.visits_365 > 0)
    members = session.scalar(select(func.count()).select_from(Habit).where(bought)) or 0
    if not members:
        return Cuts(recency=(), frequency=(), monetary=())
    places = [-(-members * fifth // BEST) for fifth in range(1, BEST)]  # rounded up, counted from 1

    def values(column: InstrumentedAttribute[Any]) -> list[Any]:
        place = func.row_number().over(order_by=column.desc()).label("place")
        ordered = select(column.label("value"), place).where(bought).subquery()
        query = select(ordered.c.value).where(ordered.c.place.in_(places)).order_by(ordered.c.place)
        found = list(session.scalars(query))
        return found if len(found) == len(places) else [_at(found, places, place) for place in places]

    return Cuts(
        recency=values(Habit.last_at), frequency=values(Habit.visits_365), monetary=values(Habit.spend_365_minor)
    )


def _at(found: Sequence[Any], places: Sequence[int], place: int) -> Any:
    """Of so few members that several fifths begin at the same one."""
    return found[sorted(set(places)).index(place)]


def _last_of(session: Session, programme_id: int, after: int, chunk: int) -> int | None:
    some = (
        select(Habit.card_id)
        .where(Habit.programme_id == programme_id, Habit.card_id > after)
        .order_by(Habit.card_id)
        .limit(chunk)
        .subquery()
    )
    last: int | None = session.scalar(select(func.max(some.c.card_id)))
    return last


def _score(session: Session, programme_id: int, after: int, up_to: int, cuts: Cuts) -> int:
    """Write the scores that are different of cards in a range; how many."""
    scored: dict[str, Any] = {}
    columns: list[tuple[Any, Any]] = []
    for name, column, least in (
        ("recency", Habit.last_at, cuts.recency),
        ("frequency", Habit.visits_365, cuts.frequency),
        ("monetary", Habit.spend_365_minor, cuts.monetary),
    ):
        steps = [(column >= value, BEST - number) for number, value in enumerate(least)]
        scored[name] = case((Habit.visits_365 == 0, literal(None)), *steps, else_=1)
        columns.append((getattr(Habit, name), scored[name]))
    differs = or_(*(old.is_distinct_from(new) for old, new in columns))
    mine = (Habit.programme_id == programme_id, Habit.card_id > after, Habit.card_id <= up_to)
    statement = update(Habit).where(*mine, differs).values(scored).execution_options(synchronize_session=False)
    return rows_changed(session, statement)
