"""One card takes over what another one has, at once and whatever is booked on that one later.

What can be spent moves with its dates, and what is owed with it; what the source's sales count for tiers counts on the
target from now on. What waits to be spent stays with its purchase: on its day it follows, as everything does that is
booked on the source later, such as the return of one of its sales.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, aliased

from app import ids, localtime
from app.cards.models import Card
from app.counter import moves
from app.counter.moves import Actor
from app.db import is_lock_timeout
from app.errors import AppError, Busy
from app.fraud.models import CardMerge
from app.gate import Priority
from app.ledger import held as holding
from app.ledger import merges
from app.ledger.booking import Booked
from app.ledger.held import Held
from app.ledger.merges import Merged
from app.tiers import service as tiers
from app.tiers import standings
from app.world import World

LOGGER = logging.getLogger(__name__)

AT_ONCE = 200
TIME = Actor(name="system:time", channel="job")
Months = dict[str, tuple[int, int, int]]


def begin(session: Session, source: Held, target: Held, *, reason: str, by: Actor, now: datetime) -> CardMerge:
    """Move everything from *source*, which is void from now on, to *target*; both are held, and written."""
    made = CardMerge(
        public_id=ids.public_id("mrg"), programme_id=source.programme_id, source_id=source.id, target_id=target.id,
        source_seq=source.seq, legs=[], months={}, spent_minor=0, reason=reason, made_by=by.name, made_at=now,
    )  # fmt: skip
    _carry_over(session, made, replace(source, status="voided"), target, by, now)
    session.add(made)
    session.flush()
    return made


def follow(world: World) -> int:
    """Move on what was booked on joined cards since; how many cards it was."""
    source, target = aliased(Card), aliased(Card)
    with world.database.reading() as session:
        query = (
            select(CardMerge.id)
            .join(source, source.id == CardMerge.source_id)
            .join(target, target.id == CardMerge.target_id)
            .where(
                CardMerge.undone_at.is_(None), source.seq != CardMerge.source_seq, source.status == "voided",
                target.status != "erased",
            )
        )  # fmt: skip
        found = list(session.scalars(query.order_by(CardMerge.id).limit(AT_ONCE)))
    return sum(_followed(world, one) for one in found)


def both(session: Session, one: int, other: int) -> dict[int, Held]:
    """Both under their locks, always the older first: two who join the same cards crosswise wait for each other."""
    return {card_id: holding.by_id(session, card_id) for card_id in sorted((one, other))}


def months_of(kept: Mapping[str, Any], sign: int) -> Months:
    """What a joining has counted by month, or the opposite of it where *sign* is -1."""
    return {month: (sign * one[0], sign * one[1], sign * one[2]) for month, one in kept.items()}


def count(session: Session, card: Held, months: Months, now: datetime) -> Held:
    """The card with these months counted for its tier, and judged by them."""
    for month, (spend_minor, earned, visits) in months.items():
        at = localtime.start_of_day(date.fromisoformat(month), card.timezone)
        card = tiers.after_sale(
            session, card, spend_minor=spend_minor, earned=earned, visits=visits, at=at, now=now
        )  # fmt: skip
    return card


def write(session: Session, card: Held, booked: list[Booked], now: datetime) -> None:
    """Write a card after what was booked on it; its phones are told."""
    if booked:
        moves.done(session, card, booked[-1], now)
    else:
        moves.written(session, card, now)


def _followed(world: World, merge_id: int) -> bool:
    """One card's trouble never keeps the others' units."""
    work: Callable[[Session], bool] = lambda session: _follow(session, merge_id, world.clock())  # noqa: E731
    try:
        return world.database.transact(work, priority=Priority.BULK)
    except (Busy, OperationalError) as trouble:
        if isinstance(trouble, OperationalError) and not is_lock_timeout(trouble):
            raise
        LOGGER.info("a card is in use; it comes up again", extra={"merge": merge_id})
    except AppError:
        LOGGER.exception("what was booked on a joined card could not follow", extra={"merge": merge_id})
    return False


def _follow(session: Session, merge_id: int, now: datetime) -> bool:
    made = session.get_one(CardMerge, merge_id)
    cards = both(session, made.source_id, made.target_id)
    session.refresh(made)
    here, there = cards[made.source_id], cards[made.target_id]
    if made.undone_at is not None or here.seq == made.source_seq or there.status == "erased":
        return False
    _carry_over(session, made, here, there, TIME, now)
    session.flush()
    return True


def _carry_over(session: Session, made: CardMerge, source: Held, target: Held, by: Actor, now: datetime) -> None:
    """Move what the source has by now, units and months, and write both cards."""
    merged: Merged = merges.merge(
        session, source, target,
        by_source=moves.circumstance(source, by, now, note=f"to:{target.serial}"),
        by_target=moves.circumstance(target, by, now, note=f"from:{source.serial}"),
    )  # fmt: skip
    pairs = zip(merged.left, merged.arrived, strict=True)
    made.legs = [*made.legs, *([left.entry.id, arrived.entry.id] for left, arrived in pairs)]
    changed = _since(session, made, source)
    there = count(session, merged.target, changed, now)
    made.months = {month: list(figures) for month, figures in _sum(months_of(made.months, 1), changed).items()}
    there = replace(there, spent_minor=there.spent_minor + source.spent_minor)
    made.spent_minor += source.spent_minor
    here = replace(merged.source, qualifying_minor=0, spent_minor=0)
    made.source_seq = here.seq
    write(session, here, merged.left, now)
    write(session, there, merged.arrived, now)


def _since(session: Session, made: CardMerge, source: Held) -> Months:
    """What the source's months say now, less what the target counts of them already."""
    _ladder, record = standings.of_card(session, source.id, source.programme_id)
    now_so: Months = {month.isoformat(): (spend, earned, visits) for month, spend, earned, visits in record.months}
    return {month: one for month, one in _sum(now_so, months_of(made.months, -1)).items() if any(one)}


def _sum(one: Months, other: Months) -> Months:
    none = 0, 0, 0
    found: Months = {}
    for month in sorted({*one, *other}):
        (spend, earned, visits), more = one.get(month, none), other.get(month, none)
        found[month] = spend + more[0], earned + more[1], visits + more[2]
    return found
