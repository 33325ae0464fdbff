"""The sums that reports are made of, read from what was built."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select

from app.cards.models import Store
from app.ledger.service import USES
from app.reports.models import ReportCount, ReportDesk, ReportFlow
from app.reports.outcome import Ask
from app.reports.periods import Period

IN = {"issue": ("issued", "returned"), "funding": ("issued", "returned")}
OUT = {"redeem": ("given_back", "redeemed"), "sales": ("given_back", "redeemed")}
OTHER = {"expire": "expired", "adjust": "adjusted", "writeoff": "written_off", "transfer": "moved"}
MOVEMENTS = ("issued", "returned", "redeemed", "given_back", "expired", "adjusted", "written_off", "moved")
Flows = dict[Any, Counter[str]]


def movement(role: str, effect: int) -> str | None:
    """What a programme's account says about its members: more in their hands (above zero), or less. None: nothing."""
    if role in IN or role in OUT:
        up, down = IN.get(role) or OUT[role]
        return up if effect >= 0 else down
    return OTHER.get(role)


def flows(ask: Ask, period: Period, *by: str) -> Flows:
    """What moved into members' hands and out of them, {key: {movement: units}}; *by*: day, store_id, unit."""
    query = _flows(ask, *by).where(ReportFlow.day >= period.first, ReportFlow.day <= period.last)
    found: Flows = defaultdict(Counter)
    for *key, role, _kind, units in ask.session.execute(query):
        effect = -int(units)
        name = movement(role, effect)
        if name is not None:
            found[tuple(key)][name] += effect
    return found


def balances(ask: Ask, before: date, *by: str) -> dict[Any, int]:
    """What was in members' hands when a day began: {key: units}."""
    found: dict[Any, int] = defaultdict(int)
    for *key, role, _kind, units in ask.session.execute(_flows(ask, *by).where(ReportFlow.day < before)):
        if movement(role, 0) is not None:
            found[tuple(key)] -= int(units)
    return found


def set_aside(ask: Ask, period: Period) -> Flows:
    """What was reserved, used and let go, {(day, unit): {kind: units, kind + "_times": entries}}."""
    query = (
        select(ReportFlow.day, ReportFlow.unit, ReportFlow.kind, func.sum(ReportFlow.units),
               func.sum(ReportFlow.entries))
        .where(ReportFlow.programme_id == ask.place.programme_id, ReportFlow.role == "hold",
               ReportFlow.day >= period.first, ReportFlow.day <= period.last, *_at(ask, ReportFlow.store_id))
        .group_by(ReportFlow.day, ReportFlow.unit, ReportFlow.kind)
    )  # fmt: skip
    found: Flows = defaultdict(Counter)
    for day, unit, kind, units, times in ask.session.execute(query):
        found[day, unit].update({kind: abs(int(units)), f"{kind}_times": int(times)})
    return found


def sales(ask: Ask, period: Period, *by: Any) -> dict[Any, tuple[int, int]]:
    """Purchases and what was paid, net of returns: {key: (sales, minor units)}."""
    query = (
        select(*by, func.sum(ReportDesk.sales), func.sum(ReportDesk.sale_minor))
        .where(ReportDesk.programme_id == ask.place.programme_id, ReportDesk.day >= period.first,
               ReportDesk.day <= period.last, *_at(ask, ReportDesk.store_id))
        .group_by(*by)
    )  # fmt: skip
    return {tuple(key): (int(times or 0), int(minor or 0)) for *key, times, minor in ask.session.execute(query)}


def sold(ask: Ask, period: Period) -> tuple[int, int]:
    """Purchases and what was paid for them, net of returns, in all."""
    found = list(sales(ask, period).values())
    return found[0] if found else (0, 0)


def counts(ask: Ask, period: Period, name: str) -> dict[tuple[date, str], int]:
    """{(day, key): how many}"""
    query = (
        select(ReportCount.day, ReportCount.key, func.sum(ReportCount.count))
        .where(ReportCount.programme_id == ask.place.programme_id, ReportCount.name == name,
               ReportCount.day >= period.first, ReportCount.day <= period.last, *_at(ask, ReportCount.store_id))
        .group_by(ReportCount.day, ReportCount.key)
    )  # fmt: skip
    return {(day, key): int(times) for day, key, times in ask.session.execute(query)}


def stores(ask: Ask) -> dict[int, str]:
    """The names of the programme's stores."""
    query = select(Store.id, Store.name).where(Store.programme_id == ask.place.programme_id).order_by(Store.name)
    return {row.id: row.name for row in ask.session.execute(query)}


def bucket_of(buckets: Sequence[Period], day: date) -> date:
    """The first day of the bucket that holds a day."""
    low, high = 0, len(buckets) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if buckets[middle].first <= day else (low, middle - 1)
    return buckets[low].first


def total(found: Iterable[Counter[str]], *names: str) -> int:
    return sum(one[name] for one in found for name in names)


def _flows(ask: Ask, *by: str) -> Any:
    columns = [getattr(ReportFlow, name) for name in by]
    return (
        select(*columns, ReportFlow.role, ReportFlow.kind, func.sum(ReportFlow.units))
        .where(ReportFlow.programme_id == ask.place.programme_id, ReportFlow.unit != USES,
               *_at(ask, ReportFlow.store_id))
        .group_by(*columns, ReportFlow.role, ReportFlow.kind)
    )  # fmt: skip


def _at(ask: Ask, column: Any) -> list[Any]:
    return [] if ask.store_id is None else [column == ask.store_id]
