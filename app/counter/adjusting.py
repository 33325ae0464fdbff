"""Corrections by hand: booked at once within what the author's role may do alone, else after a second person's word.

Whoever decides about a correction is never its author. Stored value always takes two people.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import ids
from app.cards.models import Card
from app.counter import moves
from app.counter.moves import Actor, Done
from app.db import rows_changed
from app.errors import Conflict, Forbidden, NotFound, Sentence, Unprocessable
from app.fraud import rules
from app.fraud import service as fraud
from app.fraud.models import Adjustment
from app.ledger import service as ledger
from app.ledger.booking import LARGEST_POINTS, Booked
from app.ledger.held import POINTS, Held
from app.staff import audit
from app.stamps import service as stamps
from app.world import World

WAITS_FOR = timedelta(days=7)
SHORTEST_REASON, LONGEST_REASON = 3, 200
MONEY_DECIDERS = ("owner", "operator", "integrator")
AT_ONCE = 500
TIME = "system:time"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be corrected: `units` of `unit` more, or fewer if below zero."""

    unit: str
    units: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who asks or decides, and what they may do alone: one of `fraud.rules.ROLES`, or owner."""

    by: Actor
    role: str


@dataclass(frozen=True, kw_only=True)
class Adjusted:
    """A correction as it stands; `done` is what was booked, None while it waits."""

    adjustment: Adjustment
    done: Done | None


def ask(session: Session, card: Card | Held, wish: Wish, person: Person, *, now: datetime) -> Adjusted:
    """Correct a balance, or leave it to a second person if it is more than this one may do alone.

    Raises: Conflict `card_not_active`; Unprocessable `reason_missing`, `invalid_points`, `unknown_unit`,
    `stamps_complete`, or `insufficient` with what there is; Forbidden `role_too_small`.
    """
    held = moves.usable(session, card, None)
    reason = _checked(session, held, wish)
    limits = rules.read(held.limits)
    if person.role != "owner" and person.role not in limits.corrections:
        raise Forbidden("role_too_small", "Your role does not correct balances. Ask a manager.")
    found = Adjustment(
        public_id=ids.public_id("adj"), card_id=held.id, programme_id=held.programme_id, unit=wish.unit,
        units=wish.units, reason=reason, state="waiting", asked_by=person.by.name, asked_at=now,
    )  # fmt: skip
    session.add(found)
    session.flush()
    if not ledger.is_money(wish.unit) and limits.may_correct(person.role, wish.units):
        done = _book(session, held, found, person.by, now)
        return Adjusted(adjustment=found, done=done)
    _record(session, found, "adjustment_asked", person.by.name, now)
    return Adjusted(adjustment=found, done=None)


def approve(session: Session, adjustment: Adjustment, person: Person, *, now: datetime) -> Adjusted:
    """Book a correction that waits, by somebody else's word. Two at once book it once.

    Raises: Forbidden `needs_second_person` for its author, or `above_your_limit`; Conflict `already_decided` or
    `card_not_active`; as `ask`, if the balance is another by now.
    """
    held = moves.usable(session, _held(session, adjustment), None)
    _check_decider(adjustment, person, now)
    limits = rules.read(held.limits)
    if ledger.is_money(adjustment.unit):
        may = person.role in MONEY_DECIDERS
    else:
        may = limits.may_correct(person.role, adjustment.units)
    if not may:
        raise Forbidden("above_your_limit", "This is more than your role may correct. Ask an operator or the owner.")
    _check_unit(session, held, adjustment.unit, adjustment.units)
    return Adjusted(adjustment=adjustment, done=_book(session, held, adjustment, person.by, now))


def refuse(session: Session, adjustment: Adjustment, person: Person, *, now: datetime) -> Adjustment:
    """Turn a correction down that waits.

    Raises: Forbidden `needs_second_person` for its author; Conflict `already_decided`.
    """
    _held(session, adjustment)
    _check_decider(adjustment, person, now)
    _decide(session, adjustment, "refused", person.by.name, now)
    _record(session, adjustment, "adjustment_refused", person.by.name, now)
    return adjustment


def named(session: Session, public_id: str) -> Adjustment:
    """A correction by its id.

    Raises: NotFound `unknown_adjustment`.
    """
    found = session.scalars(select(Adjustment).where(Adjustment.public_id == public_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_adjustment", "There is no such correction. Open the list again.")
    return found


def expire_waiting(world: World) -> int:
    """Let corrections go that nobody decided about for seven days; how many it was."""
    ended = 0
    while found := world.database.transact(lambda session: _expire(session, world.clock())):
        ended += found
    return ended


def _expire(session: Session, now: datetime) -> int:
    due = (
        select(Adjustment)
        .where(Adjustment.state == "waiting", Adjustment.asked_at <= now - WAITS_FOR)
        .order_by(Adjustment.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = list(session.scalars(due))
    for one in found:
        one.state, one.decided_by, one.decided_at = "expired", TIME, now
        session.flush()
        _record(session, one, "adjustment_expired", TIME, now)
    return len(found)


def _checked(session: Session, card: Held, wish: Wish) -> str:
    """The reason, tidied, if all that was asked makes sense."""
    reason = " ".join(wish.reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or not reason.isprintable():
        why = Sentence("Say why, in %(least)s to %(most)s characters.", least=SHORTEST_REASON, most=LONGEST_REASON)
        raise Unprocessable("reason_missing", why, errors={"reason": why})
    if not 1 <= abs(wish.units) <= LARGEST_POINTS:
        text = "A correction is a whole number above or below zero."
        raise Unprocessable("invalid_points", text, errors={"units": text})
    _check_unit(session, card, wish.unit, wish.units)
    return reason


def _check_unit(session: Session, card: Held, unit: str, units: int) -> None:
    if unit.startswith("stamp:"):
        _check_stamps(session, card, unit, units)
    elif unit not in (POINTS, card.currency):
        text = Sentence("Corrections are in points, in %(currency)s, or in stamps.", currency=card.currency)
        raise Unprocessable("unknown_unit", text, errors={"unit": text})
    if units < 0 and card.in_unit(unit) < -units:
        told = Sentence("Has %(has)s, needs %(needs)s.", has=card.in_unit(unit), needs=-units)
        most = Sentence("At most %(most)s.", most=card.in_unit(unit))
        raise Unprocessable("insufficient", told, errors={"units": most})


def _check_stamps(session: Session, card: Held, unit: str, units: int) -> None:
    stamp_card = next((one for one in stamps.of_programme(session, card.programme_id) if one.unit == unit), None)
    if stamp_card is None:
        unknown = "This programme has no such stamp card."
        raise Unprocessable("unknown_unit", unknown, errors={"unit": unknown})
    if card.in_unit(unit) + units >= stamp_card.size:
        text = Sentence(
            "That many stamps make a reward. Give them at the till; a correction stays below %(size)s.",
            size=stamp_card.size,
        )
        raise Unprocessable("stamps_complete", text, errors={"units": text})


def _check_decider(adjustment: Adjustment, person: Person, now: datetime) -> None:
    if adjustment.asked_by == person.by.name:
        text = "A second person decides about this: nobody approves or refuses their own correction."
        raise Forbidden("needs_second_person", text)
    if adjustment.state != "waiting" or now - adjustment.asked_at >= WAITS_FOR:
        raise _decided()


def _decided() -> Conflict:
    return Conflict("already_decided", "This correction was decided already, or has waited for more than 7 days.")


def _held(session: Session, adjustment: Adjustment) -> Held:
    """The card under its lock, and the correction as it is then."""
    held = moves.held(session, session.get_one(Card, adjustment.card_id))
    session.refresh(adjustment)
    return held


def _book(session: Session, card: Held, adjustment: Adjustment, by: Actor, now: datetime) -> Done:
    told = moves.circumstance(card, by, now, note=f"adjusted:{adjustment.public_id} {adjustment.reason}")
    booked: Booked
    if adjustment.units > 0:
        booked = ledger.credit(session, card, adjustment.units, by=told, unit=adjustment.unit)
    else:
        booked = ledger.spend(
            session, card, -adjustment.units, by=told, unit=adjustment.unit, kind="adjust", sink="adjust"
        )
    _decide(session, adjustment, "done", by.name, now, entry_id=booked.entry.id)
    facts = {"unit": adjustment.unit, "units": adjustment.units, "asked_by": adjustment.asked_by}
    fraud.noticed(
        session, programme_id=card.programme_id, kind="adjusted", once=f"adjusted:{adjustment.public_id}",
        actor=by.name, now=now, card_id=card.id, facts=facts,
    )  # fmt: skip
    _record(session, adjustment, "adjusted", by.name, now)
    return moves.done(session, booked.card, booked, now)


def _decide(
    session: Session, adjustment: Adjustment, state: str, by: str, now: datetime, *, entry_id: str | None = None
) -> None:
    decided = update(Adjustment).where(Adjustment.id == adjustment.id, Adjustment.state == "waiting")
    values = {"state": state, "decided_by": by, "decided_at": now, "entry_id": entry_id}
    if rows_changed(session, decided.values(**values).execution_options(synchronize_session=False)) != 1:
        raise _decided()
    session.refresh(adjustment)


def _record(session: Session, adjustment: Adjustment, action: str, by: str, now: datetime) -> None:
    after: dict[str, Any] = {
        "adjustment": adjustment.public_id, "unit": adjustment.unit, "units": adjustment.units,
    }  # fmt: skip
    if adjustment.entry_id:
        after["entry"] = adjustment.entry_id
    serial = session.scalar(select(Card.serial).where(Card.id == adjustment.card_id))
    audit.record(
        session, actor=by, action=action, subject=f"card:{serial}", after=after, reason=adjustment.reason, now=now
    )
