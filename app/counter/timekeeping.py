"""What time does to units, as jobs: lots expire, waiting units can be spent, holds run out, old debts are written off.

Each card is moved in a transaction of its own and its phones are told once. Jobs may run several times, in several
processes at once, or ten days late: what is due is read again under the card's lock. A card that is in use is passed
over and comes up again at the next run.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves, telling
from app.counter.moves import Actor
from app.db import is_lock_timeout
from app.errors import Busy
from app.gate import Priority
from app.ledger import expiry, held, holds, seals
from app.ledger.booking import Booked
from app.ledger.held import Held
from app.rewards import goals
from app.rewards import service as rewards
from app.staff import audit
from app.world import World

LOGGER = logging.getLogger(__name__)

TIME = Actor(name="system:time", channel="job")
CARDS_AT_ONCE = 1_000
HOLDS_AT_ONCE = 50
PENDING_AT_ONCE = 200


class Finding(Protocol):
    """Cards with something due, by rising id."""

    def __call__(self, session: Session, *, now: datetime, after: int, limit: int) -> list[int]: ...


Moving = Callable[[Session, Held, datetime], list[Booked]]


@dataclass(frozen=True, kw_only=True)
class Duty:
    """What is due, and what is done about it to one held card."""

    name: str
    find: Finding
    move: Moving


def end_holds(world: World) -> int:
    """Give back what was reserved and never captured; how many cards it was."""
    return _everywhere(world, Duty(name="holds", find=holds.cards_with_overdue, move=_end_holds))


def expire_lots(world: World) -> int:
    """Expire the lots whose time is over; how many cards it was."""
    return _everywhere(world, Duty(name="expiry", find=expiry.cards_with_expired, move=_expire))


def activate_pending(world: World) -> int:
    """Let units be spent whose day has come; how many cards it was."""
    return _everywhere(world, Duty(name="pending", find=expiry.cards_with_due_pending, move=_activate))


def write_off_debts(world: World) -> int:
    """Write off what members have owed for a year, each with an event in the audit log; how many cards it was."""
    done = _everywhere(world, Duty(name="debts", find=expiry.cards_with_old_debt, move=_forgive))
    if done:
        LOGGER.info("debts older than %d days were written off on %d cards", expiry.OLD_DEBT.days, done)
    return done


def seal_entries(world: World) -> int:
    """Seal the entries that are old enough; how many seals were made."""
    made = 0
    while world.database.transact(lambda session: seals.seal(session, now=world.clock()), priority=Priority.BULK):
        made += 1
    return made


def _everywhere(world: World, duty: Duty) -> int:
    """Go through all cards with something due until nothing more moves: one pass takes a bounded bite of each."""
    done = 0
    while moved := _pass(world, duty):
        done = max(done, moved)
    return done


def _pass(world: World, duty: Duty) -> int:
    after, moved = -1, 0
    while True:
        with world.database.reading() as session:
            cards = duty.find(session, now=world.clock(), after=after, limit=CARDS_AT_ONCE)
        if not cards:
            return moved
        moved += sum(_one(world, duty, card) for card in cards)
        after = cards[-1]


def _one(world: World, duty: Duty, card_id: int) -> bool:
    """Whether anything moved. One card's trouble never keeps the others' units."""
    try:
        return world.database.transact(
            lambda session: _moved(session, duty, card_id, world.clock()), priority=Priority.BULK
        )
    except (Busy, OperationalError) as trouble:
        if isinstance(trouble, OperationalError) and not is_lock_timeout(trouble):
            raise
        LOGGER.info("a card is in use; it comes up again", extra={"duty": duty.name, "card": card_id})
    except Exception:
        LOGGER.exception("a card's units could not be moved", extra={"duty": duty.name, "card": card_id})
    return False


def _moved(session: Session, duty: Duty, card_id: int, now: datetime) -> bool:
    free = select(Card.id).where(Card.id == card_id).with_for_update(key_share=True, skip_locked=True)
    if session.scalar(free) is None:
        return False
    card = held.by_id(session, card_id)
    booked = duty.move(session, card, now)
    if not booked:
        return False
    moves.done(session, booked[-1].card, booked[-1], now)
    for one in booked[:-1]:
        telling.booked_too(session, booked[-1].card, one, now=now)
    return True


def _end_holds(session: Session, card: Held, now: datetime) -> list[Booked]:
    done: list[Booked] = []
    by = moves.circumstance(card, TIME, now)
    for hold in holds.overdue(session, now=now, limit=HOLDS_AT_ONCE, card_id=card.id):
        booked = holds.let_go(session, card, hold, state="expired", by=by)
        rewards.hold_ended(session, hold, now)
        card = booked.card
        done.append(booked)
    return done


def _expire(session: Session, card: Held, now: datetime) -> list[Booked]:
    goals.keep(session, card, now=now)
    return expiry.expire(session, card, now=now, by=moves.circumstance(card, TIME, now))


def _activate(session: Session, card: Held, now: datetime) -> list[Booked]:
    done: list[Booked] = []
    by = moves.circumstance(card, TIME, now)
    for pending in expiry.due_pending(session, now=now, limit=PENDING_AT_ONCE, card_id=card.id):
        booked = expiry.activate(session, card, pending, by=by)
        if booked is not None:
            card = booked.card
            done.append(booked)
    return done


def _forgive(session: Session, card: Held, now: datetime) -> list[Booked]:
    done = expiry.forgive_old(session, card, now=now, by=moves.circumstance(card, TIME, now))
    for booked in done:
        after = {"unit": booked.entry.unit, "units": booked.entry.points}
        subject = f"transaction:{booked.entry.id}"
        audit.record(session, actor=TIME.name, action="debt_written_off", subject=subject, after=after, now=now)
    return done
