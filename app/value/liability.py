"""What a shop owes on its cards, to the unit, from the postings themselves."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.cards.models import Programme
from app.ledger.models import Account, Entry, Posting


@dataclass(frozen=True, kw_only=True)
class Liability:
    """Money on all cards of a programme, in minor units of its currency, as of `at`.

    `loaded` is net of loads that were taken back. `cards`: on how many there is any. `outstanding` is the sum of the
    members' balances; that `is_exact` says that the postings lead to the same sum.
    """

    currency: str
    at: datetime
    loaded: int
    paid: int
    refunded: int
    paid_out: int
    waived: int
    outstanding: int
    cards: int

    @property
    def is_exact(self) -> bool:
        left = self.loaded - self.paid + self.refunded - self.paid_out - self.waived
        return left == self.outstanding


def report(session: Session, programme: Programme, *, now: datetime) -> Liability:
    """Loaded, paid, refunded, settled, and what is left, in one look at the database."""
    moved = _moved(session, programme)
    owed, cards = _owed(session, programme)
    return Liability(
        currency=programme.currency,
        at=now,
        loaded=-moved.get(("funding", "load"), 0) - moved.get(("funding", "reverse"), 0),
        paid=moved.get(("sales", "pay"), 0),
        refunded=-moved.get(("sales", "refund"), 0) - moved.get(("sales", "reverse"), 0),
        paid_out=moved.get(("funding", "writeoff"), 0),
        waived=moved.get(("writeoff", "writeoff"), 0),
        outstanding=owed,
        cards=cards,
    )


def _moved(session: Session, programme: Programme) -> dict[tuple[str, str], int]:
    """What the programme's own accounts took (above zero) and gave, by account and kind of entry."""
    query = (
        select(Account.role, Entry.kind, func.sum(Posting.amount))
        .join(Posting, Posting.account_id == Account.id)
        .join(Entry, Entry.id == Posting.entry_id)
        .where(Account.programme_id == programme.id, Account.member_id.is_(None), Account.unit == programme.currency)
        .group_by(Account.role, Entry.kind)
    )
    return {(role, kind): int(total) for role, kind, total in session.execute(query)}


def _owed(session: Session, programme: Programme) -> tuple[int, int]:
    query = select(
        func.coalesce(func.sum(Account.balance), 0), func.coalesce(func.sum(case((Account.balance > 0, 1), else_=0)), 0)
    ).where(
        Account.programme_id == programme.id,
        Account.member_id.is_not(None),
        Account.unit == programme.currency,
        Account.role.in_(("avail", "hold", "pend", "debt")),
    )
    total, cards = session.execute(query).one()
    return int(total), int(cards)
