"""What happens at a till or through the API: a card meets the ledger and the offers, in one transaction.

Every function holds the card first (or is given one that the caller holds), so that two tills with one card are served
one after the other. The movement, the card's new version and the intention to tell the phones commit together.

A sale is eight statements built once, and no object of the mapper's: with mapped rows, flushes and a savepoint it was
eighteen statements, and four fifths of the processor's time of a sale went into making them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from app.cards import moving
from app.cards.models import Card
from app.counter import telling
from app.errors import Conflict, Forbidden, Unprocessable
from app.ledger import held, reversals, rules
from app.ledger import service as ledger
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held, HeldTier
from app.ledger.models import Entry, Reward
from app.ledger.service import Earning
from app.offers import service as offers
from app.offers.models import Offer
from app.outbox.service import Lane

UNDO_WINDOW = timedelta(minutes=10)
LATEST_ARRIVAL = timedelta(hours=72)
CLOCK_TOLERANCE = timedelta(minutes=5)


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


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A purchase. `occurred_at` is the till's own time of it, for sales that arrive late."""

    amount_minor: int
    currency: str
    receipt: str | None = None
    store: Shop | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was written, and how the card stands now."""

    entry: Entry
    card: Held
    balance: int
    tier: str | None


def earn(session: Session, card: Card | Held, sale: Sale, *, by: Actor, now: datetime) -> Done:
    """Give the points of a sale.

    Raises: Conflict `card_not_active` or `duplicate_receipt`; Unprocessable `currency_mismatch`, `invalid_amount` or
    `wrong_store`.
    """
    card = _usable(session, card, sale.store)
    if sale.currency != card.currency:
        text = f"This programme counts {card.currency}; the sale is in {sale.currency}."
        raise Unprocessable("currency_mismatch", text, errors={"currency": text})
    if sale.amount_minor <= 0:
        text = "The amount of a sale is above zero."
        raise Unprocessable("invalid_amount", text, errors={"amount": text})
    quote = rules.quote(card, sale.amount_minor)
    occurred_at, late = _business_time(sale.occurred_at, now)
    reasons = [*quote.reasons, *(["time: server"] if late else [])]
    told = _circumstance(
        card, by, now, store=sale.store, receipt=sale.receipt, occurred_at=occurred_at, reasons=reasons
    )
    earning = Earning(points=quote.points, amount_minor=sale.amount_minor, currency=sale.currency)
    booked = ledger.earn(session, card, earning, by=told)
    return _done(session, _qualified(session, booked.card, sale.amount_minor), booked, now)


def redeem_points(
    session: Session,
    card: Card | Held,
    points: int,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    note: str = "",
) -> Done:
    """Use up points.

    Raises: Conflict `card_not_active`; Unprocessable `insufficient` or `invalid_points`.
    """
    card = _usable(session, card, store)
    told = _circumstance(card, by, now, store=store, receipt=receipt, note=note)
    booked = ledger.spend(session, card, points, by=told)
    return _done(session, booked.card, booked, now)


def redeem_reward(
    session: Session,
    card: Card | Held,
    reward: Reward,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Done:
    """Buy a reward with points.

    Raises: as `redeem_points`, and Conflict `not_eligible`, if the reward is withdrawn or another programme's.
    """
    card = _held(session, card)
    if reward.programme_id != card.programme_id or not reward.active:
        raise Conflict("not_eligible", "This reward cannot be bought with this card.")
    return redeem_points(
        session, card, reward.points, by=by, now=now, store=store, receipt=receipt, note=f"reward:{reward.public_id}"
    )


def redeem_offer(
    session: Session,
    card: Card | Held,
    offer: Offer,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Done:
    """Use an offer once, at server time.

    Raises: Conflict with the reason as its code: ended, not_started, not_eligible, already_used, limit_reached,
    budget_spent.
    """
    card = _usable(session, card, store)
    row = session.get_one(Card, card.id, populate_existing=True)
    reason = offers.refusal(session, offer, row, now=now)
    if reason:
        raise Conflict(reason, offers.REFUSALS[reason])
    told = _circumstance(card, by, now, store=store, receipt=receipt, note=f"offer:{offer.public_id}")
    booked = ledger.record_use(session, card, by=told)
    offers.redeem(session, offer, row, store_id=store.id if store else None, entry_id=booked.entry.id, now=now)
    done = _done(session, booked.card, booked, now)
    telling.redeemed(session, done.card, offer, booked, now=now)
    return done


def reverse(
    session: Session, entry_id: str, *, reason: str, by: Actor, now: datetime, store: Shop | None = None
) -> Done:
    """Undo a transaction by a counter-entry; an offer that it used can be used again.

    Raises: NotFound `unknown_transaction`; Conflict `already_reversed` or `not_reversible`.
    """
    original = ledger.by_id(session, entry_id)
    card = held.by_id(session, original.card_id)
    told = _circumstance(card, by, now, store=store, note=reason)
    booked = reversals.reverse(session, card, original, by=told)
    taken_back = -(booked.entry.amount_minor or 0) if original.kind == "earn" else 0
    after = replace(booked.card, qualifying_minor=max(0, card.qualifying_minor - taken_back))
    if original.kind == "offer":
        offers.give_back(session, original.id, now=now)
    return _done(session, after, booked, now)


def undo_at_till(
    session: Session, entry_id: str, *, by: Actor, is_manager: bool, store: Shop | None, now: datetime
) -> Done:
    """Undo by the cashier who did it, at the same store, within ten minutes; a manager may do it later.

    Raises: Forbidden `needs_manager`, and as `reverse`.
    """
    original = ledger.by_id(session, entry_id)
    own = original.actor == by.name and original.store_id == (store.id if store else None)
    if not is_manager and not (own and now - original.recorded_at <= UNDO_WINDOW):
        raise Forbidden("needs_manager", "Only a manager can undo this: it is older than ten minutes, or not yours.")
    return reverse(session, entry_id, reason="undone at the till", by=by, now=now, store=store)


def _held(session: Session, card: Card | Held) -> Held:
    return card if isinstance(card, Held) else held.by_id(session, card.id)


def _usable(session: Session, card: Card | Held, store: Shop | None) -> Held:
    card = _held(session, card)
    if card.status != "active":
        raise Conflict("card_not_active", "This card is no longer valid; ask the customer for the new one.")
    if store is not None and store.programme_id != card.programme_id:
        raise Unprocessable(
            "wrong_store", "This store belongs to another programme.", errors={"store": "Another programme's."}
        )
    return card


def _qualified(session: Session, card: Held, amount_minor: int) -> Held:
    """Count the spend; a member who reaches a threshold moves up at once (this sale earned at the old tier)."""
    qualifying_minor = card.qualifying_minor + amount_minor
    tier: HeldTier | None = card.tier
    if card.next_threshold_minor is not None and qualifying_minor >= card.next_threshold_minor:
        tier = rules.tier_for(held.tiers(session, card.programme_id), qualifying_minor)
    return replace(card, qualifying_minor=qualifying_minor, tier=tier)


def _moved_on(session: Session, card: Held, now: datetime) -> Held:
    """The card as it stands after this movement, written, with its phones wanting the new version."""
    version = card.version + 1
    moving.move_on(
        session,
        card_id=card.id,
        version=version,
        modified_at=card.modified_at,
        qualifying_minor=card.qualifying_minor,
        tier_id=card.tier.id if card.tier else None,
        seq=card.seq,
        hash=card.hash,
        lane=Lane.URGENT,
        now=now,
    )
    return replace(card, version=version)


def _business_time(claimed: datetime | None, now: datetime) -> tuple[datetime, bool]:
    if claimed is None:
        return now, False
    if claimed - now > CLOCK_TOLERANCE or now - claimed > LATEST_ARRIVAL:
        return now, True
    return claimed, False


def _circumstance(
    card: Held,
    by: Actor,
    now: datetime,
    *,
    store: Shop | None = None,
    receipt: str | None = None,
    occurred_at: datetime | None = None,
    note: str = "",
    reasons: Sequence[str] = (),
) -> Circumstance:
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


def _done(session: Session, card: Held, booked: Booked, now: datetime) -> Done:
    """Write how the card stands after all its entries, and say so."""
    card = _moved_on(session, card, now)
    telling.moved(session, card, booked, now=now)
    return Done(entry=booked.entry, card=card, balance=card.balance, tier=card.tier.name if card.tier else None)
