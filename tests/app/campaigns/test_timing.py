"""When messages leave: over zones, changes of the clocks, quiet hours and windows."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app import localtime
from app.campaigns import recurring, timing
from app.campaigns.recurring import Rule
from app.campaigns.timing import Quiet
from app.errors import AppError

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "Europe/Istanbul",
    "Asia/Jakarta", "Asia/Jayapura", "Asia/Beirut", "America/Nuuk",
)  # fmt: skip
MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
DAYS = st.dates(date(2009, 1, 1), date(2030, 12, 31))
QUIET = st.builds(Quiet, start=MINUTES, end=MINUTES)
NIGHT = Quiet(start=time(21), end=time(9))


def moments(zone: str, day: date, clock: time) -> datetime:
    return localtime.instant(datetime.combine(day, clock), zone)


@given(zone=st.sampled_from(ZONES), day=DAYS, clock=MINUTES, quiet=st.lists(QUIET, max_size=2))
@example(zone="Europe/Berlin", day=date(2026, 10, 25), clock=time(2, 30), quiet=[Quiet(start=time(2), end=time(2, 45))])
@example(zone="Africa/Cairo", day=date(2026, 4, 24), clock=time(0, 30), quiet=[Quiet(start=time(23), end=time(1))])
@example(zone="Pacific/Apia", day=date(2011, 12, 29), clock=time(22), quiet=[NIGHT])
def test_a_message_never_leaves_early_and_never_in_quiet_hours(
    zone: str, day: date, clock: time, quiet: list[Quiet]
) -> None:
    holding = [one for one in quiet if one.start != one.end]
    meant_at = moments(zone, day, clock)

    leaving = timing.leaving(meant_at, zone, holding)

    if leaving is None:  # two that leave no minute of the day between them
        assert len(holding) == 2
        return
    local = localtime.wall_clock(leaving.at, zone).time()
    assert leaving.at >= meant_at
    assert not any(one.holds(local) for one in holding)
    assert leaving.is_moved == (leaving.at != meant_at)
    assert leaving.at - meant_at <= timing.LONGEST_WAIT


@given(zone=st.sampled_from(ZONES), day=DAYS, clock=MINUTES, quiet=QUIET)
def test_it_leaves_as_soon_as_quiet_hours_are_over(zone: str, day: date, clock: time, quiet: Quiet) -> None:
    meant_at = moments(zone, day, clock)

    leaving = timing.leaving(meant_at, zone, (quiet,) if quiet.start != quiet.end else ())

    assert leaving is not None
    at = meant_at
    while at < leaving.at:  # every quarter of an hour before it was quiet
        assert quiet.holds(localtime.wall_clock(at, zone).time())
        at += timedelta(minutes=15)


RULES = st.builds(
    Rule,
    every=st.sampled_from(recurring.PERIODS),
    interval=st.integers(1, 3),
    weekdays=st.frozensets(st.integers(1, 7), max_size=7),
    day=st.none() | st.integers(1, 31),
)


@given(zone=st.sampled_from(ZONES), first=DAYS, clock=MINUTES, rule=RULES)
@example(zone="Europe/Berlin", first=date(2026, 3, 28), clock=time(2, 30), rule=Rule(every="day"))
@example(zone="Europe/Berlin", first=date(2026, 10, 24), clock=time(2, 30), rule=Rule(every="day"))
@example(zone="America/New_York", first=date(2027, 3, 13), clock=time(0), rule=Rule(every="day"))
@example(zone="Africa/Cairo", first=date(2026, 4, 23), clock=time(0, 15), rule=Rule(every="day"))
def test_each_local_date_fires_exactly_once_and_in_order(zone: str, first: date, clock: time, rule: Rule) -> None:
    start = timing.as_text(datetime.combine(first, clock))
    found = [one for one in islice(recurring.occurrences(rule, start), 40) if recurring.exists(one, zone)]

    dates = [datetime.fromisoformat(one).date() for one in found]
    instants = [timing.meant(one, zone) for one in found]

    assert sorted(set(dates)) == dates
    assert sorted(set(instants)) == instants
    shown = [localtime.wall_clock(at, zone) for at in instants]
    assert all(local.date() == day for local, day in zip(shown, dates, strict=True))
    assert all(local.time() >= clock for local in shown)  # a skipped time moves on, never back


@given(first=DAYS, rule=RULES)
def test_a_daily_rule_misses_no_date_and_no_other_comes_more_often(first: date, rule: Rule) -> None:
    found = list(islice(recurring.dates(rule, first), 30))

    assert all(day >= first for day in found)
    if rule.every == "day":
        assert found == [first + timedelta(days=rule.interval * step) for step in range(30)]
    if rule.every == "week" and rule.weekdays:
        assert all(day.isoweekday() in rule.weekdays for day in found)
    if rule.every == "month" and rule.day == 31:
        assert all((day + timedelta(days=1)).day == 1 for day in found)


@pytest.mark.parametrize(
    ("rule", "first", "expected"),
    [
        (Rule(every="month", day=31), "2027-01-31", ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]),
        (Rule(every="month"), "2028-01-30", ["2028-01-30", "2028-02-29", "2028-03-30", "2028-04-30"]),
        (Rule(every="year"), "2028-02-29", ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28"]),
        (Rule(every="week", weekdays=frozenset({1, 5})), "2026-11-18", ["2026-11-20", "2026-11-23", "2026-11-27"]),
        (Rule(every="week", interval=2), "2026-11-18", ["2026-11-18", "2026-12-02", "2026-12-16", "2026-12-30"]),
        (Rule(every="day", until=date(2026, 11, 19)), "2026-11-18", ["2026-11-18", "2026-11-19"]),
        (Rule(every="day", times=1), "2026-11-18", ["2026-11-18"]),
        (Rule(every="day", until=date(2026, 11, 17)), "2026-11-18", []),
    ],
)  # fmt: skip
def test_dates_of_rules(rule: Rule, first: str, expected: list[str]) -> None:
    found = recurring.dates(rule, date.fromisoformat(first))

    most = 3 if rule.weekdays else 4
    assert [day.isoformat() for day in islice(found, most)] == expected


def test_a_skipped_time_comes_later_and_a_doubled_one_at_the_first() -> None:
    assert timing.meant("2026-03-29T02:30", "Europe/Berlin") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert timing.meant("2026-10-25T02:30", "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_day_that_a_zone_skipped_is_no_occasion() -> None:
    assert not recurring.exists("2011-12-30T10:00", "Pacific/Apia")
    assert recurring.exists("2011-12-31T10:00", "Pacific/Apia")
    assert recurring.exists("2026-04-24T00:30", "Africa/Cairo")


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Istanbul", "2026-11-13T07:00"),
        ("Asia/Jakarta", "2026-11-13T03:00"),
        ("Asia/Makassar", "2026-11-13T02:00"),
        ("Asia/Jayapura", "2026-11-13T01:00"),
    ],
)
def test_ten_o_clock_in_every_zone(zone: str, expected: str) -> None:
    assert timing.meant("2026-11-13T10:00", zone) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_an_offer_that_has_less_than_an_hour_left_is_too_late() -> None:
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)

    assert timing.is_worth(at, at + timedelta(minutes=60))
    assert not timing.is_worth(at, at + timedelta(minutes=60) - timedelta(milliseconds=1))
    assert timing.is_worth(at, None)


def test_a_member_s_zone_is_chosen_then_the_store_s_then_the_programme_s() -> None:
    every = {"chosen": "a", "most_used": "b", "home": "c", "fallback": "d"}

    found = [timing.zone_for("member", **{**every, **dict.fromkeys(list(every)[:gone])}) for gone in range(4)]

    assert found == ["a", "b", "c", "d"]
    assert timing.zone_for("store", **every) == "b"


def test_whose_quiet_hours_hold() -> None:
    programme, campaign, own = (Quiet(start=time(hour), end=time(hour + 1)) for hour in (1, 2, 3))
    never = Quiet(start=time(0), end=time(0))

    assert timing.in_force(programme, None, None) == (programme,)
    assert timing.in_force(programme, campaign, None) == (campaign,)
    assert timing.in_force(programme, never, None) == ()
    assert timing.in_force(programme, None, own) == (own,)
    assert timing.in_force(programme, never, own) == (own,)
    assert timing.in_force(programme, campaign, own) == (campaign, own)


@pytest.mark.parametrize("text", ["", "10:00", "2026-13-01T10:00", "2026-12-24", "2026-12-24T10:00Z", "now"])
def test_what_is_no_wall_clock_time_is_refused(text: str) -> None:
    with pytest.raises(AppError) as refused:
        timing.read_local(text)

    assert refused.value.code == "invalid_time"
