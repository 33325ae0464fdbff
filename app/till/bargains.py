"""Offers that go with a purchase, as a cashier picks them beside the amount: the best first, and what each would do."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from app import i18n, money
from app.counter.till_view import OfferAtTill, TillView
from app.earning import words
from app.earning.sale import Basket
from app.offers import terms
from app.offers.terms import TAKES_OFF, WITH_A_SALE, Terms
from app.till.refusals import Refusals
from app.till.rules import picked_in

REFERENCE_UNITS = 100


@dataclass(frozen=True, kw_only=True)
class SaleOffer:
    """An offer to tick. `does`: what it does to the amount; `why`: why it cannot be used; `is_picked`: ticked before a
    question was asked or a refusal shown."""

    public_id: str
    title: str
    does: str
    asks: str
    why: str
    is_picked: bool
    is_best: bool = False


def is_with_sale(one: OfferAtTill) -> bool:
    """Whether an offer is used with a purchase, and not by itself."""
    return one.terms.kind in WITH_A_SALE


def best_first(view: TillView, refusals: Refusals, typed: Mapping[str, str], language: str) -> tuple[SaleOffer, ...]:
    """Those that can be used first, the greatest help to the member first, of equal ones what ends soonest."""
    currency = view.card.programme.currency
    found = [one for one in view.offers if is_with_sale(one)]
    found.sort(key=lambda one: _rank(one, currency))
    picked = set(picked_in(typed))
    shown = [
        SaleOffer(
            public_id=one.offer.public_id,
            title=one.title,
            does=_does(one.terms, currency, language),
            asks=_asks(one.terms, currency, language),
            why=refusals.of_offer(one),
            is_picked=one.offer.public_id in picked,
        )
        for one in found
    ]
    return tuple(replace(one, is_best=at == 0 and not one.why) for at, one in enumerate(shown))


def _rank(one: OfferAtTill, currency: str) -> tuple[bool, int, Fraction, int, datetime]:
    """Money is compared by what comes off a purchase of 100; then what depends on products, then points."""
    basket = Basket(amount_minor=REFERENCE_UNITS * 10 ** money.exponent(currency))
    off = sum(terms.taken_off(one.terms, basket)) if one.terms.only.is_all else 0
    place = TAKES_OFF.index(one.terms.kind) if one.terms.kind in TAKES_OFF else len(TAKES_OFF)
    return bool(one.refusal), -off, -one.terms.factor, place - one.terms.points, one.offer.ends_at


def _does(given: Terms, currency: str, language: str) -> str:
    share = words.number(f"{float(given.percent * 100):g}", language)
    if given.kind == "percent":
        return i18n.text(language, "−%(share)s %%", share=share)
    if given.kind == "amount":
        return f"−{money.brief(given.amount_minor, currency, language)}"
    if given.kind == "product":
        if given.percent == 1:
            return i18n.text(language, "%(pieces)s free", pieces=given.pieces)
        return i18n.text(language, "−%(share)s %% on %(pieces)s", share=share, pieces=given.pieces)
    if given.kind == "multiplier":
        return i18n.text(language, "%(factor)s× points", factor=words.number(f"{float(given.factor):g}", language))
    return i18n.text(language, "+%(points)s points", points=words.number(given.points, language))


def _asks(given: Terms, currency: str, language: str) -> str:
    if not given.minimum_minor:
        return ""
    return i18n.text(language, "From %(money)s on", money=money.brief(given.minimum_minor, currency, language))
