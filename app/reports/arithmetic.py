"""The sums behind the metrics: exact, and undefined (None) where there is nothing to divide by."""

from collections.abc import Mapping
from fractions import Fraction

HALF = Fraction(1, 2)


def share(part: int | Fraction | None, whole: int | Fraction | None) -> Fraction | None:
    """*part* of *whole*; None where there is no whole."""
    if part is None or not whole:
        return None
    return Fraction(part) / Fraction(whole)


def product(*factors: Fraction | None) -> Fraction | None:
    """All of them multiplied; None if one of them is not known."""
    found = Fraction(1)
    for factor in factors:
        if factor is None:
            return None
        found *= factor
    return found


def rounded(exact: Fraction) -> int:
    """Half away from zero, as amounts of money are."""
    return -rounded(-exact) if exact < 0 else int(exact + HALF)


def liability(outstanding: int, value_minor: Fraction, expected_use: Fraction) -> int:
    """What outstanding points will cost, in minor units: those that will never be used cost nothing."""
    return rounded(outstanding * value_minor * expected_use)


def deferred(sales_minor: int, points: int, value_minor: Fraction, expected_use: Fraction) -> int:
    """The part of sales, in minor units, that is a promise still to be kept: split by stand-alone prices."""
    worth = points * value_minor * expected_use
    if worth <= 0 or sales_minor <= 0:
        return 0
    return rounded(sales_minor * worth / (sales_minor + worth))


def recognised(deferred_minor: int, used: int, expected: Fraction) -> int:
    """How much of what was deferred is earned once *used* of the *expected* points are; never more than all of it."""
    if expected <= 0:
        return 0
    return rounded(deferred_minor * min(Fraction(used) / expected, Fraction(1)))


def median(counts: Mapping[int, int]) -> Fraction | None:
    """The median of values that are counted, {value: how often}."""
    total = sum(counts.values())
    if not total:
        return None
    low, high = (total - 1) // 2, total // 2
    return Fraction(_nth(counts, low) + _nth(counts, high), 2)


def per_30_days(sales: int, buyers: int, days: int) -> Fraction | None:
    """Purchases of a buyer in 30 days."""
    return share(Fraction(sales * 30, days), buyers) if days else None


def per_year(sales: int, buyers: int, days: int) -> Fraction | None:
    """Purchases of a buyer in 365 days."""
    return share(Fraction(sales * 365, days), buyers) if days > 0 else None


def _nth(counts: Mapping[int, int], place: int) -> int:
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen > place:
            return value
    raise AssertionError("no value stands there")
