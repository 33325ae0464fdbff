"""Recomputing the books from their postings."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.ledger.models import Account, Entry, Posting


def differences(session: Session) -> list[str]:
    """Everything in the books that does not add up, in words; an empty list is a clean ledger."""
    return [*_unbalanced_units(session), *_unbalanced_entries(session), *_wrong_balances(session)]


def _unbalanced_units(session: Session) -> list[str]:
    query = (
        select(Account.unit, func.sum(Posting.amount))
        .join(Posting, Posting.account_id == Account.id)
        .group_by(Account.unit)
    )
    return [f"the accounts of {unit} sum to {total}, not to zero" for unit, total in session.execute(query) if total]


def _unbalanced_entries(session: Session) -> list[str]:
    query = (
        select(Entry.id, func.count(Posting.id), func.coalesce(func.sum(Posting.amount), 0))
        .outerjoin(Posting, Posting.entry_id == Entry.id)
        .group_by(Entry.id)
        .having((func.count(Posting.id) < 2) | (func.coalesce(func.sum(Posting.amount), 0) != 0))
    )
    return [f"entry {one} has {legs} postings that sum to {total}" for one, legs, total in session.execute(query)]


def _wrong_balances(session: Session) -> list[str]:
    moved = func.coalesce(func.sum(Posting.amount), 0)
    query = (
        select(Account.id, Account.role, Account.balance, moved)
        .outerjoin(Posting, Posting.account_id == Account.id)
        .where(Account.balance.is_not(None))
        .group_by(Account.id)
        .having(Account.balance != moved)
    )
    return [
        f"account {one} ({role}) says {balance}, its postings sum to {total}"
        for one, role, balance, total in session.execute(query)
    ]
