import pytest

from app.outbox import rules
from app.outbox.rules import Lane


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 5), (2, 10), (3, 20), (9, 900), (60, 900)])
def test_urgent_backoff_doubles_from_five_seconds_to_a_quarter_of_an_hour(attempts: int, seconds: int) -> None:
    assert rules.backoff_ms(attempts, Lane.URGENT, jitter=0.5) == seconds * 1000


@pytest.mark.parametrize(("jitter", "expected_ms"), [(0.0, 15_000), (0.5, 30_000), (1.0, 45_000)])
def test_jitter_spreads_a_delay_from_half_to_one_and_a_half(jitter: float, expected_ms: int) -> None:
    assert rules.backoff_ms(1, Lane.BULK, jitter=jitter) == expected_ms


def test_what_the_vendor_asks_for_wins_if_it_is_longer() -> None:
    assert rules.backoff_ms(1, Lane.URGENT, jitter=0.5, retry_after_s=300) == 300_000
    assert rules.backoff_ms(5, Lane.BULK, jitter=0.5, retry_after_s=1) == 480_000


def test_nobody_can_ask_for_more_than_an_hour() -> None:
    assert rules.backoff_ms(1, Lane.URGENT, jitter=0.5, retry_after_s=10**9) == 3_600_000


def test_a_fault_of_the_connection_is_tried_again_at_once_but_only_the_first_time() -> None:
    assert rules.backoff_ms(1, Lane.URGENT, jitter=0.5, retry_after_s=0) == 0
    assert rules.backoff_ms(2, Lane.URGENT, jitter=0.5, retry_after_s=0) == 10_000


def test_a_breaker_stays_open_longer_each_time() -> None:
    assert [rules.breaker_open_ms(n) // 1000 for n in range(7)] == [30, 60, 120, 300, 900, 900, 900]


@pytest.mark.parametrize(
    ("results", "failed", "storm"), [(19, 19, False), (20, 9, False), (20, 10, True), (1000, 499, False)]
)
def test_a_storm_is_half_of_at_least_twenty(results: int, failed: int, storm: bool) -> None:
    assert rules.is_storm(results, failed) is storm


@pytest.mark.parametrize(("results", "gone", "wrong"), [(49, 49, False), (50, 10, False), (50, 11, True)])
def test_many_dead_phones_at_once_look_like_a_wrong_certificate(results: int, gone: int, wrong: bool) -> None:
    assert rules.looks_like_wrong_credential(results, gone) is wrong


@pytest.mark.parametrize(
    ("since_s", "rate"), [(0, 10), (59, 10), (60, 11), (119, 11), (120, 12), (660, 20), (100_000, 20)]
)
def test_a_slowed_pace_recovers_by_one_a_minute_and_never_beyond_the_setting(since_s: int, rate: int) -> None:
    assert rules.slowed_rate(20, slowed_to=10, slowed_at_ms=1_000, now_ms=1_000 + since_s * 1000) == rate


def test_a_pace_is_rounded_to_the_slower_side() -> None:
    assert rules.interval_us(15) == 66_667
    assert rules.interval_us(20) == 50_000
    assert rules.interval_us(3_000) == 334


def test_a_lease_outlives_three_request_deadlines() -> None:
    assert all(lease >= 3 * rules.REQUEST_DEADLINE_MS for lease in rules.LEASE_MS.values())
