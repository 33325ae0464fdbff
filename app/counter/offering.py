"""Using an offer at a till."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves, telling
from app.counter.moves import Actor, Done, Shop
from app.earning.sale import Basket
from app.ledger import reversals
from app.ledger import service as ledger
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Entry
from app.offers import budgets, refusals, states, terms, uses
from app.offers.models import Offer
from app.offers.terms import TAKES_OFF, Terms
from app.offers.uses import Claim


@dataclass(frozen=True, kw_only=True)
class OfferUsed(Done):
    """An offer as it was used without a sale. `off_minor`: what the till takes off, at most; None for nothing."""

    off_minor: int | None


def redeem_offer(
    session: Session,
    card: Card | Held,
    offer: Offer,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    basket: Basket | None = None,
    has_code: bool = False,
) -> OfferUsed:
    """Use an offer once without booking a sale, at server time: what it takes off, the till takes off.

    Without a *basket* the most that it can take off counts for its budgets.

    Raises: Conflict with the reason as its code, as `offers.refusals` has them: `basket_needed`, if it depends on what
    is bought, or on the amount and no basket is given.
    """
    card = moves.usable(session, card, store)
    row = session.get_one(Card, card.id, populate_existing=True)
    asking = replace(refusals.asking_of(row, store=store, now=now), basket=basket, is_alone=True, has_code=has_code)
    session.refresh(offer)
    known = refusals.known_of(session, [offer], card.id, asking, live=True)[offer.id]
    reason = refusals.with_places(session, refusals.after(offer, asking, known), known)
    if reason:
        raise reason.problem
    given = terms.of(offer.kind, offer.terms, card.currency)
    off_minor = _off_minor(given, basket)
    claim = Claim(
        offer=offer, card_id=card.id, store_id=store.id if store else None, day=budgets.day_of(now, asking.zone),
        cost_minor=given.cost_minor if off_minor is None else off_minor, least=states.least_of(offer),
    )  # fmt: skip
    uses.reserve(session, claim, now=now)
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=f"offer:{offer.public_id}")
    booked = ledger.record_use(session, card, by=told)
    uses.note(session, claim, entry_id=booked.entry.id, sale_id=None, now=now)
    written = moves.done(session, booked.card, booked, now)
    telling.redeemed(session, written.card, offer, booked, now=now)
    return OfferUsed(**vars(written), off_minor=off_minor)


def with_sale(
    session: Session, booked: Booked, claims: Sequence[Claim], told: Circumstance
) -> tuple[Held, list[tuple[Claim, Booked]]]:
    """Write down the uses that were reserved for a sale, each as a part of it; the card after them."""
    card, used = booked.card, []
    part = replace(told.part_of(booked.entry.id), receipt=None, reasons=())
    for claim in claims:
        one = ledger.record_use(session, card, by=replace(part, note=f"offer:{claim.offer.public_id}"))
        uses.note(session, claim, entry_id=one.entry.id, sale_id=booked.entry.id, now=told.now)
        card = one.card
        used.append((claim, one))
    return card, used


def tell(session: Session, card: Held, used: Sequence[tuple[Claim, Booked]], now: datetime) -> None:
    """Say which offers were used with a sale."""
    for claim, booked in used:
        telling.redeemed(session, card, claim.offer, booked, now=now)


def without_sale(session: Session, card: Held, sale: Entry, by: Circumstance) -> Held:
    """Give the uses of a sale back once all of it has come back; the card after that.

    A part of a sale that comes back gives no use back: what is left of it was still bought with the offer.
    """
    used = uses.of_sale(session, sale.id)
    if not used or not reversals.is_back(session, sale):
        return card
    for one in used:
        undone = reversals.reverse(session, card, session.get_one(Entry, one.entry_id), by=by)
        uses.give_back(session, one.entry_id, now=by.now)
        card = undone.card
    return card


def _off_minor(given: Terms, basket: Basket | None) -> int | None:
    """What an offer takes off a purchase, or can take off at most; None if it is none that takes money off."""
    if given.kind not in TAKES_OFF:
        return None
    return given.most_minor if basket is None else sum(terms.taken_off(given, basket))
