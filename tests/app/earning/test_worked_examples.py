"""The worked examples of the loyalty domain that are about earning, number by number."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from app.earning import engine, reading
from app.earning.engine import Quote
from app.earning.sale import Basket, Buyer, Line, Place

TUESDAY = datetime(2026, 11, 24, 10, tzinfo=UTC)
ISTANBUL = Place(at=TUESDAY, zone="Europe/Istanbul", store="sto_1")
BASE = {"kind": "amount", "name": "base", "points": 1, "per": "10.00"}
DOUBLE = {"kind": "multiplier", "name": "Tuesday", "factor": "2", "no_end": True}
GOLD = Buyer(tier="Gold", tier_factor=Fraction(3, 2))


def quote(rules: list[dict[str, Any]], basket: Basket, buyer: Buyer = Buyer(), **top: Any) -> Quote:  # noqa: B008
    return engine.quote(reading.read({"rules": rules, **top}, "TRY"), basket, buyer, ISTANBUL)


def basket(*lines: Line) -> Basket:
    return Basket(amount_minor=sum(line.amount_minor for line in lines), lines=lines)


def test_w1_base_exclusion_and_double_points_round_once() -> None:
    tobacco = {"kind": "exclusion", "name": "tobacco", "only": {"categories": ["tobacco"]}}
    sold = basket(
        Line(number=1, product="bread", amount_minor=3_750),
        Line(number=2, product="coffee", amount_minor=8_990),
        Line(number=3, product="cake", amount_minor=5_060),
        Line(number=4, product="cigarettes", category="tobacco", amount_minor=12_000),
    )

    told = quote([BASE, DOUBLE, tobacco], sold)

    assert (told.points, told.eligible_minor) == (35, 17_800)
    assert [line.points for line in told.lines] == [7, 18, 10, 0]
    assert [reason["code"] for reason in told.reasons] == ["excluded", "base", "multiplier"]


def test_w4_a_bonus_stays_with_the_product_it_is_for() -> None:
    rules = [
        {**BASE, "per": "1.00"},
        {"kind": "bonus", "name": "A", "points": 10, "only": {"products": ["a"]}, "no_end": True},
        {"kind": "bonus", "name": "B", "points": 20, "only": {"products": ["b"]}, "no_end": True},
    ]
    prices = (("a", 1_000), ("b", 1_000), ("c", 2_000))
    sold = basket(*(Line(number=at, product=name, amount_minor=price) for at, (name, price) in enumerate(prices, 1)))

    told = quote(rules, sold)

    assert (told.points, [line.points for line in told.lines]) == (70, [20, 30, 20])


@pytest.mark.parametrize(("stacking", "points"), [("best", 200), ("add", 250), ("multiply", 300)])
def test_w5_multipliers_stack_as_the_rules_say(stacking: str, points: int) -> None:
    assert quote([BASE, DOUBLE], Basket(amount_minor=100_000), GOLD, stacking=stacking).points == points


def test_w6_a_carry_makes_small_sales_count() -> None:
    carry, points = Fraction(0), []
    for _ in range(4):
        told = quote([BASE], Basket(amount_minor=250), Buyer(carry=carry), carry=True)
        carry = told.carry_after
        points.append((told.points, carry))

    assert points == [(0, Fraction(1, 4)), (0, Fraction(1, 2)), (0, Fraction(3, 4)), (1, 0)]


def test_without_a_carry_small_sales_never_count() -> None:
    assert [quote([BASE], Basket(amount_minor=250)).points for _ in range(4)] == [0, 0, 0, 0]


def test_w7_a_daily_cap_leaves_what_is_left_of_it() -> None:
    cap = {"kind": "cap", "name": "daily", "points": 500, "per": "day"}

    told = quote([BASE, cap], Basket(amount_minor=60_000), Buyer(earned={"day": 480}))

    assert told.points == 20
    assert told.reasons[-1] == {"code": "cap", "name": "daily", "points": 500, "period": "day"}


@pytest.mark.parametrize(
    ("spent", "off"), [(99_999, 0), (100_000, 900), (100_001, 900), (490_000, 900), (520_000, 1_500)]
)
def test_w17_a_progressive_discount_goes_by_the_spend_before_the_sale(spent: int, off: int) -> None:
    bands = [("0", "0"), ("1000.00", "3"), ("5000.00", "5"), ("15000.00", "7")]
    scale = {"kind": "discount", "name": "scale", "bands": [{"from": start, "percent": rate} for start, rate in bands]}

    told = quote([BASE, scale], Basket(amount_minor=30_000), Buyer(spent_minor=spent))

    assert told.discount_minor == off
    assert told.points == (30_000 - off) // 1_000
