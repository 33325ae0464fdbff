"""The only way points move: entries of postings that sum to zero, never changed afterwards.

The caller has locked the card's row (`cards.service.lock`); a member has one card, so that lock serialises the member's
accounts too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from app import ids
from app.cards.models import Card, Store
from app.db import insert_if_new
from app.errors import Conflict, NotFound, Unprocessable
from app.ledger.models import Account, Entry, Posting, Reward

POINTS = "points"
USES = "uses"
LARGEST_POINTS = 10**9


@dataclass(frozen=True, kw_only=True)
class Circumstance:
    """Who moved points, where and when, and on which receipt."""

    actor: str
    channel: str
    now: datetime
    store: Store | None = None
    receipt: str | None = None
    occurred_at: datetime | None = None
    note: str = ""


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


def rewards(session: Session, programme_id: int) -> list[Reward]:
    """What points buy in a programme, cheapest first."""
    query = select(Reward).where(Reward.programme_id == programme_id, Reward.active.is_(True))
    return list(session.scalars(query.order_by(Reward.points, Reward.id)))


def add_reward(
    session: Session, programme_id: int, *, name: str, points: int, now: datetime, texts: dict[str, str] | None = None
) -> Reward:
    """Put something into the catalogue.

    Raises: Unprocessable `invalid_reward`.
    """
    errors: dict[str, str] = {}
    if not 1 <= len(name.strip()) <= 100:
        errors["name"] = "A reward has a name of 1 to 100 characters."
    if not 1 <= points <= LARGEST_POINTS:
        errors["points"] = "A reward costs a whole number of points above zero."
    if errors:
        raise Unprocessable("invalid_reward", " ".join(errors.values()), errors=errors)
    reward = Reward(
        public_id=ids.public_id("rwd"),
        programme_id=programme_id,
        name=name.strip(),
        points=points,
        texts=texts or {},
        created_at=now,
    )
    session.add(reward)
    session.flush()
    return reward


def earn(
    session: Session,
    card: Card,
    points: int,
    *,
    amount_minor: int,
    currency: str,
    reasons: Sequence[str],
    by: Circumstance,
    version: int,
) -> Entry:
    """Give points for a sale; a deficit is filled first. A sale too small for a point is kept as an entry of uses.

    Raises: Conflict `duplicate_receipt`, if the receipt has earned at this store (the unique index decides).
    """
    avail, debt = _member_accounts(session, card)
    filled = min(points, -(debt.balance or 0))
    legs = {avail: points - filled, debt: filled, _issuer(session, card, "issue", POINTS): -points}
    if points == 0:
        legs = {_issuer(session, card, "issue", USES): -1, _issuer(session, card, "redeem", USES): 1}
    entry = Entry(
        kind="earn",
        unit=POINTS if points else USES,
        points=points,
        amount_minor=amount_minor,
        currency=currency,
        reasons=list(reasons),
        **_facts(card, by, version),
    )
    try:
        with session.begin_nested():
            return _write(session, entry, legs)
    except IntegrityError as problem:
        raise Conflict("duplicate_receipt", "This receipt has earned points at this store already.") from problem


def spend(session: Session, card: Card, points: int, *, by: Circumstance, version: int) -> Entry:
    """Use up points.

    Raises: Unprocessable `invalid_points`; Unprocessable `insufficient`, saying how many there are.
    """
    if not 1 <= points <= LARGEST_POINTS:
        raise Unprocessable("invalid_points", "Points are a whole number above zero.", errors={"points": "Above zero."})
    avail, _ = _member_accounts(session, card)
    if (avail.balance or 0) < points:
        raise insufficient(avail.balance or 0, points)
    legs = {avail: -points, _issuer(session, card, "redeem", POINTS): points}
    return _write(session, Entry(kind="spend", unit=POINTS, points=-points, **_facts(card, by, version)), legs)


def record_use(session: Session, card: Card, *, by: Circumstance, version: int) -> Entry:
    """Write down that an offer was used; it moves no points."""
    legs = {_issuer(session, card, "issue", USES): -1, _issuer(session, card, "redeem", USES): 1}
    return _write(session, Entry(kind="offer", unit=USES, points=0, **_facts(card, by, version)), legs)


def reverse(session: Session, card: Card, original: Entry, *, by: Circumstance, version: int) -> Entry:
    """Undo an entry by a counter-entry. Points that were spent meanwhile become a deficit, never a negative balance.

    Raises: Conflict `already_reversed`; Conflict `not_reversible`, for an entry that is a reversal itself.
    """
    if original.kind == "reverse":
        raise Conflict("not_reversible", "This entry undoes another one; book the sale again instead.")
    if session.scalar(select(Entry.id).where(Entry.reverses_id == original.id)) is not None:
        raise Conflict("already_reversed", "This was undone already.")
    legs = _counter_legs(session, card, original)
    entry = Entry(
        kind="reverse",
        unit=original.unit,
        points=-original.points,
        amount_minor=-original.amount_minor if original.amount_minor else None,
        currency=original.currency,
        reverses_id=original.id,
        **_facts(card, by, version),
    )
    return _write(session, entry, legs)


def by_id(session: Session, entry_id: str) -> Entry:
    """An entry.

    Raises: NotFound `unknown_transaction`.
    """
    entry = session.get(Entry, entry_id)
    if entry is None:
        raise NotFound("unknown_transaction", "There is no such transaction.")
    return entry


def insufficient(has: int, needs: int) -> Unprocessable:
    """The refusal of a spend, with the balance."""
    return Unprocessable(
        "insufficient", f"The card has {has}, this needs {needs}.", errors={"points": f"At most {has}."}
    )


def _balance_query(member_id: int, role: str) -> Select[Any]:
    return select(Account.balance).where(Account.member_id == member_id, Account.role == role, Account.unit == POINTS)


def _counter_legs(session: Session, card: Card, original: Entry) -> dict[Account, int]:
    if original.unit == USES:
        return {_issuer(session, card, "issue", USES): 1, _issuer(session, card, "redeem", USES): -1}
    avail, debt = _member_accounts(session, card)
    points = abs(original.points)
    if original.kind == "earn":
        taken = min(points, avail.balance or 0)
        return {avail: -taken, debt: taken - points, _issuer(session, card, "issue", POINTS): points}
    filled = min(points, -(debt.balance or 0))
    return {avail: points - filled, debt: filled, _issuer(session, card, "redeem", POINTS): -points}


def _facts(card: Card, by: Circumstance, version: int) -> dict[str, object]:
    return {
        "id": ids.time_ordered("txn", by.now),
        "programme_id": card.programme_id,
        "card_id": card.id,
        "store_id": by.store.id if by.store else None,
        "actor": by.actor,
        "channel": by.channel,
        "receipt": by.receipt,
        "note": by.note,
        "card_version": version,
        "occurred_at": by.occurred_at or by.now,
        "recorded_at": by.now,
    }


def _write(session: Session, entry: Entry, legs: dict[Account, int]) -> Entry:
    """Postings first, the entry last: the entry's trigger sums what is there."""
    moved = {account: amount for account, amount in legs.items() if amount}
    session.add_all(Posting(entry_id=entry.id, account_id=each.id, amount=amount) for each, amount in moved.items())
    session.flush()
    for account, amount in moved.items():
        if account.member_id is not None:
            _move(session, account, amount)
    session.add(entry)
    session.flush()
    return entry


def _move(session: Session, account: Account, amount: int) -> None:
    balance = Account.balance + amount
    bounds = balance >= 0 if account.role != "debt" else balance <= 0
    moved = update(Account).where(Account.id == account.id, bounds).values(balance=balance).returning(Account.balance)
    left = session.scalar(moved.execution_options(synchronize_session=False))
    if left is None:
        raise insufficient(account.balance or 0, -amount)
    set_committed_value(account, "balance", left)


def _member_accounts(session: Session, card: Card) -> tuple[Account, Account]:
    query = select(Account).where(Account.member_id == card.member_id, Account.unit == POINTS)
    fresh = query.execution_options(populate_existing=True)
    found = {account.role: account for account in session.scalars(fresh)}
    for role in ("avail", "debt"):
        if role not in found:
            found[role] = Account(
                programme_id=card.programme_id, member_id=card.member_id, role=role, unit=POINTS, balance=0
            )
            session.add(found[role])
            session.flush()
    return found["avail"], found["debt"]


def _issuer(session: Session, card: Card, role: str, unit: str) -> Account:
    query = select(Account).where(
        Account.programme_id == card.programme_id,
        Account.member_id.is_(None),
        Account.role == role,
        Account.unit == unit,
    )
    found = session.scalars(query).one_or_none()
    if found is not None:
        return found
    insert_if_new(session, Account, programme_id=card.programme_id, role=role, unit=unit)
    return session.scalars(query).one()


def totals(session: Session) -> dict[tuple[str, str], int]:
    """The sum of all postings by account role and unit, for verification: each unit sums to zero."""
    query = (
        select(Account.role, Account.unit, func.sum(Posting.amount)).join(Posting, Posting.account_id == Account.id)
    ).group_by(Account.role, Account.unit)
    return {(role, unit): int(total) for role, unit, total in session.execute(query)}
