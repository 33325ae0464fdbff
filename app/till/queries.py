"""What the till reads beyond other rooms' services."""

from datetime import datetime, timedelta

from sqlalchemy import Select, bindparam, exists, select
from sqlalchemy.orm import aliased, joinedload, selectinload

from app.cards.models import Card, Programme
from app.db import table_of
from app.ledger.models import Entry, Reward
from app.offers.models import Offer

_CARD = table_of(Card)
NUMBERED = select(_CARD.c.serial, _CARD.c.status).where(
    _CARD.c.number == bindparam("number"), _CARD.c.programme_id == bindparam("programme_id")
)


def card_of(programme_id: int, serial: str) -> Select[Card]:
    """A card of this programme with all that its page shows."""
    wanted = select(Card).where(Card.serial == serial, Card.programme_id == programme_id)
    return wanted.options(
        joinedload(Card.programme).selectinload(Programme.tiers), joinedload(Card.member), joinedload(Card.tier)
    )


def entry_of(programme_id: int, entry_id: str) -> Select[Entry, str, bool]:
    """An entry with its card's number and whether it was undone."""
    undoing = aliased(Entry)
    undone = exists(select(undoing.id).where(undoing.reverses_id == Entry.id))
    return (
        select(Entry, Card.number, undone)
        .join(Card, Card.id == Entry.card_id)
        .where(Entry.id == entry_id, Entry.programme_id == programme_id)
    )


def last_entries(
    *, programme_id: int, actor: str, store_id: int | None, now: datetime, within: timedelta, limit: int
) -> Select[Entry, str, bool]:
    """A cashier's latest entries at a store.

    Ids sort by time, so the range of the primary key bounds the search; there is no index on the actor.
    """
    undoing = aliased(Entry)
    undone = exists(select(undoing.id).where(undoing.reverses_id == Entry.id))
    oldest = f"txn_{int((now - within).timestamp() * 1000):012x}"
    return (
        select(Entry, Card.number, undone)
        .join(Card, Card.id == Entry.card_id)
        .where(
            Entry.id >= oldest,
            Entry.id < "txn_g",
            Entry.programme_id == programme_id,
            Entry.actor == actor,
            Entry.store_id == store_id,
        )
        .order_by(Entry.id.desc())
        .limit(limit)
    )


def rewards_named(public_ids: list[str]) -> Select[Reward]:
    return select(Reward).where(Reward.public_id.in_(public_ids))


def offers_named(public_ids: list[str]) -> Select[Offer]:
    return select(Offer).where(Offer.public_id.in_(public_ids)).options(selectinload(Offer.programme))
