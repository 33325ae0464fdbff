"""The books and the targets held against each other for ever, some cards a minute: two figures that must stay zero.

What is found is looked at again at each turn, so that it leaves the list once it is mended.
"""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.delivery import turns
from app.ledger.models import Account, Posting
from app.outbox.models import Target
from app.world import World

NAME = "check"
EVERY_MS = 60_000
CARDS_AT_ONCE = 1_000
SPEND_S = 0.3
KEPT = 100


def step(world: World) -> bool:
    """Check the next cards, for a third of a second at most and 1,000 at least; False while it is not due."""
    mine = turns.take(world, NAME, every_ms=EVERY_MS)
    if mine is None:
        return False
    targets, accounts = set(mine.note.get("targets", [])), set(mine.note.get("accounts", []))
    with world.database.reading() as session:
        targets, accounts = set(_wrong_targets(session, targets)), set(_wrong_accounts(session, accounts))
    cursor, round_no, ends = mine.cursor, int(mine.note.get("rounds", 0)), time.monotonic() + SPEND_S
    while True:
        with world.database.reading() as session:
            last = _last(session, cursor)
            if last is not None:
                targets.update(_ahead_or_behind(session, cursor, last))
                accounts.update(_unequal(session, cursor, last))
        cursor, round_no = (0, round_no + 1) if last is None else (last, round_no)
        if last is None or time.monotonic() > ends:
            break
    note = {"targets": sorted(targets)[:KEPT], "accounts": sorted(accounts)[:KEPT], "rounds": round_no}

    def work(session: Session) -> None:
        turns.finish(session, mine, cursor=cursor, note=note)

    world.database.transact(work)
    return True


def found(session: Session) -> tuple[int, int]:
    """How many targets want another version than their card's, and how many accounts differ from their postings."""
    note: dict[str, Any] = turns.noted(session, NAME)
    return len(note.get("targets", [])), len(note.get("accounts", []))


def _last(session: Session, cursor: int) -> int | None:
    chunk = select(Card.id).where(Card.id > cursor).order_by(Card.id).limit(CARDS_AT_ONCE)
    found: int | None = session.scalar(select(func.max(chunk.subquery().c.id)))
    return found


def _ahead_or_behind(session: Session, after: int, last: int) -> Sequence[int]:
    wrong = _wanting_another().where(Card.id > after, Card.id <= last)
    return session.scalars(wrong.limit(KEPT)).all()


def _wrong_targets(session: Session, ids: set[int]) -> Sequence[int]:
    return session.scalars(_wanting_another().where(Target.id.in_(ids))).all() if ids else []


def _wanting_another() -> Any:
    return (
        select(Target.id)
        .join(Card, Card.id == Target.card_id)
        .where(Target.state != "gone", Target.want != Card.version)
    )


def _unequal(session: Session, after: int, last: int) -> Sequence[int]:
    members = select(Card.member_id).where(Card.id > after, Card.id <= last)
    return session.scalars(_differing().where(Account.member_id.in_(members)).limit(KEPT)).all()


def _wrong_accounts(session: Session, ids: set[int]) -> Sequence[int]:
    return session.scalars(_differing().where(Account.id.in_(ids))).all() if ids else []


def _differing() -> Any:
    moved = func.coalesce(func.sum(Posting.amount), 0)
    return (
        select(Account.id)
        .outerjoin(Posting, Posting.account_id == Account.id)
        .where(Account.balance.is_not(None))
        .group_by(Account.id, Account.balance)
        .having(Account.balance != moved)
    )
