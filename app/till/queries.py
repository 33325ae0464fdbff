"""What the till reads beyond other rooms' services."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, literal_column, or_, select, text
from sqlalchemy.orm import aliased, joinedload, selectinload

from app.cards.models import Card, Programme, Store
from app.db import table_of
from app.ledger.models import Entry, EntryLine, Hold
from app.likelihood import seldom
from app.offers.models import Offer
from app.rewards.models import Reward

_CARD = table_of(Card)
NUMBERED = select(_CARD.c.serial, _CARD.c.status, _CARD.c.kind).where(
    _CARD.c.number == bindparam("number"), _CARD.c.programme_id == bindparam("programme_id")
)
# what a cashier did, as against what follows from it
SHOWN = ("earn", "spend", "offer", "reverse", "adjust", "load", "pay", "refund")


def card_of(programme_id: int, serial: str) -> Select[Card]:
    """A card of this programme with all that its page shows."""
    wanted = select(Card).where(Card.serial == serial, Card.programme_id == programme_id)
    return wanted.options(
        joinedload(Card.programme).selectinload(Programme.tiers), joinedload(Card.member), joinedload(Card.tier)
    )


def entry_of(programme_id: int, entry_id: str) -> Select[Any]:
    """An entry as `entries.actions_of` takes it."""
    return _rows().where(Entry.id == entry_id, Entry.programme_id == programme_id)


def last_entries(
    *, programme_id: int, actor: str, store_id: int | None, now: datetime, within: timedelta, limit: int
) -> Select[Any]:
    """A cashier's latest doings at a store.

    Ids sort by time, so the range of the primary key bounds the search; there is no index on the actor.
    """
    oldest = f"txn_{int((now - within).timestamp() * 1000):012x}"
    return (
        _rows()
        .where(
            Entry.id >= oldest,
            Entry.id < "txn_g",
            Entry.programme_id == programme_id,
            Entry.actor == actor,
            Entry.store_id == store_id,
            _is_shown(),
        )
        .order_by(Entry.id.desc())
        .limit(limit)
    )


def entries_of_card(card_id: int, *, limit: int) -> Select[Any]:
    """The latest doings with a card."""
    return (
        _rows()
        .where(Entry.card_id == card_id, _is_shown())
        .order_by(Entry.recorded_at.desc(), Entry.id.desc())
        .limit(limit)
    )


def sales_of_receipt(programme_id: int, store_ids: Collection[int], receipt: str) -> Select[Entry]:
    """The sales with a receipt number at these stores.

    Written word for word as the partial unique index of receipts is, or neither database would look there.
    """
    return select(Entry).where(
        Entry.programme_id == programme_id,
        literal_column("coalesce(entry.store_id, 0)").in_(sorted(store_ids)),
        Entry.receipt == receipt,
        text("entry.kind = 'earn' AND entry.receipt IS NOT NULL AND entry.part_of_id IS NULL"),
    )


def store_names(programme_id: int) -> Select[int, str]:
    return select(Store.id, Store.name).where(Store.programme_id == programme_id)


def lines_left(entry_id: str) -> Select[Any]:
    """The lines of a sale, each with how many pieces of it came back already."""
    back, undoing = aliased(EntryLine), aliased(Entry)
    returned = (
        select(func.coalesce(func.sum(back.quantity), 0))
        .join(undoing, undoing.id == back.entry_id)
        .where(undoing.reverses_id == entry_id, back.line_no == EntryLine.line_no)
        .scalar_subquery()
    )
    return select(EntryLine, returned).where(EntryLine.entry_id == entry_id).order_by(EntryLine.line_no)


def rewards_named(public_ids: list[str]) -> Select[Reward]:
    return select(Reward).where(Reward.public_id.in_(public_ids))


def offers_named(public_ids: list[str]) -> Select[Offer]:
    return select(Offer).where(Offer.public_id.in_(public_ids)).options(selectinload(Offer.programme))


def _rows() -> Select[Any]:
    """Entry, its card's number, how often and by how much it was reversed, and the units that it captured."""
    undoing = aliased(Entry)
    of = seldom(undoing.reverses_id == Entry.id)
    times = select(func.count()).where(of).scalar_subquery()
    amount = select(func.coalesce(func.sum(undoing.amount_minor), 0)).where(of).scalar_subquery()
    captured = select(Hold.captured).where(Hold.entry_id == Entry.part_of_id, Entry.kind == "capture").scalar_subquery()
    return select(Entry, Card.number, times, amount, captured).join(Card, Card.id == Entry.card_id)


def _is_shown() -> ColumnElement[bool]:
    """Of a movement in several units only its first entry; a capture is part of its hold and stands for it."""
    is_open = select(Hold.id).where(Hold.entry_id == Entry.id, Hold.state == "open").exists()
    return or_(
        and_(Entry.kind.in_(SHOWN), Entry.part_of_id.is_(None)),
        Entry.kind == "capture",
        and_(Entry.kind == "hold", is_open),
    )


def open_hold(entry_id: str) -> Select[str]:
    return select(Hold.id).where(Hold.entry_id == entry_id, Hold.state == "open")
