"""The dates of experiences: places, and who moves up when one becomes free.

Whoever takes or frees a place has locked the slot's row, so that nobody waits for a place that is free.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app import ids
from app.db import rows_changed
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.rewards.models import Reward, Slot, Taking
from app.rewards.rules import Wish

LARGEST_CAPACITY = 100_000
LONGEST_SLOT = timedelta(days=31)
DOORS_OPEN = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place of a slot (`state` taken), or one on its waiting list (waiting)."""

    slot_id: int
    state: str


def add(
    session: Session, reward: Reward, *, starts_at: datetime, ends_at: datetime, capacity: int, now: datetime
) -> Slot:
    """Offer a date of an experience.

    Raises: Unprocessable `invalid_slot` with a sentence for each faulty field.
    """
    errors: dict[str, str] = {}
    if reward.kind != "experience":
        errors["reward"] = "Only an experience has dates."
    if starts_at <= now:
        errors["starts_at"] = "Choose a start in the future."
    if not starts_at < ends_at <= starts_at + LONGEST_SLOT:
        errors["ends_at"] = "The end comes after the start, at most 31 days later."
    if not 1 <= capacity <= LARGEST_CAPACITY:
        errors["capacity"] = "A date has 1 to 100000 places."
    if errors:
        raise Unprocessable("invalid_slot", " ".join(errors.values()), errors=errors)
    slot = Slot(
        public_id=ids.public_id("slt"),
        reward_id=reward.id,
        starts_at=starts_at,
        ends_at=ends_at,
        capacity=capacity,
        taken=0,
        cancelled=False,
    )
    session.add(slot)
    session.flush()
    return slot


def by_public_id(session: Session, reward: Reward, public_id: str) -> Slot:
    """A date of this experience.

    Raises: NotFound `unknown_slot`.
    """
    query = select(Slot).where(Slot.public_id == public_id, Slot.reward_id == reward.id)
    slot = session.scalars(query).one_or_none()
    if slot is None:
        raise NotFound("unknown_slot", "This experience has no such date.")
    return slot


def take(session: Session, reward: Reward, wish: Wish, *, now: datetime) -> Place:
    """A place of the date that is wished for, or, where *wish* waits, one on its waiting list.

    Raises: Unprocessable `needs_slot`; NotFound `unknown_slot`; Conflict `ended` or `slot_full`.
    """
    if wish.slot is None:
        text = "Choose a date of this experience."
        raise Unprocessable("needs_slot", text, errors={"slot": text})
    slot = _locked(session, by_public_id(session, reward, wish.slot).id)
    if slot.cancelled or now >= slot.starts_at:
        raise Conflict("ended", "This date is over or was called off.")
    if slot.taken < slot.capacity:
        slot.taken += 1
        session.flush()
        return Place(slot_id=slot.id, state="taken")
    if not wish.waits:
        raise Conflict("slot_full", Sentence("All %(num)s places of this date are taken.", num=slot.capacity))
    return Place(slot_id=slot.id, state="waiting")


def free(session: Session, slot_id: int, *, was_waiting: bool) -> None:
    """A place is given up: whoever waits longest moves up, who has paid already; else the place is free."""
    slot = _locked(session, slot_id)
    if was_waiting:
        return
    first = select(Taking.id).where(Taking.slot_id == slot_id, Taking.state == "waiting").order_by(Taking.id).limit(1)
    while (next_one := session.scalar(first)) is not None:
        moved = update(Taking).where(Taking.id == next_one, Taking.state == "waiting").values(state="taken")
        if rows_changed(session, moved.execution_options(synchronize_session=False)) == 1:
            return
    slot.taken -= 1
    session.flush()


def collect(session: Session, taking: Taking, reward: Reward, *, store_id: int | None, now: datetime) -> None:
    """Hand out what was taken, or let the member in; the scan counts once.

    Raises: Conflict `already_used`, `not_started`, `ended` or `not_taken`.
    """
    if taking.state != "taken":
        raise Conflict("not_taken", "This is no longer booked.")
    slot = session.get_one(Slot, taking.slot_id) if taking.slot_id is not None else None
    if slot is not None and now < slot.starts_at - DOORS_OPEN:
        raise Conflict("not_started", "The doors are not open yet.")
    over = slot.ends_at if slot is not None else reward.ends_at
    if over is not None and now >= over:
        raise Conflict("ended", "The time to come for it is over.")
    mine = (
        update(Taking)
        .where(Taking.id == taking.id, Taking.state == "taken", Taking.collected_at.is_(None))
        .values(collected_at=now, collected_store_id=store_id)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(session, mine) != 1:
        raise Conflict("already_used", "This was handed out already.")
    session.refresh(taking)


def check_cancellable(session: Session, taking: Taking, reward: Reward, *, now: datetime) -> None:
    """See that a booking may still be cancelled.

    Raises: Conflict `already_used`, `too_late` or `not_taken`.
    """
    if taking.state not in {"taken", "waiting"} or taking.slot_id is None:
        raise Conflict("not_taken", "This is no longer booked.")
    if taking.collected_at is not None:
        raise Conflict("already_used", "The member has been there.")
    slot = session.get_one(Slot, taking.slot_id)
    if now >= slot.starts_at - timedelta(hours=reward.cancel_before_h) and taking.state == "taken":
        raise Conflict(
            "too_late", Sentence("It can be cancelled until %(num)s hours before.", num=reward.cancel_before_h)
        )


def due(session: Session, *, now: datetime, limit: int = 20) -> list[int]:
    """Slots that are over or called off, of which somebody may still have to be given something back."""
    query = select(Slot.id).where(Slot.settled_at.is_(None), or_(Slot.cancelled, Slot.ends_at <= now))
    return list(session.scalars(query.order_by(Slot.ends_at, Slot.id).limit(limit)))


def owed(session: Session, slot_id: int, *, limit: int, booking: int | None = None) -> list[Taking]:
    """Bookings of a slot that is over, or was called off, whose price goes back: those who waited, and those who did
    not come where the reward says so. Of one *booking* alone, if it is named."""
    slot = session.get_one(Slot, slot_id, populate_existing=True)
    reward = session.get_one(Reward, slot.reward_id)
    states = ["waiting", "taken"] if slot.cancelled or reward.no_show == "give_back" else ["waiting"]
    query = select(Taking).where(
        Taking.slot_id == slot_id, Taking.state.in_(states), Taking.collected_at.is_(None), Taking.entry_id.is_not(None)
    )
    if booking is not None:
        query = query.where(Taking.id == booking)
    return list(session.scalars(query.order_by(Taking.id.desc()).limit(limit)))


def call_off(session: Session, slot: Slot, *, now: datetime) -> None:
    """Cancel a date; everybody who booked it gets the price back, card by card, within minutes.

    Raises: Conflict `ended`.
    """
    off = (
        update(Slot)
        .where(Slot.id == slot.id, Slot.cancelled.is_(False), Slot.settled_at.is_(None))
        .values(cancelled=True, ends_at=Slot.ends_at)
        .execution_options(synchronize_session=False)
    )
    if now >= slot.ends_at or rows_changed(session, off) != 1:
        raise Conflict("ended", "This date is over or was called off.")
    session.refresh(slot)


def settled(session: Session, slot_id: int, *, now: datetime) -> None:
    """Nobody is owed anything for this slot any more. Not while a hold of a place of it may still be captured."""
    held = select(Taking.id).where(Taking.slot_id == slot_id, Taking.state == "held").limit(1)
    if session.scalar(held) is None and not owed(session, slot_id, limit=1):
        session.execute(update(Slot).where(Slot.id == slot_id, Slot.settled_at.is_(None)).values(settled_at=now))


def _locked(session: Session, slot_id: int) -> Slot:
    query = select(Slot).where(Slot.id == slot_id).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one()
