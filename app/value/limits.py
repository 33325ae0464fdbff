"""How much money a card may hold, and from which payment on its PIN is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app import money
from app.cards.models import Programme
from app.errors import AppError, Sentence, Unprocessable
from app.value.models import ValueSettings

# The unit of a currency says little about its worth, hence the exceptions.
LOAD_LIMIT, PIN_ABOVE = 10_000, 500
LOAD_LIMIT_BY_CURRENCY = {"IDR": 10_000_000, "VND": 25_000_000, "KRW": 1_500_000, "JPY": 150_000, "HUF": 400_000}
PIN_ABOVE_BY_CURRENCY = {"IDR": 500_000, "VND": 1_000_000, "KRW": 75_000, "JPY": 7_500, "HUF": 20_000}
NAMES = ("load_limit", "pin_above", "bearer_cap")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """In minor units of the programme's currency; see `models.ValueSettings`."""

    load_limit_minor: int
    pin_above_minor: int
    bearer_cap_minor: int | None = None


def of(session: Session, programme_id: int, currency: str) -> Limits:
    """What a programme allows."""
    row = session.get(ValueSettings, programme_id)
    if row is None:
        return usual(currency)
    return Limits(
        load_limit_minor=row.load_limit_minor,
        pin_above_minor=row.pin_above_minor,
        bearer_cap_minor=row.bearer_cap_minor,
    )


def usual(currency: str) -> Limits:
    """What is allowed where nobody has said anything."""
    one = 10 ** money.exponent(currency)
    load_limit = min(LOAD_LIMIT_BY_CURRENCY.get(currency, LOAD_LIMIT) * one, money.LARGEST_MINOR)
    return Limits(load_limit_minor=load_limit, pin_above_minor=PIN_ABOVE_BY_CURRENCY.get(currency, PIN_ABOVE) * one)


def parse(typed: Mapping[str, str | None], currency: str) -> Limits:
    """Limits from decimal strings by their `NAMES`; what is missing is as usual, an empty cap is none.

    Raises: Unprocessable `invalid_limits` with a sentence for each fault.
    """
    errors: dict[str, str] = {}
    found = {name: _minor(typed.get(name), currency, name, errors) for name in NAMES}
    ordinary = usual(currency)
    load_limit, pin_above = found["load_limit"], found["pin_above"]
    if load_limit == 0:
        errors["load_limit"] = "The amount is above zero."
    if errors:
        raise Unprocessable("invalid_limits", " ".join(errors.values()), errors=errors)
    return Limits(
        load_limit_minor=ordinary.load_limit_minor if load_limit is None else load_limit,
        pin_above_minor=ordinary.pin_above_minor if pin_above is None else pin_above,
        bearer_cap_minor=found["bearer_cap"] or None,
    )


def change(session: Session, programme: Programme, limits: Limits, *, now: datetime) -> None:
    """Set a programme's limits. What cards hold already stays on them."""
    row = ValueSettings(
        programme_id=programme.id,
        load_limit_minor=limits.load_limit_minor,
        pin_above_minor=limits.pin_above_minor,
        bearer_cap_minor=limits.bearer_cap_minor,
        changed_at=now,
    )
    session.merge(row)
    session.flush()


def over_limit(limits: Limits, currency: str) -> Unprocessable:
    """The refusal of a load that is too large, or that would make a card too rich."""
    most = f"{money.decimal_text(limits.load_limit_minor, currency)} {currency}"
    text = Sentence("A card holds at most %(most)s; load less, or raise the limit of the programme.", most=most)
    return Unprocessable("over_limit", text, errors={"amount": text})


def _minor(text: str | None, currency: str, name: str, errors: dict[str, str]) -> int | None:
    if text is None or not text.strip():
        return None
    try:
        return money.minor_units(text.strip(), currency, field=name)
    except AppError as problem:
        errors[name] = problem.public
        return None
