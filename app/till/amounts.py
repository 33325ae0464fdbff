"""Amounts as people type them: "12,5", "12.50", "1.250,00". What could be two things is asked, never guessed."""

import re
from dataclasses import dataclass
from decimal import Decimal

from babel.core import get_global

from app import money
from app.errors import Unprocessable

LONGEST = 24
SPACES = str.maketrans(dict.fromkeys(" \u00a0\u202f\u2009\t'’"))
SHAPE = re.compile(r"[0-9]*(?:[.,][0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class Ambiguous:
    """A text with two readings, both in minor units: as whole thousands, and with a decimal mark."""

    as_thousands_minor: int
    as_decimals_minor: int


def parse(text: str, currency: str) -> int | Ambiguous:
    """Read a typed amount as minor units of the currency.

    Point and comma are both accepted as the decimal mark, because keypads type whichever they like; one mark before
    exactly three digits is ambiguous, unless the currency is used without decimals (a rupiah till means 25.000).

    Raises: Unprocessable `invalid_amount`, `amount_zero`, or `amount_too_large`.
    """
    clean = _bare(text, currency)
    marks = re.findall(r"[.,]", clean)
    if not clean or len(text) > LONGEST or not SHAPE.fullmatch(clean):
        raise _invalid(currency)
    if not marks:
        return _minor(clean, currency)
    if len(marks) == 1:
        return _with_one_mark(clean, marks[0], currency)
    return _with_several_marks(clean, marks, currency)


def used_decimals(currency: str) -> int:
    """How many decimals people write: 2 for TRY, 0 for IDR, whose cents exist on paper only."""
    fractions = get_global("currency_fractions")
    return int(fractions.get(currency, fractions["DEFAULT"])[2])


def _with_one_mark(clean: str, mark: str, currency: str) -> int | Ambiguous:
    whole, _, tail = clean.partition(mark)
    as_thousands = _thousands(clean, mark)
    as_decimals = _decimal(whole, tail, currency)
    if as_thousands is None:
        if as_decimals is None:
            raise _invalid(currency)
        return _minor(as_decimals, currency)
    if as_decimals is None or used_decimals(currency) == 0:
        return _minor(as_thousands, currency)
    return Ambiguous(as_thousands_minor=_minor(as_thousands, currency), as_decimals_minor=_minor(as_decimals, currency))


def _with_several_marks(clean: str, marks: list[str], currency: str) -> int:
    if len(set(marks)) == 1:
        plain = _thousands(clean, marks[0])
    elif marks.count(marks[-1]) == 1 and len(set(marks[:-1])) == 1:
        whole, _, tail = clean.rpartition(marks[-1])
        grouped = _thousands(whole, marks[0])
        plain = None if grouped is None else _decimal(grouped, tail, currency)
    else:
        plain = None
    if plain is None:
        raise _invalid(currency)
    return _minor(plain, currency)


def _thousands(text: str, mark: str) -> str | None:
    """The digits, if the marks stand where thousands are parted."""
    first, *groups = text.split(mark)
    right = 1 <= len(first) <= 3 and not first.startswith("0") and all(len(group) == 3 for group in groups)
    return first + "".join(groups) if right else None


def _decimal(whole: str, tail: str, currency: str) -> str | None:
    """The amount as a decimal string, if the currency can hold it; zeros beyond its decimals say nothing."""
    kept = tail.rstrip("0") if len(tail) > money.exponent(currency) else tail
    if not tail or len(tail) > 4 or len(kept) > money.exponent(currency):
        return None
    return f"{whole or '0'}.{kept}" if kept else whole or "0"


def _bare(text: str, currency: str) -> str:
    """Without spaces, apostrophes, and one currency sign or code at either end."""
    clean = text.translate(SPACES)
    for sign in (currency, "₺", "TL", "Rp.", "Rp", "$", "€", "£"):
        if clean.upper().startswith(sign.upper()):
            return clean[len(sign) :]
        if clean.upper().endswith(sign.upper()):
            return clean[: -len(sign)]
    return clean


def _minor(plain: str, currency: str) -> int:
    if len(plain.partition(".")[0].lstrip("0")) > 12:
        raise _too_large(currency)
    minor = int(Decimal(plain).scaleb(money.exponent(currency)))
    if minor > money.LARGEST_MINOR:
        raise _too_large(currency)
    if minor == 0:
        raise _refused("amount_zero", "The amount must be more than zero.")
    return minor


def _invalid(currency: str) -> Unprocessable:
    return _refused("invalid_amount", f"Type the amount as {money.example(currency)}.")


def _too_large(currency: str) -> Unprocessable:
    return _refused("amount_too_large", f"No sale is above {money.decimal_text(money.LARGEST_MINOR, currency)}.")


def _refused(code: str, text: str) -> Unprocessable:
    return Unprocessable(code, text, errors={"amount": text})
