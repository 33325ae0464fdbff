"""The only way units move: entries of postings that sum to zero, never changed afterwards.

Whoever moves units holds the card (`ledger.held`); a member has one card, so its lock serialises the member's accounts
too. Undoing is in `ledger.reversals`, reserving in `ledger.holds`, what time does in `ledger.expiry`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db import insert_if_new
from app.errors import Conflict, NotFound, Unprocessable
from app.ledger import movements
from app.ledger.booking import LARGEST_POINTS, Booked, Circumstance, Leg, book, carry_on, programme_s
from app.ledger.chain import Line
from app.ledger.held import POINTS, Held
from app.ledger.models import Account, Entry, Pending, Posting

USES = "uses"
CURRENCY_LETTERS = 3


@dataclass(frozen=True, kw_only=True)
class Earning:
    """What a sale gives: `points` of `unit`, line by line where the till sent lines.

    `carry_before` and `carry_after` are fractions of a point as "num/den"; `pending_until`: when the points can be
    spent, if not at once; `expires_at`: when they are gone.
    """

    points: int
    amount_minor: int | None = None
    currency: str | None = None
    unit: str = POINTS
    lines: Sequence[Line] = ()
    rule_version_id: int | None = None
    carry_before: str | None = None
    carry_after: str | None = None
    pending_until: datetime | None = None
    expires_at: datetime | None = None


def balance_of(session: Session, member_id: int) -> int:
    """Points a member can spend now."""
    query = select(Account.balance).where(
        Account.member_id == member_id, Account.role == "avail", Account.unit == POINTS
    )
    return session.scalar(query) or 0


def balances_of(session: Session, member_ids: Sequence[int]) -> dict[int, int]:
    """As `balance_of`, for many members in one statement."""
    query = select(Account.member_id, Account.balance).where(
        Account.member_id.in_(member_ids), Account.role == "avail", Account.unit == POINTS
    )
    found = {member: balance or 0 for member, balance in session.execute(query) if member is not None}
    return {member: found.get(member, 0) for member in member_ids}


def deficit_of(session: Session, member_id: int) -> int:
    """Points taken back that the member had already spent; later earnings fill it first."""
    query = select(Account.balance).where(
        Account.member_id == member_id, Account.role == "debt", Account.unit == POINTS
    )
    return -(session.scalar(query) or 0)


def history(session: Session, card_id: int, *, limit: int = 20) -> list[Entry]:
    """The last movements of a card, newest first."""
    query = select(Entry).where(Entry.card_id == card_id).order_by(Entry.recorded_at.desc(), Entry.id.desc())
    return list(session.scalars(query.limit(limit)))


def earn(session: Session, card: Held, earning: Earning, *, by: Circumstance) -> Booked:
    """Give what a sale earns; a deficit is filled first. A sale too small for a point is kept as an entry of uses.

    Raises: Conflict `duplicate_receipt`, if the receipt has earned at this store (the unique index decides).
    """
    facts: dict[str, Any] = {
        "kind": "earn",
        "amount_minor": earning.amount_minor,
        "currency": earning.currency,
        "lines": earning.lines,
        "rule_version_id": earning.rule_version_id,
        "carry": earning.carry_after,
        "carry_before": earning.carry_before,
        "carry_after": earning.carry_after,
        "taken": Conflict("duplicate_receipt", "This receipt has earned points at this store already."),
    }
    check_expiry(earning.unit, earning.expires_at, earned_at=by.occurred_at or by.now)
    if not earning.points:
        return _earn_nothing(session, card, facts, by=by)
    if earning.pending_until is not None and earning.pending_until > by.now:
        return _earn_later(session, card, earning, facts, by=by)
    return movements.give(
        session, card, earning.unit, earning.points, source="issue", by=by, expires_at=earning.expires_at, **facts
    )


def spend(
    session: Session, card: Held, points: int, *, by: Circumstance, unit: str = POINTS, kind: str = "spend",
    sink: str = "redeem", **facts: Any,
) -> Booked:  # fmt: skip
    """Use up points, or units of another kind.

    Raises: Unprocessable `invalid_points`; Unprocessable `insufficient`, saying how many there are.
    """
    check_points(points)
    return movements.take(session, card, unit, points, sink=sink, by=by, kind=kind, **facts)


def credit(
    session: Session, card: Held, units: int, *, by: Circumstance, unit: str = POINTS, kind: str = "adjust",
    source: str = "adjust", expires_at: datetime | None = None, **facts: Any,
) -> Booked:  # fmt: skip
    """Give units for anything but a sale: a correction, a load of stored value, a bonus.

    Raises: Unprocessable `invalid_points`, or as `check_expiry`.
    """
    check_points(units)
    check_expiry(unit, expires_at, earned_at=by.occurred_at or by.now)
    return movements.give(session, card, unit, units, source=source, by=by, expires_at=expires_at, kind=kind, **facts)


def record_use(session: Session, card: Held, *, by: Circumstance) -> Booked:
    """Write down that an offer was used; it moves no points."""
    return book(session, card, uses(session, card, 1), by=by, kind="offer", unit=USES, points=0)


def close(session: Session, member_id: int) -> None:
    """Let nothing new be booked on a member's accounts; what they hold may still expire, or go back where it was."""
    session.execute(update(Account).where(Account.member_id == member_id).values(closed=True))


def check_points(points: int) -> None:
    """Raises: Unprocessable `invalid_points`."""
    if not 1 <= points <= LARGEST_POINTS:
        raise Unprocessable("invalid_points", "Points are a whole number above zero.", errors={"points": "Above zero."})


def check_expiry(unit: str, expires_at: datetime | None, *, earned_at: datetime) -> None:
    """Raises: Unprocessable `expiry_on_stored_value` or `expiry_before_earning`."""
    if expires_at is None:
        return
    if is_money(unit):
        text = "Stored value never expires; leave the date out."
        raise Unprocessable("expiry_on_stored_value", text, errors={"expires_at": text})
    if expires_at <= earned_at:
        text = "Units expire after they are earned; choose a later date."
        raise Unprocessable("expiry_before_earning", text, errors={"expires_at": text})


def is_money(unit: str) -> bool:
    """Whether a unit is stored value: it is named by its currency."""
    return len(unit) == CURRENCY_LETTERS and unit.isascii() and unit.isupper()


def by_id(session: Session, entry_id: str) -> Entry:
    """An entry.

    Raises: NotFound `unknown_transaction`.
    """
    entry = session.get(Entry, entry_id)
    if entry is None:
        raise NotFound("unknown_transaction", "There is no such transaction.")
    return entry


def uses(session: Session, card: Held, count: int) -> list[Leg]:
    """Something that moves no points: between the programme's accounts of uses."""
    issue, redeem = (programme_s(session, card, USES, role) for role in ("issue", "redeem"))
    return [Leg(account_id=issue, amount=-count), Leg(account_id=redeem, amount=count)]


def _earn_nothing(session: Session, card: Held, facts: dict[str, Any], *, by: Circumstance) -> Booked:
    """A carry is kept on the account of points even so; that account is not part of this entry's unit."""
    booked = book(session, card, uses(session, card, 1), by=by, unit=USES, points=0, **facts)
    if facts["carry"] is None:
        return booked
    return Booked(entry=booked.entry, card=carry_on(session, booked.card, facts["carry"]))


def _earn_later(session: Session, card: Held, earning: Earning, facts: dict[str, Any], *, by: Circumstance) -> Booked:
    booked = movements.await_(session, card, earning.unit, earning.points, by=by, **facts)
    waiting = {
        "entry_id": booked.entry.id,
        "card_id": card.id,
        "unit": earning.unit,
        "units": earning.points,
        "state": "waiting",
        "due_at": earning.pending_until,
        "expires_at": earning.expires_at,
    }
    insert_if_new(session, Pending, **waiting)
    return booked


def totals(session: Session) -> dict[tuple[str, str], int]:
    """The sum of all postings by account role and unit, for verification: each unit sums to zero."""
    query = (
        select(Account.role, Account.unit, func.sum(Posting.amount)).join(Posting, Posting.account_id == Account.id)
    ).group_by(Account.role, Account.unit)
    return {(role, unit): int(total) for role, unit, total in session.execute(query)}
