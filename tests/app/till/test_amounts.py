"""Reading amounts: whatever a person writes means one thing, is asked about, or is refused."""

from decimal import Decimal

import pytest
from babel.numbers import format_currency, format_decimal
from hypothesis import given
from hypothesis import strategies as st

from app import money
from app.errors import Unprocessable
from app.till import amounts
from app.till.amounts import Ambiguous

CURRENCIES = ["TRY", "EUR", "USD", "IDR", "JPY", "KWD"]
LOCALES = ["tr", "id", "en", "de", "fr", "de_CH"]


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12,5", "TRY", 1250),
        ("12.50", "TRY", 1250),
        ("1.250,00", "TRY", 125000),
        ("1,250.00", "USD", 125000),
        ("1'250.00", "USD", 125000),
        ("1 250,5", "EUR", 125050),
        (",50", "TRY", 50),
        ("0,05", "TRY", 5),
        ("1.250.000", "TRY", 125000000),
        ("1.255", "TRY", 125500),
        ("0.125", "KWD", 125),
        ("25.000", "IDR", 2500000),
        ("Rp. 25.000", "IDR", 2500000),
        ("Rp 25.000,00", "IDR", 2500000),
        ("1,250", "JPY", 1250),
        ("12,50 TL", "TRY", 1250),
    ],
)
def test_one_meaning(text: str, currency: str, minor: int) -> None:
    assert amounts.parse(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "large", "small"),
    [("1.250", "TRY", 125000, 125), ("1,250", "EUR", 125000, 125), ("1.255", "KWD", 1255000, 1255)],
)
def test_two_meanings_are_asked(text: str, currency: str, large: int, small: int) -> None:
    assert amounts.parse(text, currency) == Ambiguous(as_thousands_minor=large, as_decimals_minor=small)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_amount"),
        ("12,", "invalid_amount"),
        ("1.25.00", "invalid_amount"),
        ("12,34,567", "invalid_amount"),
        ("0.125", "invalid_amount"),
        ("-1", "invalid_amount"),
        ("+1", "invalid_amount"),
        ("1/2", "invalid_amount"),
        ("٣", "invalid_amount"),
        ("0", "amount_zero"),
        ("0.00", "amount_zero"),
        ("10000000,01", "amount_too_large"),
        ("99999999999999999999", "amount_too_large"),
    ],
)
def test_no_meaning(text: str, code: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        amounts.parse(text, "TRY")

    assert refusal.value.code == code
    assert "amount" in refusal.value.errors


@given(st.integers(1, money.LARGEST_MINOR), st.sampled_from(CURRENCIES), st.sampled_from(LOCALES))
def test_what_a_locale_writes_is_read_back(minor: int, currency: str, locale: str) -> None:
    exact = Decimal(minor).scaleb(-money.exponent(currency))
    written = format_decimal(exact, locale=locale, format=f"#,##0.{'0' * money.exponent(currency)}")

    read = amounts.parse(written, currency)

    meanings = {read.as_thousands_minor, read.as_decimals_minor} if isinstance(read, Ambiguous) else {read}
    assert minor in meanings


@given(st.integers(1, money.LARGEST_MINOR), st.sampled_from(["tr", "id", "en"]))
def test_what_the_till_itself_shows_is_read_back(minor: int, locale: str) -> None:
    shown = format_currency(Decimal(minor).scaleb(-2), "TRY", locale=locale)

    assert amounts.parse(shown, "TRY") == minor


@given(st.text(max_size=40), st.sampled_from(CURRENCIES))
def test_any_text_is_read_asked_or_refused(text: str, currency: str) -> None:
    try:
        read = amounts.parse(text, currency)
    except Unprocessable:
        return

    for minor in (read.as_thousands_minor, read.as_decimals_minor) if isinstance(read, Ambiguous) else (read,):
        assert 0 < minor <= money.LARGEST_MINOR


@given(st.from_regex(r"[0-9]{1,7}([.,][0-9]{1,4}){0,3}", fullmatch=True), st.sampled_from(CURRENCIES))
def test_point_and_comma_change_places_without_changing_the_meaning(text: str, currency: str) -> None:
    def outcome(written: str) -> object:
        try:
            return amounts.parse(written, currency)
        except Unprocessable as refusal:
            return refusal.code

    assert outcome(text) == outcome(text.translate(str.maketrans(".,", ",.")))
