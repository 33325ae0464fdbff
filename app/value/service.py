"""Money on a card: loaded against what paid for it, spent, given back, and settled when its holder leaves.

It is kept in minor units of the currency of its programme, never expires, and never falls below zero. Whoever calls
holds the card.
"""

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import money
from app.db import insert_if_new
from app.errors import AppError, Conflict, Sentence, Unprocessable
from app.ledger import movements, reversals
from app.ledger import service as ledger
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Account, Entry
from app.ledger.reversals import OnDeficit, Returned
from app.value import limits, pins
from app.value.limits import Limits
from app.value.models import Load

LONGEST_REFERENCE = 100
PAID_OUT, WAIVED = "paid_out", "waived"
# whom the money goes to when a card is settled: back to who paid for it, or to the shop
_SINKS = {PAID_OUT: "funding", WAIVED: "writeoff"}


@dataclass(frozen=True, kw_only=True)
class NewLoad:
    """Money for a card. `reference` names what paid for it: a receipt, a bank transfer, a purchase order."""

    amount_minor: int
    currency: str
    reference: str


@dataclass(frozen=True, kw_only=True)
class Payment:
    """What a sale asks of a card. `in_part`: take what there is, if it is less."""

    amount_minor: int
    currency: str
    pin: str | None = None
    in_part: bool = False


def balance_of(session: Session, member_id: int, currency: str) -> int:
    """Money on a member's card, in minor units, with what is reserved."""
    query = select(func.coalesce(func.sum(Account.balance), 0)).where(
        Account.member_id == member_id, Account.role.in_(("avail", "hold")), Account.unit == currency
    )
    return int(session.scalar(query) or 0)


def load(session: Session, card: Held, new: NewLoad, *, by: Circumstance) -> Booked:
    """Put money on a card. A reference loads once in its programme, whichever card it was.

    Raises: Unprocessable `currency_mismatch`, `invalid_amount`, `funding_reference_missing` or `over_limit`; Conflict
    `duplicate_funding_reference`.
    """
    check_amount(card, new.amount_minor, new.currency)
    reference = _reference(new.reference)
    allowed = limits.of(session, card.programme_id, card.currency)
    if new.amount_minor + card.in_unit(card.currency) > allowed.load_limit_minor:
        raise limits.over_limit(allowed, card.currency)
    booked = ledger.credit(
        session, card, new.amount_minor, by=by, unit=card.currency, kind="load", source="funding",
        amount_minor=new.amount_minor, currency=card.currency,
    )  # fmt: skip
    row = {"entry_id": booked.entry.id, "programme_id": card.programme_id, "card_id": card.id, "undone": False}
    if not insert_if_new(session, Load, **row, reference=reference):
        text = "This funding reference has loaded a card already; each loads once."
        raise Conflict("duplicate_funding_reference", text, errors={"funding_reference": text})
    return booked


def pay(session: Session, card: Held, payment: Payment, *, by: Circumstance) -> Booked:
    """Pay a sale, or the part of it that there is money for.

    Raises: Unprocessable `currency_mismatch`, `invalid_amount`, `insufficient`, or `partial_offered` with what could be
    paid as `errors["payable"]`; as `pins.check` above the programme's limit.
    """
    check_amount(card, payment.amount_minor, payment.currency)
    pays = payable(payment.amount_minor, card.in_unit(card.currency), card.currency, in_part=payment.in_part)
    check_pin(session, card, pays, payment.pin)
    return ledger.spend(
        session, card, pays, by=by, unit=card.currency, kind="pay", sink="sales", amount_minor=pays,
        currency=card.currency,
    )  # fmt: skip


def check_pin(session: Session, card: Held, pays_minor: int, pin: str | None) -> None:
    """Ask for the PIN where the payment is above the programme's limit.

    Raises: as `pins.check`.
    """
    allowed: Limits = limits.of(session, card.programme_id, card.currency)
    if pays_minor > allowed.pin_above_minor:
        limit = f"{money.decimal_text(allowed.pin_above_minor, card.currency)} {card.currency}"
        pins.check(session, card, pin, limit=limit)


def payable(wanted_minor: int, there_is_minor: int, currency: str, *, in_part: bool) -> int:
    """How much of a payment can be made.

    Raises: Unprocessable `insufficient`, if there is nothing; `partial_offered`, if there is less than wanted and
    nobody said that a part will do.
    """
    if wanted_minor <= there_is_minor:
        return wanted_minor
    if there_is_minor <= 0:
        needs, none = (money.decimal_text(minor, currency) for minor in (wanted_minor, 0))
        text = Sentence("Has %(has)s, needs %(needs)s.", has=none, needs=needs)
        raise Unprocessable("insufficient", text, errors={"amount": text, "payable": none})
    if in_part:
        return there_is_minor
    shown = money.decimal_text(there_is_minor, currency)
    text = Sentence("%(payable)s %(currency)s can be paid; take that part, and the rest in another way.",
                    payable=shown, currency=currency)  # fmt: skip
    raise Unprocessable("partial_offered", text, errors={"amount": text, "payable": shown})


def refund(session: Session, card: Held, payment: Entry, amount_minor: int | None, *, by: Circumstance) -> Booked:
    """Give a payment back to its card, or a part of it; all parts together never exceed it.

    Raises: Conflict `not_a_payment` or `already_reversed`; Unprocessable `invalid_amount` or `exceeds_original`.
    """
    if not is_payment(payment):
        raise Conflict("not_a_payment", "Only what was paid with a card is refunded to it; undo other entries instead.")
    if amount_minor is not None and amount_minor <= 0:
        raise not_above_zero()
    returned = Returned(amount_minor=amount_minor)
    return reversals.reverse(session, card, payment, by=by, returned=returned, kind="refund")


def is_payment(entry: Entry) -> bool:
    """Whether money of a card, loaded or bonus, was paid by this entry."""
    return entry.kind == "pay" or (entry.kind == "spend" and entry.unit.startswith("bonus:"))


def undo_load(session: Session, card: Held, loaded: Entry, *, by: Circumstance) -> Booked:
    """Take a load back that was a mistake, and let its reference load again.

    Raises: Unprocessable `insufficient`, if some of it was spent: stored value is never owed; Conflict
    `already_reversed`.
    """
    booked = reversals.reverse(session, card, loaded, by=by, on_deficit=OnDeficit.REFUSE)
    session.execute(update(Load).where(Load.entry_id == loaded.id).values(undone=True))
    return booked


def settle(session: Session, card: Held, how: str, *, by: Circumstance) -> Booked:
    """Bring a card's money to zero: PAID_OUT to its holder, or WAIVED by them.

    Raises: Conflict `nothing_to_settle`; Unprocessable `invalid_settlement`.
    """
    if how not in _SINKS:
        text = "Money on a card is paid_out or waived."
        raise Unprocessable("invalid_settlement", text, errors={"how": text})
    has = card.in_unit(card.currency)
    if not has:
        raise Conflict("nothing_to_settle", "There is no money on this card.")
    return movements.take(
        session, card, card.currency, has, sink=_SINKS[how], by=by, kind="writeoff", amount_minor=has,
        currency=card.currency,
    )  # fmt: skip


def check_amount(card: Held, amount_minor: int, currency: str) -> None:
    """Raises: Unprocessable `currency_mismatch` or `invalid_amount`."""
    if currency != card.currency:
        text = Sentence("This card holds %(own)s; the amount is in %(other)s.", own=card.currency, other=currency)
        raise Unprocessable("currency_mismatch", text, errors={"currency": text})
    if amount_minor <= 0:
        raise not_above_zero()


def not_above_zero() -> AppError:
    """The refusal of an amount of nothing."""
    text = "The amount is above zero."
    return Unprocessable("invalid_amount", text, errors={"amount": text})


def was_undone(session: Session, entry_id: str) -> bool:
    """Whether a load was taken back."""
    query = select(Load.undone).where(Load.entry_id == entry_id)
    return bool(session.scalar(query))


def _reference(text: str) -> str:
    reference = " ".join(text.split())
    if not reference:
        missing = "Say what paid for it: the number of a receipt, a transfer or an order."
        raise Unprocessable("funding_reference_missing", missing, errors={"funding_reference": missing})
    if len(reference) > LONGEST_REFERENCE or not reference.isprintable():
        wrong = Sentence("A funding reference has at most %(most)s characters.", most=LONGEST_REFERENCE)
        raise Unprocessable("invalid_funding_reference", wrong, errors={"funding_reference": wrong})
    return reference
