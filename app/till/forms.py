"""What a cashier sends: checked here, trusted afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass

from app import idempotency, money
from app.cards.models import Programme
from app.errors import NotFound, Unprocessable
from app.ids import public_id
from app.till import amounts
from app.till.amounts import Ambiguous
from app.till.rules import MOST_STAMPS, PUBLIC_ID, SERIAL, picked_in

LONGEST_RECEIPT = 64


@dataclass(frozen=True, kw_only=True)
class EarnForm:
    """A purchase. `amount` is minor units, or a question to the cashier.

    `off`: the discount in minor units that the cashier has been shown; None: none has been. `offers`: public ids of
    those that are used with it.
    """

    amount: int | Ambiguous
    receipt: str | None
    key: str
    off: int | None = None
    offers: tuple[str, ...] = ()

    @classmethod
    def parse(cls, form: Mapping[str, str], programme: Programme) -> "EarnForm":
        """Raises: Unprocessable with `errors` for amount or receipt; BadRequest without a key."""
        chosen = form.get("minor", "")
        amount = _minor(chosen) if chosen else amounts.parse(form.get("amount", ""), programme.currency)
        off = _off(form.get("off", ""))
        key, offers = idempotency.check_key(form.get("key")), picked_in(form)
        return cls(amount=amount, receipt=receipt_of(form), key=key, off=off, offers=offers)


@dataclass(frozen=True, kw_only=True)
class RedeemForm:
    """Points, or the public id of a reward, an offer or a full stamp card: exactly one. `hold`: only put it aside.

    `slot`: the date of an experience; `waits`: a place on its waiting list will do.

    `basket`: the amount that stands in the amount field, minor units; None if there is none, or none that is clear.
    """

    points: int | None
    reward: str | None
    offer: str | None
    stamp_card: str | None
    receipt: str | None
    basket: int | None
    hold: bool
    slot: str | None
    waits: bool
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str], programme: Programme) -> "RedeemForm":
        """Raises: Unprocessable, NotFound, or BadRequest without a key."""
        reserve = form.get("reserve") or None
        reward, offer = reserve or form.get("reward") or None, form.get("offer") or None
        stamp_card = form.get("stamp_card") or None
        chosen = [check_id(name) for name in (reward, offer, stamp_card) if name]
        if len(chosen) > 1:
            raise Unprocessable("invalid_choice", "Redeem one thing at a time.")
        return cls(
            points=None if chosen else _points(form.get("points", "")),
            reward=reward,
            offer=offer,
            stamp_card=stamp_card,
            receipt=receipt_of(form),
            basket=basket_of(form.get("basket", ""), programme.currency),
            hold=reserve is not None,
            slot=check_id(form["slot"]) if form.get("slot") else None,
            waits=form.get("waits") == "yes",
            key=idempotency.check_key(form.get("key")),
        )


@dataclass(frozen=True, kw_only=True)
class HoldForm:
    """A reservation, and whether it is used up (`capture`) or let go."""

    hold_id: str
    capture: bool
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "HoldForm":
        """Raises: NotFound `unknown_hold`, or BadRequest without a key."""
        hold_id = form.get("hold", "")
        if not SERIAL.fullmatch(hold_id):
            raise NotFound("unknown_hold", "There is no such hold.")
        return cls(hold_id=hold_id, capture=form.get("act") != "let_go", key=idempotency.check_key(form.get("key")))


@dataclass(frozen=True, kw_only=True)
class StampForm:
    """Stamps on a stamp card."""

    stamp_card: str
    count: int
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "StampForm":
        """Raises: Unprocessable with `errors` for the count; NotFound, or BadRequest without a key."""
        digits = "".join(form.get("count", "").split())
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 4) or not 1 <= int(digits) <= MOST_STAMPS:
            sentence = "Stamps are a whole number above zero."
            raise Unprocessable("invalid_stamps", sentence, errors={"count": sentence})
        stamp_card = check_id(form.get("stamp_card", ""))
        return cls(stamp_card=stamp_card, count=int(digits), key=idempotency.check_key(form.get("key")))


@dataclass(frozen=True, kw_only=True)
class UndoForm:
    """The entry to undo; `confirmed` once the cashier was told that it leaves a deficit."""

    entry_id: str
    confirmed: bool
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "UndoForm":
        """Raises: NotFound, or BadRequest without a key."""
        entry_id = check_id(form.get("entry", ""))
        return cls(
            entry_id=entry_id,
            confirmed=form.get("confirmed") == "yes",
            key=idempotency.check_key(form.get("key")),
        )


@dataclass(frozen=True, kw_only=True)
class MoveForm:
    """A sale that was booked on the wrong card, and the code of the right one."""

    entry_id: str
    code: str
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "MoveForm":
        """Raises: NotFound, or BadRequest without a key."""
        return cls(
            entry_id=check_id(form.get("entry", "")),
            code=form.get("code", ""),
            key=idempotency.check_key(form.get("key")),
        )


def new_key() -> str:
    """A fresh idempotency key for a form that is about to be shown."""
    return public_id("key")


def check_id(text: str) -> str:
    """An id of ours, by its shape.

    Raises: NotFound `unknown_transaction`.
    """
    if not PUBLIC_ID.fullmatch(text):
        raise NotFound("unknown_transaction", "There is no such transaction.")
    return text


def receipt_of(form: Mapping[str, str]) -> str | None:
    """The receipt number, None if there is none.

    Raises: Unprocessable `invalid_receipt`.
    """
    text = form.get("receipt", "").strip()
    if len(text) > LONGEST_RECEIPT or not text.isprintable():
        sentence = "A receipt number has at most 64 characters."
        raise Unprocessable("invalid_receipt", sentence, errors={"receipt": sentence})
    return text or None


def _minor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or not 0 < int(text) <= money.LARGEST_MINOR:
        raise Unprocessable("invalid_amount", "Type the amount again.", errors={"amount": "Type the amount again."})
    return int(text)


def _off(text: str) -> int | None:
    """What was shown as taken off; what cannot be read was not shown."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _points(text: str) -> int:
    digits = "".join(text.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9) or int(digits) == 0:
        sentence = "Points are a whole number above zero."
        raise Unprocessable("invalid_points", sentence, errors={"points": sentence})
    return int(digits)


def basket_of(text: str, currency: str) -> int | None:
    """The amount beside a reward is a help, not the purpose: what cannot be read is as if it was not there."""
    if not text.strip():
        return None
    try:
        amount = amounts.parse(text, currency)
    except Unprocessable:
        return None
    return amount if isinstance(amount, int) else None
