"""Recomputing the books from their postings, lots and chains. Memory stays bounded: it reads card by card."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from app.cards.models import Card
from app.db import table_of
from app.ledger import chain
from app.ledger.models import Account, Entry, EntryLine, Hold, Lot, LotUse, Posting, Seal

CARDS_AT_ONCE = 2_000
SEAL_AFTER = timedelta(minutes=10)
SEAL_AT_MOST = 50_000
LOCK = 7_365_740
_ENTRY, _POSTING, _LINE = table_of(Entry), table_of(Posting), table_of(EntryLine)
_CARD = table_of(Card)
_HEADS = select(_CARD.c.id, _CARD.c.seq, _CARD.c.hash)
_CHAINED = [_ENTRY.c[name] for name in (*chain.FACTS, "hash")]


def differences(session: Session) -> list[str]:
    """Everything in the books that does not add up, in words; an empty list is a clean ledger."""
    return list(each_difference(session))


def each_difference(session: Session, *, checked: Callable[[int], None] = lambda _entries: None) -> Iterator[str]:
    """The same, one by one as it is found.

    Args:
        checked: is told how many entries were gone through since its last call.
    """
    for look in (
        _unbalanced_units,
        _wrong_balances,
        _bad_debts,
        _wrong_lots,
        _wrong_lot_uses,
        _over_reversed,
        _bad_holds,
    ):
        yield from look(session)
    yield from _broken_seals(session)
    yield from _broken_chains(session, checked)


def seal(session: Session, *, now: datetime) -> bool:
    """Seal the entries that are older than ten minutes, at most 50,000 at once; whether there were any.

    Ids sort by time, and no transaction lives for ten minutes, so none can come late and lie below a seal.
    """
    if session.get_bind().dialect.name == "postgresql":
        # two that seal at once would both begin after the same seal
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    last = _last_seal(session)
    query = (
        select(Entry.id, Entry.hash)
        .where(Entry.recorded_at <= now - SEAL_AFTER, Entry.id > (last.last_entry_id if last else ""))
        .order_by(Entry.id)
        .limit(SEAL_AT_MOST)
    )
    found = session.execute(query).all()
    if not found:
        return False
    digest = chain.sealed(last.hash if last else chain.GENESIS, [row.hash for row in found])
    session.add(Seal(last_entry_id=found[-1].id, entries=len(found), hash=digest, made_at=now))
    session.flush()
    return True


def _last_seal(session: Session) -> Seal | None:
    return session.scalars(select(Seal).order_by(Seal.id.desc()).limit(1)).one_or_none()


def _unbalanced_units(session: Session) -> Iterator[str]:
    query = (
        select(Account.programme_id, Account.unit, func.sum(Posting.amount))
        .join(Posting, Posting.account_id == Account.id)
        .group_by(Account.programme_id, Account.unit)
        .having(func.sum(Posting.amount) != 0)
    )
    for programme, unit, total in session.execute(query):
        yield f"the accounts of {unit} in programme {programme} sum to {total}, not to zero"


def _wrong_balances(session: Session) -> Iterator[str]:
    moved = func.coalesce(func.sum(Posting.amount), 0)
    query = (
        select(Account.id, Account.role, Account.balance, moved)
        .outerjoin(Posting, Posting.account_id == Account.id)
        .where(Account.balance.is_not(None))
        .group_by(Account.id)
        .having(Account.balance != moved)
    )
    for one, role, balance, total in session.execute(query):
        yield f"account {one} ({role}) says {balance}, its postings sum to {total}"


def _bad_debts(session: Session) -> Iterator[str]:
    avail, debt = aliased(Account), aliased(Account)
    query = (
        select(avail.member_id, avail.unit, avail.balance, debt.balance)
        .join(debt, and_(debt.member_id == avail.member_id, debt.unit == avail.unit))
        .where(avail.role == "avail", debt.role == "debt", debt.balance < 0, avail.balance > 0)
    )
    for member, unit, has, owes in session.execute(query):
        yield f"member {member} has {has} of {unit} and owes {abs(owes or 0)} at the same time"


def _wrong_lots(session: Session) -> Iterator[str]:
    remaining = func.coalesce(func.sum(Lot.remaining), 0)
    query = (
        select(Account.id, Account.balance, remaining)
        .outerjoin(Lot, Lot.account_id == Account.id)
        .where(Account.role == "avail", Account.balance.is_not(None))
        .group_by(Account.id)
        .having(Account.balance != remaining)
    )
    for one, balance, total in session.execute(query):
        yield f"account {one} has {balance}, its lots have {total}"


def _wrong_lot_uses(session: Session) -> Iterator[str]:
    used = func.coalesce(func.sum(LotUse.amount), 0)
    query = (
        select(Lot.id, Lot.original, Lot.remaining, used)
        .outerjoin(LotUse, LotUse.lot_id == Lot.id)
        .group_by(Lot.id)
        .having(Lot.original != Lot.remaining + used)
    )
    for one, original, remaining, total in session.execute(query):
        yield f"lot {one} had {original}; {remaining} remain and {total} were used"


def _over_reversed(session: Session) -> Iterator[str]:
    back = aliased(Entry)
    query = (
        select(Entry.id, Entry.points, func.sum(back.points), Entry.amount_minor, func.sum(back.amount_minor))
        .join(back, back.reverses_id == Entry.id)
        .where(Entry.kind != "capture")
        .group_by(Entry.id, Entry.points, Entry.amount_minor)
        .having(
            or_(
                func.abs(func.sum(back.points)) > func.abs(Entry.points),
                func.abs(func.coalesce(func.sum(back.amount_minor), 0)) > func.coalesce(Entry.amount_minor, 0),
            )
        )
    )
    for one, points, taken, amount, amount_back in session.execute(query):
        yield f"entry {one} moved {points} ({amount}), and {taken} ({amount_back}) were reversed"
    yield from _over_returned(session)


def _over_returned(session: Session) -> Iterator[str]:
    back, returned = aliased(Entry), aliased(EntryLine)
    query = (
        select(EntryLine.entry_id, EntryLine.line_no, EntryLine.quantity, func.sum(returned.quantity))
        .join(back, back.reverses_id == EntryLine.entry_id)
        .join(returned, and_(returned.entry_id == back.id, returned.line_no == EntryLine.line_no))
        .group_by(EntryLine.entry_id, EntryLine.line_no, EntryLine.quantity, EntryLine.points)
        .having(
            or_(
                func.sum(returned.quantity) > EntryLine.quantity,
                func.abs(func.sum(returned.points)) > func.abs(EntryLine.points),
            )
        )
    )
    for one, number, sold, came in session.execute(query):
        yield f"entry {one} sold {sold} of line {number}, and {came} came back"


def _bad_holds(session: Session) -> Iterator[str]:
    ended = case((Entry.kind.in_(("capture", "release")), 1), else_=0)
    query = (
        select(Hold.id, Hold.state, func.coalesce(func.sum(ended), 0))
        .outerjoin(Entry, Entry.part_of_id == Hold.entry_id)
        .group_by(Hold.id, Hold.state, Hold.amount, Hold.captured)
        .having(
            func.coalesce(func.sum(ended), 0)
            != case((Hold.state == "open", 0), (and_(Hold.captured > 0, Hold.captured < Hold.amount), 2), else_=1)
        )
    )
    for one, state, entries in session.execute(query):
        yield f"hold {one} is {state}, and {entries} entries end it"


def _broken_seals(session: Session) -> Iterator[str]:
    before, after = chain.GENESIS, ""
    for one in session.scalars(select(Seal).order_by(Seal.id)).all():
        query = select(Entry.hash).where(Entry.id > after, Entry.id <= one.last_entry_id).order_by(Entry.id)
        hashes = list(session.scalars(query))
        if len(hashes) != one.entries:
            yield f"seal {one.id} covers {one.entries} entries up to {one.last_entry_id}; there are {len(hashes)}"
        elif chain.sealed(before, hashes) != one.hash:
            yield f"an entry between {after or 'the first'} and {one.last_entry_id} is not the one that was sealed"
        before, after = one.hash, one.last_entry_id


def _broken_chains(session: Session, checked: Callable[[int], None]) -> Iterator[str]:
    first = -1
    while True:
        cards = select(_ENTRY.c.card_id).where(_ENTRY.c.card_id > first).distinct().order_by(_ENTRY.c.card_id)
        found = list(session.scalars(cards.limit(CARDS_AT_ONCE)))
        if not found:
            return
        span = _ENTRY.c.card_id.between(found[0], found[-1])
        entries = session.execute(select(*_CHAINED).where(span).order_by(_ENTRY.c.card_id, _ENTRY.c.seq)).all()
        yield from _broken_links(session, span, entries)
        checked(len(entries))
        first = found[-1]


def _broken_links(session: Session, span: Any, entries: Sequence[Any]) -> Iterator[str]:
    postings = _by_entry(session, select(_POSTING.c.entry_id, _POSTING.c.account_id, _POSTING.c.amount), _POSTING, span)
    columns = [_LINE.c[name] for name in ("line_no", "product", "category", "quantity", "amount_minor", "points")]
    lines = _by_entry(session, select(_LINE.c.entry_id, *columns), _LINE, span)
    heads = {one: (number, digest) for one, number, digest in session.execute(_HEADS.where(_span_of(entries)))}
    card, seq, before = None, 0, chain.GENESIS
    for row in entries:
        if row.card_id != card:
            card, seq, before = row.card_id, 0, chain.GENESIS
        seq += 1
        moved = postings[row.id]
        if row.seq != seq:
            yield f"entry {row.id} is number {row.seq} of its card; number {seq} is missing"
            seq = row.seq
        elif chain.digest(before, row._mapping, moved, lines[row.id]) != row.hash:
            yield f"entry {row.id} is not what was written: its digest does not match"
        if len(moved) < 2 or sum(amount for _account, amount in moved):
            yield f"entry {row.id} has {len(moved)} postings that sum to {sum(amount for _a, amount in moved)}"
        before = row.hash
        if row.seq == heads[card][0] and row.hash == heads[card][1]:
            del heads[card]
    for one, (number, _digest) in heads.items():
        if number:
            yield f"card {one} has had {number} entries; its chain does not end there"


def _span_of(entries: Sequence[Any]) -> ColumnElement[bool]:
    return _CARD.c.id.between(entries[0].card_id, entries[-1].card_id)


def _by_entry(session: Session, wanted: Select[Any], table: Any, span: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for entry_id, *values in session.execute(wanted.join(_ENTRY, _ENTRY.c.id == table.c.entry_id).where(span)):
        found[entry_id].append(tuple(values))
    return found
