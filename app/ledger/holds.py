"""Spending in two steps: reserve, then use up or let go. A hold ends exactly once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import ids
from app.db import rows_changed
from app.errors import Conflict, NotFound, Unprocessable
from app.ledger import movements, service
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import POINTS, Held
from app.ledger.models import Hold

USUAL_LIFE = timedelta(seconds=300)
SHORTEST_LIFE, LONGEST_LIFE = timedelta(seconds=30), timedelta(seconds=3600)


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """A hold and the card after it."""

    hold: Hold
    booked: Booked


def place(
    session: Session,
    card: Held,
    units: int,
    *,
    about: str,
    by: Circumstance,
    unit: str = POINTS,
    life: timedelta = USUAL_LIFE,
) -> Reserved:
    """Reserve units of a held card for *life*, 30 to 3,600 seconds.

    Raises: Unprocessable `invalid_points`, `insufficient` with what there is, or `invalid_hold`.
    """
    service.check_points(units)
    if not SHORTEST_LIFE <= life <= LONGEST_LIFE:
        text = "A hold lasts 30 to 3600 seconds."
        raise Unprocessable("invalid_hold", text, errors={"expires_in": text})
    booked = movements.reserve(session, card, unit, units, by=by)
    hold = Hold(
        id=ids.public_id("hld"),
        card_id=card.id,
        unit=unit,
        amount=units,
        about=about,
        receipt=by.receipt,
        store_id=by.store_id,
        entry_id=booked.entry.id,
        created_at=by.now,
        expires_at=by.now + life,
    )
    session.add(hold)
    session.flush()
    return Reserved(hold=hold, booked=booked)


def by_id(session: Session, hold_id: str) -> Hold:
    """A hold as it stands.

    Raises: NotFound `unknown_hold`.
    """
    hold = session.get(Hold, hold_id, populate_existing=True)
    if hold is None:
        raise NotFound("unknown_hold", "There is no such hold.")
    return hold


def capture(session: Session, card: Held, hold: Hold, units: int | None, *, by: Circumstance) -> Booked:
    """Use up *units* of a hold (all, if None) and release the rest. The card is held.

    Raises: Conflict `hold_ended`; Unprocessable `exceeds_hold` or `invalid_points`.
    """
    wanted = hold.amount if units is None else units
    service.check_points(wanted)
    if wanted > hold.amount:
        text = f"At most {hold.amount} are held."
        raise Unprocessable("exceeds_hold", text, errors={"points": text})
    if by.now >= hold.expires_at:
        raise Conflict("hold_ended", "This hold is over; place a new one.")
    _end(session, hold, "captured", captured=wanted, now=by.now)
    booked = movements.capture(session, card, hold.unit, wanted, by=_part_of(hold, by))
    if wanted < hold.amount:
        rest = hold.amount - wanted
        released = movements.release(
            session, booked.card, hold.unit, rest, used_by=[hold.entry_id], by=_part_of(hold, by)
        )
        return Booked(entry=booked.entry, card=released.card)
    return booked


def let_go(session: Session, card: Held, hold: Hold, *, state: str, by: Circumstance) -> Booked:
    """Give everything back: `state` is "voided", or "expired" by the sweep. The card is held.

    Raises: Conflict `hold_ended`.
    """
    _end(session, hold, state, captured=0, now=by.now)
    return movements.release(session, card, hold.unit, hold.amount, used_by=[hold.entry_id], by=_part_of(hold, by))


def cards_with_overdue(session: Session, *, now: datetime, after: int, limit: int) -> list[int]:
    """Cards, by rising id from the one after *after* on, with an open hold whose time is over."""
    query = select(Hold.card_id).where(Hold.state == "open", Hold.expires_at <= now, Hold.card_id > after)
    return list(session.scalars(query.distinct().order_by(Hold.card_id).limit(limit)))


def overdue(session: Session, *, now: datetime, limit: int, card_id: int | None = None) -> list[Hold]:
    """Open holds whose time is over, of one card if it is named."""
    query = select(Hold).where(Hold.state == "open", Hold.expires_at <= now)
    if card_id is not None:
        query = query.where(Hold.card_id == card_id)
    fresh = query.order_by(Hold.expires_at, Hold.id).limit(limit).execution_options(populate_existing=True)
    return list(session.scalars(fresh))


def _end(session: Session, hold: Hold, state: str, *, captured: int, now: datetime) -> None:
    ended = (
        update(Hold)
        .where(Hold.id == hold.id, Hold.state == "open")
        .values(state=state, captured=captured, ended_at=now)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(session, ended) != 1:
        raise Conflict("hold_ended", "This hold was captured, voided or has run out; it ends once.")
    session.refresh(hold)


def _part_of(hold: Hold, by: Circumstance) -> Circumstance:
    return by.part_of(hold.entry_id)
