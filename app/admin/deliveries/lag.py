"""How long changes took to reach phones, over a day or a month: percentiles between snapshots, drawn as lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlalchemy.orm import Session

from app import charts
from app.charts import Plot
from app.delivery import lags, snapshots
from app.delivery.census import FETCHED_BUCKETS_S
from app.delivery.counting import LAG_BUCKETS_S
from app.delivery.lags import Percentiles
from app.delivery.models import Snapshot
from app.outbox.rules import Lane

SIDE_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 604800)


@dataclass(frozen=True, kw_only=True)
class Span:
    """What a plot covers, and how finely."""

    name: str
    length: timedelta
    step: timedelta
    ticks: timedelta


HOUR = Span(name="hour", length=timedelta(hours=1), step=timedelta(minutes=1), ticks=timedelta(minutes=15))
DAY = Span(name="day", length=timedelta(hours=24), step=timedelta(minutes=15), ticks=timedelta(hours=6))
MONTH = Span(name="month", length=timedelta(days=30), step=timedelta(hours=6), ticks=timedelta(days=7))
SPANS = {one.name: one for one in (HOUR, DAY, MONTH)}
SERIES = ("p50", "p95", "p99")


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Two snapshots and the end of the step between them; `earlier` is None where a gap is to be shown."""

    at: datetime
    earlier: Snapshot | None
    later: Snapshot


@dataclass(frozen=True, kw_only=True)
class Course:
    """One measure over time; `steps` that saw nothing have no percentiles, and `whole` is all of the span."""

    plot: Plot
    steps: tuple[tuple[datetime, Percentiles], ...]
    whole: Percentiles | None
    ticks: tuple[tuple[float, datetime], ...]


@dataclass(frozen=True, kw_only=True)
class Courses:
    """From the commit until the vendor took it, for one lane; and from then until the phone fetched, for all."""

    span: Span
    lane: Lane
    accepted: Course
    fetched: Course


def courses(session: Session, *, span: Span | None, lane: Lane, now: datetime) -> Courses:
    """Both measures from the snapshots of the span; None: of a day, or of an hour while there is little more."""
    chosen = span or (DAY if snapshots.begun_before(session, now - HOUR.length * 3) else HOUR)
    marks = _marks(snapshots.since(session, now - chosen.length), chosen)
    return Courses(
        span=chosen,
        lane=lane,
        accepted=_course(marks, f"lag:{int(lane)}:", LAG_BUCKETS_S, chosen, now),
        fetched=_course(marks, "fetched_lag::", FETCHED_BUCKETS_S, chosen, now),
    )


def _marks(taken: Sequence[Snapshot], span: Span) -> list[Mark]:
    """The last snapshot of each step beside the one before it; where steps are missing, a mark without a measure."""
    step_s = span.step.total_seconds()
    last = {int(one.at.timestamp() // step_s): one for one in taken}
    found: list[Mark] = []
    for earlier, later in pairwise(sorted(last)):
        if later - earlier > 1:
            found.append(Mark(at=_moment((later - 0.5) * step_s), earlier=None, later=last[later]))
        found.append(Mark(at=_moment(later * step_s), earlier=last[earlier], later=last[later]))
    return found


def _course(marks: Sequence[Mark], prefix: str, bounds: Sequence[str], span: Span, now: datetime) -> Course:
    steps = [(one.at, _between(one.earlier, one.later, prefix, bounds)) for one in marks]
    series = {name: [(at.timestamp(), getattr(one, name) if one else None) for at, one in steps] for name in SERIES}
    across = [one.timestamp() for one in _ticks(span, now)]
    begins, ends = (now - span.length).timestamp(), now.timestamp()
    plot = charts.over_time(series, begins=begins, ends=ends, across=across, up=SIDE_S)
    known = [one.earlier for one in marks if one.earlier is not None]
    return Course(
        plot=plot,
        steps=tuple((at, one) for at, one in steps if one is not None),
        whole=_between(known[0], marks[-1].later, prefix, bounds) if known else None,
        ticks=tuple((tick.at, _moment(tick.value)) for tick in plot.across),
    )


def _between(earlier: Snapshot | None, later: Snapshot, prefix: str, bounds: Sequence[str]) -> Percentiles | None:
    return lags.percentiles(lags.between(earlier.tallies, later.tallies, prefix), bounds) if earlier else None


def _ticks(span: Span, now: datetime) -> list[datetime]:
    """Whole hours or days inside the span."""
    every_s = span.ticks.total_seconds()
    first = -(-(now - span.length).timestamp() // every_s) * every_s
    moments = [_moment(first + number * every_s) for number in range(int(span.length / span.ticks) + 1)]
    return [one for one in moments if one <= now]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
