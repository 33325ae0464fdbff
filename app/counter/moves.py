"""What every movement at the counter has in common: the card is held first, written last, and its phones are told.

Two tills with one card are served one after the other. The movement, the card's new version and the intention to tell
the phones commit together.

Whoever holds several things takes them in this order, and nobody waits for somebody who waits for them:

1. the key of the request, or the client's id of a kept sale;
2. cards, those with lower ids first; whatever is decided is read again from here on;
3. what is counted by the hour for the person, then for the store; budgets by their names;
4. the code; the reward, its day, its slot, the takings that move up in it; the offer;
5. stamp cards by their ids, shared (who changes one holds its programme first, so that foreign keys can still be
   written);
6. rows of the card's own (accounts, lots, holds, takings), which its lock covers.

A number that many cards share is moved by a conditional UPDATE, never by what was read before its row was locked.

A sale is a handful of statements built once, and no object of the mapper's: with mapped rows, flushes and a savepoint
it was eighteen statements, and four fifths of the processor's time of a sale went into making them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.cards import moving
from app.cards import service as cards
from app.cards.models import Card
from app.counter import telling
from app.errors import Conflict, Unprocessable
from app.fraud.service import Happening
from app.ledger import held as holding
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Entry
from app.outbox.service import Lane


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does it: `name` such as "staff:stf_…" or "key:key_…"; `channel`: till, api or page."""

    name: str
    channel: str


class Shop(Protocol):
    """A store, as far as a movement must know it."""

    @property
    def id(self) -> int: ...

    @property
    def programme_id(self) -> int: ...

    @property
    def public_id(self) -> str: ...

    @property
    def timezone(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was written, and how the card stands now."""

    entry: Entry
    card: Held
    balance: int
    tier: str | None


def held(session: Session, card: Card | Held) -> Held:
    """The card under its lock."""
    return card if isinstance(card, Held) else holding.by_id(session, card.id)


def usable(session: Session, card: Card | Held, store: Shop | None) -> Held:
    """The card under its lock, if it may be used at this store.

    Raises: Conflict `card_not_active`; Unprocessable `wrong_store`.
    """
    card = held(session, card)
    if card.status != "active":
        raise Conflict("card_not_active", "This card is no longer valid; ask the customer for the new one.")
    if store is not None and store.programme_id != card.programme_id:
        raise Unprocessable(
            "wrong_store", "This store belongs to another programme.", errors={"store": "Another programme's."}
        )
    return card


def circumstance(
    card: Held,
    by: Actor,
    now: datetime,
    *,
    store: Shop | None = None,
    receipt: str | None = None,
    occurred_at: datetime | None = None,
    note: str = "",
    reasons: Sequence[Any] = (),
) -> Circumstance:
    """Who moved what, where and when, for the entries of one movement."""
    return Circumstance(
        actor=by.name,
        channel=by.channel,
        now=now,
        version=card.version + 1,
        store_id=store.id if store else None,
        receipt=receipt,
        occurred_at=occurred_at,
        note=note[:500],
        reasons=reasons,
    )


def happening(card: Held, store: Shop | None, by: Actor, now: datetime) -> Happening:
    """Who gives something to a card, where and when, as the limits count it."""
    return Happening(
        actor=by.name, channel=by.channel, store_id=store.id if store else None,
        zone=store.timezone if store else card.timezone, now=now,
    )  # fmt: skip


def done(session: Session, card: Held, booked: Booked, now: datetime) -> Done:
    """Write how the card stands after all its entries, let its phones want that version, and say so."""
    card = _moved_on(session, card, now)
    telling.moved(session, card, booked, now=now)
    return Done(entry=booked.entry, card=card, balance=card.balance, tier=card.tier.name if card.tier else None)


def written(session: Session, card: Held, now: datetime) -> None:
    """As `done`, where no unit has moved: how the card stands, its new version, its phones and who listens."""
    row = session.get_one(Card, card.id, populate_existing=True)
    row.qualifying_minor, row.spent_minor = card.qualifying_minor, card.spent_minor
    row.tier_id = card.tier.id if card.tier else None
    session.flush()
    cards.touch(session, row, lane=Lane.URGENT, now=now)


def _moved_on(session: Session, card: Held, now: datetime) -> Held:
    version = card.version + 1
    moving.move_on(
        session,
        card_id=card.id,
        version=version,
        modified_at=card.modified_at,
        qualifying_minor=card.qualifying_minor,
        spent_minor=card.spent_minor,
        tier_id=card.tier.id if card.tier else None,
        seq=card.seq,
        hash=card.hash,
        lane=Lane.URGENT,
        now=now,
    )
    return replace(card, version=version)
