"""Every address counted by its condition: a walk over all targets in small steps.

A table of a million rows must neither be scanned for a page nor under one long snapshot, which would keep PostgreSQL
from tidying up behind delivery.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.clock import milliseconds
from app.delivery.models import Census, Silence
from app.outbox import switches
from app.outbox.models import Sender, Target
from app.wallets.google.models import GoogleClass
from app.world import World

STEP_ROWS = 20_000
QUIET_AFTER = timedelta(days=7)
REFUSALS_KEPT = 20
FETCHED_BUCKETS_S = ("1", "2", "5", "10", "30", "60", "300", "900", "3600", "21600", "86400", "604800", "+Inf")
OWED = ("waiting", "retrying", "stopped", "switched")
NOT_FETCHED = -1

Owner = tuple[int, str]


@dataclass(kw_only=True)
class Counted:
    """What a walk found: addresses by (programme, channel) and condition, refusals of the parked, lags of fetches."""

    conditions: dict[Owner, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    refusals: dict[Owner, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    fetched: Counter[str] = field(default_factory=Counter)
    fetched_sum_ms: int = 0

    def rows(self, now: datetime) -> list[Census]:
        """As they are kept."""
        return [_row(owner, counts, self.refusals[owner], now) for owner, counts in self.conditions.items()]


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What a step needs besides the targets: what is stopped, by a breaker or by hand, and whose each class is."""

    stopped: frozenset[int]
    switched: frozenset[int | None]
    programme_of_class: Mapping[int, int]

    def cause(self, programme_id: int, sender_id: int, condition: str) -> str:
        """The condition, or for what is owed the reason why nothing is sent."""
        if condition not in OWED:
            return condition
        if self.switched & {None, programme_id}:
            return "switched"
        return "stopped" if sender_id in self.stopped else condition


def walk(world: World, *, fetched_from_ms: int, now: datetime, step_rows: int = STEP_ROWS) -> Counted:
    """Count everything, step by step, each step in a short transaction of its own.

    Fetches are counted that happened from *fetched_from_ms* until *now*.
    """
    found = Counted()
    with world.database.reading() as session:
        known = _known(session, now)
        last = session.scalar(select(func.max(Target.id))) or 0
    for first in range(0, last + 1, step_rows):
        with world.database.reading() as session:
            _add(found, session.execute(_step(first, first + step_rows, fetched_from_ms, now)), known)
    return found


def is_small(session: Session) -> bool:
    """Whether so few addresses exist that a page may count them itself."""
    return (session.scalar(select(func.max(Target.id))) or 0) < STEP_ROWS


def count_now(session: Session, *, now: datetime) -> list[Census]:
    """Count a small table at once, for a page that is then right to the second."""
    found = Counted()
    _add(found, session.execute(_step(0, STEP_ROWS, milliseconds(now), now)), _known(session, now))
    return found.rows(now)


def _known(session: Session, now: datetime) -> _Known:
    classes = session.execute(select(GoogleClass.id, GoogleClass.programme_id))
    return _Known(
        stopped=frozenset(session.scalars(select(Sender.id).where(Sender.breaker_until > milliseconds(now)))),
        switched=frozenset(one.programme_id for one in switches.stopped(session)),
        programme_of_class={row.id: row.programme_id for row in classes},
    )


def _add(found: Counted, rows: Iterable[Any], known: _Known) -> None:
    for programme_id, class_id, channel, sender_id, condition, status, reason, bucket, lag_ms, count in rows:
        owner = (known.programme_of_class.get(class_id, 0) if programme_id is None else programme_id, channel)
        found.conditions[owner][known.cause(owner[0], sender_id, condition)] += count
        if condition == "parked":
            found.refusals[owner][f"{status or ''} {reason}".strip()] += count
        if bucket != NOT_FETCHED:
            found.fetched[FETCHED_BUCKETS_S[bucket]] += count
            found.fetched_sum_ms += int(lag_ms)


def _step(first: int, end: int, fetched_from_ms: int, now: datetime) -> Select[Any]:
    """Targets from *first* until before *end*, grouped; a fetch that a later push overtook has no lag to speak of."""
    fetched_now = and_(
        Target.fetched_at >= fetched_from_ms,
        Target.fetched_at < milliseconds(now),
        Target.fetched_at >= Target.told_at,
        Target.told_at > 0,
    )
    parked = Target.state == "parked"
    groups = (
        Card.programme_id.label("programme_id"),
        case((Target.card_id.is_(None), Target.address_id)).label("class_id"),
        Target.channel,
        Target.sender_id,
        _condition(now).label("condition"),
        case((parked, Target.last_status), else_=0).label("status"),
        case((parked, Target.last_reason), else_="").label("reason"),
        case((fetched_now, _bucket()), else_=NOT_FETCHED).label("bucket"),
    )
    lag_ms = case((fetched_now, Target.fetched_at - Target.told_at), else_=0).label("lag_ms")
    inner = (
        select(*groups, lag_ms)
        .select_from(Target)
        .outerjoin(Card, Card.id == Target.card_id)
        .outerjoin(Silence, and_(Silence.target_id == Target.id, Silence.fetched == Target.fetched))
        .where(Target.id >= first, Target.id < end)
        .subquery()
    )
    kinds = [inner.c[group.name] for group in groups]
    return select(*kinds, func.sum(inner.c.lag_ms), func.count()).group_by(*kinds)


def _condition(now: datetime) -> ColumnElement[str]:
    unfetched = and_(Target.channel == "apple", Target.fetched < Target.done)
    return case(
        (Target.state == "gone", "gone"),
        (Target.state == "parked", "parked"),
        (and_(Target.want > Target.done, Target.attempts > 1), "retrying"),
        (Target.want > Target.done, "waiting"),
        (and_(unfetched, Silence.since < milliseconds(now - QUIET_AFTER)), "quiet"),
        (unfetched, "told"),
        else_="current",
    )


def _bucket() -> ColumnElement[int]:
    lag_ms = Target.fetched_at - Target.told_at
    steps = [(lag_ms <= int(bound) * 1000, place) for place, bound in enumerate(FETCHED_BUCKETS_S[:-1])]
    return case(*steps, else_=len(FETCHED_BUCKETS_S) - 1)


def _row(owner: Owner, counts: Counter[str], refusals: Counter[str], now: datetime) -> Census:
    return Census(
        programme_id=owner[0],
        channel=owner[1],
        current=counts["current"],
        told=counts["told"],
        quiet=counts["quiet"],
        behind=sum(counts[cause] for cause in OWED),
        parked=counts["parked"],
        gone=counts["gone"],
        causes={cause: counts[cause] for cause in OWED if counts[cause]},
        refusals=dict(refusals.most_common(REFUSALS_KEPT)),
        counted_at=now,
    )
