"""A manager's word for what a cashier may not do alone: for one form, within two minutes, once.

The cashier stays who did it; the approval is kept beside the entry and in the audit log. It is bound to the form's
idempotency key and to everything in the form, so that a word given for one amount is none for another.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import idempotency
from app.db import insert_if_new
from app.errors import Forbidden
from app.staff import audit, pins, rules
from app.staff.models import Staff
from app.till.desk import Desk
from app.till.models import Approval
from app.world import World

T = TypeVar("T")

VALID = timedelta(minutes=2)
APPROVER, APPROVER_PIN = "approver", "approver_pin"
NOT_SENT_AGAIN = {"csrf_token", APPROVER, APPROVER_PIN}
# that a debt is accepted may be said before the approval or after it
NOT_BOUND = {*NOT_SENT_AGAIN, "confirmed"}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A form as it was sent: where to, and what is in it."""

    address: str
    fields: tuple[tuple[str, str], ...]

    def value(self, name: str) -> str:
        return next((value for known, value in self.fields if known == name), "")

    @property
    def asks(self) -> bool:
        """Whether a manager's PIN came with it."""
        return bool(self.value(APPROVER) or self.value(APPROVER_PIN))

    @property
    def again(self) -> tuple[tuple[str, str], ...]:
        """What is sent again, with the approval."""
        return tuple((name, value) for name, value in self.fields if name not in NOT_SENT_AGAIN)

    @property
    def digest(self) -> str:
        """What an approval is for."""
        bound = sorted((name, value) for name, value in self.fields if name not in NOT_BOUND)
        return hashlib.sha256(json.dumps([self.address, bound]).encode()).hexdigest()


def place_of(desk: Desk) -> pins.Place:
    """Where a till stands, as the people's room knows places."""
    return pins.Place(programme_id=desk.programme.id, store_id=desk.store.id if desk.store else None)


def grant(world: World, desk: Desk, sent: Sent, terminal: str) -> None:
    """Take a manager's PIN as the approval of what is sent. Given again, it counts from now.

    Raises: Unprocessable `wrong_pin`; TooManyRequests `pin_locked`; BadRequest without an idempotency key.
    """
    key = idempotency.check_key(sent.value("key"))
    guess = pins.Guess(
        staff=sent.value(APPROVER),
        pin=sent.value(APPROVER_PIN),
        place=place_of(desk),
        terminal=terminal,
        actor=desk.who.actor,
        roles=rules.TILL_ABOVE_LIMIT,
    )
    manager = pins.check(world, guess)
    now = world.clock()
    with world.database.unit_of_work() as writing:
        name = f"staff:{manager.public_id}"
        given = {"action": sent.digest, "approved_by": name, "approved_at": now}
        if _keep(writing, desk.who.id, key, given):
            about = {"cashier": desk.who.actor, "form": sent.address}
            audit.record(writing, actor=name, action="approval_given", subject=f"form:{key}", after=about, now=now)


def run(world: World, desk: Desk, sent: Sent, work: Callable[[Session, Desk], T]) -> T:
    """Do it in one transaction; what only a manager may do, with the approval that was given for just this.

    Raises: Forbidden `needs_manager` without one; whatever *work* raises. A refused action leaves the approval unused.
    """
    try:
        return world.database.transact(lambda writing: work(writing, desk))
    except Forbidden as refusal:
        if refusal.code != "needs_manager" or not sent.value("key"):
            raise
        needs = refusal
    now = world.clock()
    return world.database.transact(lambda writing: _approved(writing, desk, sent, work, now=now, otherwise=needs))


def approvers(session: Session, entry_ids: Collection[str]) -> dict[str, str]:
    """The names of those who approved entries, by entry."""
    wanted = (
        select(Approval.entry_id, Staff.name)
        .join(Staff, Approval.approved_by == "staff:" + Staff.public_id)
        .where(Approval.entry_id.in_(entry_ids))
    )
    return {row[0]: row[1] for row in session.execute(wanted) if row[0]} if entry_ids else {}


def _keep(session: Session, cashier_id: int, key: str, given: Mapping[str, Any]) -> bool:
    """Whether it is kept: an approval that was used stays as it is. The same form may come twice at once."""
    if insert_if_new(session, Approval, cashier_id=cashier_id, key=key, **given):
        return True
    found = session.get_one(Approval, (cashier_id, key), with_for_update=True)
    if found.used_at is None:
        for name, value in given.items():
            setattr(found, name, value)
    return found.used_at is None


def _approved(
    session: Session,
    desk: Desk,
    sent: Sent,
    work: Callable[[Session, Desk], T],
    *,
    now: datetime,
    otherwise: Forbidden,
) -> T:
    """A used approval stays good for the same form alone: its key answers what it answered, and books nothing."""
    given = session.get(Approval, (desk.who.id, sent.value("key")), with_for_update=True)
    if given is None or given.action != sent.digest or (given.used_at is None and now - given.approved_at > VALID):
        raise otherwise
    outcome = work(session, replace(desk, approved_by=given.approved_by))
    if given.used_at is None:
        given.used_at, given.entry_id = now, outcome if isinstance(outcome, str) else None
        about = {"approved_by": given.approved_by}
        subject = f"transaction:{given.entry_id}" if given.entry_id else f"form:{given.key}"
        audit.record(session, actor=desk.who.actor, action="approval_used", subject=subject, after=about, now=now)
    return outcome
