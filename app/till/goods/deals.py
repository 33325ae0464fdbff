"""What a sale or a reward takes off the purchase: told before it is booked where that is what the card is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n, money
from app.cards.models import Programme
from app.counter import sales
from app.counter.pricing import Sale
from app.earning import words
from app.ledger.held import POINTS
from app.ledger.models import Entry
from app.rewards.models import Taking
from app.till.desk import Desk
from app.till.finding import held_at
from app.till.forms import EarnForm


@dataclass(frozen=True, kw_only=True)
class Deal:
    """`off` and `to_pay` as money; `off` is empty if nothing is taken off, `to_pay` if the purchase is not known.

    `price`: what the member gives for it, in words; `reasons`: what else there is to say.
    """

    off: str
    to_pay: str
    price: str = ""
    reasons: tuple[str, ...] = ()
    amount_minor: int = 0
    off_minor: int = 0


def proposed(session: Session, desk: Desk, serial: str, form: EarnForm, *, language: str, now: datetime) -> Deal | None:
    """What a card without a person takes off this purchase, before it is booked; None for other cards, and where the
    cashier has seen it: of such a card the discount is all that the customer waits for.

    Raises: as `counter.sales.quote`.
    """
    if form.off is not None or not isinstance(form.amount, int):
        return None
    card = held_at(session, desk, serial)
    if card.kind != "bearer":
        return None
    currency = desk.programme.currency
    sale = Sale(amount_minor=form.amount, currency=currency, receipt=form.receipt, store=desk.store,
                offers=form.offers)  # fmt: skip
    priced = sales.quote(session, card, sale, now=now)
    off = priced.off_minor
    told = [one for one in priced.reasons if one["code"] not in {"base", "discount", "offer"}]
    return Deal(
        off=money.shown(off, currency, language) if off else "",
        to_pay=money.shown(priced.paid_minor, currency, language),
        reasons=tuple(words.sentence(one, language, currency) for one in told),
        amount_minor=form.amount,
        off_minor=off,
    )


def booked(session: Session, entry: Entry, language: str) -> Deal | None:
    """What an entry took off a purchase; None if nothing."""
    if entry.kind == "earn":
        return _of_sale(entry, language)
    if entry.kind in ("spend", "capture") and entry.note.startswith("reward:"):
        return _of_reward(session, entry, language)
    return None


def _of_sale(entry: Entry, language: str) -> Deal | None:
    off = sum(_off_minor(one) for one in entry.reasons or ())
    if not off or entry.currency is None:
        return None
    to_pay = money.shown(entry.amount_minor or 0, entry.currency, language)
    return Deal(off=money.shown(off, entry.currency, language), to_pay=to_pay, off_minor=off)


def _off_minor(reason: Any) -> int:
    is_discount = isinstance(reason, Mapping) and reason.get("code") in ("discount", "offer")
    return int(reason.get("off_minor", 0)) if is_discount else 0


def _of_reward(session: Session, entry: Entry, language: str) -> Deal | None:
    taking = session.scalars(select(Taking).where(Taking.entry_id == entry.id)).one_or_none()
    if taking is None or not taking.value_minor or taking.basket_minor is None:
        return None
    currency = session.get_one(Programme, entry.programme_id).currency
    off = money.shown(taking.value_minor, currency, language)
    price = ""
    if taking.units and entry.unit == POINTS:
        points = words.number(taking.units, language)
        price = i18n.text(language, "%(points)s points for %(money)s", points=points, money=off)
    left = max(0, taking.basket_minor - taking.value_minor)
    return Deal(off=off, to_pay=money.shown(left, currency, language), price=price, off_minor=taking.value_minor)
