"""What a trial in some stores changed, beyond what changed in the others at the same time.

Stores are compared with themselves: as many whole days of the trial as there are, with as many days of the same
weekdays before it. Figures come from what the ledger was counted to by day; today is not over and not in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app import localtime
from app.cards.models import Programme, Store
from app.habits.models import CardDay
from app.pilots.models import Pilot, PilotStore
from app.results import stats
from app.results.stats import Change, Trial

METRICS = ("repeat", "frequency", "basket")
WEEK = 7


@dataclass(frozen=True, kw_only=True)
class Span:
    """Days from the first to the last, both included."""

    first: date
    last: date


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One store in one span: `members` bought there, `repeaters` of them twice or more."""

    members: int = 0
    repeaters: int = 0
    visits: int = 0
    spend_minor: int = 0

    def of(self, metric: str) -> float | None:
        """The share of repeaters, visits of a member, or minor units of a purchase; None without a purchase."""
        if not self.members:
            return None
        return {
            "repeat": self.repeaters / self.members,
            "frequency": self.visits / self.members,
            "basket": self.spend_minor / self.visits,
        }[metric]


@dataclass(frozen=True, kw_only=True)
class StoreRow:
    """One store of a pilot, before and during."""

    public_id: str
    name: str
    arm: str
    before: Figures
    during: Figures

    def change(self, metric: str) -> Change | None:
        before, during = self.before.of(metric), self.during.of(metric)
        return None if before is None or during is None else Change(before=before, during=during)


@dataclass(frozen=True, kw_only=True)
class Report:
    """A pilot's figures so far. `before` and `during` are None until its first day is over.

    `trials`: by metric, None where an arm has no store with purchases in both spans. `is_interim`: its last day is not
    over yet.
    """

    before: Span | None
    during: Span | None
    is_interim: bool
    stores: tuple[StoreRow, ...]
    trials: Mapping[str, Trial | None]


def span_before(starts_on: date, days: int) -> Span:
    """As many days that begin on the same weekday, in the whole weeks before a pilot."""
    first = starts_on - timedelta(days=-(-days // WEEK) * WEEK)
    return Span(first=first, last=first + timedelta(days=days - 1))


def report(session: Session, pilot: Pilot, *, now: datetime) -> Report:
    """What a pilot has changed so far."""
    programme = session.get_one(Programme, pilot.programme_id)
    today = localtime.wall_clock(now, programme.timezone).date()
    ended_on = localtime.wall_clock(pilot.ended_at, programme.timezone).date() if pilot.ended_at else date.max
    days = min((min(today, ended_on) - pilot.starts_on).days, (pilot.ends_on - pilot.starts_on).days + 1)
    arms = _arms(session, pilot)
    if days <= 0:
        rows = tuple(
            StoreRow(public_id=store.public_id, name=store.name, arm=arm, before=Figures(), during=Figures())
            for store, arm in arms
        )
        return Report(before=None, during=None, is_interim=True, stores=rows, trials=dict.fromkeys(METRICS))
    last = pilot.starts_on + timedelta(days=days - 1)
    before, during = span_before(pilot.starts_on, days), Span(first=pilot.starts_on, last=last)
    ids = [store.id for store, _ in arms]
    was, found = (_figures(session, pilot.programme_id, ids, span) for span in (before, during))
    rows = tuple(
        StoreRow(
            public_id=store.public_id, name=store.name, arm=arm, before=was.get(store.id, Figures()),
            during=found.get(store.id, Figures()),
        )
        for store, arm in arms
    )  # fmt: skip
    return Report(
        before=before,
        during=during,
        is_interim=pilot.state == "open" and today <= pilot.ends_on,
        stores=rows,
        trials={metric: _trial(rows, metric) for metric in METRICS},
    )


def _trial(rows: tuple[StoreRow, ...], metric: str) -> Trial | None:
    arms: dict[str, list[Change]] = {"pilot": [], "control": []}
    for row in rows:
        change = row.change(metric)
        if change is not None:
            arms[row.arm].append(change)
    return stats.trial(arms["pilot"], arms["control"])


def _arms(session: Session, pilot: Pilot) -> list[tuple[Store, str]]:
    query = (
        select(Store, PilotStore.arm)
        .join(PilotStore, PilotStore.store_id == Store.id)
        .where(PilotStore.pilot_id == pilot.id)
        .order_by(PilotStore.arm.desc(), Store.name)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def _figures(session: Session, programme_id: int, stores: list[int], span: Span) -> dict[int, Figures]:
    visits = func.sum(CardDay.visits)
    each = (
        select(
            CardDay.store_id.label("store_id"), visits.label("visits"), func.sum(CardDay.spend_minor).label("spend")
        )
        .where(
            CardDay.programme_id == programme_id, CardDay.day >= span.first, CardDay.day <= span.last,
            CardDay.store_id.in_(stores),
        )
        .group_by(CardDay.store_id, CardDay.card_id)
        .having(visits > 0)
        .subquery()
    )  # fmt: skip
    query = select(
        each.c.store_id, func.count(), func.sum(case((each.c.visits > 1, 1), else_=0)), func.sum(each.c.visits),
        func.sum(each.c.spend),
    ).group_by(each.c.store_id)  # fmt: skip
    return {
        row[0]: Figures(members=int(row[1]), repeaters=int(row[2]), visits=int(row[3]), spend_minor=int(row[4]))
        for row in session.execute(query)
    }
