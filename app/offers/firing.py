"""The clock of offers: they start, warn, pause, go on and end at their instants, each once, and change the cards."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.cards import expansion
from app.clock import milliseconds
from app.db import rows_changed
from app.offers.models import Occurrence, Offer
from app.outbox import service as outbox
from app.outbox.service import Lane

MOST_AT_ONCE = 100


def next_fire_at(session: Session) -> datetime | None:
    """When something happens to an offer next."""
    return session.scalar(select(func.min(Occurrence.fire_at)).where(Occurrence.status == "due"))


def tick(session: Session, *, now: datetime) -> int:
    """Do what is due; how many offers changed. Several processes may call it at once: each instant fires once."""
    query = select(Occurrence).where(Occurrence.status == "due", Occurrence.fire_at <= now)
    due = session.scalars(query.order_by(Occurrence.fire_at, Occurrence.id).limit(MOST_AT_ONCE)).all()
    return sum(_fire(session, occurrence, now) for occurrence in due)


def put_on(session: Session, offer: Offer, now: datetime) -> None:
    """Bring a live offer to the cards that it is for."""
    _spread(session, offer, "offer_started", now)


def take_off(session: Session, offer: Offer, now: datetime) -> None:
    """Touch every card that may show the offer: those it was brought to, and of the rest those that changed or reached
    a phone while it was live. What was still on its way to cards goes no further."""
    spread = next((one for one in expansion.of_offer(session, offer.id) if one.reason == "offer_started"), None)
    if spread is not None:
        expansion.halt(session, spread, by="offer_ended", now=now)
    cut_short = spread if spread is not None and spread.status == "stopped" else None
    _spread(
        session,
        offer,
        "offer_ended",
        now,
        all_up_to=cut_short.cursor_card_id if cut_short else None,
        changed_since=cut_short.created_at if cut_short else None,
    )


def _fire(session: Session, occurrence: Occurrence, now: datetime) -> bool:
    missed = occurrence.deadline is not None and now >= occurrence.deadline
    mine = (
        update(Occurrence)
        .where(Occurrence.id == occurrence.id, Occurrence.status == "due", Occurrence.fire_at == occurrence.fire_at)
        .values(status="missed" if missed else "fired", fired_at=now)
    )
    if rows_changed(session, mine) != 1 or missed:
        return False
    offer = session.get_one(Offer, occurrence.offer_id, populate_existing=True)
    return _DOES[occurrence.kind](session, offer, now)


def _start(session: Session, offer: Offer, now: datetime) -> bool:
    if not _moved(session, offer, ("scheduled",), "live"):
        return False
    put_on(session, offer, now)
    return True


def _end(session: Session, offer: Offer, now: datetime) -> bool:
    was = offer.state
    if not _moved(session, offer, ("scheduled", "live", "paused"), "ended"):
        return False
    if was != "live":  # it is on no card: never started, or paused
        return False
    take_off(session, offer, now)
    return True


def _warn(session: Session, offer: Offer, now: datetime) -> bool:
    if offer.state != "live":
        return False
    _spread(session, offer, "offer_warned", now)
    return True


def _pause(session: Session, offer: Offer, now: datetime) -> bool:
    if offer.state != "paused":
        return False
    take_off(session, offer, now)
    return True


def _resume(session: Session, offer: Offer, now: datetime) -> bool:
    if offer.state != "live":
        return False
    put_on(session, offer, now)
    return True


_DOES: Mapping[str, Callable[[Session, Offer, datetime], bool]] = {
    "start": _start,
    "warn": _warn,
    "pause": _pause,
    "resume": _resume,
    "end": _end,
}


def _moved(session: Session, offer: Offer, before: tuple[str, ...], after: str) -> bool:
    moved = update(Offer).where(Offer.id == offer.id, Offer.state.in_(before)).values(state=after)
    done = rows_changed(session, moved.execution_options(synchronize_session=False)) == 1
    session.refresh(offer)
    return done


def _spread(
    session: Session,
    offer: Offer,
    reason: str,
    now: datetime,
    *,
    all_up_to: int | None = None,
    changed_since: datetime | None = None,
) -> None:
    expansion.start(
        session,
        programme_id=offer.programme_id,
        tier_id=offer.tier_id,
        tiers=offer.tiers,
        segment_id=offer.segment_id,
        granted=offer.audience == "targeted",
        reason=reason,
        offer_id=offer.id,
        now=now,
        all_up_to=all_up_to,
        changed_since=changed_since,
    )
    outbox.raise_classes(session, programme_id=offer.programme_id, lane=Lane.NORMAL, now_ms=milliseconds(now))
