"""What a cashier does with money on a card: each once for each key, however often the button is pressed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import money
from app.cards.models import Card, Programme
from app.counter import paying
from app.counter.moves import Done
from app.errors import Forbidden, Sentence, Unprocessable
from app.ledger import reversals
from app.ledger.models import Entry
from app.till import amounts, finding
from app.till.amounts import Ambiguous
from app.till.desk import Desk
from app.till.forms import check_id, receipt_of
from app.till.repeats import once
from app.till.rules import sale_limit_minor
from app.value import bonus, pins, service, stock
from app.value.bonus import BonusPayment
from app.value.service import NewLoad, Payment

RECENT = 10


@dataclass(frozen=True, kw_only=True)
class Refundable:
    """A payment in the list, and how much of it can still go back."""

    entry: Entry
    time: str
    amount: str
    left: str
    left_minor: int


@dataclass(frozen=True, kw_only=True)
class Purse:
    """The money on a card that is open at the till."""

    card: Card
    balance: str
    bonus: str
    bonus_minor: int
    payments: tuple[Refundable, ...]


@dataclass(frozen=True, kw_only=True)
class Sold:
    """A gift card just sold; the PIN is shown this once. `link`: the secret part of its page's address."""

    link: str
    number: str
    pin: str
    amount: str


def purse(session: Session, desk: Desk, serial: str, *, language: str) -> Purse:
    """What the page of a card shows.

    Raises: as `finding.card_at`.
    """
    card = finding.card_at(session, desk, serial)
    currency = desk.programme.currency
    extra = service.balance_of(session, card.member_id, bonus.unit(currency))
    paid = select(Entry).where(Entry.card_id == card.id, Entry.kind.in_(("pay", "spend")), Entry.currency == currency)
    found = session.scalars(paid.order_by(Entry.recorded_at.desc(), Entry.id.desc()).limit(RECENT))
    return Purse(
        card=card,
        balance=money.shown(service.balance_of(session, card.member_id, currency), currency, language),
        bonus=money.shown(extra, currency, language),
        bonus_minor=extra,
        payments=tuple(_refundable(session, desk, one, language) for one in found if service.is_payment(one)),
    )


def pay(session: Session, desk: Desk, serial: str, form: Mapping[str, str], *, now: datetime) -> str:
    """Pay with loaded money, and return the entry's id.

    Raises: as `counter.paying.pay`.
    """
    amount, receipt = _amount(form, desk.programme), receipt_of(form)
    payment = Payment(
        amount_minor=amount, currency=desk.programme.currency, pin=form.get("pin", "").strip() or None,
        in_part=form.get("part") == "yes",
    )  # fmt: skip

    def work() -> Done:
        card = finding.held_at(session, desk, serial)
        return paying.pay(session, card, payment, by=desk.actor, now=now, store=desk.store, receipt=receipt)

    return _once(
        session, desk, form, f"pay {serial} {amount} {receipt} {payment.in_part}", lambda: work().entry.id, now
    )


def pay_bonus(session: Session, desk: Desk, serial: str, form: Mapping[str, str], *, now: datetime) -> str:
    """Pay a share of a basket with bonus money, and return the entry's id.

    Raises: as `counter.paying.pay_with_bonus`.
    """
    basket, receipt = _amount(form, desk.programme, "basket"), receipt_of(form)
    in_part = not form.get("amount", "").strip() or form.get("part") == "yes"
    amount = basket if not form.get("amount", "").strip() else _amount(form, desk.programme)
    payment = BonusPayment(amount_minor=amount, basket_minor=basket, currency=desk.programme.currency, in_part=in_part)

    def work() -> Done:
        card = finding.held_at(session, desk, serial)
        return paying.pay_with_bonus(session, card, payment, by=desk.actor, now=now, store=desk.store, receipt=receipt)

    body = f"bonus {serial} {amount} {basket} {receipt} {in_part}"
    return _once(session, desk, form, body, lambda: work().entry.id, now)


def load(session: Session, desk: Desk, serial: str, form: Mapping[str, str], *, now: datetime) -> str:
    """Put money on a card, and return the entry's id.

    Raises: Forbidden `needs_manager` above the limit of a cashier; as `counter.paying.load`.
    """
    new = _new_load(desk, form)

    def work() -> Done:
        card = finding.held_at(session, desk, serial)
        return paying.load(session, card, new, by=desk.actor, now=now, store=desk.store)

    return _once(session, desk, form, f"load {serial} {new}", lambda: work().entry.id, now)


def refund(session: Session, desk: Desk, form: Mapping[str, str], *, now: datetime) -> str:
    """Give a payment or a part of it back to its card, and return the entry's id.

    Raises: NotFound `unknown_transaction`; as `counter.paying.refund`.
    """
    entry = finding.entry_at(session, desk, check_id(form.get("entry", "")))
    amount = _amount(form, desk.programme)

    def work() -> Done:
        return paying.refund(session, entry.id, amount, by=desk.actor, now=now, store=desk.store, reason="at the till")

    return _once(session, desk, form, f"refund {entry.id} {amount}", lambda: work().entry.id, now)


def sell(session: Session, desk: Desk, form: Mapping[str, str], *, language: str, now: datetime) -> Sold:
    """Sell a gift card. Pressed again, it shows the same card, and a new PIN: the first cannot be read again.

    Raises: as `load`; Conflict `programme_closed`.
    """
    new = _new_load(desk, form)

    def work() -> str:
        made = stock.issue(session, session.get_one(Programme, desk.programme.id), "gift", source="till", now=now)
        paying.load(session, made, new, by=desk.actor, now=now, store=desk.store)
        return made.serial

    serial = _once(session, desk, form, f"sell {new}", work, now)
    card = finding.card_at(session, desk, serial)
    pin = pins.give(session, stock.kept(session, card.id, desk.programme.id), serial)
    amount = money.shown(new.amount_minor, new.currency, language)
    return Sold(link=card.link, number=card.number, pin=pin, amount=amount)


def _once(
    session: Session, desk: Desk, form: Mapping[str, str], body: str, work: Callable[[], str], now: datetime
) -> str:
    return once(session, desk, form.get("key"), body, work, now=now)


def _new_load(desk: Desk, form: Mapping[str, str]) -> NewLoad:
    amount = _amount(form, desk.programme)
    if amount > sale_limit_minor(desk.programme.currency) and not desk.manages:
        raise Forbidden("needs_manager", "This amount needs a manager.")
    return NewLoad(amount_minor=amount, currency=desk.programme.currency, reference=form.get("funding_reference", ""))


def _amount(form: Mapping[str, str], programme: Programme, name: str = "amount") -> int:
    """Money as typed; what could be two amounts is typed again with its decimals.

    Raises: Unprocessable `amount_unclear`; as `amounts.parse`.
    """
    found = amounts.parse(form.get(name, ""), programme.currency)
    if isinstance(found, Ambiguous):
        example = money.decimal_text(found.as_thousands_minor, programme.currency)
        text = Sentence("This could be two amounts; write it as %(example)s.", example=example)
        raise Unprocessable("amount_unclear", text, errors={name: text})
    return found


def _refundable(session: Session, desk: Desk, entry: Entry, language: str) -> Refundable:
    _times, _units, back_minor = reversals.reversed_so_far(session, entry.id)
    currency, whole = desk.programme.currency, entry.amount_minor or 0
    at: Any = format_datetime(entry.recorded_at, "d MMM, HH:mm", tzinfo=ZoneInfo(desk.timezone), locale=language)
    return Refundable(
        entry=entry,
        time=str(at),
        amount=money.shown(whole, currency, language),
        left=money.as_typed(whole - back_minor, currency, language),
        left_minor=whole - back_minor,
    )
