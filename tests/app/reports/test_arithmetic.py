"""The sums behind the metrics, with the figures that finance and marketing know by heart."""

from fractions import Fraction

from app.reports import arithmetic

TEN_KURUS, FOUR_FIFTHS = Fraction(10), Fraction(4, 5)


def test_the_share_of_buyers_who_came_again() -> None:
    assert arithmetic.share(1_300, 4_000) == Fraction("0.325")


def test_what_outstanding_points_will_cost() -> None:
    assert arithmetic.liability(1_200_000, TEN_KURUS, FOUR_FIFTHS) == 96_000_00


def test_sales_are_split_by_stand_alone_prices() -> None:
    later = arithmetic.deferred(100_000_00, 10_000, TEN_KURUS, FOUR_FIFTHS)

    assert later == 793_65
    assert 100_000_00 - later == 99_206_35


def test_half_of_the_expected_points_earn_half_of_what_was_deferred() -> None:
    assert arithmetic.recognised(793_65, 4_000, Fraction(8_000)) == 396_83
    assert arithmetic.recognised(793_65, 9_000, Fraction(8_000)) == 793_65


def test_nothing_to_divide_by_is_undefined() -> None:
    assert arithmetic.share(3, 0) is None
    assert arithmetic.share(None, 4) is None
    assert arithmetic.per_30_days(5, 0, 30) is None
    assert arithmetic.per_30_days(5, 2, 0) is None
    assert arithmetic.recognised(100, 5, Fraction(0)) == 0
    assert arithmetic.median({}) is None


def test_a_median_between_two_values_is_their_middle() -> None:
    assert arithmetic.median({7: 2, 14: 1, 30: 1}) == Fraction(21, 2)
    assert arithmetic.median({7: 1, 14: 1, 30: 1}) == 14


def test_amounts_are_rounded_half_away_from_zero() -> None:
    assert [arithmetic.rounded(Fraction(one, 2)) for one in (1, 3, -1, -3, 4)] == [1, 2, -1, -2, 2]
