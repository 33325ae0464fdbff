"""What became of the units of each month, and of the members of each day, counted over all of them once a night."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, delete, func, insert, select
from sqlalchemy.orm import Session, aliased

from app.db import table_of
from app.habits.models import CardDay
from app.ledger.models import Account, Entry, Hold, Lot, LotUse
from app.reports import periods
from app.reports.models import ReportCohort, ReportReturn
from app.reports.touched import Place, quarter_of, start_of

AT_ONCE = 100_000
NEVER = -1
"""In place of the days until a second purchase: there was none yet."""
Key = tuple[date, str]
Tally = dict[Key, Counter[str]]
Gaps = dict[date, Counter[int]]

# what an entry did with the units of a lot, by its kind; what a reversal gives back it takes off the same
_BECAME = {"spend": "redeemed", "pay": "redeemed", "capture": "redeemed", "release": "redeemed", "expire": "expired"}


def units(session: Session, place: Place) -> list[dict[str, Any]]:
    """The rows of `ReportCohort`, as they should be."""
    tally: Tally = defaultdict(Counter)
    ends: dict[Key, datetime | None] = {}
    for first in _ranges(session, Lot.id):
        for unit, quarter, issued, left, last, endless in session.execute(_lots(place, first)):
            key = _key(place, quarter, unit)
            tally[key].update(issued=int(issued), open=int(left))
            ends[key] = None if endless or ends.get(key, last) is None else max(ends.get(key, last), last)
        for query, sign in ((_uses(place, first), 1), (_renewed(place, first), -1)):
            for unit, quarter, kind, undone, held, amount in session.execute(query):
                tally[_key(place, quarter, unit)][_became(kind, undone, held)] += sign * int(amount)
    return [_cohort(place, key, sums, ends.get(key)) for key, sums in sorted(tally.items())]


def write_units(session: Session, programme_id: int, rows: list[dict[str, Any]]) -> None:
    """Put them in the place of those that are there."""
    table = table_of(ReportCohort)
    session.execute(delete(table).where(table.c.programme_id == programme_id))
    if rows:
        session.execute(insert(table), rows)


def second_purchases(session: Session, place: Place) -> Gaps:
    """For each day, how many cards bought for the first time then, by the days until they bought again."""
    found: Gaps = defaultdict(Counter)
    for first in _ranges(session, CardDay.card_id):
        query = (
            select(CardDay.card_id, CardDay.day, func.sum(CardDay.visits))
            .where(
                CardDay.programme_id == place.programme_id, CardDay.visits > 0,
                CardDay.card_id >= first, CardDay.card_id < first + AT_ONCE,
            )
            .group_by(CardDay.card_id, CardDay.day)
            .order_by(CardDay.card_id, CardDay.day)
        )  # fmt: skip
        for day, gap in _gaps(session.execute(query)):
            found[day][gap] += 1
    return found


def differing(session: Session, programme_id: int, found: Gaps) -> Iterator[date]:
    """The months of which the kept rows are others."""
    query = select(ReportReturn.first_day, ReportReturn.gap_days, ReportReturn.cards)
    kept: Gaps = defaultdict(Counter)
    for day, gap, cards in session.execute(query.where(ReportReturn.programme_id == programme_id)):
        kept[day][gap] = cards
    months = {periods.month_of(day) for day in kept.keys() | found.keys() if kept.get(day) != found.get(day)}
    yield from sorted(months)


def write_second_purchases(session: Session, programme_id: int, month: date, found: Gaps) -> None:
    """Put those of one month in the place of those that are there."""
    table = table_of(ReportReturn)
    following = periods.next_month(month)
    own = table.c.programme_id == programme_id
    session.execute(delete(table).where(own, table.c.first_day >= month, table.c.first_day < following))
    rows = [
        {"programme_id": programme_id, "first_day": day, "gap_days": gap, "cards": cards}
        for day, gaps in found.items()
        if month <= day < following
        for gap, cards in gaps.items()
    ]
    if rows:
        session.execute(insert(table), rows)


def _gaps(days: Iterable[tuple[int, date, Any]]) -> Iterator[tuple[date, int]]:
    """(first day, days until the second purchase) of each card; its days come in order."""
    card, first, gap = None, None, NEVER
    for one, day, visits in days:
        if one != card:
            if first is not None:
                yield first, gap
            card, first, gap = one, day, 0 if visits > 1 else NEVER
        elif gap == NEVER and first is not None:
            gap = (day - first).days
    if first is not None:
        yield first, gap


def _ranges(session: Session, column: Any) -> Iterator[int]:
    """The first ids of pieces that are read in one statement each."""
    least, most = session.execute(select(func.min(column), func.max(column))).one()
    if least is not None:
        yield from range(least, most + 1, AT_ONCE)


def _piece(place: Place, first: int) -> Any:
    return and_(Account.programme_id == place.programme_id, Lot.id >= first, Lot.id < first + AT_ONCE)


def _lots(place: Place, first: int) -> Any:
    """What was credited; a lot that goes on with another one's units, or with another card's, credits nothing."""
    is_new = and_(Lot.renews_id.is_(None), Entry.kind != "merge")
    quarter = quarter_of(Lot.earned_at)
    return (
        select(
            Account.unit, quarter, func.sum(case((is_new, Lot.original), else_=0)), func.sum(Lot.remaining),
            func.max(Lot.expires_at), func.sum(case((Lot.expires_at.is_(None), 1), else_=0)),
        )
        .select_from(Lot)
        .join(Account, Account.id == Lot.account_id)
        .join(Entry, Entry.id == Lot.entry_id)
        .where(_piece(place, first))
        .group_by(Account.unit, quarter)
    )  # fmt: skip


def _uses(place: Place, first: int) -> Any:
    undone = aliased(Entry)
    quarter = quarter_of(Lot.earned_at)
    return (
        select(Account.unit, quarter, Entry.kind, undone.kind, Hold.state, func.sum(LotUse.amount))
        .select_from(Lot)
        .join(Account, Account.id == Lot.account_id)
        .join(LotUse, LotUse.lot_id == Lot.id)
        .join(Entry, Entry.id == LotUse.entry_id)
        .outerjoin(undone, undone.id == Entry.reverses_id)
        .outerjoin(Hold, Hold.entry_id == Entry.id)
        .where(_piece(place, first))
        .group_by(Account.unit, quarter, Entry.kind, undone.kind, Hold.state)
    )


def _renewed(place: Place, first: int) -> Any:
    """Units that came back too late for their lot, and live on in another."""
    undone = aliased(Entry)
    quarter = quarter_of(Lot.earned_at)
    return (
        select(Account.unit, quarter, Entry.kind, undone.kind, Hold.state, func.sum(Lot.original))
        .select_from(Lot)
        .join(Account, Account.id == Lot.account_id)
        .join(Entry, Entry.id == Lot.entry_id)
        .outerjoin(undone, undone.id == Entry.reverses_id)
        .outerjoin(Hold, Hold.entry_id == Entry.id)
        .where(_piece(place, first), Lot.renews_id.is_not(None))
        .group_by(Account.unit, quarter, Entry.kind, undone.kind, Hold.state)
    )


def _became(kind: str, undone: str | None, hold: str | None) -> str:
    if kind == "hold":
        return "held" if hold == "open" else "redeemed"
    if undone in {"earn", "load"}:
        return "returned"
    return _BECAME.get(undone or kind, "other")


def _key(place: Place, quarter: int, unit: str) -> Key:
    return periods.month_of(periods.day_of(start_of(quarter), place.zone)), unit


def _cohort(place: Place, key: Key, sums: Mapping[str, int], ends: datetime | None) -> dict[str, Any]:
    parts = {name: sums.get(name, 0) for name in ("redeemed", "held", "expired", "returned", "open")}
    issued = sums.get("issued", 0)
    last = periods.day_of(ends - timedelta(milliseconds=1), place.zone) if ends else None
    return {
        "programme_id": place.programme_id, "month": key[0], "unit": key[1], "issued": issued, **parts,
        "other": issued - sum(parts.values()), "ends_on": last,
    }  # fmt: skip
