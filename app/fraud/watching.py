"""What a manager looks through: what was noticed, and whose cards each person at the till gave most to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Store
from app.db import table_of
from app.fraud.models import Adjustment, Notice
from app.ledger.models import Entry
from app.staff.models import ApiKey, Staff

PERIOD = timedelta(days=30)
TOP = 10
SHOWN = 200
_ENTRY = table_of(Entry)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A notice with what names its card and store; empty where it has none."""

    notice: Notice
    number: str
    store: str


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A correction with the card that it is for."""

    adjustment: Adjustment
    number: str


@dataclass(frozen=True, kw_only=True)
class TopCard:
    """A card that somebody at the till gave much to; `times` purchases with `points` together."""

    actor: str
    number: str
    times: int
    points: int


def notices(
    session: Session, programme_id: int, *, store_id: int | None = None, is_open: bool = True, limit: int = SHOWN
) -> list[Seen]:
    """What was noticed, newest first: at one store if it is named; what nobody has looked at, or what was dismissed."""
    query = (
        select(Notice, Card.number, Store.name)
        .outerjoin(Card, Card.id == Notice.card_id)
        .outerjoin(Store, Store.id == Notice.store_id)
        .where(
            Notice.programme_id == programme_id,
            Notice.dismissed_at.is_(None) if is_open else Notice.dismissed_at.is_not(None),
        )
    )
    if store_id is not None:
        query = query.where(Notice.store_id == store_id)
    rows = session.execute(query.order_by(Notice.at.desc(), Notice.id.desc()).limit(limit))
    return [Seen(notice=notice, number=number or "", store=store or "") for notice, number, store in rows]


def store_of(session: Session, programme_id: int, notice_id: str) -> int | None:
    """The store that a notice is about; None also if there is no such notice."""
    return session.scalar(
        select(Notice.store_id).where(Notice.public_id == notice_id, Notice.programme_id == programme_id)
    )


def names_of(session: Session, actors: Collection[str]) -> dict[str, str]:
    """The names of people and of keys, by how entries name them."""
    ids = [one.partition(":")[2] for one in actors]
    staff = session.execute(select(Staff.public_id, Staff.name).where(Staff.public_id.in_(ids)))
    keys = session.execute(select(ApiKey.public_id, ApiKey.name).where(ApiKey.public_id.in_(ids)))
    return {f"staff:{one}": name for one, name in staff} | {f"key:{one}": f"{name} (API)" for one, name in keys}


def to_decide(session: Session, programme_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """How many notices nobody has looked at and how many corrections wait, by programme id."""
    counted: dict[int, list[int]] = {one: [0, 0] for one in programme_ids}
    noticed = select(Notice.programme_id, func.count()).where(Notice.dismissed_at.is_(None))
    waiting = select(Adjustment.programme_id, func.count()).where(Adjustment.state == "waiting")
    for place, query in enumerate((noticed.group_by(Notice.programme_id), waiting.group_by(Adjustment.programme_id))):
        for programme_id, count in session.execute(query):
            if programme_id in counted:
                counted[programme_id][place] = count
    return {one: (pair[0], pair[1]) for one, pair in counted.items()}


def corrections(session: Session, programme_id: int, *, limit: int = SHOWN) -> list[Waiting]:
    """Corrections that wait for a second person, the oldest first."""
    query = (
        select(Adjustment, Card.number)
        .join(Card, Card.id == Adjustment.card_id)
        .where(Adjustment.programme_id == programme_id, Adjustment.state == "waiting")
    )
    rows = session.execute(query.order_by(Adjustment.asked_at, Adjustment.id).limit(limit))
    return [Waiting(adjustment=adjustment, number=number) for adjustment, number in rows]


def top_cards(
    session: Session, programme_id: int, *, until: datetime, store_id: int | None = None
) -> dict[str, list[TopCard]]:
    """The ten cards that each person at the till gave most points to, in the thirty days before *until*.

    One statement, which reads the entries of that time alone: an entry's id begins with its time, so the primary key
    leads to them.
    """
    own = _ENTRY.c
    given = (
        select(
            own.actor, own.card_id, func.count().label("times"), func.sum(own.points).label("points"),
            func.row_number()
            .over(partition_by=own.actor, order_by=(func.sum(own.points).desc(), func.count().desc(), own.card_id))
            .label("place"),
        )
        .where(
            own.id >= _first_id(until - PERIOD), own.id < _first_id(until), own.programme_id == programme_id,
            own.kind == "earn", own.unit == "points", own.part_of_id.is_(None), own.channel == "till",
        )
        .group_by(own.actor, own.card_id)
    )  # fmt: skip
    if store_id is not None:
        given = given.where(own.store_id == store_id)
    ranked = given.subquery()
    query = (
        select(ranked.c.actor, Card.number, ranked.c.times, ranked.c.points)
        .join(Card, Card.id == ranked.c.card_id)
        .where(ranked.c.place <= TOP)
        .order_by(ranked.c.actor, ranked.c.place)
    )
    found: dict[str, list[TopCard]] = {}
    for actor, number, times, points in session.execute(query):
        found.setdefault(actor, []).append(TopCard(actor=actor, number=number, times=times, points=int(points)))
    return found


def _first_id(at: datetime) -> str:
    """What no entry's id of that millisecond or later comes before."""
    return f"txn_{int(at.timestamp() * 1000):012x}"
