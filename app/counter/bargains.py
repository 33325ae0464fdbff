"""Offers with a sale: which of those asked for may be used, which go together, and what each takes off and gives.

Money comes off first, line by line, so that a return takes back exactly what was paid; points are earned on what is
left to pay. Then what multiplies or adds points is put beside the programme's own rules. Nothing is written here but by
`reserve`, which takes the uses and their share of the budgets.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.counter.moves import Shop
from app.earning.engine import Quote, Reason
from app.earning.rules import Rule
from app.earning.sale import Basket
from app.errors import Conflict, Unprocessable
from app.ledger.held import Held
from app.offers import budgets, refusals, states, terms, uses
from app.offers.models import Offer
from app.offers.refusals import REFUSALS, Asking, Refusal
from app.offers.terms import GIVES_POINTS, TAKES_OFF, Terms
from app.offers.uses import Claim

Ask = Callable[[Basket, tuple[Rule, ...]], Quote]
NOT_COMBINED = "not_combined"
_ORDER = {kind: at for at, kind in enumerate(("product", "percent", "amount", "multiplier", "bonus", "gift", "text"))}


@dataclass(frozen=True, kw_only=True)
class Bargain:
    """What one offer does to a sale: `off` by line (of a sale without lines, one number), and the points it adds.

    With a `refusal` it does nothing; one that another offer outdoes is no reason to refuse the sale.
    """

    offer: Offer
    off: tuple[int, ...] = ()
    points: int = 0
    refusal: Refusal | None = None
    cost_minor: int = 0

    @property
    def off_minor(self) -> int:
        """What it takes off in all."""
        return sum(self.off)

    @property
    def forbids(self) -> bool:
        """Whether the sale cannot be booked with it."""
        return self.refusal is not None and self.refusal.code != NOT_COMBINED


@dataclass(frozen=True, kw_only=True)
class Dealt:
    """A sale with its offers: the basket after what they take off, what that earns, and what each of them did."""

    basket: Basket
    quote: Quote
    bargains: tuple[Bargain, ...]


@dataclass(frozen=True, kw_only=True)
class _Usable:
    offer: Offer
    terms: Terms


def dealt(session: Session, card: Held, names: Sequence[str], basket: Basket, asking: Asking, ask: Ask) -> Dealt:
    """The best that the offers of these names do for a sale. *ask*: what a basket earns with some more rules.

    Raises: Unprocessable `unknown_offer`.
    """
    found = _named(session, card.programme_id, names)
    asking = replace(asking, basket=basket)
    known = refusals.known_of(session, found, card.id, asking, live=True)
    refused = {
        one.id: refusals.with_places(session, refusals.after(one, asking, known[one.id]), known[one.id])
        for one in found
    }
    usable = [
        _Usable(offer=one, terms=terms.of(one.kind, one.terms, card.currency))
        for one in found
        if refused[one.id] is None
    ]
    best = max(
        (_reckoned(together, basket, ask) for together in _sets(usable)),
        key=_worth,
        default=Dealt(basket=basket, quote=ask(basket, ()), bargains=()),
    )
    best = _within_budgets(session, best, asking, ask)
    did = {one.offer.id: one for one in best.bargains}
    return replace(best, bargains=tuple(did.get(one.id) or _undone(one, refused[one.id]) for one in found))


def asking_of(card: Held, store: Shop | None, now: datetime) -> Asking:
    """Who asks where and when: server time, by the store's clock."""
    return Asking(
        now=now,
        zone=store.timezone if store else card.timezone,
        card_programme_id=card.programme_id,
        is_active=card.status == "active",
        tier_id=card.tier.id if card.tier else None,
        store_id=store.id if store else None,
        currency=card.currency,
    )


def reserve(session: Session, card: Held, done: Sequence[Bargain], store: Shop | None, now: datetime) -> list[Claim]:
    """Take a use of each offer that did something, those with lower ids first, so that two tills never wait for each
    other.

    Raises: Conflict of the first offer that cannot be used, or that another till has used up in the meantime.
    """
    for at, one in enumerate(done):
        if one.forbids and one.refusal is not None:
            told = one.refusal
            raise Conflict(told.code, told.sentence, errors={f"offers.{at}": told.sentence})
    day = budgets.day_of(now, store.timezone if store else card.timezone)
    claims = [
        Claim(
            offer=one.offer, card_id=card.id, day=day, store_id=store.id if store else None,
            cost_minor=one.cost_minor, points=one.points, least=states.least_of(one.offer),
        )
        for one in sorted(done, key=lambda one: one.offer.id)
        if one.refusal is None
    ]  # fmt: skip
    for claim in claims:
        uses.reserve(session, claim, now=now)
    return claims


def reasons(done: Sequence[Bargain]) -> Iterator[Reason]:
    """What the offers did, for the entry; what only adds points is said by the rule that it is."""
    for one in done:
        if one.refusal is None and one.offer.kind not in GIVES_POINTS:
            yield {
                "code": "offer", "name": one.offer.title, "offer": one.offer.public_id, "off_minor": one.off_minor,
            }  # fmt: skip


def _named(session: Session, programme_id: int, names: Sequence[str]) -> list[Offer]:
    query = select(Offer).where(Offer.programme_id == programme_id, Offer.public_id.in_(names))
    found = {one.public_id: one for one in session.scalars(query.execution_options(populate_existing=True))}
    if set(names) - set(found):
        text = "There is no such offer."
        raise Unprocessable("unknown_offer", text, errors={"offers": text})
    return [found[name] for name in dict.fromkeys(names)]


def _sets(usable: Sequence[_Usable]) -> list[tuple[_Usable, ...]]:
    """Which offers go together: one that stands alone; or the best single one, with all that go with any other."""
    freely = tuple(one for one in usable if one.offer.combines == "all")
    single = [one for one in usable if one.offer.combines == "best"]
    found = [(one,) for one in usable if one.offer.combines == "alone"]
    together = [(*freely, one) for one in single] or ([freely] if freely else [])
    return [*together, *found]


def _reckoned(together: Sequence[_Usable], basket: Basket, ask: Ask) -> Dealt:
    ordered = sorted(together, key=lambda one: (_ORDER[one.offer.kind], one.offer.id))
    done: list[Bargain] = []
    for one in ordered:
        if one.terms.kind in GIVES_POINTS:
            continue
        off = tuple(terms.taken_off(one.terms, basket)) if one.terms.kind in TAKES_OFF else ()
        basket = _less(basket, off)
        nothing = one.terms.kind in TAKES_OFF and not sum(off)
        refusal = _refused("product_missing") if nothing else None
        cost_minor = sum(off) if off else one.terms.cost_minor
        done.append(Bargain(offer=one.offer, off=off, cost_minor=cost_minor, refusal=refusal))
    quote = ask(basket, ())
    extras: tuple[Rule, ...] = ()
    for one in ordered:
        if one.terms.kind not in GIVES_POINTS:
            continue
        more = (*extras, *terms.rules_of(one.terms, one.offer.title))
        raised = ask(basket, more)
        points = raised.points - quote.points
        if points > 0:
            extras, quote = more, raised
        refusal = None if points > 0 else _refused("adds_nothing")
        done.append(Bargain(offer=one.offer, points=max(0, points), refusal=refusal))
    return Dealt(basket=basket, quote=quote, bargains=tuple(done))


def _within_budgets(session: Session, best: Dealt, asking: Asking, ask: Ask) -> Dealt:
    """The same, unless a budget has less left than a use would take: then that offer is refused, and does nothing."""
    day = budgets.day_of(asking.now, asking.zone)
    rows = budgets.standing(session, [one.offer.id for one in best.bargains], day=day, store_id=asking.store_id)
    refused = [
        one
        for one in best.bargains
        if not budgets.has_room(rows.get(one.offer.id, []), {"uses": 1, "points": one.points, "money": one.cost_minor})
    ]
    if not refused:
        return best
    spent = _refused("budget_spent")
    left = [
        _Usable(offer=one.offer, terms=terms.of(one.offer.kind, one.offer.terms, asking.currency))
        for one in best.bargains
        if one not in refused
    ]
    basket = asking.basket or best.basket
    again = _reckoned(left, basket, ask)
    return replace(again, bargains=(*again.bargains, *(Bargain(offer=one.offer, refusal=spent) for one in refused)))


def _worth(found: Dealt) -> tuple[int, int]:
    """What a set of offers is worth to the member: money first, then points."""
    return sum(one.cost_minor for one in found.bargains), sum(one.points for one in found.bargains)


def _undone(offer: Offer, refusal: Refusal | None) -> Bargain:
    return Bargain(offer=offer, refusal=refusal or _refused(NOT_COMBINED))


def _refused(code: str) -> Refusal:
    return Refusal(code=code, sentence=REFUSALS[code])


def _less(basket: Basket, off: Sequence[int]) -> Basket:
    if not off:
        return basket
    lines = tuple(
        replace(line, discount_minor=line.discount_minor + less)
        for line, less in zip(basket.lines, off, strict=True)
    ) if basket.lines else ()  # fmt: skip
    return replace(basket, amount_minor=basket.amount_minor - sum(off), lines=lines)
