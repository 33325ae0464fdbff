"""Whether a card may use an offer here and now: the first condition that fails is the reason.

They are asked in this order: state, dates, weekly hours, store, card, level and segment, products and minimum spend,
uses of the card, uses of all, budget, code. Whether it goes with other offers is asked where a sale is reckoned.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime, money
from app.cards.models import Card, Store
from app.earning.sale import Basket
from app.errors import Conflict, Sentence
from app.offers import budgets, hours, terms
from app.offers.membership import Membership, memberships
from app.offers.models import Offer
from app.offers.terms import Terms
from app.offers.uses import SPENT, Use, uses_by

REFUSALS = {
    "ended": "This offer has ended.",
    "not_started": "This offer has not started yet.",
    "paused": "This offer is paused.",
    "wrong_store": "This offer is not taken at this store.",
    "not_eligible": "This offer is not for this card.",
    "product_missing": "Nothing in the basket is what this offer is for.",
    "basket_needed": "Use this offer with the purchase: it depends on what is bought.",
    "already_used": "This offer was used with this card already.",
    "limit_reached": "This card has used the offer as often as it may.",
    "budget_spent": SPENT,
    "code_needed": "This offer goes with a code only; scan or type the code.",
    "adds_nothing": "This offer adds nothing to this purchase.",
    "not_combined": "Only one offer is taken for a purchase, and another one gives more.",
}
AMOUNT_NEEDED = Sentence("This offer depends on the amount: use it with the purchase, or say what the purchase costs.")


class Shop(Protocol):
    """A store, as far as an offer must know it."""

    @property
    def id(self) -> int: ...

    @property
    def timezone(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an offer cannot be used: a code that does not change, and one sentence with its facts for the cashier."""

    code: str
    sentence: str

    @property
    def problem(self) -> Conflict:
        """The same, to be raised."""
        return Conflict(self.code, self.sentence)


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who asks where and when. `store_id` None: no store; `zone`: the store's clock, else the programme's.

    `basket` None: not known. `is_alone`: the offer is used without booking a sale; what depends on one is refused then,
    and what depends on its amount, if that is not known. On a list neither is.
    `has_code`: a code of a batch for this very offer came with it.
    """

    now: datetime
    zone: str
    card_programme_id: int
    is_active: bool
    tier_id: int | None
    store_id: int | None = None
    basket: Basket | None = None
    is_alone: bool = False
    has_code: bool = False
    currency: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a card and one offer: whether the offer is for it, how it was used, and its budgets."""

    membership: Membership
    use: Use | None = None
    is_spent: bool = False


def refusal(
    session: Session,
    offer: Offer,
    card: Card,
    *,
    now: datetime,
    store: Shop | None = None,
    basket: Basket | None = None,
    has_code: bool = False,
) -> Refusal | None:
    """Why this card cannot use the offer at this moment; None if it can. Server time decides, by the store's clock.

    Whether the card is in the offer's segment is looked up now. Without a basket what depends on it is not asked.
    """
    asking = replace(asking_of(card, store=store, now=now), basket=basket, has_code=has_code)
    known = known_of(session, [offer], card.id, asking, live=True)[offer.id]
    return with_places(session, after(offer, asking, known), known)


def asking_of(card: Card, *, store: Shop | None, now: datetime) -> Asking:
    """The circumstances of a card at a till."""
    programme = card.programme
    return Asking(
        now=now,
        zone=store.timezone if store else programme.timezone,
        card_programme_id=card.programme_id,
        is_active=card.status == "active",
        tier_id=card.tier_id,
        store_id=store.id if store else None,
        currency=programme.currency,
    )


def known_of(
    session: Session, found: list[Offer], card_id: int, asking: Asking, *, live: bool = False
) -> dict[int, Known]:
    """What is known of a card and some offers, by their ids, in a fixed number of statements.

    Args:
        live: ask whether the card is in their segments now, one statement each; else what is kept about it.
    """
    members = memberships(session, found, card_id, live=live, now=asking.now)
    uses = uses_by(session, card_id, found)
    spent = budgets.spent(session, found, asking.store_id, budgets.day_of(asking.now, asking.zone))
    return {one.id: Known(membership=members[one.id], use=uses.get(one.id), is_spent=one.id in spent) for one in found}


def after(offer: Offer, asking: Asking, known: Known) -> Refusal | None:
    """Why an offer cannot be used, from what is known."""
    return (
        _by_time(offer, asking)
        or _by_place(offer, asking, known.membership)
        or _by_basket(offer, asking)
        or _by_uses(offer, known)
        or (_plain("code_needed") if offer.needs_code and not asking.has_code else None)
    )


def with_places(session: Session, found: Refusal | None, known: Known) -> Refusal | None:
    """A refusal with the name of the store where the offer was used, and the time there."""
    if found is None or found.code != "already_used" or known.use is None or known.use.store_id is None:
        return found
    store = session.execute(select(Store.name, Store.timezone).where(Store.id == known.use.store_id)).one_or_none()
    if store is None:
        return found
    time = localtime.wall_clock(known.use.last_at, store.timezone).strftime("%Y-%m-%d %H:%M")
    return Refusal(code=found.code, sentence=Sentence("Used %(time)s at %(store)s", time=time, store=store.name))


def _by_time(offer: Offer, asking: Asking) -> Refusal | None:
    closed = _by_state(offer)
    if closed:
        return _plain(closed)
    times = hours.at_store(offer, asking.zone)
    if asking.now >= times.closes_at:
        return _at("ended", times.ends_at, asking.zone)
    if asking.now < times.starts_at:
        return _at("not_started", times.starts_at, asking.zone)
    if not hours.is_taken(offer, asking.now, asking.zone):
        return Refusal(code="outside_hours", sentence=hours.outside(offer, asking.now, asking.zone))
    return None


def _by_state(offer: Offer) -> str:
    """Why its state lets nobody use it. Whether one that is scheduled has begun, its times say; that its budget is
    spent is said after what the card has used."""
    if offer.state == "paused":
        return "" if offer.paused_because == "budget" else "paused"
    closed = {"draft": "not_started", "approved": "not_started", "cancelled": "ended", "archived": "ended"}
    return closed.get(offer.state, "")


def _at(code: str, moment: datetime, zone: str) -> Refusal:
    when = localtime.wall_clock(moment, zone).strftime("%Y-%m-%d %H:%M")
    text = Sentence("Ended %(when)s.", when=when) if code == "ended" else Sentence("Starts %(when)s.", when=when)
    return Refusal(code=code, sentence=text)


def _by_place(offer: Offer, asking: Asking, membership: Membership) -> Refusal | None:
    if offer.stores and asking.store_id not in offer.stores:
        return _plain("wrong_store")
    is_for = offer.programme_id == asking.card_programme_id and is_for_tier(offer, asking.tier_id)
    if not asking.is_active or not is_for or not membership.is_in:
        return _plain("not_eligible")
    if membership.starts_at is not None and asking.now < membership.starts_at:
        return _at("not_started", membership.starts_at, asking.zone)
    closes_at = membership.closes_at(offer.grace_min)
    if closes_at is not None and asking.now >= closes_at:
        return _at("ended", membership.ends_at or closes_at, asking.zone)
    return None


def _by_basket(offer: Offer, asking: Asking) -> Refusal | None:
    given = terms.of(offer.kind, offer.terms, asking.currency)
    if asking.is_alone and given.needs_sale:
        return _plain("basket_needed")
    if asking.basket is None:
        is_open = asking.is_alone and given.needs_amount
        return Refusal(code="basket_needed", sentence=AMOUNT_NEEDED) if is_open else None
    return basket_refusal(given, asking.basket, asking.currency) or _by_what_it_takes(given, asking)


def basket_refusal(given: Terms, basket: Basket, currency: str) -> Refusal | None:
    """Why this basket is not what the offer asks for."""
    has = terms.sold_minor(basket)
    if has < given.minimum_minor:
        needs, shown = (money.decimal_text(minor, currency) for minor in (given.minimum_minor, has))
        text = Sentence("Needs %(needs)s, basket %(has)s.", needs=needs, has=shown)
        return Refusal(code="min_spend", sentence=text)
    if not given.only.is_all and not terms.has_products(given, basket):
        return _plain("product_missing")
    return None


def _by_what_it_takes(given: Terms, asking: Asking) -> Refusal | None:
    """Used alone, what takes nothing off this amount is not used up. With a sale this is said when all are reckoned."""
    if not asking.is_alone or asking.basket is None or given.kind not in terms.TAKES_OFF:
        return None
    return None if sum(terms.taken_off(given, asking.basket)) else _plain("adds_nothing")


def _by_uses(offer: Offer, known: Known) -> Refusal | None:
    times = known.use.count if known.use else 0
    if offer.limit_per_card is not None and times >= offer.limit_per_card:
        if offer.limit_per_card == 1:
            return _plain("already_used")
        text = Sentence("Used %(times)s times: that is all this card may.", times=times)
        return Refusal(code="limit_reached", sentence=text)
    is_spent = known.is_spent or offer.state == "paused" or budgets.is_used_up(offer)
    return _plain("budget_spent") if is_spent else None


def is_for_tier(offer: Offer, tier_id: int | None) -> bool:
    """Whether cards of this tier are among those that the offer is for; None is a card without a tier."""
    if offer.tiers:
        return tier_id in offer.tiers
    return offer.tier_id is None or offer.tier_id == tier_id


def _plain(code: str) -> Refusal:
    return Refusal(code=code, sentence=REFUSALS[code])
