"""What a shop owes on its cards, to the unit, from the postings themselves."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CompoundSelect, func, literal, select, union_all
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
    """Loaded, paid, refunded, settled, and what is left, as of one moment."""
    found = _sums(session, programme)
    return Liability(
        currency=programme.currency,
        at=now,
        loaded=-found["funding", "load"] - found["funding", "reverse"],
        paid=found["sales", "pay"],
        refunded=-found["sales", "refund"] - found["sales", "reverse"],
        paid_out=found["funding", "writeoff"],
        waived=found["writeoff", "writeoff"],
        outstanding=found["members", "owed"],
        cards=found["members", "cards"],
    )


def _sums(session: Session, programme: Programme) -> Counter[tuple[str, str]]:
    """What the programme's accounts took (above zero) and gave, by account and kind of entry, and what members have.

    One statement: between two of them a till may book.
    """
    mine = Account.programme_id == programme.id, Account.unit == programme.currency
    moved = (
        select(Account.role, Entry.kind, func.sum(Posting.amount))
        .join(Posting, Posting.account_id == Account.id)
        .join(Entry, Entry.id == Posting.entry_id)
        .where(*mine, Account.member_id.is_(None))
        .group_by(Account.role, Entry.kind)
    )
    owed = select(literal("members"), literal("owed"), func.coalesce(func.sum(Account.balance), 0))
    cards = select(literal("members"), literal("cards"), func.count())
    members = *mine, Account.member_id.is_not(None)
    every: CompoundSelect[str, str, int] = union_all(
        moved, owed.where(*members), cards.where(*members, Account.balance > 0)
    )
    return Counter({(role, kind): int(total) for role, kind, total in session.execute(every)})
