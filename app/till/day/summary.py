"""A day at a till in figures: sales, and what moved in each unit, by whom. Every figure is a sum over the ledger.

Entries are named by the time at which they were recorded, so a day is a range of the primary key; sales that a till
kept without a connection belong to the day on which they arrived.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session

from app import localtime
from app.fraud.models import Notice
from app.ledger.models import Entry
from app.staff.models import Staff
from app.till.desk import Desk

GIVEN, USED, UNDONE, LOADED, PAID, REFUNDED, OTHER = "given", "used", "undone", "loaded", "paid", "refunded", "other"
PART_OF_KIND = {
    "earn": GIVEN, "spend": USED, "hold": USED, "release": USED, "capture": USED, "reverse": UNDONE, "load": LOADED,
    "pay": PAID, "refund": REFUNDED,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What moved in one unit: all of it together is what members gained (above zero) or lost of it that day."""

    unit: str
    parts: tuple[tuple[str, int], ...]

    def of(self, part: str) -> int:
        return sum(units for name, units in self.parts if name == part)

    @property
    def total(self) -> int:
        return sum(units for _, units in self.parts)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One person's day, or a whole store's. `sales` by currency: how many, and for how much; `returned` likewise."""

    name: str
    sales: tuple[tuple[str, int, int], ...]
    returned: tuple[tuple[str, int, int], ...]
    moved: tuple[Moved, ...]
    rewards: int
    offers: int
    undone: int

    def unit(self, unit: str) -> Moved:
        """What moved in that unit."""
        return next((one for one in self.moved if one.unit == unit), Moved(unit=unit, parts=()))


@dataclass(frozen=True, kw_only=True)
class Day:
    """`until`: how far an unfinished day has come, None once it is over. `notices`: about this store, still open."""

    on: date
    zone: str
    until: datetime | None
    together: Figures
    people: tuple[Figures, ...]
    notices: int


def today(desk: Desk, now: datetime) -> date:
    """The day by the clock on the store's wall."""
    return now.astimezone(ZoneInfo(desk.timezone)).date()


def of_day(session: Session, desk: Desk, on: date, *, now: datetime) -> Day:
    """The day of this till's store: the cashier's own doings, or everybody's for a manager. Three statements."""
    start, end = localtime.start_of_day(on, desk.timezone), localtime.end_of_day(on, desk.timezone)
    rows = session.execute(_sums(desk, start, end)).all()
    names = _names(session, {row.actor for row in rows})
    people = [
        _figures(names.get(who, who), [row for row in rows if row.actor == who])
        for who in sorted({r.actor for r in rows})
    ]
    return Day(
        on=on,
        zone=desk.timezone,
        until=now if now < end else None,
        together=_figures("", rows),
        people=tuple(sorted(people, key=lambda one: one.name)),
        notices=_notices(session, desk, start, end) if desk.manages else 0,
    )


def _sums(desk: Desk, start: datetime, end: datetime) -> Select[Any]:
    """Entries of a day by person, kind and unit; of a movement in several units only the first says what it was."""
    mine = select(
        Entry.actor,
        Entry.kind,
        Entry.unit,
        Entry.currency,
        case((Entry.part_of_id.is_(None), 1), else_=0).label("is_first"),
        case((and_(Entry.note.startswith("reward:"), Entry.kind != "hold"), 1), else_=0).label("of_reward"),
        Entry.points,
        Entry.amount_minor,
    ).where(
        Entry.id >= _first_id(start),
        Entry.id < _first_id(end),
        Entry.programme_id == desk.programme.id,
        Entry.store_id == (desk.store.id if desk.store else None),
    )
    if not desk.manages:
        mine = mine.where(Entry.actor == desk.who.actor)
    of = mine.subquery().c
    key = (of.actor, of.kind, of.unit, of.currency, of.is_first, of.of_reward)
    return select(
        *key,
        func.count().label("times"),
        func.sum(of.points).label("units"),
        func.coalesce(func.sum(of.amount_minor), 0).label("amount_minor"),
    ).group_by(*key)


def _first_id(moment: datetime) -> str:
    return f"txn_{int(moment.timestamp() * 1000):012x}"


def _figures(name: str, rows: Iterable[Any]) -> Figures:
    rows = list(rows)
    firsts = [row for row in rows if row.is_first]
    units = sorted({row.unit for row in rows} - {"uses"}, key=lambda unit: (unit != "points", unit))
    return Figures(
        name=name,
        sales=_by_currency(row for row in firsts if row.kind == "earn"),
        returned=_by_currency(row for row in firsts if row.kind == "reverse" and row.amount_minor < 0),
        moved=tuple(Moved(unit=unit, parts=_parts([row for row in rows if row.unit == unit])) for unit in units),
        rewards=_times(row for row in rows if row.of_reward and row.kind in ("spend", "capture")),
        offers=_times(row for row in rows if row.kind == "offer"),
        undone=_times(row for row in firsts if row.kind in ("reverse", "refund")),
    )


def _parts(rows: list[Any]) -> tuple[tuple[str, int], ...]:
    parts: dict[str, int] = {}
    for row in rows:
        part = PART_OF_KIND.get(row.kind, OTHER)
        parts[part] = parts.get(part, 0) + int(row.units)
    return tuple((part, units) for part, units in parts.items() if units)


def _by_currency(rows: Iterable[Any]) -> tuple[tuple[str, int, int], ...]:
    found: dict[str, tuple[int, int]] = {}
    for row in rows:
        if row.currency is not None:
            times, amount = found.get(row.currency, (0, 0))
            found[row.currency] = times + int(row.times), amount + int(row.amount_minor)
    return tuple((currency, *figures) for currency, figures in sorted(found.items()))


def _times(rows: Iterable[Any]) -> int:
    return sum(int(row.times) for row in rows)


def _names(session: Session, actors: set[str]) -> dict[str, str]:
    ids = [actor.removeprefix("staff:") for actor in actors if actor.startswith("staff:")]
    found = session.execute(select(Staff.public_id, Staff.name).where(Staff.public_id.in_(ids)))
    return {f"staff:{row[0]}": row[1] for row in found}


def _notices(session: Session, desk: Desk, start: datetime, end: datetime) -> int:
    wanted = select(func.count()).where(
        Notice.programme_id == desk.programme.id,
        Notice.at >= start,
        Notice.at < end,
        Notice.dismissed_at.is_(None),
        Notice.store_id == (desk.store.id if desk.store else None),
    )
    return session.scalar(wanted) or 0


def span(on: date) -> tuple[date, date]:
    """The day before and the day after."""
    return on - timedelta(days=1), on + timedelta(days=1)
