"""Money: integers of a currency's minor unit. No float ever holds an amount."""

import re
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.numbers import (
    NumberPattern,
    format_currency,
    format_decimal,
    get_currency_precision,
    get_currency_symbol,
    get_decimal_symbol,
    is_currency,
    parse_pattern,
)

from app.errors import Sentence, Unprocessable

LARGEST_MINOR = 10**9
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")


def exponent(currency: str) -> int:
    """How many decimals the currency has: JPY 0, TRY 2, KWD 3."""
    return int(get_currency_precision(currency))


def is_known_currency(code: str) -> bool:
    """Whether *code* is an ISO 4217 code in capitals."""
    return bool(re.fullmatch(r"[A-Z]{3}", code)) and is_currency(code)


def minor_units(amount: str, currency: str, *, field: str = "amount") -> int:
    """Turn a decimal string such as "12.50" into minor units (1250).

    Raises: Unprocessable `invalid_amount` (not such a string, or too many decimals) or `amount_too_large`.
    """
    decimals = exponent(currency)
    if not AMOUNT.fullmatch(amount):
        text = Sentence('Write the amount as a decimal string such as "%(example)s".', example=example(currency))
        raise _invalid(field, text)
    scaled = Decimal(amount).scaleb(decimals)
    if scaled != scaled.to_integral_value():
        text = Sentence(
            "%(currency)s has %(decimals)s decimals; write the amount as %(example)s.",
            currency=currency,
            decimals=decimals,
            example=example(currency),
        )
        raise _invalid(field, text)
    if scaled > LARGEST_MINOR:
        limit = decimal_text(LARGEST_MINOR, currency)
        text = Sentence("The amount is above the limit of %(limit)s %(currency)s.", limit=limit, currency=currency)
        raise Unprocessable("amount_too_large", text, errors={field: text})
    return int(scaled)


def decimal_text(minor: int, currency: str) -> str:
    """1250 TRY as "12.50"."""
    decimals = exponent(currency)
    if not decimals:
        return str(minor)
    whole, rest = divmod(abs(minor), 10**decimals)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{decimals}}"


def example(currency: str) -> str:
    """A right example of an amount in this currency, as a decimal string."""
    return decimal_text(1250, currency) if exponent(currency) else "1250"


def as_typed(minor: int, currency: str, locale: str) -> str:
    """1250 TRY as somebody types it who speaks that language: "12,50" in Turkish."""
    return decimal_text(minor, currency).replace(".", get_decimal_symbol(locale.replace("-", "_")))


def example_in(currency: str, locale: str) -> str:
    """As `example`, with the decimal mark of a language."""
    return example(currency).replace(".", get_decimal_symbol(locale.replace("-", "_")))


def shown(minor: int, currency: str, locale: str) -> str:
    """An amount as people of that language read it: 12,50 ₺."""
    amount = Decimal(minor).scaleb(-exponent(currency))
    text = str(format_currency(amount, currency, locale=locale.replace("-", "_")))
    return re.sub(r"(?<=[A-Z]{3})(?=\d)", "\u00a0", text)  # Babel leaves out the space that CLDR puts after "TRY"


def brief(minor: int, currency: str, locale: str) -> str:
    """As `shown`, but without decimals where they are all zero, and with the code behind the number where the language
    has no sign for the currency: 1.900 ₺ in Turkish, 1,900 TRY in English."""
    decimals = exponent(currency)
    amount = Decimal(minor).scaleb(-decimals)
    shown_decimals = 0 if amount == amount.to_integral_value() else decimals
    if get_currency_symbol(currency, locale) == currency:
        return f"{_pattern(locale, '', shown_decimals).apply(amount, locale)} {currency}"
    pattern = _pattern(locale, "currency", shown_decimals)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


def grouped(number: int, locale: str) -> str:
    """A whole number as people of that language read it."""
    return str(format_decimal(number, locale=locale))


@cache
def _pattern(locale: str, kind: str, decimals: int) -> NumberPattern:
    """How a language writes amounts, with so many decimals."""
    known = Locale.parse(locale)
    found = parse_pattern(known.currency_formats["standard"].pattern if kind else known.decimal_formats[None].pattern)
    found.frac_prec = (decimals, decimals)
    return found


def _invalid(field: str, text: str) -> Unprocessable:
    return Unprocessable("invalid_amount", text, errors={field: text})
