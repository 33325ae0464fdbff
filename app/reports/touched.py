"""Which days and months have to be built anew, because something was written that belongs to them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, select, type_coerce
from sqlalchemy.orm import Session, aliased

from app.cards.models import Card, Installation, Programme
from app.clock import milliseconds
from app.db import Base, insert_for, insert_if_new
from app.habits import joined
from app.ledger.models import Entry
from app.reports import periods
from app.reports.models import ReportDay, ReportMonth, ReportProgress, TierMove

LATE = timedelta(minutes=10)
"""No transaction lives that long, and no clocks differ by that much: what was written before is seen for certain."""
QUARTER_MS = 15 * 60 * 1000
ACTIVE_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Place:
    """A programme, its calendar, and the moment as of which it is looked at."""

    programme_id: int
    zone: str
    now: datetime

    @property
    def today(self) -> date:
        return periods.day_of(self.now, self.zone)

    @classmethod
    def of(cls, programme: Programme, now: datetime) -> "Place":
        return cls(programme_id=programme.id, zone=programme.timezone, now=now)


@dataclass(frozen=True, kw_only=True)
class Touched:
    """Days whose entries differ, and months whose people may."""

    days: frozenset[date]
    months: frozenset[date]


def since(session: Session, place: Place, seen_at: datetime | None) -> Touched:
    """What was written after *seen_at* (or a little before), or ever."""
    after = None if seen_at is None else seen_at - LATE
    days = _days(place, session.scalars(_quarters(place, after)))
    sold = days | _days(place, session.scalars(_quarters_of_what_was_undone(place, after)))
    if after is None:
        days |= _days_without_sales(session, place)
    else:
        days |= set(periods.every_day(periods.day_of(after, place.zone), place.today))
    months = _months(place, sold | {place.today})
    if after is not None and joined.changed_since(session, after):
        months |= _built(session, place)  # what one card did counts as another's from now on, however long ago
    return Touched(days=frozenset(days | {place.today}), months=frozenset(months))


def mark(session: Session, place: Place, touched: Touched) -> None:
    """Have them built anew. Whoever is building one of them right now will not keep what they have read."""
    insert_if_new(session, ReportProgress, programme_id=place.programme_id)
    row = session.scalars(
        select(ReportProgress).where(ReportProgress.programme_id == place.programme_id).with_for_update()
    ).one()
    _due(session, ReportDay, "day", place, touched.days)
    _due(session, ReportMonth, "month", place, touched.months)
    row.seen_at = max(place.now, row.seen_at or place.now)


def progress(session: Session, programme_id: int) -> ReportProgress | None:
    """How far the building has come; None before it began."""
    return session.get(ReportProgress, programme_id)


def _quarters(place: Place, after: datetime | None) -> Select[int]:
    query = select(quarter_of(Entry.occurred_at)).where(Entry.programme_id == place.programme_id).distinct()
    return query if after is None else query.where(Entry.id >= id_at(after))


def _quarters_of_what_was_undone(place: Place, after: datetime | None) -> Select[int]:
    undone = aliased(Entry)
    query = (
        select(quarter_of(undone.occurred_at))
        .select_from(Entry)
        .join(undone, undone.id == Entry.reverses_id)
        .where(Entry.programme_id == place.programme_id)
        .distinct()
    )
    return query if after is None else query.where(Entry.id >= id_at(after))


def quarter_of(at: Any) -> ColumnElement[int]:
    """In which quarter of an hour an instant lies: zones differ from UTC by whole quarters, so each is of one day."""
    return type_coerce(at, BigInteger) // QUARTER_MS


def start_of(quarter: int) -> datetime:
    """The instant at which a quarter of an hour begins."""
    return datetime.fromtimestamp(int(quarter) * QUARTER_MS / 1000, UTC)


def id_at(at: datetime) -> str:
    """The least id of an entry that was written then: ids sort by time."""
    return f"txn_{max(0, milliseconds(at)):012x}"


def _days(place: Place, quarters: Iterable[int]) -> set[date]:
    return {periods.day_of(start_of(quarter), place.zone) for quarter in quarters}


def _days_without_sales(session: Session, place: Place) -> set[date]:
    """Days on which somebody joined, took the card into a wallet or out of it, or came to another tier."""
    own = place.programme_id
    queries = (
        select(quarter_of(Card.created_at)).where(Card.programme_id == own),
        select(quarter_of(Installation.installed_at)).where(Installation.programme_id == own),
        select(quarter_of(Installation.gone_at)).where(
            Installation.programme_id == own, Installation.gone_at.is_not(None)
        ),
        select(quarter_of(TierMove.at)).where(TierMove.programme_id == own),
    )
    return set().union(*(_days(place, session.scalars(query.distinct())) for query in queries))


def _months(place: Place, days: Collection[date]) -> set[date]:
    """Who bought on a day is active for as long as that counts."""
    this_month = periods.month_of(place.today)
    found: set[date] = set()
    for day in days:
        last = min(day + timedelta(days=ACTIVE_DAYS), place.today)
        found.update(month for month in periods.every_month(day, last) if month <= this_month)
    return found


def _built(session: Session, place: Place) -> set[date]:
    return set(session.scalars(select(ReportMonth.month).where(ReportMonth.programme_id == place.programme_id)))


def _due(session: Session, model: type[Base], name: str, place: Place, which: Collection[date]) -> None:
    rows = [{"programme_id": place.programme_id, name: one, "due": True, "turn": 1} for one in sorted(which)]
    if not rows:
        return
    statement = insert_for(session, model)
    keys = ["programme_id", name]
    turn = model.__table__.c.turn + 1
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_={"due": True, "turn": turn}), rows)
