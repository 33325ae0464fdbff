"""As of when the numbers of a report are: its parts are built at different times, and the oldest one counts.

What is read from the days of cards is newer than any of them; so everything that was written before the time that is
named is in, and some of what came after it may be.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import Enum

from sqlalchemy import func, select

from app.reports.models import ReportDay, ReportMonth, ReportProgress
from app.reports.outcome import Ask
from app.reports.periods import month_of


class Part(Enum):
    """What a report is read from: days, built every hour; months and what the sweep counts over all, every night."""

    DAYS = "days"
    MONTHS = "months"
    SWEEP = "sweep"


def built_at(ask: Ask, parts: Collection[Part]) -> datetime | None:
    """The oldest of the times at which these parts were built; None: one of them was not built yet."""
    return _oldest([_WHEN[part](ask) for part in parts])


def _oldest(times: Collection[datetime | None]) -> datetime | None:
    """None, if one of them is."""
    known = [at for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None


def _days(ask: Ask) -> datetime | None:
    """The oldest build of a day of the period that is not done again yet, or the last one of all."""
    waiting = select(func.min(ReportDay.built_at)).where(
        ReportDay.programme_id == ask.place.programme_id, ReportDay.due, ReportDay.day >= ask.period.first,
        ReportDay.day <= ask.period.last,
    )  # fmt: skip
    return ask.session.scalar(waiting) or _last_build(ask)


def _months(ask: Ask) -> datetime | None:
    """The same of its months, without the one that is not over: that one is counted whenever it is read.

    A month that waits for its first build was empty when the sweep was.
    """
    waiting = select(ReportMonth.built_at).where(
        ReportMonth.programme_id == ask.place.programme_id, ReportMonth.due,
        ReportMonth.month >= month_of(ask.period.first), ReportMonth.month <= ask.period.last,
        ReportMonth.month < month_of(ask.place.today),
    )  # fmt: skip
    times = [at or _sweep(ask) for at in ask.session.scalars(waiting)]
    return _oldest(times) if times else _last_build(ask)


def _sweep(ask: Ask) -> datetime | None:
    """The newest month is built after a sweep and never without one."""
    newest = (
        select(ReportMonth.built_at)
        .where(ReportMonth.programme_id == ask.place.programme_id, ReportMonth.built_at.is_not(None))
        .order_by(ReportMonth.month.desc())
        .limit(1)
    )
    return ask.session.scalar(newest)


def _last_build(ask: Ask) -> datetime | None:
    progress = ask.session.get(ReportProgress, ask.place.programme_id)
    return progress.built_at if progress else None


_WHEN: Mapping[Part, Callable[[Ask], datetime | None]] = {
    Part.DAYS: _days, Part.MONTHS: _months, Part.SWEEP: _sweep
}  # fmt: skip
