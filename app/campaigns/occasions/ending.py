"""What is said before points are lost."""

from datetime import datetime, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns.occasions import told
from app.campaigns.occasions.due import Asked, Due, Found
from app.cards.models import Card
from app.ledger.held import POINTS
from app.ledger.models import Account, Lot


def points(session: Session, asked: Asked) -> Found:
    """Cards of which points end within one of the numbers of days; the nearest alone is spoken of.

    Said once for each number of days and in as many days, so that who buys daily is not warned daily. Late it is said
    as long as the points are there.
    """
    steps = sorted(asked.trigger.wholes("days"))
    ends = [localtime.end_of_day(asked.today + timedelta(days=days), asked.zone) for days in steps]
    sums = [func.sum(case((Lot.expires_at <= end, Lot.remaining), else_=0)) for end in ends]
    query = (
        select(Card.id, func.min(Lot.expires_at).label("first_at"), *sums)
        .join(Account, Account.member_id == Card.member_id)
        .join(Lot, Lot.account_id == Account.id)
        .where(
            *asked.cards,
            Account.unit == POINTS,
            Account.role == "avail",
            Lot.remaining > 0,
            Lot.expires_at > asked.now,
            Lot.expires_at <= ends[-1],
        )
        .group_by(Card.id)
    )
    rows = session.execute(query.order_by(Card.id).limit(asked.limit)).all()
    cards = [row[0] for row in rows]
    said = told.of_cards(session, [asked.campaign_id], cards)
    due = []
    for card, first_at, *units in rows:
        step = next((days for days, some in zip(steps, units, strict=True) if some >= asked.trigger.whole("least")), 0)
        if step and not _said_lately(said.get(card, []), step, asked.now):
            last_on = asked.day_of(first_at - timedelta(milliseconds=1))
            occasion = f"expiring:{step}:{last_on.isoformat()}"
            due.append(Due(card_id=card, occasion=occasion, local=asked.local(asked.today)))
    return asked.found(due, cards)


def _said_lately(said: list[tuple[str, datetime]], step: int, now: datetime) -> bool:
    return any(one.startswith(f"expiring:{step}:") and now - at < timedelta(days=step) for one, at in said)
