"""What phones say: the lines that they posted, by cause, pass type and day, with what mends each cause.

The lines are anybody's text. They were cut, masked and freed of control characters when they came; here they are shown
as text and never as anything else.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.admin import words
from app.wallets.apple.models import DeviceLog
from passes.apple.devicelog import pass_type_of

SPAN = timedelta(days=7)
LINES_READ = 10_000
GROUPS_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """Lines of one cause, pass type and day, the latest of them in full."""

    cause: str
    title: str
    hint: str
    pass_type: str
    day: date
    count: int
    last_at: datetime
    line: str


@dataclass(kw_only=True)
class _Group:
    count: int
    last_at: datetime
    line: str


def complaints(session: Session, *, now: datetime) -> list[Complaint]:
    """What phones wrote in the last week, the latest day first and of each day the most frequent."""
    lines = (
        select(DeviceLog.cause, DeviceLog.line, DeviceLog.at)
        .where(DeviceLog.at >= now - SPAN)
        .order_by(DeviceLog.id.desc())
        .limit(LINES_READ)
    )
    groups: dict[tuple[date, str, str], _Group] = {}
    for cause, line, at in session.execute(lines):
        key = (at.date(), cause, pass_type_of(line))
        if key in groups:
            groups[key].count += 1
        else:
            groups[key] = _Group(count=1, last_at=at, line=line)
    found = [_complaint(*key, group) for key, group in groups.items()]
    return sorted(found, key=lambda one: (one.day, one.count), reverse=True)[:GROUPS_SHOWN]


def most_frequent(found: list[Complaint]) -> str:
    """The title of the cause with the most lines."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.title] = counts.get(one.title, 0) + one.count
    return max(counts, key=lambda title: counts[title])


def _complaint(day: date, cause: str, pass_type: str, group: _Group) -> Complaint:
    title, hint = words.device_cause(cause)
    return Complaint(
        cause=cause, title=title, hint=hint, pass_type=pass_type, day=day, count=group.count, last_at=group.last_at,
        line=group.line,
    )  # fmt: skip
