"""What a card buys most; renewed at night, or at once where a night would not come by the card again."""

from collections.abc import Collection, Mapping
from datetime import date

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from app import localtime
from app.db import table_of
from app.habits.days import Books, Found, Named
from app.habits.models import Habit, HabitProgress
from app.habits.sums import bought
from app.habits.windows import YEAR_DAYS, first_day

_HABIT = table_of(Habit)
_FAVOURITES = (
    update(_HABIT)
    .where(_HABIT.c.card_id == bindparam("one"))
    .values(product=bindparam("best_product"), category=bindparam("best_category"))
)


def renew(session: Session, books: Books, card_ids: Collection[int], today: date) -> None:
    """Find and write the favourites of cards whose habits are up to date."""
    found = [(card, _of_card(session, books, card, today)) for card in sorted(card_ids)]
    rows = [{"one": card, "best_product": best[0], "best_category": best[1]} for card, best in found]
    if rows:
        session.execute(_FAVOURITES, rows)


def passed_by(session: Session, books: Books, found: Found, *, all_of_them: bool) -> set[int]:
    """Those of the cards counted just now whose favourites no later night would renew.

    A night takes the cards that have a day since the night before it. It misses days that are older, such as those of
    sales that a till sends late, and days that a return has emptied. *all_of_them*: their habits were begun anew.
    """
    counted_to = _counted_to(session, books)
    if counted_to is None:
        return set()
    return {root for (root, day), seen in found.items() if all_of_them or seen.has_returns or day < counted_to}


def _counted_to(session: Session, books: Books) -> date | None:
    """The day of the programme's last night, or of the one in hand; None before the first, which takes all cards."""
    progress = session.get(HabitProgress, books.programme_id)
    if progress is None:
        return None
    return books.day_of(progress.changed_at) if progress.night_step else progress.day_done


def _of_card(session: Session, books: Books, root: int, today: date) -> tuple[str, str]:
    """The product and the category that are in most sales of 365 days; of several the one with more pieces."""
    since = localtime.start_of_day(first_day(today, YEAR_DAYS), books.zone)
    found = bought(session, books, root, since=since)
    return _most(found, "product"), _most(found, "category")


def _most(found: Mapping[Named, tuple[int, int, date]], sort: str) -> str:
    known = [(-times, -pieces, name) for (kind, name), (times, pieces, _day) in found.items() if kind == sort]
    return min(known)[2] if known else ""
