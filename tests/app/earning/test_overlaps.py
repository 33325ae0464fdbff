"""Which rules meet, when, and what comes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.earning import engine, overlaps, reading, windows
from app.earning.sale import Basket, Buyer, Place
from app.earning.sentences import Speaker

BASE = {"kind": "amount", "name": "Purchases", "points": 1, "per": "1.00"}
GOLD = {"Gold": Fraction(3, 2)}


def times(name: str, factor: str = "2", **more: Any) -> dict[str, Any]:
    return {"kind": "multiplier", "name": name, "factor": factor, "no_end": True, **more}


def on(*weekdays: int, **hours: str) -> dict[str, Any]:
    return {"when": {"windows": [{"weekdays": list(weekdays), **hours}]}}


def found(rules: list[dict[str, Any]], tiers: Any = None, **top: Any) -> list[str]:
    ruleset = reading.read({"rules": rules, **top}, "TRY")
    speaker = Speaker("en", "TRY")
    return [overlaps.said(one, ruleset.stacking, speaker) for one in overlaps.overlaps(ruleset, tiers)]


@pytest.mark.parametrize(
    ("stacking", "said"), [("best", "best = 2×"), ("add", "added = 2.5×"), ("multiply", "multiplied = 3×")]
)
def test_a_day_and_a_tier_meet_and_the_policy_says_what_comes_of_it(stacking: str, said: str) -> None:
    assert found([BASE, times("Tuesday", **on(2))], GOLD, stacking=stacking) == [
        f"Tuesday and Gold meet on Tuesdays: {said}"
    ]


@pytest.mark.parametrize("stacking", ["best", "add", "multiply"])
def test_what_is_said_is_what_the_engine_does(stacking: str) -> None:
    raw = {"rules": [BASE, times("a", "1.5"), times("b", "3")], "stacking": stacking}
    ruleset = reading.read(raw, "TRY")
    place = Place(at=datetime(2026, 11, 24, 10, tzinfo=UTC), zone="UTC")

    [meeting] = overlaps.overlaps(ruleset)
    earned = engine.quote(ruleset, Basket(amount_minor=10_000), Buyer(), place).points

    assert meeting.factor is not None
    assert earned == 100 * meeting.factor


def test_rules_that_are_apart_in_time_place_tier_or_product_do_not_meet() -> None:
    apart = [
        ({}, {}),
        (on(2), on(3)),
        (on(2, **{"from": "08:00", "to": "12:00"}), on(2, **{"from": "12:00", "to": "14:00"})),
        ({"when": {"stores": ["sto_1"]}}, {"when": {"stores": ["sto_2"]}}),
        ({"when": {"tiers": ["Gold"]}}, {"when": {"tiers": ["Silver"]}}),
        ({"only": {"categories": ["tea"]}}, {"only": {"categories": ["coffee"]}}),
        (
            {"when": {"windows": [{"last_on": "2026-12-31"}]}},
            {"when": {"windows": [{"first_on": "2027-01-01"}]}},
        ),
        # both on Mondays, within days that hold none
        (on(1), {"when": {"windows": [{"weekdays": [1], "first_on": "2026-11-24", "last_on": "2026-11-28"}]}}),
    ]

    assert [len(found([BASE, times("a", **one), times("b", **two)])) for one, two in apart] == [1, 0, 0, 0, 0, 0, 0, 0]


def test_hours_over_midnight_meet_those_of_the_next_morning() -> None:
    late, early = on(5, **{"from": "22:00", "to": "02:00"}), on(6, **{"from": "01:00", "to": "08:00"})

    assert found([BASE, times("late", **late), times("early", **early)]) == [
        "late and early meet on Saturdays 01:00–02:00: best = 2×"
    ]


def test_a_product_may_be_of_any_category() -> None:
    latte = {"only": {"products": ["latte"]}}

    assert found([BASE, times("latte", **latte), times("coffee", only={"categories": ["coffee"]})])


def test_bases_and_bonuses_both_count_and_of_discounts_the_larger() -> None:
    rules = [
        BASE,
        {**BASE, "name": "Cakes", "only": {"categories": ["cake"]}},
        {"kind": "discount", "name": "Members", "bands": [{"from": "0", "percent": "5"}]},
        {"kind": "discount", "name": "Students", "bands": [{"from": "0", "percent": "7"}]},
    ]

    assert found(rules) == [
        "Purchases and Cakes meet always: both count",
        "Members and Students meet always: the larger one counts",
    ]


def test_a_rule_for_what_is_always_excluded_is_said_never_to_hold() -> None:
    out = {"kind": "exclusion", "name": "Tobacco", "only": {"categories": ["tobacco"]}}
    dead = times("Cigars", only={"categories": ["tobacco"]})

    assert found([BASE, out, dead]) == ["Cigars never holds: Tobacco takes its products out"]


HOURS = st.sampled_from(["00:00", "02:00", "09:30", "17:00", "23:00"])
WINDOWS = st.fixed_dictionaries(
    {"weekdays": st.lists(st.integers(1, 7), min_size=1, max_size=3, unique=True), "from": HOURS, "to": HOURS},
    optional={"first_on": st.just("2026-11-18"), "last_on": st.sampled_from(["2026-11-22", "2026-12-02"])},
).filter(lambda raw: raw["from"] != raw["to"] or raw["from"] == "00:00")


@settings(max_examples=40)
@given(one=WINDOWS, two=WINDOWS)
def test_two_windows_meet_when_some_half_hour_lies_in_both(one: dict[str, Any], two: dict[str, Any]) -> None:
    errors: dict[str, str] = {}
    first, second = (windows.parse(raw, "w", errors) for raw in (one, two))
    assert first is not None
    assert second is not None
    begin = datetime(2026, 11, 16, tzinfo=UTC)
    half_hours = [begin + timedelta(minutes=30 * number) for number in range(2 * 24 * 21)]

    both = {at for at in half_hours if first.holds(at, "UTC") and second.holds(at, "UTC")}
    met = [replace(one, first_on=None, last_on=None) for one in overlaps.meeting((first,), (second,)) or ()]
    weekly = {at for at in half_hours if any(one.holds(at, "UTC") for one in met)}

    assert not errors
    assert {(at.isoweekday(), at.time()) for at in both} == {(at.isoweekday(), at.time()) for at in weekly}


def test_a_full_set_of_rules_is_judged_at_once() -> None:
    many = [times(f"m{number}", **on(1 + number % 7, **{"from": "08:00", "to": "09:00"})) for number in range(99)]

    assert len(found([BASE, *many])) == overlaps.SHOWN_MAX


@pytest.mark.parametrize("clock", ["17:00+03:00", "17:00:30", "25:00", 17, "٠٥:٠٠"])
def test_a_clock_that_cannot_be_on_the_wall_is_refused(clock: Any) -> None:
    errors: dict[str, str] = {}

    windows.parse({"from": clock}, "windows.0", errors)

    assert list(errors) == ["windows.0.from"]
