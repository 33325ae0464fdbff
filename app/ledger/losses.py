"""What was owed and is forgiven: the programme's loss, entry by entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.ledger.models import Account, Entry, Posting


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A debt that was written off: whose, and how many units."""

    entry_id: str
    number: str
    units: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Losses:
    """How much it is in all, in how many entries, and the latest of them, newest first."""

    units: int
    count: int
    latest: Sequence[Loss]


def written_off(session: Session, programme_id: int, unit: str, *, limit: int) -> Losses:
    """The debts of one unit that a programme has forgiven."""
    forgiven = (
        select(Posting.entry_id, Posting.amount, Posting.id)
        .join(Account, Account.id == Posting.account_id)
        .where(
            Account.programme_id == programme_id, Account.member_id.is_(None), Account.role == "writeoff",
            Account.unit == unit, Posting.amount < 0,
        )
        .subquery()
    )  # fmt: skip
    total, count = session.execute(select(func.sum(forgiven.c.amount), func.count())).one()
    query = (
        select(Entry.id, Card.number, Entry.points, Entry.recorded_at)
        .join(forgiven, forgiven.c.entry_id == Entry.id)
        .join(Card, Card.id == Entry.card_id)
        .order_by(forgiven.c.id.desc())
        .limit(limit)
    )
    latest = [Loss(entry_id=row[0], number=row[1], units=row[2], at=row[3]) for row in session.execute(query)]
    return Losses(units=-int(total or 0), count=count, latest=latest)
