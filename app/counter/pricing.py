"""What a sale is worth by the rules that hold when and where it takes place. Nothing is written here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.cards.models import Programme
from app.counter.buyers import buyer
from app.counter.moves import Shop
from app.earning import engine, versions
from app.earning.engine import Quote, Reason
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
    points.
    """

    amount_minor: int
    currency: str
    receipt: str | None = None
    store: Shop | None = None
    occurred_at: datetime | None = None
    lines: tuple[Line, ...] = ()
    by_points_minor: int = 0
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A sale as the rules see it: the version that judges it, what it earns, and when it took place."""

    version: Version
    quote: Quote
    amount_minor: int
    occurred_at: datetime
    is_late: bool

    @property
    def paid_minor(self) -> int:
        """What is to be paid: the amount less what the rules take off."""
        return self.amount_minor - self.quote.discount_minor

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it earns that; a clock that cannot be right is said too.

        The reason "base" carries the points that count for a tier, so that a return can take them from it again; a
        discount carries the money.
        """
        quote = self.quote
        more = {"base": {"points": quote.base_points}, "discount": {"off_minor": quote.discount_minor}}
        said = [{**one, **more.get(one["code"], {})} for one in quote.reasons]
        return (*said, *([{"code": "time"}] if self.is_late else []))


def priced(session: Session, card: Held, sale: Sale, *, now: datetime) -> Priced:
    """How the rules see a sale of a held card."""
    occurred_at, is_late = _business_time(sale.occurred_at, now)
    version = version_for(session, card, occurred_at)
    place = place_of(card, sale.store, occurred_at)
    basket = Basket(amount_minor=sale.amount_minor, lines=sale.lines, by_points_minor=sale.by_points_minor)
    found = engine.quote(version.rules, basket, buyer(session, card, version, place), place)
    return Priced(
        version=version, quote=found, amount_minor=sale.amount_minor, occurred_at=occurred_at, is_late=is_late
    )


def for_anybody(session: Session, programme: Programme, sale: Sale, *, now: datetime) -> Priced:
    """How the rules see a sale to somebody who has just joined.

    Raises: as `checked`.
    """
    checked(sale, programme.id, programme.currency)
    occurred_at, is_late = _business_time(sale.occurred_at, now)
    version = versions.at(session, programme.id, programme.currency, occurred_at)
    zone = sale.store.timezone if sale.store else programme.timezone
    place = Place(at=occurred_at, zone=zone, store=sale.store.public_id if sale.store else None)
    basket = Basket(amount_minor=sale.amount_minor, lines=sale.lines, by_points_minor=sale.by_points_minor)
    found = engine.quote(version.rules, basket, Buyer(), place)
    return Priced(
        version=version, quote=found, amount_minor=sale.amount_minor, occurred_at=occurred_at, is_late=is_late
    )


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
