"""Money in whole minor units of each currency, read strictly and written as people of each language read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import money
from app.errors import Unprocessable


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "TRY", 1250),
        ("12.5", "TRY", 1250),
        ("12", "TRY", 1200),
        ("0", "TRY", 0),
        ("0.01", "TRY", 1),
        ("0012.50", "TRY", 1250),
        ("12.5000", "TRY", 1250),
        ("1250", "JPY", 1250),
        ("1250.0", "JPY", 1250),
        ("1.234", "KWD", 1234),
        ("10000000.00", "EUR", 10**9),
        ("1000000000", "JPY", 10**9),
    ],
)
def test_a_decimal_string_becomes_minor_units(text: str, currency: str, minor: int) -> None:
    assert money.minor_units(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        *((text, "TRY", "invalid_amount") for text in (
            "", " ", "-1", "+1", "1,50", "1.", ".5", "1e3", "1 000", "1_000", "0x10", "NaN", "Infinity", "12.50 TRY",
            "12.501", "1.00001", "1\n", "٣", "１２", "½", "1" * 13, "9" * 4000,
        )),
        ("12.50", "JPY", "invalid_amount"),
        ("1.2345", "KWD", "invalid_amount"),
        ("10000000.01", "TRY", "amount_too_large"),
        ("999999999999", "TRY", "amount_too_large"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str, currency: str, code: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        money.minor_units(text, currency, field="earn.per")

    assert refusal.value.code == code
    assert list(refusal.value.errors) == ["earn.per"]
    assert any(figure in refusal.value.public for figure in ("12.50", "1250", "1.250", "10000000.00"))


@given(st.integers(0, money.LARGEST_MINOR), st.sampled_from(["TRY", "IDR", "JPY", "KWD", "EUR"]))
def test_what_is_written_reads_back_exactly(minor: int, currency: str) -> None:
    assert money.minor_units(money.decimal_text(minor, currency), currency) == minor


@given(st.text(max_size=20).filter(lambda text: not money.AMOUNT.fullmatch(text)))
def test_no_other_text_is_an_amount(text: str) -> None:
    with pytest.raises(Unprocessable, match="invalid_amount"):
        money.minor_units(text, "TRY")


def test_a_refund_is_written_with_its_sign() -> None:
    assert money.decimal_text(-1250, "TRY") == "-12.50"
    assert money.decimal_text(-5, "TRY") == "-0.05"


@pytest.mark.parametrize(
    ("code", "known"), [("TRY", True), ("IDR", True), ("try", False), ("XXQ", False), ("", False), ("TRYY", False)]
)
def test_currencies_are_codes_in_capitals(code: str, known: bool) -> None:
    assert money.is_known_currency(code) is known


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "shown"),
    [
        (125050, "TRY", "tr", "₺1.250,50"),
        (125050, "TRY", "en", "TRY\u00a01,250.50"),
        (150000, "JPY", "en", "¥150,000"),
        (1234, "KWD", "en-GB", "KWD\u00a01.234"),
    ],
)
def test_an_amount_is_shown_as_people_read_it(minor: int, currency: str, locale: str, shown: str) -> None:
    assert money.shown(minor, currency, locale) == shown
