from datetime import UTC, datetime, timedelta

import pytest

from passes.google.totp import accepted_step, value

KEY = "3132333435363738393031323334353637383930"


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("seconds", "digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238_come_out(seconds: int, digits: str) -> None:
    assert value(KEY, at(seconds)) == digits


def test_fewer_digits_are_the_last_ones() -> None:
    assert value(KEY, at(59), digits=6) == "287082"


@pytest.mark.parametrize(
    ("late_s", "step"), [(0, 100), (29, 100), (30, 100), (59, 100), (60, None), (-1, 100), (-30, 100), (-31, None)]
)
def test_a_code_is_good_in_its_step_and_its_neighbours(late_s: int, step: int | None) -> None:
    shown = value(KEY, at(3000))

    assert accepted_step(KEY, shown, at(3000) + timedelta(seconds=late_s)) == step


@pytest.mark.parametrize("shown", ["", "0", "94287083", "९४२८७०८२", "\ud800", " 94287082"])
def test_what_is_not_the_code_is_refused(shown: str) -> None:
    assert accepted_step(KEY, shown, at(59)) is None


def test_the_first_step_has_no_neighbour_before_it() -> None:
    assert accepted_step(KEY, value(KEY, at(0)), at(0)) == 0
