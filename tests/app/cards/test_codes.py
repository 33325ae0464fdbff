"""Card numbers: the check symbol, and what slips of finger and scanner are forgiven."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cards import codes

NUMBER = "7K3M9QX2TDS"
BODIES = st.text(codes.ALPHABET, min_size=codes.SYMBOLS, max_size=codes.SYMBOLS)


@pytest.mark.parametrize(
    ("body", "symbol"), [("7K3M9QX2TD", "S"), ("0000000000", "0"), ("0000000001", "Y"), ("ZZZZZZZZZZ", "A")]
)
def test_the_check_symbol_of_known_numbers(body: str, symbol: str) -> None:
    assert codes.check_symbol(body) == symbol


@pytest.mark.parametrize(
    "typed",
    [
        "7K3M9QX2TDS", "7k3m9qx2tds", "7K3M 9QX2 TDS", "7K3M-9QX2-TDS", " 7K3M9QX2TDS\r\n", "LY1:7K3M9QX2TDS",
        "ly1:7k3m 9qx2 tds", "7K3M\u00a09QX2\u00a0TDS", "--7K3M9QX2TDS--",
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_was_typed(typed: str) -> None:
    assert codes.normalise(typed) == NUMBER


def test_letters_that_look_like_digits_are_taken_for_them() -> None:
    number = "01" * 5 + codes.check_symbol("01" * 5)

    assert codes.normalise("OI" * 5 + number[-1]) == number
    assert codes.normalise("ol" * 5 + number[-1].lower()) == number


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "LY1:", "7K3M9QX2TD", "7K3M9QX2TDSS", "7K3M9QX2TDT", "7K3M9QX2TD$", "LY2:7K3M9QX2TDS",
        "LY1:LY1:7K3M9QX2TDS", "7U3M9QX2TDS", "７K3M9QX2TDS", "7K3M9QX2TDſ", "7\u200bK3M9QX2TDS", "7K3M9QX2TDS\x00",
        "-" * 65, "7K3M9QX2TDS" + " " * 60, "'; DROP TABLE card; --",
    ],
)  # fmt: skip
def test_what_cannot_be_a_number_is_none(typed: str) -> None:
    assert codes.normalise(typed) is None


def test_a_turkish_dotless_i_is_no_i() -> None:
    """Turkish keyboards have both; upper() alone would make ı an I, and that a 1."""
    number = "1000000000" + codes.check_symbol("1000000000")

    assert codes.normalise("i" + number[1:]) == number
    assert codes.normalise("ı" + number[1:]) is None
    assert codes.normalise("İ" + number[1:]) is None


@given(BODIES, st.integers(0, codes.SYMBOLS), st.sampled_from(codes.ALPHABET))
def test_one_wrong_symbol_is_always_noticed(body: str, place: int, wrong: str) -> None:
    number = body + codes.check_symbol(body)
    changed = number[:place] + wrong + number[place + 1 :]

    assert codes.normalise(number) == number
    assert (codes.normalise(changed) is None) == (changed != number)


@given(BODIES, st.integers(0, codes.SYMBOLS - 1))
def test_two_neighbours_exchanged_are_noticed_but_for_the_one_pair_that_luhn_cannot_see(body: str, place: int) -> None:
    number = body + codes.check_symbol(body)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    unseen = {number[place], number[place + 1]} == {"0", "Z"}

    assert (codes.normalise(swapped) is None) == (swapped != number and not unseen)


@given(st.text(max_size=70))
def test_no_text_is_taken_for_anything_but_a_number(text: str) -> None:
    found = codes.normalise(text)

    assert found is None or (len(found) == 11 and set(found) <= set(codes.ALPHABET))


def test_new_numbers_are_random_and_whole() -> None:
    made = {codes.new_number() for _ in range(2000)}

    assert len(made) == 2000
    assert all(codes.normalise(number) == number for number in made)
    assert {number[0] for number in made} == set(codes.ALPHABET)


def test_people_see_groups_and_scanners_a_prefix() -> None:
    assert codes.grouped(NUMBER) == "7K3M 9QX2 TDS"
    assert codes.barcode_message(NUMBER) == "LY1:7K3M9QX2TDS"
    assert codes.normalise(codes.grouped(NUMBER)) == codes.normalise(codes.barcode_message(NUMBER)) == NUMBER
