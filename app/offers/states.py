"""The life of an offer: draft, approved, scheduled, live, paused, ended, archived; and called off at any time.

Editing whom it is for, its words, its value or its dates makes it a draft again: what was approved is what is given.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import localtime
from app.db import rows_changed
from app.errors import Conflict, Sentence
from app.offers import budgets, firing, occurrences, terms
from app.offers.models import Offer
from app.segments import service as segments
from app.segments.models import Segment

WARN_BEFORE = timedelta(days=1)
WARN_IF_LONGER = timedelta(days=2)


def approve(session: Session, offer: Offer, *, by: str) -> None:
    """Say that a draft may be given as it is.

    Raises: Conflict `wrong_state`.
    """
    _move(session, offer, ("draft",), "approved")
    offer.approved_by = by
    session.flush()


def schedule(session: Session, offer: Offer, *, now: datetime) -> None:
    """Let an approved offer start, warn and end by itself.

    Raises: Conflict `wrong_state`; Conflict `offer_over`, if its end has passed meanwhile.
    """
    if offer.ends_at <= now:
        raise Conflict("offer_over", "The end of this offer has passed; give it another one.")
    _move(session, offer, ("approved",), "scheduled")
    if offer.segment_id is not None:  # its cards must be known when it starts
        segments.keep(session, session.get_one(Segment, offer.segment_id), now=now)
    set_times(session, offer, now=now)


def set_times(session: Session, offer: Offer, *, now: datetime) -> None:
    """Write down when an offer starts, warns and ends."""
    starts, ends = (localtime.local_key(at, offer.timezone) for at in (offer.starts_at, offer.ends_at))
    starts, ends = offer.starts_local or starts, offer.ends_local or ends
    occurrences.due(session, offer.id, "start", at=offer.starts_at, deadline=offer.ends_at, local_key=starts)
    occurrences.due(session, offer.id, "end", at=offer.ends_at, local_key=ends)
    warn_at = offer.ends_at - WARN_BEFORE
    if offer.ends_at - offer.starts_at > WARN_IF_LONGER and warn_at > now:
        meant = localtime.local_key(warn_at, offer.timezone)
        occurrences.due(session, offer.id, "warn", at=warn_at, deadline=offer.ends_at, local_key=meant)


def pause(session: Session, offer: Offer, *, now: datetime, because: str = "staff") -> None:
    """Take a live offer off the cards for the time being, or keep one that is coming from starting.

    Raises: Conflict `wrong_state`.
    """
    was = _move(session, offer, ("scheduled", "live"), "paused")
    offer.paused_because = because
    session.flush()
    if was == "live":
        occurrences.due(session, offer.id, "pause", at=now)


def resume(session: Session, offer: Offer, *, now: datetime) -> None:
    """Let a paused offer go on, or start at its time if that is still to come.

    Raises: Conflict `wrong_state`; Conflict `budget_spent`, if there is no room for another use.
    """
    _check_state(_locked(session, offer), ("paused",))
    _check_room(session, offer, now)
    has_begun = offer.starts_at <= now
    offer.state, offer.paused_because = "live" if has_begun else "scheduled", ""
    session.flush()
    if has_begun:
        occurrences.due(session, offer.id, "resume", at=now, deadline=offer.ends_at)


def cancel(session: Session, offer: Offer, *, now: datetime) -> None:
    """Call an offer off: before its start it never appears, a live one leaves the cards at once.

    Raises: Conflict `offer_over`, if it has ended or was cancelled.
    """
    was = _locked(session, offer)
    if was not in {"draft", "approved", "scheduled", "live", "paused"}:
        raise Conflict("offer_over", "This offer is over; there is nothing to cancel.")
    waiting = occurrences.call_off(session, offer.id)
    offer.state = "cancelled"
    session.flush()
    if _is_on_cards(was, waiting):
        firing.take_off(session, offer, now)


def archive(session: Session, offer: Offer) -> None:
    """Put an offer away that is over, or never came to be.

    Raises: Conflict `wrong_state`.
    """
    _move(session, offer, ("draft", "approved", "ended", "cancelled"), "archived")


def back_to_draft(session: Session, offer: Offer, *, now: datetime) -> None:
    """Take the approval from an offer that was changed; a live one leaves the cards until it is scheduled again.

    Raises: Conflict `wrong_state`, if it is over.
    """
    was = _move(session, offer, ("draft", "approved", "scheduled", "live", "paused"), "draft")
    offer.approved_by, offer.paused_because = "", ""
    waiting = occurrences.call_off(session, offer.id)
    session.flush()
    if _is_on_cards(was, waiting):
        firing.take_off(session, offer, now)


def pause_if_spent(session: Session, offer: Offer, *, now: datetime) -> None:
    """Pause a live offer that has no room for another use, after its budgets or its limit were changed."""
    if offer.state != "live":
        return
    try:
        _check_room(session, offer, now)
    except Conflict:
        budgets.pause(session, offer, now=now)
        session.refresh(offer)


def resume_paused(session: Session, *, now: datetime) -> int:
    """Let offers go on that were paused because a budget was spent, and that have room again; how many."""
    query = select(Offer).where(Offer.state == "paused", Offer.paused_because == "budget", Offer.ends_at > now)
    return sum(resume_if_room(session, offer, now=now) for offer in session.scalars(query.order_by(Offer.id)))


def resume_if_room(session: Session, offer: Offer, *, now: datetime) -> bool:
    """Let an offer that was paused go on, if it is not over and has room for another use; whether it does."""
    if offer.ends_at <= now:
        return False
    try:
        resume(session, offer, now=now)
    except Conflict:
        return False
    return True


def least_of(offer: Offer) -> dict[str, int]:
    """The least that one use takes of each measure, where that is known beforehand."""
    given = terms.of(offer.kind, offer.terms, offer.programme.currency)
    is_fixed = given.kind in ("amount", "gift", "text")
    return {
        "uses": 1,
        "points": max(1, given.points),
        "money": max(1, given.most_minor or 0) if is_fixed else 1,
    }


def _check_room(session: Session, offer: Offer, now: datetime) -> None:
    day = budgets.day_of(now, offer.programme.timezone)
    budgets.check_room(session, offer, least_of(offer), day=day)


def _is_on_cards(was: str, waiting: Collection[str]) -> bool:
    """Whether cards show an offer of that state: a live one, and one whose pause was still to be told to them."""
    return was == "live" or (was == "paused" and "pause" in waiting)


def _move(session: Session, offer: Offer, before: Iterable[str], after: str) -> str:
    """Change the state; what it was. The row's lock keeps two people from doing different things to it."""
    was = _locked(session, offer)
    _check_state(was, before)
    changed = update(Offer).where(Offer.id == offer.id, Offer.state == was).values(state=after)
    rows_changed(session, changed.execution_options(synchronize_session=False))
    session.refresh(offer)
    return was


def _locked(session: Session, offer: Offer) -> str:
    session.flush()
    was = session.scalars(select(Offer.state).where(Offer.id == offer.id).with_for_update()).one()
    session.refresh(offer)
    return was


def _check_state(was: str, allowed: Iterable[str]) -> None:
    if was not in set(allowed):
        text = Sentence("That cannot be done with an offer in the state %(state)s.", state=was)
        raise Conflict("wrong_state", text)
