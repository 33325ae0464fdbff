"""Follows the ledger: whatever was booked, the days of the cards it touched are counted anew.

Entries are followed by their ids, which sort by the time at which they were recorded. One that commits late on
PostgreSQL may come in behind others: the last minutes are read again each time. Days are absolute, so reading them
again changes nothing; a day, its habits and the cursor commit together, and one process at a time is at it.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.db import insert_if_new
from app.gate import Priority
from app.habits import days, favourites, joined, sums
from app.habits.days import Books
from app.habits.models import HabitProgress
from app.ledger.models import Entry
from app.world import World

CHUNK = 500
CHUNKS_AT_ONCE = 2000  # a run ends some time, and the next one goes on
OVERLAP = timedelta(seconds=90)
"""Longer than any transaction may last, and than the clocks of two machines may differ."""
WHOLE_LEDGER = 0
"""The row of `habit_progress` that says how far the ledger, with all its programmes, was followed."""
_PREFIX, _DIGITS = "txn_", 12


def follow(world: World, *, chunk: int = CHUNK) -> int:
    """Bring days and habits up to date with the ledger; how many entries were looked at, those again included."""
    looked_at, after = 0, ""
    for _time in range(CHUNKS_AT_ONCE):
        step = partial(count_next, after=after, chunk=chunk, now=world.clock())
        done, after = world.database.transact(step, priority=Priority.BULK)
        looked_at += done
        if done < chunk:
            break
    return looked_at


def locked(session: Session, now: datetime, *, waiting: bool = False) -> HabitProgress | None:
    """The row of the whole ledger for this transaction alone; None if somebody else is at it, unless *waiting*."""
    insert_if_new(
        session, HabitProgress, programme_id=WHOLE_LEDGER, entry_id="", night_step="", night_card_id=0, changed_at=now
    )
    query = select(HabitProgress).where(HabitProgress.programme_id == WHOLE_LEDGER)
    query = query.with_for_update(skip_locked=not waiting).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def count_next(session: Session, *, after: str = "", chunk: int = CHUNK, now: datetime) -> tuple[int, str]:
    """Count what the next entries touched; how many they were, and the last of them. 0 while somebody else is at it.

    *after*: the last one of the step before; empty: where the run before came to, less the overlap.
    """
    progress = locked(session, now)
    if progress is None:
        return 0, after
    start = after or _start(progress)
    if not after:
        _follow_joined(session, progress, now)
    original = aliased(Entry)
    query = (
        select(
            Entry.id, Entry.programme_id, func.coalesce(original.card_id, Entry.card_id),
            func.coalesce(original.occurred_at, Entry.occurred_at),
        )
        .outerjoin(original, original.id == Entry.reverses_id)
        .where(Entry.id > start)
        .order_by(Entry.id)
        .limit(chunk)
    )  # fmt: skip
    rows = session.execute(query).all()
    if not rows:
        return 0, start
    touched: dict[int, set[tuple[int, datetime]]] = defaultdict(set)
    for _id, programme_id, card_id, at in rows:
        touched[programme_id].add((card_id, at))
    for programme_id, pairs in touched.items():
        _count(session, programme_id, pairs, now)
    last: str = rows[-1][0]
    if last > progress.entry_id:
        progress.entry_id, progress.changed_at = last, now
    session.flush()
    return len(rows), last


def _start(progress: HabitProgress) -> str:
    """After which entry to read: what was recorded by the overlap before the last run had committed by then."""
    if progress.followed_at is None:
        return ""
    return min(progress.entry_id, f"{_PREFIX}{milliseconds(progress.followed_at - OVERLAP):0{_DIGITS}x}")


def _count(session: Session, programme_id: int, pairs: Collection[tuple[int, datetime]], now: datetime) -> None:
    books = books_of(session, programme_id)
    roots = joined.roots(session, {card for card, _at in pairs})
    found = days.recount(session, books, {(roots[card], books.day_of(at)) for card, at in pairs})
    _settle(session, books, found, now)


def _follow_joined(session: Session, progress: HabitProgress, now: datetime) -> None:
    """Count cards that were joined or parted since anew, with all their days."""
    since = progress.followed_at - OVERLAP if progress.followed_at else None
    changed = joined.changed_since(session, since)
    progress.followed_at = now
    by_programme: dict[int, set[int]] = defaultdict(set)
    for ids in days.parts(sorted(changed)):
        for card, programme_id in session.execute(select(Card.id, Card.programme_id).where(Card.id.in_(ids))):
            by_programme[programme_id].add(card)
    for programme_id, cards in by_programme.items():
        books = books_of(session, programme_id)
        found = days.recount_whole(session, books, cards)
        sums.forget(session, sorted(cards))
        _settle(session, books, found, now, are_new=True)


def _settle(session: Session, books: Books, found: days.Found, now: datetime, *, are_new: bool = False) -> None:
    """Bring in line what follows from days. *are_new*: what was known of these cards was dropped."""
    today: date = books.day_of(now)
    sums.note_names(session, books, found)
    sums.refresh(session, books, {root for root, _day in found}, today, found)
    favourites.renew(session, books, favourites.passed_by(session, books, found, all_of_them=are_new), today)


def books_of(session: Session, programme_id: int) -> Books:
    """The ledger of a programme."""
    zone = session.execute(select(Programme.timezone).where(Programme.id == programme_id)).scalar_one()
    return Books.of(session, programme_id, zone)
