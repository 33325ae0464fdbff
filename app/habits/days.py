"""What the ledger says of some days of some cards, and writing that down.

A day is read anew as a whole, so that counting it again, or twice at once, comes to the same. What is read: sales
(`earn` with an amount) less what came back of each, and what was posted on the programme's accounts `issue` and
`redeem`. A reversal counts on the day, and at the store, of what it undoes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import and_, delete, insert, or_, select
from sqlalchemy.orm import Session

from app import localtime
from app.db import table_of
from app.habits import joined
from app.habits.models import CardDay
from app.ledger.models import Account, Entry, EntryLine, Posting

T = TypeVar("T")

POINTS = "points"
AHEAD = timedelta(minutes=10)  # a till's clock may be a few minutes ahead of the server's
AT_ONCE = 2000  # values in one statement
EVENT = "event:"
Named = tuple[str, str]


@dataclass(kw_only=True)
class Figures:
    """What a card did at one store on one day."""

    visits: int = 0
    spend_minor: int = 0
    earned: int = 0
    spent: int = 0

    @property
    def is_nothing(self) -> bool:
        return not (self.visits or self.spend_minor or self.earned or self.spent)


@dataclass(kw_only=True)
class Day:
    """What a card did on one day: by store (0: none), when it bought first and last, and what.

    `names` are (product, category or event; its name). `has_returns`: something of that day came back.
    """

    stores: dict[int, Figures] = field(default_factory=lambda: defaultdict(Figures))
    first_at: datetime | None = None
    last_at: datetime | None = None
    names: set[Named] = field(default_factory=set)
    has_returns: bool = False


@dataclass(frozen=True, kw_only=True)
class Books:
    """The programme whose ledger is read: its zone, and its accounts of points by role."""

    programme_id: int
    zone: str
    accounts: Mapping[int, str]

    @classmethod
    def of(cls, session: Session, programme_id: int, zone: str) -> "Books":
        query = select(Account.id, Account.role).where(
            Account.programme_id == programme_id, Account.member_id.is_(None), Account.unit == POINTS,
            Account.role.in_(("issue", "redeem")),
        )  # fmt: skip
        return cls(programme_id=programme_id, zone=zone, accounts={row[0]: row[1] for row in session.execute(query)})

    def day_of(self, at: datetime) -> date:
        """The day of the programme's calendar."""
        return localtime.wall_clock(at, self.zone).date()


Found = dict[tuple[int, date], Day]


def recount(session: Session, books: Books, wanted: Collection[tuple[int, date]]) -> Found:
    """Read these days of these cards anew and write what they come to; what was found, by card and day.

    Cards are those that bookings count for (`joined.roots`).
    """
    by_day: dict[date, set[int]] = defaultdict(set)
    for root, day in wanted:
        by_day[day].add(root)
    found: Found = {}
    for day, roots in sorted(by_day.items()):
        family = joined.families(session, roots)
        found |= {(root, day): Day() for root in roots}
        for cards in parts(sorted(family)):
            _read(session, books, day, {card: found[family[card], day] for card in cards})
    _write(session, books, found)
    return found


def recount_whole(session: Session, books: Books, card_ids: Collection[int]) -> Found:
    """As `recount`, for every day of cards that were joined or parted."""
    roots = set(joined.roots(session, card_ids).values())
    family = joined.families(session, roots)
    for cards in parts(sorted({*family, *card_ids})):
        session.execute(delete(CardDay).where(CardDay.card_id.in_(cards)))
    wanted = set()
    for cards in parts(sorted(family)):
        query = select(Entry.card_id, Entry.occurred_at).where(Entry.card_id.in_(cards), Entry.reverses_id.is_(None))
        wanted |= {(family[card], books.day_of(at)) for card, at in session.execute(query)}
    return recount(session, books, wanted)


def parts(values: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """A long list in pieces that fit into one statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _read(session: Session, books: Books, day: date, into: Mapping[int, Day]) -> None:
    """Add what these cards did on a day to what is known of it."""
    start, end = localtime.start_of_day(day, books.zone), localtime.end_of_day(day, books.zone)
    query = select(
        Entry.id, Entry.card_id, Entry.store_id, Entry.kind, Entry.part_of_id, Entry.amount_minor, Entry.occurred_at,
        Entry.note,
    ).where(
        Entry.card_id.in_(into), Entry.recorded_at >= start - AHEAD, Entry.occurred_at >= start,
        Entry.occurred_at < end, Entry.reverses_id.is_(None),
    )  # fmt: skip
    originals = {row.id: row for row in session.execute(query)}
    for ids in parts(list(originals)):
        _read_entries(session, books, {one: originals[one] for one in ids}, into)


def _read_entries(session: Session, books: Books, originals: Mapping[str, Any], into: Mapping[int, Day]) -> None:
    undone = select(Entry.id, Entry.reverses_id, Entry.amount_minor).where(Entry.reverses_id.in_(originals))
    undoing = session.execute(undone).all()
    of = {one: one for one in originals} | {row.id: row.reverses_id for row in undoing}
    back: dict[str, int] = defaultdict(int)
    for row in undoing:
        back[row.reverses_id] += row.amount_minor or 0
        into[originals[row.reverses_id].card_id].has_returns = True
    for entry in originals.values():
        day = into[entry.card_id]
        if entry.kind == "earn" and entry.part_of_id is None:
            if entry.amount_minor is not None:
                _add_sale(day, entry, back.get(entry.id))
            elif entry.note.startswith(EVENT) and entry.id not in back:
                day.names.add(("event", entry.note.removeprefix(EVENT)))
    for ids in parts(list(of)):
        postings = select(Posting.entry_id, Posting.account_id, Posting.amount).where(
            Posting.entry_id.in_(ids), Posting.account_id.in_(books.accounts)
        )
        for entry_id, account_id, amount in session.execute(postings):
            entry = originals[of[entry_id]]
            figures = into[entry.card_id].stores[entry.store_id or 0]
            if books.accounts[account_id] == "issue":
                figures.earned -= amount
            else:
                figures.spent += amount
    _read_lines(session, originals, of, into)


def _add_sale(day: Day, entry: Any, back_minor: int | None) -> None:
    left = entry.amount_minor + (back_minor or 0)
    figures = day.stores[entry.store_id or 0]
    figures.spend_minor += left
    if left > 0 or (entry.amount_minor == 0 and back_minor is None):
        figures.visits += 1
        day.first_at = min(day.first_at or entry.occurred_at, entry.occurred_at)
        day.last_at = max(day.last_at or entry.occurred_at, entry.occurred_at)


def _read_lines(session: Session, originals: Mapping[str, Any], of: Mapping[str, str], into: Mapping[int, Day]) -> None:
    """Products and categories of which any piece is left."""
    pieces: dict[tuple[int, Named], int] = defaultdict(int)
    for ids in parts(list(of)):
        lines = select(EntryLine.entry_id, EntryLine.product, EntryLine.category, EntryLine.quantity).where(
            EntryLine.entry_id.in_(ids)
        )
        for entry_id, product, category, quantity in session.execute(lines):
            entry = originals[of[entry_id]]
            if entry.kind != "earn" or entry.part_of_id is not None:
                continue
            signed = quantity if entry_id == entry.id else -quantity
            for named in (("product", product), ("category", category)):
                pieces[entry.card_id, named] += signed
    for (card_id, named), left in pieces.items():
        if left > 0 and named[1]:
            into[card_id].names.add(named)


def _write(session: Session, books: Books, found: Found) -> None:
    """Write the days that are not written so already."""
    there = _written(session, books, list(found))
    wanted = {
        (books.programme_id, day, root, store): (one.visits, one.spend_minor, one.earned, one.spent)
        for (root, day), seen in found.items()
        for store, one in seen.stores.items()
        if not one.is_nothing
    }
    wrong = [key for key, values in there.items() if wanted.get(key) != values]
    for keys in parts(wrong, AT_ONCE // 4):
        session.execute(delete(CardDay).where(or_(*(_is(*key) for key in keys))))
    rows = [_row(key, values) for key, values in wanted.items() if there.get(key) != values]
    if rows:
        session.execute(insert(table_of(CardDay)), rows)


_Key = tuple[int, date, int, int]
_Values = tuple[int, int, int, int]


def _is(programme_id: int, day: date, card_id: int, store_id: int) -> Any:
    return and_(
        CardDay.programme_id == programme_id, CardDay.day == day, CardDay.card_id == card_id,
        CardDay.store_id == store_id,
    )  # fmt: skip


def _row(key: _Key, values: _Values) -> dict[str, Any]:
    names = ("programme_id", "day", "card_id", "store_id", "visits", "spend_minor", "earned", "spent")
    return dict(zip(names, (*key, *values), strict=True))


def _written(session: Session, books: Books, wanted: Sequence[tuple[int, date]]) -> dict[_Key, _Values]:
    by_day: dict[date, list[int]] = defaultdict(list)
    for root, day in wanted:
        by_day[day].append(root)
    found: dict[_Key, _Values] = {}
    for day, roots in by_day.items():
        for some in parts(roots):
            query = select(
                CardDay.card_id, CardDay.store_id, CardDay.visits, CardDay.spend_minor, CardDay.earned, CardDay.spent
            ).where(CardDay.programme_id == books.programme_id, CardDay.day == day, CardDay.card_id.in_(some))
            for card, store, *values in session.execute(query):
                found[books.programme_id, day, card, store] = (values[0], values[1], values[2], values[3])
    return found
