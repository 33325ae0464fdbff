"""What is said soon after something happened: welcome, when a card is on its first phone, and thanks for a visit."""

from datetime import datetime, timedelta

from sqlalchemy import exists, func, literal_column, select
from sqlalchemy.orm import Session, aliased

from app.campaigns.occasions import told
from app.campaigns.occasions.due import Asked, Due, Found
from app.cards.models import Card, Installation
from app.clock import milliseconds
from app.ledger.models import Entry
from app.likelihood import seldom

# a scheduler that was away for longer says nothing about it any more
WELCOME_WITHIN = timedelta(days=3)
THANKS_WITHIN = timedelta(hours=24)
JUST_NOW = timedelta(minutes=15)


def welcome(session: Session, asked: Asked) -> Found:
    """Cards that came onto their first phone. Off it and on again is no first time, nor is the other wallet."""
    earlier = aliased(Installation)
    is_first = ~exists(literal_column("1")).where(
        earlier.card_id == Installation.card_id, earlier.installed_at < Installation.installed_at
    )
    query = (
        select(Card.id)
        .join(Installation, Installation.card_id == Card.id)
        .where(
            *asked.cards,
            Installation.programme_id == asked.programme_id,
            Installation.installed_at > max(asked.since, asked.now - WELCOME_WITHIN),
            Installation.installed_at <= asked.now,
            is_first,
            told.never(asked, "welcome"),
        )
        .distinct()
    )
    cards = list(session.scalars(query.order_by(Card.id).limit(asked.limit)))
    return asked.found([Due(card_id=one, occasion="welcome") for one in cards], cards)


def thanks(session: Session, asked: Asked) -> Found:
    """Cards of visits some time ago, the last of each, that were not thanked for a while. Nobody is thanked for a sale
    of which something was brought back."""
    until = asked.now - timedelta(minutes=asked.trigger.whole("minutes"))
    start = max(asked.since, until - (THANKS_WITHIN if asked.far else JUST_NOW))
    undone = aliased(Entry)
    query = (
        select(Card.id, func.max(Entry.id))
        .join(Entry, Entry.card_id == Card.id)
        .where(
            *asked.cards,
            # ids begin with the time: of a ledger of millions, the last hours alone are looked at
            Entry.id >= _first_id(start),
            Entry.id < _first_id(until),
            Entry.programme_id == asked.programme_id,
            Entry.kind == "earn",
            Entry.part_of_id.is_(None),
            Entry.amount_minor.is_not(None),
            ~exists(literal_column("1")).where(seldom(undone.reverses_id == Entry.id)),
            told.not_since(asked, asked.now - timedelta(days=asked.trigger.whole("rest_days"))),
        )
        .group_by(Card.id)
    )
    rows = session.execute(query.order_by(Card.id).limit(asked.limit)).all()
    due = [Due(card_id=card, occasion=f"thanks:{entry}") for card, entry in rows]
    return asked.found(due, [card for card, _entry in rows])


def _first_id(at: datetime) -> str:
    return f"txn_{milliseconds(at):012x}"
