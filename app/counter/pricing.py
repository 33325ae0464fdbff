"""What a sale is worth by the rules that hold when and where it takes place. Nothing is written here."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.cards.models import Programme
from app.counter import bargains
from app.counter.bargains import Bargain
from app.counter.buyers import buyer
from app.counter.moves import Shop
from app.earning import engine, versions
from app.earning.engine import Quote, Reason
from app.earning.rules import Rule
from app.earning.sale import Basket, Buyer, Line, Place
from app.earning.versions import Version
from app.errors import Sentence, Unprocessable
from app.ledger.held import Held

LATEST_ARRIVAL = timedelta(hours=72)
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A purchase: `amount_minor` is the sum of its lines, where it has lines.

    `occurred_at` is the till's own time of it, for sales that arrive late; `by_points_minor` what of it was paid with
    points. `offers`: public ids of those that the member wants to use with it; they are judged by server time.
    """

    amount_minor: int
    currency: str
    receipt: str | None = None
    store: Shop | None = None
    occurred_at: datetime | None = None
    lines: tuple[Line, ...] = ()
    by_points_minor: int = 0
    note: str = ""
    offers: tuple[str, ...] = ()

    @property
    def basket(self) -> Basket:
        """What is bought, at the till's prices."""
        return Basket(amount_minor=self.amount_minor, lines=self.lines, by_points_minor=self.by_points_minor)


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A sale as the rules see it: the version that judges it, what it earns, and when it took place.

    `basket` is what is bought after what offers take off it; `bargains`: what each of them does.
    """

    version: Version
    quote: Quote
    amount_minor: int
    occurred_at: datetime
    is_late: bool
    basket: Basket
    bargains: tuple[Bargain, ...] = ()

    @property
    def off_minor(self) -> int:
        """What offers and rules take off together."""
        return self.amount_minor - self.paid_minor

    @property
    def paid_minor(self) -> int:
        """What is to be paid: the amount less what offers and rules take off."""
        return self.basket.amount_minor - self.quote.discount_minor

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it earns that; a clock that cannot be right is said too.

        The reason "base" carries the points that count for a tier, so that a return can take them from it again; a
        discount carries the money.
        """
        quote = self.quote
        more = {"base": {"points": quote.base_points}, "discount": {"off_minor": quote.discount_minor}}
        said = [{**one, **more.get(one["code"], {})} for one in quote.reasons]
        return (*said, *bargains.reasons(self.bargains), *([{"code": "time"}] if self.is_late else []))


def priced(session: Session, card: Held, sale: Sale, *, now: datetime) -> Priced:
    """How the rules see a sale of a held card."""
    occurred_at, is_late = _business_time(sale.occurred_at, now)
    version = version_for(session, card, occurred_at)
    place = place_of(card, sale.store, occurred_at)
    who = buyer(session, card, version, place)

    def ask(basket: Basket, more: tuple[Rule, ...]) -> Quote:
        rules = replace(version.rules, rules=(*version.rules.rules, *more)) if more else version.rules
        return engine.quote(rules, basket, who, place)

    if sale.offers:
        asking = bargains.asking_of(card, sale.store, now)
        done = bargains.dealt(session, card, sale.offers, sale.basket, asking, ask)
        basket, found, did = done.basket, done.quote, done.bargains
    else:
        basket, found, did = sale.basket, ask(sale.basket, ()), ()
    return Priced(
        version=version, quote=found, amount_minor=sale.amount_minor, occurred_at=occurred_at, is_late=is_late,
        basket=basket, bargains=did,
    )  # fmt: skip


def for_anybody(session: Session, programme: Programme, sale: Sale, *, now: datetime) -> Priced:
    """How the rules see a sale to somebody who has just joined.

    Raises: as `checked`.
    """
    checked(sale, programme.id, programme.currency)
    occurred_at, is_late = _business_time(sale.occurred_at, now)
    version = versions.at(session, programme.id, programme.currency, occurred_at)
    zone = sale.store.timezone if sale.store else programme.timezone
    place = Place(at=occurred_at, zone=zone, store=sale.store.public_id if sale.store else None)
    found = engine.quote(version.rules, sale.basket, Buyer(), place)
    return Priced(
        version=version, quote=found, amount_minor=sale.amount_minor, occurred_at=occurred_at, is_late=is_late,
        basket=sale.basket,
    )  # fmt: skip


def checked(sale: Sale, programme_id: int, currency: str) -> None:
    """Refuse a sale that cannot be one of this programme.

    Raises: Unprocessable `wrong_store`, `currency_mismatch`, `invalid_amount` or `lines_do_not_sum`.
    """
    if sale.store is not None and sale.store.programme_id != programme_id:
        raise _refused("wrong_store", "store", "This store belongs to another programme.")
    if sale.currency != currency:
        text = Sentence("This programme counts %(own)s; the sale is in %(other)s.", own=currency, other=sale.currency)
        raise _refused("currency_mismatch", "currency", text)
    if sale.amount_minor <= 0:
        raise _refused("invalid_amount", "amount", "The amount of a sale is above zero.")
    if sale.lines and sum(line.paid_minor for line in sale.lines) != sale.amount_minor:
        raise _refused("lines_do_not_sum", "lines", "The lines do not sum to the amount.")


def _refused(code: str, field: str, text: str) -> Unprocessable:
    return Unprocessable(code, text, errors={field: text})


def version_for(session: Session, card: Held, at: datetime) -> Version:
    """The version of the rules that holds at an instant: the card was read with the last one."""
    if card.rules.starts_at <= at:
        rules = versions.read(card.rules.text, card.currency)
        return Version(id=card.rules.id, number=card.rules.number, starts_at=card.rules.starts_at, rules=rules)
    return versions.at(session, card.programme_id, card.currency, at)


def place_of(card: Held, store: Shop | None, at: datetime) -> Place:
    """The store's clock decides; without a store, the programme's."""
    return Place(at=at, zone=store.timezone if store else card.timezone, store=store.public_id if store else None)


def _business_time(claimed: datetime | None, now: datetime) -> tuple[datetime, bool]:
    if claimed is None:
        return now, False
    if claimed - now > CLOCK_TOLERANCE or now - claimed > LATEST_ARRIVAL:
        return now, True
    return claimed, False
