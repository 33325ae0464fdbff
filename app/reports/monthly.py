"""The people of one month: who bought, how often, and who was active and had the card at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from app import localtime
from app.cards.models import Card, Installation, Member
from app.db import table_of
from app.habits.models import CardDay
from app.reports import periods
from app.reports.models import ReportBuyers
from app.reports.periods import Period
from app.reports.touched import ACTIVE_DAYS, Place

ANYWHERE = -1
"""Stands for all stores together: somebody who buys in two of them is one buyer."""
TWICE = 2
LONG_DAYS = 60


@dataclass(frozen=True, kw_only=True)
class Buyers:
    """People who bought in some days: `repeaters` at least twice; `sales` and `spend_minor` are those of all."""

    buyers: int = 0
    repeaters: int = 0
    sales: int = 0
    spend_minor: int = 0


def month(session: Session, place: Place, first: date) -> list[dict[str, Any]]:
    """The rows of `ReportBuyers` for a month, as they should be."""
    last = min(periods.next_month(first) - periods.DAY, place.today)
    days = Period(first=first, last=last)
    rows = {store: vars(found) for store, found in by_store(session, place.programme_id, days).items()}
    rows[ANYWHERE] = vars(bought(session, place.programme_id, days))
    states = {
        "active": active_by_store(session, place.programme_id, last),
        "installed": installed_by_store(session, place, last),
        "active_installed": installed_by_store(session, place, last, only_active=True),
    }
    stores = {*rows, *(store for found in states.values() for store in found)}
    return [
        {"programme_id": place.programme_id, "month": first, "store_id": store, **vars(Buyers())}
        | rows.get(store, {})
        | {name: found.get(store, 0) for name, found in states.items()}
        for store in sorted(stores)
    ]


def write(session: Session, programme_id: int, first: date, rows: Sequence[dict[str, Any]]) -> None:
    """Put them in the place of those that are there."""
    table = table_of(ReportBuyers)
    session.execute(delete(table).where(table.c.programme_id == programme_id, table.c.month == first))
    session.execute(insert(table), list(rows))


def bought(session: Session, programme_id: int, days: Period, store_id: int | None = None) -> Buyers:
    """Who bought in these days, anywhere or at one store."""
    query = _cards(programme_id, days, CardDay.card_id)
    if days.days > LONG_DAYS:  # SQLite sorts so many rows for longer than it reads them in the order of their cards
        query = query.with_hint(CardDay, "INDEXED BY ix_card_day_card_id_day", "sqlite")
    if store_id is not None:
        query = query.where(CardDay.store_id == store_id)
    each = query.subquery()
    return _buyers(session.execute(select(*_sums(each))).one())


def by_store(session: Session, programme_id: int, days: Period) -> dict[int, Buyers]:
    """The same for each store; a person counts at each store where they bought."""
    each = _cards(programme_id, days, CardDay.card_id, CardDay.store_id).subquery()
    query = select(each.c.store_id, *_sums(each)).group_by(each.c.store_id)
    return {store_id: _buyers(sums) for store_id, *sums in session.execute(query)}


def active(session: Session, programme_id: int, last: date, store_id: int | None = None) -> int:
    """Cards with a purchase in the 90 days up to one, anywhere or at one store."""
    who = _bought_up_to(programme_id, last)
    query = select(func.count(CardDay.card_id.distinct())).where(*who)
    return session.scalar(query if store_id is None else query.where(CardDay.store_id == store_id)) or 0


def active_by_store(session: Session, programme_id: int, last: date) -> dict[int, int]:
    """The same for each store where they bought, and anywhere."""
    who = _bought_up_to(programme_id, last)
    query = select(CardDay.store_id, func.count(CardDay.card_id.distinct())).where(*who).group_by(CardDay.store_id)
    found = {row[0]: int(row[1]) for row in session.execute(query)}
    return found | {ANYWHERE: active(session, programme_id, last)}


def installed(
    session: Session, place: Place, last: date, *, only_active: bool = False, store_id: int | None = None
) -> int:
    """Loyalty cards in some wallet at the end of a day: of all members, or of those at home in one store."""
    query = (
        select(func.count(Installation.card_id.distinct()))
        .join(Card, Card.id == Installation.card_id)
        .where(*_held(place, last, only_active=only_active))
    )
    if store_id is not None:
        query = query.join(Member, Member.id == Card.member_id)
        query = query.where(func.coalesce(Member.home_store_id, 0) == store_id)
    return session.scalar(query) or 0


def installed_by_store(session: Session, place: Place, last: date, *, only_active: bool = False) -> dict[int, int]:
    """The same by the members' home store, and anywhere."""
    home = func.coalesce(Member.home_store_id, 0)
    query = (
        select(home, func.count(Installation.card_id.distinct()))
        .select_from(Installation)
        .join(Card, Card.id == Installation.card_id)
        .join(Member, Member.id == Card.member_id)
        .where(*_held(place, last, only_active=only_active))
        .group_by(home)
    )
    found = {row[0]: int(row[1]) for row in session.execute(query)}
    return found | {ANYWHERE: sum(found.values())}


def _held(place: Place, last: date, *, only_active: bool) -> list[ColumnElement[bool]]:
    """Members' cards: whoever is given a gift card joins nothing by it."""
    end: datetime = localtime.end_of_day(last, place.zone)
    held = [
        Installation.programme_id == place.programme_id,
        Card.kind == "loyalty",
        Installation.installed_at < end,
        or_(Installation.gone_at.is_(None), Installation.gone_at >= end),
    ]
    if only_active:
        held.append(Installation.card_id.in_(select(CardDay.card_id).where(*_bought_up_to(place.programme_id, last))))
    return held


def _cards(programme_id: int, days: Period, *by: Any) -> Any:
    visits = func.sum(CardDay.visits)
    return (
        select(*by, visits.label("visits"), func.sum(CardDay.spend_minor).label("spend"))
        .where(CardDay.programme_id == programme_id, CardDay.day >= days.first, CardDay.day <= days.last)
        .group_by(*by)
        .having(visits > 0)
    )


def _sums(each: Any) -> list[Any]:
    repeats = func.sum(case((each.c.visits >= TWICE, 1), else_=0))
    return [func.count(), repeats, func.sum(each.c.visits), func.sum(each.c.spend)]


def _buyers(sums: Sequence[Any]) -> Buyers:
    names = ("buyers", "repeaters", "sales", "spend_minor")
    return Buyers(**{name: int(value or 0) for name, value in zip(names, sums, strict=True)})


def _bought_up_to(programme_id: int, last: date) -> tuple[ColumnElement[bool], ...]:
    since = last - timedelta(days=ACTIVE_DAYS - 1)
    within = and_(CardDay.day >= since, CardDay.day <= last)
    return CardDay.programme_id == programme_id, within, CardDay.visits > 0
