"""One day of the ledger and of the wallets, summed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, literal, select
from sqlalchemy.orm import Session, aliased

from app import localtime
from app.cards.models import Card, Installation, Member
from app.db import Base, table_of
from app.ledger.models import Account, Entry, Posting
from app.offers.models import Redemption
from app.reports.models import ReportCount, ReportDesk, ReportFlow, ReportOffer, TierMove
from app.reports.touched import Place

TABLES: tuple[type[Base], ...] = (ReportFlow, ReportDesk, ReportOffer, ReportCount)
Rows = dict[type[Base], list[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A day of a programme, as instants."""

    programme_id: int
    day: date
    begins: datetime
    ends: datetime

    def holds(self, at: Any) -> ColumnElement[bool]:
        return and_(at >= self.begins, at < self.ends)


def span(place: Place, day: date) -> Span:
    return Span(
        programme_id=place.programme_id, day=day, begins=localtime.start_of_day(day, place.zone),
        ends=localtime.end_of_day(day, place.zone),
    )  # fmt: skip


def read(session: Session, day: Span) -> Rows:
    """The rows of a day, as they should be."""
    return {
        ReportFlow: _flows(session, day),
        ReportDesk: _desks(session, day),
        ReportOffer: _offers(session, day),
        ReportCount: [*_joined(session, day), *_wallets(session, day), *_moves(session, day)],
    }


def write(session: Session, day: Span, rows: Rows) -> None:
    """Put them in the place of those that are there."""
    own = {"programme_id": day.programme_id, "day": day.day}
    for model in TABLES:
        table = table_of(model)
        session.execute(delete(table).where(table.c.programme_id == day.programme_id, table.c.day == day.day))
        if rows[model]:
            session.execute(insert(table), [own | row for row in rows[model]])


def _flows(session: Session, day: Span) -> list[dict[str, Any]]:
    store = func.coalesce(Entry.store_id, 0)
    query = (
        select(store, Entry.unit, Entry.kind, Account.role, func.sum(Posting.amount), func.count())
        .join(Posting, Posting.entry_id == Entry.id)
        .join(Account, Account.id == Posting.account_id)
        .where(Entry.programme_id == day.programme_id, day.holds(Entry.occurred_at))
        .group_by(store, Entry.unit, Entry.kind, Account.role)
    )
    return _named(session, query, "store_id", "unit", "kind", "role", "units", "entries")


def _desks(session: Session, day: Span) -> list[dict[str, Any]]:
    undone = aliased(Entry)
    is_sale = and_(Entry.kind == "earn", Entry.part_of_id.is_(None), Entry.amount_minor.is_not(None))
    is_return = and_(undone.kind == "earn", undone.part_of_id.is_(None))
    paid = case((is_sale, Entry.amount_minor), (is_return, func.coalesce(Entry.amount_minor, 0)), else_=0)
    store = func.coalesce(Entry.store_id, 0)
    query = (
        select(
            store, Entry.actor, Entry.kind, Entry.unit, func.sum(Entry.points), func.count(),
            func.sum(case((is_sale, 1), else_=0)), func.sum(paid),
        )
        .outerjoin(undone, undone.id == Entry.reverses_id)
        .where(Entry.programme_id == day.programme_id, day.holds(Entry.occurred_at))
        .group_by(store, Entry.actor, Entry.kind, Entry.unit)
    )  # fmt: skip
    return _named(session, query, "store_id", "actor", "kind", "unit", "units", "entries", "sales", "sale_minor")


def _offers(session: Session, day: Span) -> list[dict[str, Any]]:
    """Uses by their own entries, and undone ones by those that undid them."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for at, count, cost in (("id", "uses", "cost_minor"), ("reverses_id", "undone", "undone_minor")):
        store = func.coalesce(Redemption.store_id, 0)
        query = (
            select(store, Redemption.offer_id, func.count(), func.sum(Redemption.cost_minor))
            .join(Redemption, Redemption.entry_id == getattr(Entry, at))
            .select_from(Entry)
            .where(Entry.programme_id == day.programme_id, day.holds(Entry.occurred_at))
            .group_by(store, Redemption.offer_id)
        )
        for store_id, offer_id, times, minor in session.execute(query):
            empty = {"uses": 0, "undone": 0, "cost_minor": 0, "undone_minor": 0}
            row = found.setdefault((store_id, offer_id), {"store_id": store_id, "offer_id": offer_id, **empty})
            row |= {count: int(times), cost: int(minor)}
    return list(found.values())


def _joined(session: Session, day: Span) -> list[dict[str, Any]]:
    store = func.coalesce(Member.home_store_id, 0)
    query = (
        select(literal("enrolled"), Member.source, store, func.count())
        .select_from(Card)
        .join(Member, Member.id == Card.member_id)
        .where(Card.programme_id == day.programme_id, Card.kind == "loyalty", day.holds(Card.created_at))
        .group_by(Member.source, store)
    )
    return _counts(session, query)


def _wallets(session: Session, day: Span) -> list[dict[str, Any]]:
    rows = []
    store = func.coalesce(Member.home_store_id, 0)
    for name, at in (("installed", Installation.installed_at), ("gone", Installation.gone_at)):
        query = (
            select(literal(name), Installation.wallet, store, func.count())
            .select_from(Installation)
            .join(Card, Card.id == Installation.card_id)
            .join(Member, Member.id == Card.member_id)
            .where(Installation.programme_id == day.programme_id, day.holds(at))
            .group_by(Installation.wallet, store)
        )
        rows += _counts(session, query)
    return rows


def _moves(session: Session, day: Span) -> list[dict[str, Any]]:
    store = func.coalesce(Member.home_store_id, 0)
    query = (
        select(TierMove.from_id, TierMove.to_id, store, func.count())
        .select_from(TierMove)
        .join(Card, Card.id == TierMove.card_id)
        .join(Member, Member.id == Card.member_id)
        .where(TierMove.programme_id == day.programme_id, day.holds(TierMove.at))
        .group_by(TierMove.from_id, TierMove.to_id, store)
    )
    return [
        {"name": "moved", "key": f"{before or ''}>{after or ''}", "store_id": store_id, "count": times}
        for before, after, store_id, times in session.execute(query)
    ]


def _counts(session: Session, query: Any) -> list[dict[str, Any]]:
    return _named(session, query, "name", "key", "store_id", "count")


def _named(session: Session, query: Any, *names: str) -> list[dict[str, Any]]:
    """PostgreSQL sums whole numbers to decimals."""
    rows: Sequence[Sequence[Any]] = session.execute(query).all()
    return [
        {name: value if isinstance(value, str) else int(value) for name, value in zip(names, row, strict=True)}
        for row in rows
    ]
