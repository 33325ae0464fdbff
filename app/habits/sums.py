"""What the days of a card amount to: its habit, and the last days on which it bought what."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from statistics import median_low
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from app import localtime
from app.cards.models import Card
from app.db import table_of
from app.habits import joined
from app.habits.days import AHEAD, EVENT, Books, Found, Named, parts
from app.habits.models import CardDay, Habit, LastTime
from app.habits.windows import FEWEST_DAYS_FOR_RHYTHM, STORE_DAYS, YEAR_DAYS, first_day
from app.ledger.models import Entry, EntryLine
from app.likelihood import seldom

_HABIT = table_of(Habit)


@dataclass(kw_only=True)
class Sums:
    """A card's days, added up. `days` are those with a purchase; `stores`: visits by store in 90 days."""

    visits: int = 0
    spend_minor: int = 0
    visits_365: int = 0
    spend_365_minor: int = 0
    days: set[date] = field(default_factory=set)
    stores: dict[int, tuple[int, date]] = field(default_factory=dict)

    @property
    def median_gap_days(self) -> int | None:
        """The middle of the gaps between days of purchase; of two middle ones the shorter."""
        ordered = sorted(self.days)
        if len(ordered) < FEWEST_DAYS_FOR_RHYTHM:
            return None
        return median_low([(after - before).days for before, after in pairwise(ordered)])

    @property
    def store_id(self) -> int | None:
        """The store with most visits; of several the one visited last, then the older one."""
        if not self.stores:
            return None
        return max(self.stores, key=lambda store: (*self.stores[store], -store))


def refresh(session: Session, books: Books, card_ids: Collection[int], today: date, found: Found) -> None:
    """Bring the habits of these cards in line with their days. *found*: days that were read just now.

    Who is nobody's card, was forgotten or was joined to another one, has no habit.
    """
    for ids in parts(sorted(card_ids), 500):
        people = _people(session, ids)
        gone = [one for one in ids if one not in people]
        if gone:
            forget(session, gone)
        sums = add_up(session, sorted(people), today)
        there = {one.card_id: one for one in session.scalars(select(Habit).where(Habit.card_id.in_(people)))}
        rows = [
            _row(session, books, card, sums[card], _Known(habit=there.get(card), found=found, today=today))
            for card in sorted(people)
            if sums[card].visits or card in there
        ]
        _write(session, rows, set(there))


def add_up(session: Session, card_ids: Sequence[int], today: date) -> dict[int, Sums]:
    """The sums of these cards' days."""
    year, quarter = first_day(today, YEAR_DAYS), first_day(today, STORE_DAYS)
    found = {one: Sums() for one in card_ids}
    query = select(CardDay.card_id, CardDay.day, CardDay.store_id, CardDay.visits, CardDay.spend_minor)
    for card, day, store, visits, spend in session.execute(query.where(CardDay.card_id.in_(card_ids))):
        sums = found[card]
        sums.visits += visits
        sums.spend_minor += spend
        if day >= year:
            sums.visits_365 += visits
            sums.spend_365_minor += spend
        if visits:
            sums.days.add(day)
            if store and day >= quarter:
                before = sums.stores.get(store, (0, day))
                sums.stores[store] = (before[0] + visits, max(before[1], day))
    return found


def forget(session: Session, card_ids: Sequence[int]) -> None:
    """Drop what is known of cards that are nobody's any more; their days stay, as their entries do."""
    session.execute(delete(Habit).where(Habit.card_id.in_(card_ids)))
    session.execute(delete(LastTime).where(LastTime.card_id.in_(card_ids)))


def note_names(session: Session, books: Books, found: Found) -> None:
    """Keep when products, categories and events came up last. Where something came back, all is read anew."""
    people = _people(session, sorted({root for root, _day in found}))
    relearn = {root for (root, _day), seen in found.items() if seen.has_returns and root in people}
    newest: dict[tuple[int, Named], date] = {}
    for (root, day), seen in found.items():
        for named in seen.names if root in people and root not in relearn else ():
            newest[root, named] = max(newest.get((root, named), day), day)
    for root in sorted(relearn):
        session.execute(delete(LastTime).where(LastTime.card_id == root))
        newest |= {(root, named): day for named, day in last_times(session, books, root).items()}
    _upsert(session, books, newest)


def last_times(session: Session, books: Books, root: int) -> Mapping[Named, date]:
    """When a card bought what last, and had the points of which event, read from the whole of its ledger."""
    found: dict[Named, date] = {}
    for named, (_times, _pieces, day) in bought(session, books, root, since=None).items():
        found[named] = day
    cards = sorted(joined.families(session, [root]))
    reversing = select(Entry.reverses_id).where(Entry.card_id.in_(cards), Entry.reverses_id.is_not(None))
    events = select(Entry.note, func.max(Entry.occurred_at)).where(
        Entry.card_id.in_(cards), Entry.kind == "earn", Entry.part_of_id.is_(None), Entry.amount_minor.is_(None),
        Entry.note.startswith(EVENT), Entry.id.not_in(reversing),
    )  # fmt: skip
    for note, at in session.execute(events.group_by(Entry.note)):
        found["event", note.removeprefix(EVENT)] = books.day_of(at)
    return found


def bought(
    session: Session, books: Books, root: int, *, since: datetime | None
) -> Mapping[Named, tuple[int, int, date]]:
    """Of each product and category: in how many sales something of it is left, how many pieces, and the last day."""
    cards = sorted(joined.families(session, [root]))
    query = (
        select(
            func.coalesce(Entry.reverses_id, Entry.id), EntryLine.product, EntryLine.category, EntryLine.quantity,
            Entry.reverses_id.is_(None), Entry.occurred_at,
        )
        .join(EntryLine, EntryLine.entry_id == Entry.id)
        .where(Entry.card_id.in_(cards), Entry.kind.in_(("earn", "reverse")), Entry.part_of_id.is_(None))
    )  # fmt: skip
    if since is not None:
        query = query.where(Entry.recorded_at >= since - AHEAD)
    pieces: dict[tuple[str, Named], int] = defaultdict(int)
    days: dict[str, date] = {}
    for sale, product, category, quantity, is_sale, at in session.execute(query):
        if is_sale:
            days[sale] = books.day_of(at)
        for named in (("product", product), ("category", category)):
            pieces[sale, named] += quantity if is_sale else -quantity
    found: dict[Named, tuple[int, int, date]] = {}
    for (sale, named), left in pieces.items():
        if left > 0 and named[1] and sale in days:
            times, count, day = found.get(named, (0, 0, days[sale]))
            found[named] = (times + 1, count + left, max(day, days[sale]))
    return found


@dataclass(frozen=True, kw_only=True)
class _Known:
    habit: Habit | None
    found: Found
    today: date


def _row(session: Session, books: Books, card: int, sums: Sums, known: _Known) -> dict[str, Any]:
    first_at = last_at = None
    if sums.days:
        first_at = _instant(session, books, card, min(sums.days), known, first=True)
        last_at = _instant(session, books, card, max(sums.days), known, first=False)
    return {
        "one": card, "card_id": card, "programme_id": books.programme_id, "visits": sums.visits,
        "spend_minor": sums.spend_minor, "first_at": first_at, "last_at": last_at, "visits_365": sums.visits_365,
        "spend_365_minor": sums.spend_365_minor, "median_gap_days": sums.median_gap_days, "store_id": sums.store_id,
        "counted_on": known.today,
    }  # fmt: skip


def _instant(session: Session, books: Books, card: int, day: date, known: _Known, *, first: bool) -> datetime | None:
    """When a card bought first or last on a day: just read, known already, or else looked up."""
    seen = known.found.get((card, day))
    if seen is not None:
        return seen.first_at if first else seen.last_at
    kept = known.habit and (known.habit.first_at if first else known.habit.last_at)
    if kept and books.day_of(kept) == day:
        return kept
    start, end = localtime.start_of_day(day, books.zone), localtime.end_of_day(day, books.zone)
    cards = sorted(joined.families(session, [card]))
    left = select(func.coalesce(func.sum(_BACK.c.amount_minor), 0)).where(seldom(_BACK.c.reverses_id == Entry.id))
    end_of = func.min if first else func.max
    query = select(end_of(Entry.occurred_at)).where(
        Entry.card_id.in_(cards), Entry.recorded_at >= start - AHEAD, Entry.occurred_at >= start,
        Entry.occurred_at < end, Entry.kind == "earn", Entry.part_of_id.is_(None), Entry.amount_minor.is_not(None),
        or_(Entry.amount_minor == 0, Entry.amount_minor + left.correlate(Entry).scalar_subquery() > 0),
    )  # fmt: skip
    return session.scalar(query)


_BACK = table_of(Entry).alias("back")
_CHANGE = (
    update(_HABIT)
    .where(_HABIT.c.card_id == bindparam("one"))
    .values({
        name: bindparam(name)
        for name in (
            "visits", "spend_minor", "first_at", "last_at", "visits_365", "spend_365_minor", "median_gap_days",
            "store_id", "counted_on",
        )
    })
)  # fmt: skip


def _write(session: Session, rows: Sequence[dict[str, Any]], there: Collection[int]) -> None:
    new = [{**row, "product": "", "category": ""} for row in rows if row["card_id"] not in there]
    old = [row for row in rows if row["card_id"] in there]
    if new:
        session.execute(insert(_HABIT), [{key: value for key, value in row.items() if key != "one"} for row in new])
    if old:
        session.execute(_CHANGE, old)


def _people(session: Session, ids: Sequence[int]) -> set[int]:
    """Those of the cards that are somebody's own."""
    found: set[int] = set()
    for some in parts(ids):
        query = select(Card.id).where(Card.id.in_(some), Card.kind == "loyalty", Card.status != "erased")
        found |= set(session.scalars(query))
    taken_over = joined.roots(session, found)
    return {one for one in found if taken_over[one] == one}


def _upsert(session: Session, books: Books, newest: Mapping[tuple[int, Named], date]) -> None:
    ids = sorted({card for card, _named in newest})
    there: dict[tuple[int, Named], date] = {}
    for some in parts(ids):
        query = select(LastTime.card_id, LastTime.sort, LastTime.name, LastTime.last_on)
        for card, sort, name, day in session.execute(query.where(LastTime.card_id.in_(some))):
            there[card, (sort, name)] = day
    rows = [
        {"one": books.programme_id, "kind": named[0], "called": named[1], "card": card, "day": day}
        for (card, named), day in newest.items()
        if there.get((card, named), date.min) < day
    ]
    new = [row for row in rows if (row["card"], (row["kind"], row["called"])) not in there]
    later = [row for row in rows if (row["card"], (row["kind"], row["called"])) in there]
    if new:
        session.execute(_ADD, new)
    if later:
        session.execute(_LATER, later)


_LAST = table_of(LastTime)
_ADD = insert(_LAST).values(
    programme_id=bindparam("one"), sort=bindparam("kind"), name=bindparam("called"), card_id=bindparam("card"),
    last_on=bindparam("day"),
)  # fmt: skip
_LATER = (
    update(_LAST)
    .where(
        _LAST.c.programme_id == bindparam("one"), _LAST.c.sort == bindparam("kind"),
        _LAST.c.name == bindparam("called"), _LAST.c.card_id == bindparam("card"),
    )
    .values(last_on=bindparam("day"))
)  # fmt: skip
