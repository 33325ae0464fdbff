"""Recomputing the books from their postings, lots, holds and chains. Memory stays bounded, however many there are."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.cards.models import Card
from app.ledger import links, seals
from app.ledger.models import Account, Entry, EntryLine, Hold, Lot, LotUse, Pending, Posting

ROWS_AT_ONCE = 1_000
Rows = Select[*tuple[Any, ...]]
PARTS_OF = {"capture": ("hold",), "release": ("hold",), "activate": ("earn",)}


def differences(session: Session) -> list[str]:
    """Everything in the books that does not add up, in words; an empty list is a clean ledger."""
    return list(each_difference(session))


def each_difference(
    session: Session, *, checked: Callable[[int], None] = lambda _entries: None
) -> Generator[str, None, None]:
    """The same, one by one as it is found.

    Args:
        checked: is told how many entries were gone through since its last call.
    """
    for look in LOOKS:
        yield from look(session)
    yield from seals.broken(session)
    yield from links.broken(session, checked)


def _rows(session: Session, query: Rows) -> Iterator[Any]:
    """Read in batches: a ledger that is wrong everywhere must fit into memory too."""
    with session.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as found:
        yield from found


def _unbalanced_units(session: Session) -> Iterator[str]:
    of_account = select(Posting.account_id, func.sum(Posting.amount).label("moved")).group_by(Posting.account_id)
    moved = of_account.subquery()
    total = func.sum(moved.c.moved)
    query = (
        select(Account.programme_id, Account.unit, total)
        .join(moved, moved.c.account_id == Account.id)
        .group_by(Account.programme_id, Account.unit)
        .having(total != 0)
    )
    for programme, unit, left in _rows(session, query):
        yield f"the accounts of {unit} in programme {programme} sum to {left}, not to zero"


def _wrong_balances(session: Session) -> Iterator[str]:
    of_account = select(Posting.account_id, func.sum(Posting.amount).label("moved")).group_by(Posting.account_id)
    moved = of_account.subquery()
    total = func.coalesce(moved.c.moved, 0)
    query = (
        select(Account.id, Account.role, Account.unit, Account.balance, total)
        .outerjoin(moved, moved.c.account_id == Account.id)
        .where(Account.balance.is_not(None), Account.balance != total)
    )
    for one, role, unit, balance, moved_in_all in _rows(session, query):
        yield f"account {one} ({role} of {unit}) says {balance}, its postings sum to {moved_in_all}"


def _wrong_signs(session: Session) -> Iterator[str]:
    negative = and_(Account.role.in_(("avail", "hold", "pend")), Account.balance < 0)
    query = select(Account.id, Account.role, Account.balance).where(
        or_(negative, and_(Account.role == "debt", Account.balance > 0))
    )
    for one, role, balance in _rows(session, query):
        yield f"account {one} ({role}) says {balance}, which is on the wrong side of zero"


def _bad_debts(session: Session) -> Iterator[str]:
    avail, debt = aliased(Account), aliased(Account)
    query = (
        select(avail.member_id, avail.unit, avail.balance, debt.balance)
        .join(debt, and_(debt.member_id == avail.member_id, debt.unit == avail.unit))
        .where(avail.role == "avail", debt.role == "debt", debt.balance < 0, avail.balance > 0)
    )
    for member, unit, has, owes in _rows(session, query):
        yield f"member {member} has {has} of {unit} and owes {abs(owes or 0)} at the same time"


def _wrong_lots(session: Session) -> Iterator[str]:
    of_account = select(Lot.account_id, func.sum(Lot.remaining).label("remaining")).group_by(Lot.account_id)
    lots = of_account.subquery()
    has = case((Account.role == "avail", func.coalesce(Account.balance, 0)), else_=0)
    remaining = func.coalesce(lots.c.remaining, 0)
    query = (
        select(Account.id, Card.id, has, remaining)
        .outerjoin(lots, lots.c.account_id == Account.id)
        .outerjoin(Card, Card.member_id == Account.member_id)
        .where(has != remaining)
    )
    for one, card, balance, total in _rows(session, query):
        yield f"account {one} of card {card} has {balance}, its lots have {total}"


def _wrong_lot_uses(session: Session) -> Iterator[str]:
    of_lot = select(LotUse.lot_id, func.sum(LotUse.amount).label("used")).group_by(LotUse.lot_id).subquery()
    used = func.coalesce(of_lot.c.used, 0)
    query = (
        select(Lot.id, Lot.original, Lot.remaining, used)
        .outerjoin(of_lot, of_lot.c.lot_id == Lot.id)
        .where(Lot.original != Lot.remaining + used)
    )
    for one, original, remaining, total in _rows(session, query):
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
    for one, points, taken, amount, amount_back in _rows(session, query):
        yield f"entry {one} moved {points} ({amount}), and {taken} ({amount_back}) were reversed"


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
    for one, number, sold, came in _rows(session, query):
        yield f"entry {one} sold {sold} of line {number}, and {came} came back"


def _wrong_parts(session: Session) -> Iterator[str]:
    whole = aliased(Entry)
    of_another_kind = or_(
        *(and_(Entry.kind == kind, whole.kind.not_in(wholes)) for kind, wholes in PARTS_OF.items()),
        and_(Entry.kind.in_(PARTS_OF), whole.card_id != Entry.card_id),
    )
    query = (
        select(Entry.id, Entry.kind, Entry.part_of_id, whole.kind)
        .outerjoin(whole, whole.id == Entry.part_of_id)
        .where(
            Entry.part_of_id.is_not(None),
            or_(
                whole.id.is_(None),
                whole.programme_id != Entry.programme_id,
                and_(whole.card_id == Entry.card_id, whole.seq >= Entry.seq),
                of_another_kind,
            ),
        )
    )
    for one, kind, of, of_kind in _rows(session, query):
        yield f"entry {one} ({kind}) says that it is part of {of} ({of_kind or 'which is not there'})"


def _bad_holds(session: Session) -> Iterator[str]:
    ended = func.coalesce(func.sum(case((Entry.kind.in_(("capture", "release")), 1), else_=0)), 0)
    released = func.coalesce(func.sum(case((Entry.kind == "release", Entry.points), else_=0)), 0)
    reserved = aliased(Entry)
    wanted = case((Hold.state == "open", 0), (and_(Hold.captured > 0, Hold.captured < Hold.amount), 2), else_=1)
    query = (
        select(Hold.id, Hold.state, Hold.amount, Hold.captured, -reserved.points, ended, released)
        .join(reserved, reserved.id == Hold.entry_id)
        .outerjoin(Entry, Entry.part_of_id == Hold.entry_id)
        .group_by(Hold.id, Hold.state, Hold.amount, Hold.captured, reserved.points)
        .having(
            or_(
                ended != wanted,
                Hold.amount != -reserved.points,
                and_(Hold.state != "open", Hold.captured + released != Hold.amount),
            )
        )
    )
    for one, state, amount, captured, entry, entries, back in _rows(session, query):
        yield (
            f"hold {one} of {amount} is {state} with {captured} captured; its entry reserved {entry}, "
            f"{entries} entries end it and gave {back} back"
        )


def _wrong_holds(session: Session) -> Iterator[str]:
    opened = select(Hold.card_id, Hold.unit, func.sum(Hold.amount).label("units")).where(Hold.state == "open")
    rows = opened.group_by(Hold.card_id, Hold.unit)
    for one, card, unit, balance, total in _rows(session, _accounts_beside(rows, "hold")):
        yield f"account {one} (hold of {unit}) of card {card} has {balance}, its open holds have {total}"


def _wrong_pending(session: Session) -> Iterator[str]:
    waiting = select(Pending.card_id, Pending.unit, func.sum(Pending.units).label("units"))
    rows = waiting.where(Pending.state == "waiting").group_by(Pending.card_id, Pending.unit)
    for one, card, unit, balance, total in _rows(session, _accounts_beside(rows, "pend")):
        yield f"account {one} (pend of {unit}) of card {card} has {balance}, what waits for it is {total}"


def _accounts_beside(rows: Rows, role: str) -> Rows:
    """Accounts of a role whose balance is not the sum of a card's *rows* in that unit."""
    sums = rows.subquery()
    units, balance = func.coalesce(sums.c.units, 0), func.coalesce(Account.balance, 0)
    beside = and_(sums.c.card_id == Card.id, sums.c.unit == Account.unit)
    query = select(Account.id, Card.id, Account.unit, balance, units).join(Card, Card.member_id == Account.member_id)
    return query.outerjoin(sums, beside).where(Account.role == role, balance != units)


def _without_account(session: Session) -> Iterator[str]:
    for table, role, what in ((Hold, "hold", Hold.amount), (Pending, "pend", Pending.units)):
        open_ones = Hold.state == "open" if table is Hold else Pending.state == "waiting"
        query = (
            select(table.entry_id, table.card_id, what)
            .join(Card, Card.id == table.card_id)
            .outerjoin(
                Account,
                and_(Account.member_id == Card.member_id, Account.unit == table.unit, Account.role == role),
            )
            .where(open_ones, what > 0, Account.id.is_(None))
        )
        for entry, card, units in _rows(session, query):
            yield f"entry {entry} of card {card} put {units} aside; there is no account ({role}) for them"


LOOKS: tuple[Callable[[Session], Iterator[str]], ...] = (
    _wrong_balances,
    _wrong_signs,
    _bad_debts,
    _unbalanced_units,
    _wrong_lots,
    _wrong_lot_uses,
    _over_reversed,
    _over_returned,
    _wrong_parts,
    _bad_holds,
    _wrong_holds,
    _wrong_pending,
    _without_account,
)
