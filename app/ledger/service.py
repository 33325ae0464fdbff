"""The only way points move: entries of postings that sum to zero, never changed afterwards.

Whoever moves points holds the card (`ledger.held`); a member has one card, so its lock serialises the member's accounts
too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, and_, bindparam, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from app import failpoints, ids, trace
from app.cards import programmes
from app.cards.models import Programme
from app.db import insert_if_new, rows_changed, table_of
from app.errors import Conflict, NotFound, Unprocessable
from app.ledger.held import POINTS, Held, HeldAccount
from app.ledger.models import Account, Entry, Posting, Reward

USES = "uses"
LARGEST_POINTS = 10**9
_ACCOUNT = table_of(Account)
_OPEN = insert(_ACCOUNT).returning(_ACCOUNT.c.id)
# the bounds are checked again where the balance is written: a till that decided on what it had read is refused here
_MOVED = _ACCOUNT.c.balance + bindparam("amount")
_MOVE = (
    update(_ACCOUNT)
    .where(
        _ACCOUNT.c.id == bindparam("account_id"),
        or_(and_(_ACCOUNT.c.role != "debt", _MOVED >= 0), and_(_ACCOUNT.c.role == "debt", _MOVED <= 0)),
    )
    .values(balance=_MOVED)
    .returning(_ACCOUNT.c.balance)
)
_PROGRAMME_S = select(_ACCOUNT.c.id).where(
    _ACCOUNT.c.programme_id == bindparam("programme_id"),
    _ACCOUNT.c.member_id.is_(None),
    _ACCOUNT.c.role == bindparam("role"),
    _ACCOUNT.c.unit == bindparam("unit"),
)


@dataclass(frozen=True, kw_only=True)
class Circumstance:
    """Who moved points, where and when, and on which receipt."""

    actor: str
    channel: str
    now: datetime
    store_id: int | None = None
    receipt: str | None = None
    occurred_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """One posting of an entry; `of` is the member's account whose balance moves with it."""

    account_id: int
    amount: int
    of: HeldAccount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Booked:
    """An entry as it was written, and the points that can be spent now."""

    entry: Entry
    balance: int


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
    session: Session,
    programme: Programme,
    *,
    name: str,
    points: int,
    now: datetime,
    texts: dict[str, str] | None = None,
) -> Reward:
    """Put something into the catalogue, and bring it to all cards: they show what points buy.

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
        programme_id=programme.id,
        name=name.strip(),
        points=points,
        texts=texts or {},
        created_at=now,
    )
    session.add(reward)
    programmes.redesigned(session, programme, now=now)
    return reward


def end_reward(session: Session, programme: Programme, public_id: str, *, now: datetime) -> tuple[Reward, bool]:
    """Take something out of the catalogue and off the cards; what was redeemed stays. Whether it was in it.

    Raises: NotFound `unknown_reward`.
    """
    query = select(Reward).where(Reward.public_id == public_id, Reward.programme_id == programme.id)
    reward = session.scalars(query).one_or_none()
    if reward is None:
        raise NotFound("unknown_reward", "There is no such reward in this programme.")
    was_active = rows_changed(session, update(Reward).where(Reward.id == reward.id, Reward.active).values(active=False))
    if was_active:
        programmes.redesigned(session, programme, now=now)
    return reward, bool(was_active)


def earn(
    session: Session,
    card: Held,
    points: int,
    *,
    amount_minor: int,
    currency: str,
    reasons: Sequence[str],
    by: Circumstance,
    version: int,
) -> Booked:
    """Give points for a sale; a deficit is filled first. A sale too small for a point is kept as an entry of uses.

    Raises: Conflict `duplicate_receipt`, if the receipt has earned at this store (the unique index decides).
    """
    legs = _gift(session, card, points, from_role="issue") if points else _use(session, card, 1)
    facts = {"kind": "earn", "unit": POINTS if points else USES, "points": points, "reasons": list(reasons)}
    facts |= {"amount_minor": amount_minor, "currency": currency}
    return _book(
        session,
        card,
        _facts(card, by, version) | facts,
        legs,
        taken=Conflict("duplicate_receipt", "This receipt has earned points at this store already."),
    )


def spend(session: Session, card: Held, points: int, *, by: Circumstance, version: int) -> Booked:
    """Use up points.

    Raises: Unprocessable `invalid_points`; Unprocessable `insufficient`, saying how many there are.
    """
    if not 1 <= points <= LARGEST_POINTS:
        raise Unprocessable("invalid_points", "Points are a whole number above zero.", errors={"points": "Above zero."})
    if card.balance < points:
        raise insufficient(card.balance, points)
    legs = [
        _leg(_member_s(session, card, "avail"), -points),
        Leg(account_id=_programme_s(session, card, "redeem"), amount=points),
    ]
    return _book(session, card, _facts(card, by, version) | {"kind": "spend", "unit": POINTS, "points": -points}, legs)


def record_use(session: Session, card: Held, *, by: Circumstance, version: int) -> Booked:
    """Write down that an offer was used; it moves no points."""
    facts = _facts(card, by, version) | {"kind": "offer", "unit": USES, "points": 0}
    return _book(session, card, facts, _use(session, card, 1))


def reverse(session: Session, card: Held, original: Entry, *, by: Circumstance, version: int) -> Booked:
    """Undo an entry by a counter-entry. Points that were spent meanwhile become a deficit, never a negative balance.

    Raises: Conflict `already_reversed`; Conflict `not_reversible`, for an entry that is a reversal itself.
    """
    if original.kind == "reverse":
        raise Conflict("not_reversible", "This entry undoes another one; book the sale again instead.")
    undone = Conflict("already_reversed", "This was undone already.")
    if session.scalar(select(Entry.id).where(Entry.reverses_id == original.id)) is not None:
        raise undone  # before the balance is looked at, which the first undoing has changed
    facts = {
        "kind": "reverse",
        "unit": original.unit,
        "points": -original.points,
        "amount_minor": -original.amount_minor if original.amount_minor else None,
        "currency": original.currency,
        "reverses_id": original.id,
    }
    legs = _counter_legs(session, card, original)
    return _book(session, card, _facts(card, by, version) | facts, legs, taken=undone)


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


def _counter_legs(session: Session, card: Held, original: Entry) -> list[Leg]:
    if original.unit == USES:
        return _use(session, card, -1)
    points = abs(original.points)
    if original.kind != "earn":
        return _gift(session, card, points, from_role="redeem")
    taken = min(points, card.balance)
    legs = [Leg(account_id=_programme_s(session, card, "issue"), amount=points)]
    legs += [_leg(_member_s(session, card, "avail"), -taken)] if taken else []
    return legs + ([_leg(_member_s(session, card, "debt"), taken - points)] if points > taken else [])


def _gift(session: Session, card: Held, points: int, *, from_role: str) -> list[Leg]:
    """Points for the member: first what is owed is filled, the rest can be spent."""
    filled = min(points, card.deficit)
    legs = [Leg(account_id=_programme_s(session, card, from_role), amount=-points)]
    legs += [_leg(_member_s(session, card, "debt"), filled)] if filled else []
    return legs + ([_leg(_member_s(session, card, "avail"), points - filled)] if points > filled else [])


def _use(session: Session, card: Held, count: int) -> list[Leg]:
    """Something that moves no points: between the programme's accounts of uses."""
    issue, redeem = (_opened_programme_s(session, card.programme_id, role, USES) for role in ("issue", "redeem"))
    return [Leg(account_id=issue, amount=-count), Leg(account_id=redeem, amount=count)]


def _leg(account: HeldAccount, amount: int) -> Leg:
    return Leg(account_id=account.id, amount=amount, of=account)


def _facts(card: Held, by: Circumstance, version: int) -> dict[str, Any]:
    return {
        "id": ids.time_ordered("txn", by.now),
        "programme_id": card.programme_id,
        "card_id": card.id,
        "amount_minor": None,
        "currency": None,
        "store_id": by.store_id,
        "actor": by.actor,
        "channel": by.channel,
        "receipt": by.receipt,
        "reverses_id": None,
        "note": by.note,
        "reasons": [],
        "card_version": version,
        "occurred_at": by.occurred_at or by.now,
        "recorded_at": by.now,
        "trace": trace.current(),
    }


def _book(
    session: Session, card: Held, facts: dict[str, Any], legs: Sequence[Leg], *, taken: Conflict | None = None
) -> Booked:
    """Postings first, the entry last: the entry's trigger sums what is there. *taken*: what a unique key refuses."""
    postings: dict[str, object] = {"entry_id": facts["id"]}
    for number, leg in enumerate(legs):
        postings |= {f"account_{number}": leg.account_id, f"amount_{number}": leg.amount}
    session.execute(_insert_postings(len(legs)), postings)
    left = {leg.of.role: _move(session, leg.of, leg.amount) for leg in legs if leg.of is not None}
    if not insert_if_new(session, Entry, **facts):
        raise taken or AssertionError("an entry's id is used once")
    failpoints.reached("sale.entry_written")
    return Booked(entry=Entry(**facts), balance=left.get("avail", card.balance))


@cache
def _insert_postings(count: int) -> Executable:
    """All postings of an entry (two or three) in one statement: one way to the server and back.

    As text, because an INSERT of several rows is compiled anew each time: 190 µs, where this takes 30.
    """
    rows = ", ".join(f"(:entry_id, :account_{number}, :amount_{number})" for number in range(count))
    return text(f"INSERT INTO posting (entry_id, account_id, amount) VALUES {rows}")  # noqa: S608  # names alone


def _move(session: Session, account: HeldAccount, amount: int) -> int:
    left: int | None = session.scalar(_MOVE, {"account_id": account.id, "amount": amount})
    if left is None:
        raise insufficient(account.balance, -amount)
    return left


def _member_s(session: Session, card: Held, role: str) -> HeldAccount:
    """The member's account; the card's lock sees to it that it is opened once."""
    known = card.avail if role == "avail" else card.debt
    if known is not None:
        return known
    row = {"programme_id": card.programme_id, "member_id": card.member_id, "role": role, "unit": POINTS, "balance": 0}
    account_id: int = session.execute(_OPEN, row).scalar_one()
    return HeldAccount(id=account_id, role=role, balance=0)


def _programme_s(session: Session, card: Held, role: str) -> int:
    known = card.issue_id if role == "issue" else card.redeem_id
    return known or _opened_programme_s(session, card.programme_id, role, POINTS)


def _opened_programme_s(session: Session, programme_id: int, role: str, unit: str) -> int:
    wanted = {"programme_id": programme_id, "role": role, "unit": unit}
    found: int | None = session.scalar(_PROGRAMME_S, wanted)
    if found is not None:
        return found
    insert_if_new(session, Account, **wanted)
    opened: int = session.execute(_PROGRAMME_S, wanted).scalar_one()
    return opened


def totals(session: Session) -> dict[tuple[str, str], int]:
    """The sum of all postings by account role and unit, for verification: each unit sums to zero."""
    query = (
        select(Account.role, Account.unit, func.sum(Posting.amount)).join(Posting, Posting.account_id == Account.id)
    ).group_by(Account.role, Account.unit)
    return {(role, unit): int(total) for role, unit, total in session.execute(query)}
