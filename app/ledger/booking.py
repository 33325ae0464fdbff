"""Writing one entry: its postings, the balances that move with them, and its link in the card's chain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, and_, bindparam, insert, or_, select, text, update
from sqlalchemy.orm import Session

from app import failpoints, ids, trace
from app.db import insert_if_new, table_of
from app.errors import Conflict, Sentence, Unprocessable
from app.ledger import chain
from app.ledger.chain import Line
from app.ledger.held import POINTS, Held, HeldAccount
from app.ledger.models import Account, Entry, EntryLine

LARGEST_POINTS = 10**9
_ACCOUNT = table_of(Account)
_OPEN = insert(_ACCOUNT).returning(_ACCOUNT.c.id)
_LINES = insert(table_of(EntryLine))
# the bounds are checked again where the balance is written: a till that decided on what it had read is refused here
_MOVED = _ACCOUNT.c.balance + bindparam("amount")
_MOVE = (
    update(_ACCOUNT)
    .where(
        _ACCOUNT.c.id == bindparam("account_id"),
        or_(and_(_ACCOUNT.c.role != "debt", _MOVED >= 0), and_(_ACCOUNT.c.role == "debt", _MOVED <= 0)),
    )
    .values(balance=_MOVED, carry=bindparam("new_carry"))
    .returning(_ACCOUNT.c.balance)
)
LEAVING = ("expire", "writeoff", "release", "reverse")
"""Kinds of entries that still move what a closed account holds; the database refuses all others too."""
_PROGRAMME_S = select(_ACCOUNT.c.id).where(
    _ACCOUNT.c.programme_id == bindparam("programme_id"),
    _ACCOUNT.c.member_id.is_(None),
    _ACCOUNT.c.role == bindparam("role"),
    _ACCOUNT.c.unit == bindparam("unit"),
)


@dataclass(frozen=True, kw_only=True)
class Circumstance:
    """Who moved units, where and when, and on which receipt; `version` is the card's after it."""

    actor: str
    channel: str
    now: datetime
    version: int
    store_id: int | None = None
    receipt: str | None = None
    occurred_at: datetime | None = None
    note: str = ""
    reasons: Sequence[Any] = ()
    part_of_id: str | None = None

    def part_of(self, entry_id: str) -> "Circumstance":
        """The same, for an entry that belongs to another one."""
        return replace(self, part_of_id=entry_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """One posting of an entry; `of` is the member's account whose balance moves with it."""

    account_id: int
    amount: int
    of: HeldAccount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Booked:
    """An entry as it was written, and the card after it."""

    entry: Entry
    card: Held

    @property
    def balance(self) -> int:
        """Points that can be spent now."""
        return self.card.balance


def book(
    session: Session,
    card: Held,
    legs: Sequence[Leg],
    *,
    by: Circumstance,
    lines: Sequence[Line] = (),
    carry: str | None = None,
    taken: Conflict | None = None,
    **facts: Any,
) -> Booked:
    """Write an entry of a held card. Postings first, the entry last: its trigger sums what is there.

    Args:
        carry: what `avail` carries on; left as it is if None.
        taken: what is raised if a unique key has such an entry already.
        facts: `kind`, `unit`, `points`, and whichever other columns of an entry are not empty.

    Raises: Unprocessable `insufficient`, if a balance would fall below zero; Conflict `account_closed`; *taken*.
    """
    if facts["kind"] not in LEAVING and any(leg.of is not None and leg.of.closed for leg in legs):
        raise Conflict("account_closed", "The account of this card is closed: nothing new can be booked on it.")
    row = _facts(card, by) | facts
    postings = [(leg.account_id, leg.amount) for leg in legs]
    row["hash"] = chain.digest(card.hash, row, postings, lines)
    session.execute(*_postings(row["id"], postings))
    if lines:
        session.execute(_LINES, [_line(row["id"], one) for one in lines])
    moved = [_move(session, leg, carry) for leg in legs if leg.of is not None]
    if not insert_if_new(session, Entry, **row):
        raise taken or AssertionError("an entry's id is used once")
    failpoints.reached("sale.entry_written")
    accounts = {**card.accounts, **{(one.unit, one.role): one for one in moved}}
    return Booked(entry=Entry(**row), card=replace(card, accounts=accounts, seq=row["seq"], hash=row["hash"]))


def member_s(session: Session, card: Held, unit: str, role: str) -> HeldAccount:
    """The member's account, opened if it was never booked on; the card's lock sees to it that it is opened once."""
    known = card.accounts.get((unit, role))
    if known is not None:
        return known
    row = {"programme_id": card.programme_id, "member_id": card.member_id, "role": role, "unit": unit, "balance": 0}
    account_id: int = session.execute(_OPEN, row).scalar_one()
    return HeldAccount(id=account_id, unit=unit, role=role, balance=0)


def programme_s(session: Session, card: Held, unit: str, role: str) -> int:
    """The id of the programme's account, opened if it was never booked on."""
    known = card.points_accounts.get(role) if unit == POINTS else None
    if known is not None:
        return known
    wanted = {"programme_id": card.programme_id, "role": role, "unit": unit}
    found: int | None = session.scalar(_PROGRAMME_S, wanted)
    if found is not None:
        return found
    insert_if_new(session, Account, **wanted)
    opened: int = session.execute(_PROGRAMME_S, wanted).scalar_one()
    return opened


def insufficient(has: int, needs: int) -> Unprocessable:
    """The refusal of a spend, with the balance."""
    told = Sentence("Has %(has)s, needs %(needs)s.", has=has, needs=needs)
    return Unprocessable("insufficient", told, errors={"points": Sentence("At most %(most)s.", most=has)})


def carry_on(session: Session, card: Held, carry: str) -> Held:
    """Keep a fraction of a point for the next sale, where no entry moves the account of points."""
    account = member_s(session, card, POINTS, "avail")
    if account.carry != carry:
        session.execute(update(_ACCOUNT).where(_ACCOUNT.c.id == account.id).values(carry=carry))
    accounts = {**card.accounts, (POINTS, "avail"): replace(account, carry=carry)}
    return replace(card, accounts=accounts)


def leg(account: HeldAccount, amount: int) -> Leg:
    """A posting on a member's account."""
    return Leg(account_id=account.id, amount=amount, of=account)


def _facts(card: Held, by: Circumstance) -> dict[str, Any]:
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
        "reversal_no": None,
        "part_of_id": by.part_of_id,
        "rule_version_id": None,
        "carry_before": None,
        "carry_after": None,
        "note": by.note,
        "reasons": list(by.reasons),
        "card_version": by.version,
        "occurred_at": by.occurred_at or by.now,
        "recorded_at": by.now,
        "trace": trace.current(),
        "seq": card.seq + 1,
    }


def _line(entry_id: str, line: Line) -> Mapping[str, Any]:
    names = ("line_no", "product", "category", "quantity", "amount_minor", "points")
    return {"entry_id": entry_id, **dict(zip(names, line, strict=True))}


def _postings(entry_id: str, postings: Sequence[tuple[int, int]]) -> tuple[Executable, dict[str, object]]:
    """All postings of an entry (two or three) in one statement: one way to the server and back."""
    values: dict[str, object] = {"entry_id": entry_id}
    for number, (account_id, amount) in enumerate(postings):
        values |= {f"account_{number}": account_id, f"amount_{number}": amount}
    return _insert_postings(len(postings)), values


@cache
def _insert_postings(count: int) -> Executable:
    """As text, because an INSERT of several rows is compiled anew each time: 190 µs, where this takes 30."""
    rows = ", ".join(f"(:entry_id, :account_{number}, :amount_{number})" for number in range(count))
    return text(f"INSERT INTO posting (entry_id, account_id, amount) VALUES {rows}")  # noqa: S608  # names alone


def _move(session: Session, leg: Leg, carry: str | None) -> HeldAccount:
    account = leg.of
    assert account is not None  # noqa: S101  # for the type checker: only members' legs come here
    new_carry = account.carry if carry is None or account.role != "avail" else carry
    asked = {"account_id": account.id, "amount": leg.amount, "new_carry": new_carry}
    left: int | None = session.scalar(_MOVE, asked)
    if left is None:
        raise insufficient(account.balance, -leg.amount)
    return replace(account, balance=left, carry=new_carry)
