"""The worked examples of tiers, and what time does to them."""

from datetime import date

import pytest

from app.tiers.rules import (
    Drop,
    Grant,
    Policy,
    Projection,
    Standing,
    Sums,
    Window,
    after_gain,
    after_return,
    after_time,
    place_of,
    projection,
    shown,
)

THRESHOLDS = (200_000, 600_000, 1_500_000)  # silver, gold, platinum
SILVER, GOLD = 0, 1
POLICY = Policy()


def test_w14_a_tier_is_reached_at_once_and_lasts_to_the_end_of_that_month_next_year() -> None:
    silver = after_gain(POLICY, Standing(), THRESHOLDS, 250_000, date(2026, 1, 14))
    gold = after_gain(POLICY, silver, THRESHOLDS, 640_000, date(2026, 8, 9))

    assert (silver.place, silver.valid_to) == (SILVER, date(2027, 1, 31))
    assert (gold.place, gold.valid_to) == (GOLD, date(2027, 8, 31))


@pytest.mark.parametrize("metric", [410_000, 50_000])
def test_w14_a_tier_that_was_not_kept_has_a_grace_and_then_drops_one_step(metric: int) -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))
    spent = Sums(by_month={date(2027, 3, 1): metric})

    def over(month: date) -> int:
        return spent.over(POLICY, month)

    last_day = after_time(POLICY, gold, THRESHOLDS, over, date(2027, 8, 31))
    in_grace = after_time(POLICY, gold, THRESHOLDS, over, date(2027, 9, 30))
    dropped = after_time(POLICY, gold, THRESHOLDS, over, date(2027, 10, 1))

    assert last_day == gold
    assert (in_grace.place, in_grace.grace_to) == (GOLD, date(2027, 9, 30))
    assert (dropped.place, dropped.valid_to) == (SILVER, date(2028, 8, 31))


def test_w14_says_what_is_missing_and_by_when() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))
    sums = Sums(by_month={date(2026, 8, 1): 640_000, date(2026, 9, 1): 300_000, date(2027, 5, 1): 110_000})

    told = projection(POLICY, gold, THRESHOLDS, sums, date(2027, 8, 20))

    assert told == Projection(to_keep=190_000, keep_by=date(2027, 8, 31), to_next=1_090_000, next_by=date(2027, 8, 31))


def test_what_was_spent_before_the_window_of_the_tier_s_end_does_not_help_to_keep_it() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))
    sums = Sums(by_month={date(2026, 8, 1): 640_000, date(2026, 12, 1): 100_000})

    told = projection(POLICY, gold, THRESHOLDS, sums, date(2027, 1, 5))

    assert (told.to_keep, told.keep_by) == (500_000, date(2027, 8, 31))
    assert (told.to_next, told.next_by) == (760_000, date(2027, 7, 31))


@pytest.mark.parametrize(("metric", "place"), [(199_999, -1), (200_000, SILVER), (1_500_000, 2)])
def test_w15_a_threshold_is_reached_exactly(metric: int, place: int) -> None:
    assert place_of(THRESHOLDS, metric) == place


def test_w15_a_return_keeps_the_tier_unless_the_rules_are_strict() -> None:
    silver = Standing(place=SILVER, valid_to=date(2027, 1, 31))
    sums = Sums(by_month={date(2026, 1, 1): 200_000}), Sums(by_month={date(2026, 1, 1): 199_999})

    assert after_return(POLICY, silver, THRESHOLDS, sums, date(2026, 2, 1)) == silver
    assert after_return(Policy(strict=True), silver, THRESHOLDS, sums, date(2026, 2, 1)) == Standing()


def test_a_strict_return_takes_a_tier_that_was_reached_in_months_that_no_longer_count() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))
    before = {date(2026, 1, 1): 550_000, date(2026, 8, 1): 60_000}
    after = {date(2026, 1, 1): 450_000, date(2026, 8, 1): 60_000}

    taken = after_return(
        Policy(strict=True), gold, THRESHOLDS, (Sums(by_month=before), Sums(by_month=after)), date(2027, 3, 1)
    )

    assert taken.place == SILVER


def test_a_strict_return_leaves_a_tier_alone_that_rests_on_a_soft_landing() -> None:
    landed = Standing(place=SILVER, valid_to=date(2028, 8, 31))
    before, after = {date(2027, 5, 1): 50_000}, {date(2027, 5, 1): 40_000}

    kept = after_return(
        Policy(strict=True), landed, THRESHOLDS, (Sums(by_month=before), Sums(by_month=after)), date(2027, 10, 5)
    )

    assert kept == landed


def test_spending_enough_within_the_grace_renews_the_tier() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31), grace_to=date(2027, 9, 30))

    renewed = after_gain(POLICY, gold, THRESHOLDS, 600_000, date(2027, 9, 12))

    assert renewed == Standing(place=GOLD, valid_to=date(2028, 9, 30))


def test_a_metric_that_was_reached_again_renews_by_itself() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))

    later = after_time(POLICY, gold, THRESHOLDS, lambda _month: 600_000, date(2027, 9, 1))

    assert later == Standing(place=GOLD, valid_to=date(2028, 8, 31))


def test_years_in_which_nobody_looked_are_judged_one_by_one() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))

    assert after_time(POLICY, gold, THRESHOLDS, lambda _month: 0, date(2030, 1, 1)).place == -1


@pytest.mark.parametrize(("drop", "place"), [(Drop.ONE_STEP, 1), (Drop.TO_METRIC, -1), (Drop.NONE, 2)])
def test_how_far_a_tier_drops_is_the_shop_s_choice(drop: Drop, place: int) -> None:
    platinum = Standing(place=2, valid_to=date(2027, 8, 31))

    dropped = after_time(Policy(drop=drop, grace_days=0), platinum, THRESHOLDS, lambda _month: 0, date(2027, 9, 1))

    assert dropped.place == place


def test_a_tier_given_by_hand_stays_to_its_day_and_then_what_was_earned_is_shown() -> None:
    silver, given = Standing(place=SILVER, valid_to=date(2028, 1, 31)), Grant(place=GOLD, to=date(2027, 6, 30))

    assert shown(silver, given, date(2027, 6, 30)) == GOLD
    assert shown(silver, given, date(2027, 7, 1)) == SILVER
    assert shown(Standing(place=2), given, date(2027, 6, 30)) == 2


def test_a_sale_that_comes_late_within_the_grace_still_renews() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31), grace_to=date(2027, 9, 30))

    renewed = after_time(POLICY, gold, THRESHOLDS, lambda _month: 600_000, date(2027, 9, 2))

    assert renewed == Standing(place=GOLD, valid_to=date(2028, 8, 31))


@pytest.mark.parametrize(
    ("window", "first"),
    [(Window.ROLLING, date(2026, 9, 1)), (Window.CALENDAR, date(2027, 1, 1)), (Window.LIFETIME, date.min)],
)
def test_which_months_count(window: Window, first: date) -> None:
    assert Policy(window=window).months_of(date(2027, 8, 31)) == (first, date(2027, 8, 1))
