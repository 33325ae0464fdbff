"""What a cashier sends: checked here, trusted afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass

from app import idempotency, money
from app.cards.models import Programme
from app.errors import NotFound, Unprocessable
from app.ids import public_id
from app.till import amounts
from app.till.amounts import Ambiguous
from app.till.rules import PUBLIC_ID

LONGEST_RECEIPT = 64


@dataclass(frozen=True, kw_only=True)
class EarnForm:
    """A purchase. `amount` is minor units, or a question to the cashier."""

    amount: int | Ambiguous
    receipt: str | None
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str], programme: Programme) -> "EarnForm":
        """Raises: Unprocessable with `errors` for amount or receipt; BadRequest without a key."""
        chosen = form.get("minor", "")
        amount = _minor(chosen) if chosen else amounts.parse(form.get("amount", ""), programme.currency)
        return cls(amount=amount, receipt=_receipt(form), key=idempotency.check_key(form.get("key")))


@dataclass(frozen=True, kw_only=True)
class RedeemForm:
    """Points, or the public id of a reward or an offer: exactly one of them."""

    points: int | None
    reward: str | None
    offer: str | None
    receipt: str | None
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "RedeemForm":
        """Raises: Unprocessable, NotFound, or BadRequest without a key."""
        reward, offer = form.get("reward") or None, form.get("offer") or None
        for name in filter(None, (reward, offer)):
            check_id(name)
        if reward and offer:
            raise Unprocessable("invalid_choice", "Redeem one thing at a time.")
        points = None if reward or offer else _points(form.get("points", ""))
        receipt = _receipt(form)
        return cls(
            points=points, reward=reward, offer=offer, receipt=receipt, key=idempotency.check_key(form.get("key"))
        )


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


def _minor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or not 0 < int(text) <= money.LARGEST_MINOR:
        raise Unprocessable("invalid_amount", "Type the amount again.", errors={"amount": "Type the amount again."})
    return int(text)


def _points(text: str) -> int:
    digits = "".join(text.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9) or int(digits) == 0:
        sentence = "Points are a whole number above zero."
        raise Unprocessable("invalid_points", sentence, errors={"points": sentence})
    return int(digits)


def _receipt(form: Mapping[str, str]) -> str | None:
    text = form.get("receipt", "").strip()
    if len(text) > LONGEST_RECEIPT or not text.isprintable():
        sentence = "A receipt number has at most 64 characters."
        raise Unprocessable("invalid_receipt", sentence, errors={"receipt": sentence})
    return text or None
