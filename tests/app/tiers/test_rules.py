"""The worked examples of tiers, and what time does to them."""

from datetime import date

import pytest

from app.tiers.rules import Drop, Policy, Projection, Standing, Window, after_change, after_time, place_of, projection

THRESHOLDS = (200_000, 600_000, 1_500_000)  # silver, gold, platinum
SILVER, GOLD = 0, 1
POLICY = Policy()


def test_w14_a_tier_is_reached_at_once_and_lasts_to_the_end_of_that_month_next_year() -> None:
    silver = after_change(POLICY, Standing(), THRESHOLDS, 250_000, date(2026, 1, 14))
    gold = after_change(POLICY, silver, THRESHOLDS, 640_000, date(2026, 8, 9))

    assert (silver.place, silver.valid_to) == (SILVER, date(2027, 1, 31))
    assert (gold.place, gold.valid_to) == (GOLD, date(2027, 8, 31))


@pytest.mark.parametrize("metric", [410_000, 50_000])
def test_w14_a_tier_that_was_not_kept_has_a_grace_and_then_drops_one_step(metric: int) -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))
    spent = {date(2027, 8, 1): metric}

    last_day = after_time(POLICY, gold, THRESHOLDS, spent, date(2027, 8, 31))
    in_grace = after_time(POLICY, gold, THRESHOLDS, spent, date(2027, 9, 30))
    dropped = after_time(POLICY, gold, THRESHOLDS, spent, date(2027, 10, 1))

    assert last_day == gold
    assert (in_grace.place, in_grace.grace_to) == (GOLD, date(2027, 9, 30))
    assert (dropped.place, dropped.valid_to) == (SILVER, date(2028, 8, 31))


def test_w14_says_what_is_missing() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))

    assert projection(gold, THRESHOLDS, 410_000) == Projection(to_keep=190_000, by=date(2027, 8, 31), to_next=1_090_000)


@pytest.mark.parametrize(("metric", "place"), [(199_999, -1), (200_000, SILVER), (1_500_000, 2)])
def test_w15_a_threshold_is_reached_exactly(metric: int, place: int) -> None:
    assert place_of(THRESHOLDS, metric) == place


def test_w15_a_return_keeps_the_tier_unless_the_rules_are_strict() -> None:
    silver = Standing(place=SILVER, valid_to=date(2027, 1, 31))

    assert after_change(POLICY, silver, THRESHOLDS, 199_999, date(2026, 2, 1)) == silver
    assert after_change(Policy(strict=True), silver, THRESHOLDS, 199_999, date(2026, 2, 1)).place == -1


def test_spending_enough_within_the_grace_renews_the_tier() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31), grace_to=date(2027, 9, 30))

    renewed = after_change(POLICY, gold, THRESHOLDS, 600_000, date(2027, 9, 12))

    assert renewed == Standing(place=GOLD, valid_to=date(2028, 9, 30))


def test_a_metric_that_was_reached_again_renews_by_itself() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))

    later = after_time(POLICY, gold, THRESHOLDS, {date(2027, 8, 1): 600_000}, date(2027, 9, 1))

    assert later == Standing(place=GOLD, valid_to=date(2028, 8, 31))


def test_years_in_which_nobody_looked_are_judged_one_by_one() -> None:
    gold = Standing(place=GOLD, valid_to=date(2027, 8, 31))

    assert after_time(POLICY, gold, THRESHOLDS, {}, date(2030, 1, 1)).place == -1


@pytest.mark.parametrize(("drop", "place"), [(Drop.ONE_STEP, 1), (Drop.TO_METRIC, -1), (Drop.NONE, 2)])
def test_how_far_a_tier_drops_is_the_shop_s_choice(drop: Drop, place: int) -> None:
    platinum = Standing(place=2, valid_to=date(2027, 8, 31))

    dropped = after_time(Policy(drop=drop, grace_days=0), platinum, THRESHOLDS, {}, date(2027, 9, 1))

    assert dropped.place == place


def test_a_tier_given_by_hand_stays_to_its_day() -> None:
    given = Standing(place=GOLD, valid_to=date(2027, 1, 31), granted_to=date(2027, 6, 30))

    assert after_time(POLICY, given, THRESHOLDS, {}, date(2027, 6, 30)) == given
    assert after_time(POLICY, given, THRESHOLDS, {}, date(2027, 7, 1)).place == SILVER


@pytest.mark.parametrize(
    ("window", "first"),
    [(Window.ROLLING, date(2026, 9, 1)), (Window.CALENDAR, date(2027, 1, 1)), (Window.LIFETIME, date.min)],
)
def test_which_months_count(window: Window, first: date) -> None:
    assert Policy(window=window).months_of(date(2027, 8, 31)) == (first, date(2027, 8, 1))
