"""The arithmetic of lift: worked figures to four digits, and what holds for all of them."""

import math
import random
from fractions import Fraction
from statistics import fmean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.results import stats, student
from app.results.stats import Change, Sample, Size, Worth

LARGE = (1_440, 18_000, 130, 2_000)
SMALL = (720, 9_000, 65, 1_000)


def four(value: float) -> float:
    """Rounded to four digits that count."""
    return float(f"{value:.4g}")


def test_a_clear_effect_has_limits_above_zero() -> None:
    found = stats.difference(*LARGE)

    assert (four(found.value), four(found.low), four(found.high)) == (0.015, 0.002713, 0.02578)
    assert not found.has_zero


def test_the_relative_lift_of_the_clear_effect() -> None:
    found = stats.relative_lift(*LARGE)

    assert found is not None
    assert (four(found.value), four(found.low), four(found.high)) == (0.2308, 0.03478, 0.4639)


def test_the_buyers_that_the_clear_effect_brought_and_those_who_would_have_come_anyway() -> None:
    found = stats.incremental(*LARGE)

    assert (four(found.value), four(found.low), four(found.high)) == (270.0, 48.83, 464.1)
    assert stats.exact_incremental(*LARGE) == 270
    assert LARGE[0] - stats.exact_incremental(*LARGE) == 1_170


def test_the_z_test_of_the_clear_effect() -> None:
    found = stats.pooled(*LARGE)

    assert found is not None
    assert (four(found.statistic), four(found.p)) == (2.366, 0.01797)


def test_what_the_clear_effect_brought_in_money() -> None:
    worth = Worth(margin_minor=45_00, redeemed_minor=1_440 * 6_00, sending_minor=0)

    found = stats.net(stats.incremental(*LARGE), worth, exact=stats.exact_incremental(*LARGE))

    assert (found.value, found.low, found.high) == (3_510_00, -6_442_49, 12_244_41)


def test_sending_costs_what_it_costs_whether_anybody_buys_or_not() -> None:
    worth = Worth(margin_minor=45_00, redeemed_minor=0, sending_minor=100_00)

    found = stats.net(stats.incremental(0, 100, 0, 100), worth)

    assert found.value == -100_00


def test_the_same_shares_of_half_the_people_say_nothing_clear() -> None:
    found, lift = stats.difference(*SMALL), stats.relative_lift(*SMALL)

    assert lift is not None
    assert (four(found.value), four(found.low), four(found.high)) == (0.015, -0.002851, 0.02985)
    assert (four(lift.value), four(lift.low), four(lift.high)) == (0.2308, -0.03695, 0.5729)
    assert found.has_zero


@pytest.mark.parametrize(
    ("before", "after", "held", "expected"),
    [
        ("0.065", "0.08", "0.1", Size(treated=24_129, held_back=2_681)),
        ("0.065", "0.08", "0.5", Size(treated=4_691, held_back=4_691)),
        ("0.10", "0.12", "0.1", Size(treated=19_669, held_back=2_186)),
    ],
)
def test_how_many_people_it_takes_to_see_an_effect(before: str, after: str, held: str, expected: Size) -> None:
    assert stats.needed(Fraction(before), Fraction(after), Fraction(held)) == expected


def test_no_number_of_people_shows_an_effect_that_is_none_or_has_nobody_beside_it() -> None:
    assert stats.needed(Fraction(1, 10), Fraction(1, 10), Fraction(1, 10)) is None
    assert stats.needed(Fraction(1, 10), Fraction(2, 10), Fraction(0)) is None


def test_people_who_see_no_effect_where_there_is_one_are_a_fifth_of_all_trials() -> None:
    """The size that was asked for is used in 2,000 trials of the effect that was meant."""
    chance = random.Random(7)
    size = stats.needed(Fraction(1, 10), Fraction(2, 10), Fraction(1, 2))
    assert size is not None

    def trial() -> bool:
        x1 = sum(chance.random() < 0.2 for _ in range(size.treated))
        x0 = sum(chance.random() < 0.1 for _ in range(size.held_back))
        found = stats.pooled(x1, size.treated, x0, size.held_back)
        return found is not None and found.p < 0.05

    assert 0.76 < fmean(trial() for _ in range(2_000)) < 0.84


def test_a_split_that_is_not_the_planned_one_is_noticed() -> None:
    found = stats.split(17_700, 2_300, Fraction(1, 10))

    assert found is not None
    assert found.statistic == 50.0
    assert four(found.p) == 1.537e-12
    assert found.p < stats.ALARM_P


def test_a_split_as_planned_is_no_cause_for_alarm() -> None:
    found = stats.split(18_050, 1_950, Fraction(1, 10))

    assert found is not None
    assert found.p > stats.ALARM_P
    assert stats.split(100, 0, Fraction(0)) is None
    assert stats.split(0, 0, Fraction(1, 10)) is None


def test_without_a_buyer_in_a_group_the_relative_lift_cannot_be_computed() -> None:
    assert stats.relative_lift(10, 100, 0, 100) is None
    assert stats.relative_lift(0, 100, 10, 100) is None
    assert stats.pooled(0, 100, 0, 100) is None
    assert stats.pooled(100, 100, 100, 100) is None


def test_groups_without_a_buyer_still_have_limits() -> None:
    found = stats.difference(0, 100, 0, 50)

    assert found.value == 0
    assert found.low < 0 < found.high


counts = st.integers(0, 400).flatmap(lambda x: st.tuples(st.just(x), st.integers(max(x, 1), 400)))


@given(counts, counts)
def test_the_limits_have_the_difference_between_them(one: tuple[int, int], none: tuple[int, int]) -> None:
    found = stats.difference(*one, *none)

    assert -1 <= found.low <= found.value <= found.high <= 1


@given(counts, counts)
def test_groups_that_change_places_change_the_sign_alone(one: tuple[int, int], none: tuple[int, int]) -> None:
    found, other = stats.difference(*one, *none), stats.difference(*none, *one)

    assert other.value == pytest.approx(-found.value)
    assert (other.low, other.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


@given(counts, counts, st.integers(2, 50))
def test_the_more_people_the_closer_the_limits(one: tuple[int, int], none: tuple[int, int], times: int) -> None:
    found = stats.difference(*one, *none)

    larger = stats.difference(*(times * value for value in (*one, *none)))

    assert larger.high - larger.low < found.high - found.low


@given(counts)
def test_wilsons_limits_stay_within_what_a_share_can_be(one: tuple[int, int]) -> None:
    found = stats.wilson(*one)

    assert 0 <= found.low <= one[0] / one[1] <= found.high <= 1


@given(counts, counts)
def test_the_relative_lift_and_the_difference_point_the_same_way(one: tuple[int, int], none: tuple[int, int]) -> None:
    assume(one[0] and none[0])
    found = stats.relative_lift(*one, *none)

    assert found is not None
    assert found.low <= found.value <= found.high
    assert math.copysign(1, round(found.value, 12)) * stats.difference(*one, *none).value >= -1e-12


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.7062), (2, 4.3027), (5, 2.5706), (10, 2.2281), (30, 2.0423), (1e9, 1.9600)]
)
def test_students_distribution_as_it_is_printed_in_tables(freedom: float, value: float) -> None:
    assert student.quantile(0.975, freedom) == pytest.approx(value, abs=5e-5)


def test_the_difference_of_means_by_welch() -> None:
    one, other = Sample.of([1, 2, 3]), Sample.of([2, 3, 4])  # 4 degrees of freedom: 2.7764 in tables

    found = stats.welch(one, other)

    assert found is not None
    assert (four(found.value), four(found.low), four(found.high)) == (-1.0, -3.267, 1.267)


def test_a_sample_of_sums_is_the_sample_of_its_values() -> None:
    values = [0, 0, 1_250, 9_900, 300]

    found = Sample.of_sums(len(values), sum(values), sum(one * one for one in values))

    assert found == Sample.of([float(one) for one in values])
    assert stats.welch(Sample.of([1.0]), found) is None


def test_means_have_the_wider_of_both_intervals() -> None:
    spread, narrow = Sample.of([0, 0, 0, 0, 0, 0, 0, 0, 1, 2] * 9), Sample.of([0] * 10)

    found, welch = stats.means(spread, narrow), stats.welch(spread, narrow)

    assert found is not None
    assert welch is not None
    assert found.value == welch.value
    assert found.low < 0 < welch.low  # of ten people nobody bought, which says less than it seems to
    assert stats.means(narrow, Sample.of([1])) is None


def test_means_of_groups_with_equal_spread_and_size_are_compared_as_by_welch() -> None:
    one, other = Sample.of([1, 2, 3]), Sample.of([2, 3, 4])

    found, welch = stats.means(one, other), stats.welch(one, other)

    assert found is not None
    assert welch is not None
    assert (four(found.low), four(found.high)) == (four(welch.low), four(welch.high)) == (-3.267, 1.267)


@pytest.mark.parametrize(("people", "held"), [(90, 10), (180, 20), (270, 30)])
@pytest.mark.parametrize("share", [0.4, 0.1])
def test_without_an_effect_about_one_campaign_in_twenty_says_otherwise(people: int, held: int, share: float) -> None:
    chance = random.Random(13)

    def visits(count: int) -> Sample:
        return Sample.of([1 + (chance.random() < 0.3) if chance.random() < share else 0 for _ in range(count)])

    found = [stats.means(visits(people), visits(held)) for _ in range(300)]

    assert fmean(one is not None and not one.has_zero for one in found) <= 0.07


def test_a_single_large_basket_counts_up_to_the_percentile() -> None:
    assert stats.cap([*range(1, 101), 1_000_000]) == 100
    assert stats.cap([0, 0, 5]) == 5
    assert stats.cap([]) == 0


def test_a_trial_in_stores_takes_off_what_changed_elsewhere() -> None:
    found = stats.trial([Change(before=0.26, during=0.31)], [Change(before=0.27, during=0.29)])

    assert found is not None
    assert four(found.effect) == 0.03
    assert found.limits is None


def test_a_trial_has_limits_from_two_stores_in_each_arm() -> None:
    pilot = [Change(before=0.26, during=0.31), Change(before=0.20, during=0.26)]
    control = [Change(before=0.27, during=0.29), Change(before=0.22, during=0.23)]

    found = stats.trial(pilot, control)

    assert found is not None
    assert found.limits is not None
    assert four(found.effect) == 0.04
    assert found.limits.low < found.effect < found.limits.high
    assert (found.pilot_stores, found.control_stores) == (2, 2)
    alone = stats.trial(pilot, control[:1])
    assert alone is not None
    assert alone.limits is None
    assert stats.trial(pilot, []) is None
