"""Money on cards at the counter: loaded, spent, refunded and settled; and bonus money, spent."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves
from app.counter.moves import Actor, Done, Shop
from app.errors import Conflict
from app.ledger import held as holding
from app.ledger import merges
from app.ledger import service as ledger
from app.ledger.held import Held
from app.ledger.models import Entry
from app.value import bonus, service, stock
from app.value.bonus import BonusPayment
from app.value.service import NewLoad, Payment


def load(
    session: Session, card: Card | Held, new: NewLoad, *, by: Actor, now: datetime, store: Shop | None = None
) -> Done:
    """Put money on a card. It earns nothing: the sales that it pays for do.

    Raises: Conflict `void_card`; as `value.service.load`.
    """
    card = usable(session, card, store)
    told = moves.circumstance(card, by, now, store=store, note=f"funding:{new.reference.strip()}")
    booked = service.load(session, card, new, by=told)
    return moves.done(session, booked.card, booked, now)


def pay(
    session: Session,
    card: Card | Held,
    payment: Payment,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Done:
    """Pay a sale with a card's money. What the sale earns is booked with the sale itself, as if it was paid in cash.

    Raises: Conflict `void_card`; as `value.service.pay`.
    """
    card = usable(session, card, store)
    told = moves.circumstance(card, by, now, store=store, receipt=receipt)
    booked = service.pay(session, card, payment, by=told)
    return moves.done(session, booked.card, booked, now)


def pay_with_bonus(
    session: Session,
    card: Card | Held,
    payment: BonusPayment,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Done:
    """Pay a part of a basket with bonus money.

    Raises: Conflict `void_card`; as `value.bonus.pay`.
    """
    card = usable(session, card, store)
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note="bonus")
    booked = bonus.pay(session, card, payment, by=told)
    return moves.done(session, booked.card, booked, now)


def refund(
    session: Session,
    entry_id: str,
    amount_minor: int | None,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    reason: str = "",
) -> Done:
    """Give a payment, or a part of it, back to the card that paid; to the one that replaced it, if it was lost.

    Raises: NotFound `unknown_transaction`; Conflict `void_card`, if its holder is gone; as `value.service.refund`.
    """
    original = ledger.by_id(session, entry_id)
    card, target = _with_successor(session, original)
    if (target or card).status == "erased":
        raise _void()
    told = moves.circumstance(card, by, now, store=store, receipt=original.receipt, note=reason)
    booked = service.refund(session, card, original, amount_minor, by=told)
    if target is None:
        return moves.done(session, booked.card, booked, now)
    arriving = moves.circumstance(target, by, now, store=store, note=f"replaces:{card.serial}")
    leaving = replace(told.part_of(booked.entry.id), receipt=None)
    merged = merges.merge(session, booked.card, target, by_source=leaving, by_target=arriving)
    moves.done(session, merged.source, booked, now)
    moved = moves.done(session, merged.target, merged.arrived[-1], now)
    return replace(moved, entry=booked.entry)


def settle(
    session: Session, card: Card | Held, how: str, *, by: Actor, now: datetime, store: Shop | None = None, reason: str
) -> Done:
    """Pay a card's money out to its holder, or note that they waive it. A stopped card can be settled too.

    Raises: Conflict `void_card`, if it was replaced; as `value.service.settle`.
    """
    card = moves.held(session, card)
    if card.status == "erased" or stock.successor(session, card.id) != card.id:
        raise _void()
    told = moves.circumstance(card, by, now, store=store, note=f"{how}: {reason}".rstrip(": "))
    booked = service.settle(session, card, how, by=told)
    return moves.done(session, booked.card, booked, now)


def usable(session: Session, card: Card | Held, store: Shop | None) -> Held:
    """The card under its lock, if money may move on it at this store.

    Raises: Conflict `void_card`; Unprocessable `wrong_store`.
    """
    card = moves.held(session, card)
    if card.status != "active":
        raise _void()
    return moves.usable(session, card, store)


def _void() -> Conflict:
    return Conflict("void_card", "This card is stopped or was replaced; ask for the new one.")


def _with_successor(session: Session, original: Entry) -> tuple[Held, Held | None]:
    """The card of an entry, and the one that has its money by now if that is another; both held."""
    while True:
        target = stock.successor(session, original.card_id)
        found = {one: holding.by_id(session, one) for one in sorted({original.card_id, target})}
        if stock.successor(session, original.card_id) == target:
            return found[original.card_id], None if target == original.card_id else found[target]
