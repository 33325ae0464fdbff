"""Bonus money: a share of earlier sales, spent like points, up to a share of each basket."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from app.earning import versions
from app.earning.rules import BonusMoney, Rule
from app.errors import Unprocessable
from app.ledger import service as ledger
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Entry
from app.value import service

USUAL_SHARE = Fraction(3, 10)


@dataclass(frozen=True, kw_only=True)
class BonusPayment:
    """What a basket asks of a card's bonus money. `in_part`: take what is possible, if it is less."""

    amount_minor: int
    basket_minor: int
    currency: str
    in_part: bool = False


def unit(currency: str) -> str:
    """How the ledger names bonus money of a currency."""
    return f"bonus:{currency}"


def pay(session: Session, card: Held, payment: BonusPayment, *, by: Circumstance) -> Booked:
    """Pay a part of a basket with bonus money. What the same receipt has taken already counts.

    Raises: Unprocessable `currency_mismatch`, `invalid_amount`, `invalid_basket`, `insufficient`, or `partial_offered`
    with what could be paid as `errors["payable"]`.
    """
    service.check_amount(card, payment.amount_minor, payment.currency)
    if payment.basket_minor < payment.amount_minor:
        text = "The basket is at least as large as what is paid of it."
        raise Unprocessable("invalid_basket", text, errors={"basket": text})
    there_is = min(card.in_unit(unit(card.currency)), room(session, card, payment.basket_minor, by))
    pays = service.payable(payment.amount_minor, there_is, card.currency, in_part=payment.in_part)
    return ledger.spend(session, card, pays, by=by, unit=unit(card.currency), amount_minor=pays, currency=card.currency)


def room(session: Session, card: Held, basket_minor: int, by: Circumstance) -> int:
    """How much of a basket bonus money may pay for still, in minor units, rounded down."""
    allowed = int(basket_minor * share(session, card, by.now))
    return max(0, allowed - (_taken(session, card, by) if by.receipt else 0))


def share(session: Session, card: Held, at: datetime) -> Fraction:
    """The largest share of a basket: as the rules say, the strictest of them; as usual where none speaks of it."""
    return share_of(versions.at(session, card.programme_id, card.currency, at).rules.rules)


def share_of(found: Sequence[Rule]) -> Fraction:
    """The smallest share that rules of bonus money name, 30 % if there is none."""
    return min((rule.max_share for rule in found if isinstance(rule, BonusMoney)), default=USUAL_SHARE)


def _taken(session: Session, card: Held, by: Circumstance) -> int:
    """What this receipt has taken already, net of refunds."""
    paid = aliased(Entry)
    mine = (
        select(paid.id)
        .where(paid.card_id == card.id, paid.unit == unit(card.currency), paid.kind == "spend")
        .where(paid.receipt == by.receipt, paid.store_id == by.store_id)
    )
    query = select(func.coalesce(func.sum(Entry.points), 0)).where(
        Entry.card_id == card.id, or_(Entry.id.in_(mine), Entry.reverses_id.in_(mine))
    )
    return -int(session.scalar(query) or 0)
