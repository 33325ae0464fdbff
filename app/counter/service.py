"""What happens at a till or through the API: a card meets the ledger and the offers, in one transaction.

Every function locks the card first, so that two tills with one card are served one after the other. The movement, the
card's new version and the intention to tell the phones commit together.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card, Store
from app.errors import Conflict, Forbidden, Unprocessable
from app.ledger import rules
from app.ledger import service as ledger
from app.ledger.models import Entry, Reward
from app.ledger.service import Circumstance
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


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A purchase. `occurred_at` is the till's own time of it, for sales that arrive late."""

    amount_minor: int
    currency: str
    receipt: str | None = None
    store: Store | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was written, and how the card stands now."""

    entry: Entry
    card: Card
    balance: int
    tier: str | None


def earn(session: Session, card: Card, sale: Sale, *, by: Actor, now: datetime) -> Done:
    """Give the points of a sale.

    Raises: Conflict `card_not_active` or `duplicate_receipt`; Unprocessable `currency_mismatch`, `invalid_amount` or
    `wrong_store`.
    """
    card = _usable(session, card, sale.store)
    if sale.currency != card.programme.currency:
        text = f"This programme counts {card.programme.currency}; the sale is in {sale.currency}."
        raise Unprocessable("currency_mismatch", text, errors={"currency": text})
    if sale.amount_minor <= 0:
        text = "The amount of a sale is above zero."
        raise Unprocessable("invalid_amount", text, errors={"amount": text})
    quote = rules.quote(card.programme, card.tier, sale.amount_minor)
    occurred_at, late = _business_time(sale.occurred_at, now)
    reasons = [*quote.reasons, *(["time: server"] if late else [])]
    _qualify(session, card, sale.amount_minor)
    version = cards.touch(session, card, lane=Lane.URGENT, now=now)
    entry = ledger.earn(
        session,
        card,
        quote.points,
        amount_minor=sale.amount_minor,
        currency=sale.currency,
        reasons=reasons,
        by=_circumstance(by, now, store=sale.store, receipt=sale.receipt, occurred_at=occurred_at),
        version=version,
    )
    return _done(session, card, entry)


def redeem_points(
    session: Session,
    card: Card,
    points: int,
    *,
    by: Actor,
    now: datetime,
    store: Store | None = None,
    receipt: str | None = None,
    note: str = "",
) -> Done:
    """Use up points.

    Raises: Conflict `card_not_active`; Unprocessable `insufficient` or `invalid_points`.
    """
    card = _usable(session, card, store)
    version = cards.touch(session, card, lane=Lane.URGENT, now=now)
    told = _circumstance(by, now, store=store, receipt=receipt, note=note)
    return _done(session, card, ledger.spend(session, card, points, by=told, version=version))


def redeem_reward(
    session: Session,
    card: Card,
    reward: Reward,
    *,
    by: Actor,
    now: datetime,
    store: Store | None = None,
    receipt: str | None = None,
) -> Done:
    """Buy a reward with points.

    Raises: as `redeem_points`, and Conflict `not_eligible`, if the reward is withdrawn or another programme's.
    """
    card = cards.lock(session, card.id)
    if reward.programme_id != card.programme_id or not reward.active:
        raise Conflict("not_eligible", "This reward cannot be bought with this card.")
    return redeem_points(
        session, card, reward.points, by=by, now=now, store=store, receipt=receipt, note=f"reward:{reward.public_id}"
    )


def redeem_offer(
    session: Session,
    card: Card,
    offer: Offer,
    *,
    by: Actor,
    now: datetime,
    store: Store | None = None,
    receipt: str | None = None,
) -> Done:
    """Use an offer once, at server time.

    Raises: Conflict with the reason as its code: ended, not_started, not_eligible, already_used, limit_reached,
    budget_spent.
    """
    card = _usable(session, card, store)
    reason = offers.refusal(session, offer, card, now=now)
    if reason:
        raise Conflict(reason, offers.REFUSALS[reason])
    version = cards.touch(session, card, lane=Lane.URGENT, now=now)
    told = _circumstance(by, now, store=store, receipt=receipt, note=f"offer:{offer.public_id}")
    entry = ledger.record_use(session, card, by=told, version=version)
    offers.redeem(session, offer, card, store=store, entry_id=entry.id, now=now)
    return _done(session, card, entry)


def reverse(
    session: Session, entry_id: str, *, reason: str, by: Actor, now: datetime, store: Store | None = None
) -> Done:
    """Undo a transaction by a counter-entry; an offer that it used can be used again.

    Raises: NotFound `unknown_transaction`; Conflict `already_reversed` or `not_reversible`.
    """
    original = ledger.by_id(session, entry_id)
    card = cards.lock(session, original.card_id)
    if original.kind == "earn":
        card.qualifying_minor = max(0, card.qualifying_minor - (original.amount_minor or 0))
        session.flush()
    version = cards.touch(session, card, lane=Lane.URGENT, now=now)
    told = _circumstance(by, now, store=store, note=reason)
    entry = ledger.reverse(session, card, original, by=told, version=version)
    offers.give_back(session, original.id, now=now)
    return _done(session, card, entry)


def undo_at_till(
    session: Session, entry_id: str, *, by: Actor, is_manager: bool, store: Store | None, now: datetime
) -> Done:
    """Undo by the cashier who did it, at the same store, within ten minutes; a manager may do it later.

    Raises: Forbidden `needs_manager`, and as `reverse`.
    """
    original = ledger.by_id(session, entry_id)
    own = original.actor == by.name and original.store_id == (store.id if store else None)
    if not is_manager and not (own and now - original.recorded_at <= UNDO_WINDOW):
        raise Forbidden("needs_manager", "Only a manager can undo this: it is older than ten minutes, or not yours.")
    return reverse(session, entry_id, reason="undone at the till", by=by, now=now, store=store)


def _usable(session: Session, card: Card, store: Store | None) -> Card:
    card = cards.lock(session, card.id)
    if card.status != "active":
        raise Conflict("card_not_active", "This card is no longer valid; ask the customer for the new one.")
    if store is not None and store.programme_id != card.programme_id:
        raise Unprocessable(
            "wrong_store", "This store belongs to another programme.", errors={"store": "Another programme's."}
        )
    return card


def _qualify(session: Session, card: Card, amount_minor: int) -> None:
    """Count the spend; a member who reaches a threshold moves up at once (this sale earned at the old tier)."""
    card.qualifying_minor += amount_minor
    reached = rules.tier_for(card.programme.tiers, card.qualifying_minor)
    held = card.tier.threshold_minor if card.tier else -1
    if reached is not None and reached.threshold_minor > held:
        card.tier = reached
    session.flush()


def _business_time(claimed: datetime | None, now: datetime) -> tuple[datetime, bool]:
    if claimed is None:
        return now, False
    if claimed - now > CLOCK_TOLERANCE or now - claimed > LATEST_ARRIVAL:
        return now, True
    return claimed, False


def _circumstance(
    by: Actor,
    now: datetime,
    *,
    store: Store | None = None,
    receipt: str | None = None,
    occurred_at: datetime | None = None,
    note: str = "",
) -> Circumstance:
    return Circumstance(
        actor=by.name,
        channel=by.channel,
        now=now,
        store=store,
        receipt=receipt,
        occurred_at=occurred_at,
        note=note[:500],
    )


def _done(session: Session, card: Card, entry: Entry) -> Done:
    balance = ledger.balance_of(session, card.member_id)
    return Done(entry=entry, card=card, balance=balance, tier=card.tier.name if card.tier else None)
