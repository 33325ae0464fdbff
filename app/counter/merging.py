"""Two cards of one person become one, and can be parted again for thirty days.

What can be spent moves with its dates, and what is owed with it; what the source's sales count for tiers counts on the
target from now on. The source is void on both wallets. What waits to be spent stays with its purchase: on its day it
follows, as everything does that is booked on the source later, such as the return of one of its sales.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import ids, localtime
from app.cards.models import Card
from app.counter import moves, pricing
from app.counter.moves import Actor
from app.db import is_lock_timeout
from app.errors import AppError, Busy, Conflict, NotFound, Sentence, Unprocessable
from app.fraud.models import CardMerge
from app.gate import Priority
from app.ledger import held as holding
from app.ledger import merges
from app.ledger.booking import Booked
from app.ledger.held import Held
from app.ledger.merges import Leg, Merged
from app.ledger.reversals import OnDeficit
from app.staff import audit
from app.tiers import service as tiers
from app.tiers import standings
from app.value import stock
from app.world import World

LOGGER = logging.getLogger(__name__)

UNDONE_WITHIN = timedelta(days=30)
LONGEST_REASON = 200
AT_ONCE = 200
TIME = Actor(name="system:time", channel="job")


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What would move: units that can be spent and units that are owed, by unit; what waits follows on its day."""

    moves: Mapping[str, int]
    owed: Mapping[str, int]
    waits: Mapping[str, int]


def preview(session: Session, source: Card, target: Card) -> Preview:
    """What joining these two would move. Nothing is written.

    Raises: as `merge`.
    """
    if source.id == target.id:
        raise _same_card()
    here, there = (holding.by_number(session, one.number, locked=False) for one in (source, target))
    _check(here, there)
    return Preview(
        moves=_standing(here, "avail"),
        owed={unit: -count for unit, count in _standing(here, "debt").items()},
        waits=_standing(here, "pend"),
    )


def balances(session: Session, card: Card) -> Mapping[str, int]:
    """What can be spent of a card, by unit."""
    return _standing(holding.by_number(session, card.number, locked=False), "avail")


def merge(session: Session, source: Card, target: Card, *, reason: str, by: Actor, now: datetime) -> CardMerge:
    """Move everything from *source* to *target*, and void the source. Both are locked, the older one first.

    Raises: Unprocessable `reason_missing`, `same_card`, `wrong_programme` or `not_mergeable`; Conflict
    `card_not_active` or `open_holds`.
    """
    reason = _reason(reason)
    cards = _both(session, source.id, target.id)
    here, there = cards[source.id], cards[target.id]
    _check(here, there)
    row = session.get_one(Card, here.id, populate_existing=True)
    stock.retire(session, row, there.id)
    made = CardMerge(
        public_id=ids.public_id("mrg"), programme_id=here.programme_id, source_id=here.id, target_id=there.id,
        source_seq=here.seq, legs=[], months={}, spent_minor=0, reason=reason, made_by=by.name, made_at=now,
    )  # fmt: skip
    here, there = _carry_over(session, made, replace(here, status="voided"), there, by, now)
    session.add(made)
    session.flush()
    _record(session, made, "cards_merged", by, now)
    return made


def unmerge(session: Session, made: CardMerge, *, by: Actor, now: datetime) -> CardMerge:
    """Part two cards again: what moved and is still there goes back, and the source is good again.

    What was spent meanwhile the target owes, unless the rules in force write it off or refuse; money is never owed.

    Raises: Conflict `already_undone`, `too_late` after 30 days, or `card_not_active`; Unprocessable `insufficient`.
    """
    cards = _both(session, made.source_id, made.target_id)
    session.refresh(made)
    here, there = cards[made.source_id], cards[made.target_id]
    _check_undo(made, here, there, now)
    row = session.get_one(Card, here.id, populate_existing=True)
    row.status = "active"
    stock.kept(session, here.id, here.programme_id).replaced_by_id = None
    session.flush()
    here = replace(here, status="active", spent_minor=here.spent_minor + made.spent_minor)
    there = replace(there, spent_minor=max(0, there.spent_minor - made.spent_minor))
    parted = merges.part(
        session, here, there, _legs(made),
        by_source=moves.circumstance(here, by, now, note=f"parted:{there.serial}"),
        by_target=moves.circumstance(there, by, now, note=f"parted:{here.serial}"),
        on_deficit=OnDeficit(pricing.version_for(session, there, now).rules.on_deficit),
    )  # fmt: skip
    there = _count(session, parted.target, _months(made.months, -1), now)
    here = tiers.after_sale(session, parted.source, spend_minor=0, earned=0, visits=0, at=now, now=now)
    _write(session, here, parted.left, now)
    _write(session, there, parted.arrived, now)
    made.undone_by, made.undone_at = by.name, now
    session.flush()
    _record(session, made, "cards_parted", by, now)
    return made


def named(session: Session, public_id: str) -> CardMerge:
    """A joining of two cards by its id.

    Raises: NotFound `unknown_merge`.
    """
    found = session.scalars(select(CardMerge).where(CardMerge.public_id == public_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_merge", "There is no such joining of cards. Open the card again.")
    return found


def of_card(session: Session, card_id: int) -> list[CardMerge]:
    """Everything that a card was joined with, the newest first."""
    query = select(CardMerge).where((CardMerge.source_id == card_id) | (CardMerge.target_id == card_id))
    return list(session.scalars(query.order_by(CardMerge.id.desc())))


def can_undo(made: CardMerge, now: datetime) -> bool:
    """Whether there is still time to part them."""
    return made.undone_at is None and now - made.made_at <= UNDONE_WITHIN


def follow(world: World) -> int:
    """Move on what was booked on joined cards since; how many cards it was."""
    with world.database.reading() as session:
        query = (
            select(CardMerge.id)
            .join(Card, Card.id == CardMerge.source_id)
            .where(CardMerge.undone_at.is_(None), Card.seq != CardMerge.source_seq, Card.status == "voided")
        )
        found = list(session.scalars(query.order_by(CardMerge.id).limit(AT_ONCE)))
    return sum(_followed(world, one) for one in found)


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
    cards = _both(session, made.source_id, made.target_id)
    session.refresh(made)
    here, there = cards[made.source_id], cards[made.target_id]
    if made.undone_at is not None or here.seq == made.source_seq or there.status == "erased":
        return False
    _carry_over(session, made, here, there, TIME, now)
    session.flush()
    return True


def _both(session: Session, one: int, other: int) -> dict[int, Held]:
    """Both under their locks, always the older first: two who join the same cards crosswise wait for each other."""
    if one == other:
        raise _same_card()
    return {card_id: holding.by_id(session, card_id) for card_id in sorted((one, other))}


def _same_card() -> Unprocessable:
    text = "These are the same card. Choose two different ones."
    return Unprocessable("same_card", text, errors={"into": text})


def _standing(card: Held, role: str) -> dict[str, int]:
    return {unit: one.balance for (unit, of), one in sorted(card.accounts.items()) if of == role and one.balance}


def _check(source: Held, target: Held) -> None:
    if source.programme_id != target.programme_id:
        text = "These cards belong to different programmes."
        raise Unprocessable("wrong_programme", text, errors={"into": text})
    if source.kind != "loyalty" or target.kind != "loyalty":
        text = "Only members' own cards are joined. Give a card without a person to its owner, or replace it."
        raise Unprocessable("not_mergeable", text, errors={"into": text})
    for card in (source, target):
        if card.status != "active":
            raise Conflict("card_not_active", "One of these cards is no longer valid.")
    if any(role == "hold" and one.balance for (_unit, role), one in source.accounts.items()):
        text = "Something on the card that is given up is reserved. Finish the redemption, or release it first."
        raise Conflict("open_holds", text)


def _check_undo(made: CardMerge, source: Held, target: Held, now: datetime) -> None:
    if made.undone_at is not None:
        raise Conflict("already_undone", "These cards were parted already.")
    if now - made.made_at > UNDONE_WITHIN:
        days = UNDONE_WITHIN.days
        raise Conflict("too_late", Sentence("Cards can be parted for %(days)s days after they were joined.", days=days))
    if target.status != "active" or source.status != "voided":
        text = "One of these cards was erased, or joined with a third one; undo that first."
        raise Conflict("card_not_active", text)


def _reason(typed: str) -> str:
    reason = " ".join(typed.split())
    if not 3 <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        text = Sentence("Say why, in %(least)s to %(most)s characters.", least=3, most=LONGEST_REASON)
        raise Unprocessable("reason_missing", text, errors={"reason": text})
    return reason


def _carry_over(
    session: Session, made: CardMerge, source: Held, target: Held, by: Actor, now: datetime
) -> tuple[Held, Held]:
    """Move what the source has by now, units and months, and write both cards."""
    merged: Merged = merges.merge(
        session, source, target,
        by_source=moves.circumstance(source, by, now, note=f"to:{target.serial}"),
        by_target=moves.circumstance(target, by, now, note=f"from:{source.serial}"),
    )  # fmt: skip
    pairs = zip(merged.left, merged.arrived, strict=True)
    made.legs = [*made.legs, *([left.entry.id, arrived.entry.id] for left, arrived in pairs)]
    changed = _since(session, made, source)
    there = _count(session, merged.target, changed, now)
    made.months = {month: list(figures) for month, figures in _sum(_months(made.months, 1), changed).items()}
    there = replace(there, spent_minor=there.spent_minor + source.spent_minor)
    made.spent_minor += source.spent_minor
    here = replace(merged.source, qualifying_minor=0, spent_minor=0)
    made.source_seq = here.seq
    _write(session, here, merged.left, now)
    _write(session, there, merged.arrived, now)
    return here, there


Months = dict[str, tuple[int, int, int]]


def _since(session: Session, made: CardMerge, source: Held) -> Months:
    """What the source's months say now, less what the target counts of them already."""
    _ladder, record = standings.of_card(session, source.id, source.programme_id)
    now_so: Months = {month.isoformat(): (spend, earned, visits) for month, spend, earned, visits in record.months}
    return {month: one for month, one in _sum(now_so, _months(made.months, -1)).items() if any(one)}


def _months(kept: Mapping[str, Any], sign: int) -> Months:
    return {month: (sign * one[0], sign * one[1], sign * one[2]) for month, one in kept.items()}


def _sum(one: Months, other: Months) -> Months:
    none = 0, 0, 0
    found: Months = {}
    for month in sorted({*one, *other}):
        (spend, earned, visits), more = one.get(month, none), other.get(month, none)
        found[month] = spend + more[0], earned + more[1], visits + more[2]
    return found


def _count(session: Session, card: Held, months: Months, now: datetime) -> Held:
    """The card with these months counted for its tier, and judged by them."""
    for month, (spend_minor, earned, visits) in months.items():
        at = localtime.start_of_day(date.fromisoformat(month), card.timezone)
        card = tiers.after_sale(
            session, card, spend_minor=spend_minor, earned=earned, visits=visits, at=at, now=now
        )  # fmt: skip
    return card


def _legs(made: CardMerge) -> list[Leg]:
    return [Leg(left_id=left, arrived_id=arrived) for left, arrived in made.legs]


def _write(session: Session, card: Held, booked: list[Booked], now: datetime) -> None:
    if booked:
        moves.done(session, card, booked[-1], now)
    else:
        moves.written(session, card, now)


def _record(session: Session, made: CardMerge, action: str, by: Actor, now: datetime) -> None:
    source, target = (session.scalar(select(Card.serial).where(Card.id == one))
                      for one in (made.source_id, made.target_id))  # fmt: skip
    audit.record(
        session, actor=by.name, action=action, subject=f"card:{source}",
        after={"merge": made.public_id, "into": f"card:{target}"}, reason=made.reason, now=now,
    )  # fmt: skip
