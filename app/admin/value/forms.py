"""What an operator types about cards with money, and what is shown of them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import case, select
from sqlalchemy.orm import Session, joinedload

from app import money
from app.cards.models import Card, Programme
from app.errors import AppError, NotFound, Unprocessable
from app.ledger.models import Account
from app.value.liability import Liability
from app.value.limits import Limits
from app.value.models import ValueCard
from app.value.service import NewLoad
from app.value.stock import NewBatch

LISTED = 50
LIABILITY_COLUMNS = ("loaded", "paid", "refunded", "paid_out", "waived", "outstanding")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A card in the list, with the money on it in minor units."""

    card: Card
    kept: ValueCard
    balance_minor: int


def load(form: Mapping[str, str], currency: str) -> NewLoad:
    """Raises: Unprocessable for the amount; the rest is judged where it is loaded."""
    amount = money.minor_units(line(form, "amount").replace(",", "."), currency)
    return NewLoad(amount_minor=amount, currency=currency, reference=line(form, "funding_reference"))


def batch(form: Mapping[str, str]) -> NewBatch:
    """What is wrong with it is found where it is made; a size that is no number is 0."""
    digits = line(form, "size")
    size = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 6 else 0
    return NewBatch(kind=line(form, "kind"), name=line(form, "name"), size=size)


def limit_texts(form: Mapping[str, str]) -> dict[str, str | None]:
    """Limits as typed, with a point for the decimals."""
    return {name: line(form, name).replace(",", ".") for name in ("load_limit", "pin_above", "bearer_cap")}


def typed_limits(found: Limits, currency: str) -> dict[str, str]:
    """Limits as they stand in their fields."""
    cap = found.bearer_cap_minor
    return {
        "load_limit": money.decimal_text(found.load_limit_minor, currency),
        "pin_above": money.decimal_text(found.pin_above_minor, currency),
        "bearer_cap": "" if cap is None else money.decimal_text(cap, currency),
    }


def line(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def by_field(problem: AppError) -> dict[str, str]:
    """A refusal by field; what belongs to no field stands under "page"."""
    return {name: text for name, text in problem.errors.items() if name != "payable"} or {"page": problem.public}


def listed(session: Session, programme: Programme) -> list[Listed]:
    """The newest cards with money or without a person."""
    balance = (
        select(Account.balance)
        .where(Account.member_id == Card.member_id, Account.role == "avail", Account.unit == programme.currency)
        .scalar_subquery()
    )
    query = (
        select(Card, ValueCard, case((balance.is_(None), 0), else_=balance))
        .join(ValueCard, ValueCard.card_id == Card.id)
        .where(ValueCard.programme_id == programme.id)
        .order_by(ValueCard.card_id.desc())
        .limit(LISTED)
    )
    return [Listed(card=card, kept=kept, balance_minor=int(has)) for card, kept, has in session.execute(query)]


def card_of(session: Session, programme: Programme, serial: str) -> Card:
    """A card of this programme by the serial in its page's address.

    Raises: NotFound `unknown_card`.
    """
    query = select(Card).where(Card.serial == serial, Card.programme_id == programme.id)
    card = session.scalars(query.options(joinedload(Card.member), joinedload(Card.programme))).one_or_none()
    if card is None:
        raise NotFound("unknown_card", "There is no card at this address.")
    return card


def liability_csv(programme: Programme, found: Liability) -> str:
    """One header and one row; amounts as decimals."""
    header = ["programme", "currency", "at", *LIABILITY_COLUMNS, "cards", "is_exact"]
    amounts = [money.decimal_text(getattr(found, name), found.currency) for name in LIABILITY_COLUMNS]
    exact = "yes" if found.is_exact else "no"
    return written([header, [programme.slug, found.currency, found.at.isoformat(), *amounts, str(found.cards), exact]])


def written(rows: Sequence[Sequence[str]]) -> str:
    """Rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def check_printable(form: Mapping[str, str]) -> None:
    """Raises: Unprocessable `invalid_text`, naming the fields with characters that cannot be shown."""
    text = "This holds a character that cannot be shown; type it again."
    errors = {name: text for name, value in form.items() if name != "csrf_token" and not value.strip().isprintable()}
    if errors:
        raise Unprocessable("invalid_text", text, errors=errors)
