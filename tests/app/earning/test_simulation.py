"""Rules tried out on receipts of the past."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from app.earning import engine, reading, receipts, simulation
from app.earning.receipts import Known, Level, Receipt, Shop
from app.earning.sale import Basket, Buyer, Line, Place
from app.earning.simulation import Simulated
from app.errors import Unprocessable

TUESDAY = datetime(2026, 11, 24, 10, tzinfo=UTC)
BASE = {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"}
DOUBLE = {"kind": "multiplier", "name": "Tuesday", "factor": "2", "no_end": True,
          "when": {"windows": [{"weekdays": [2]}]}}  # fmt: skip
TOBACCO = {"kind": "exclusion", "name": "Tobacco", "only": {"categories": ["tobacco"]}}
CAP = {"kind": "cap", "name": "Daily", "points": 30, "per": "day"}
BONUS = {"kind": "bonus", "name": "Big", "points": 5, "minimum": "100.00", "no_end": True}
GOLD = Level(name="Gold", id="tier_9", factor=Fraction(3, 2))
SHOP = Known(
    currency="TRY",
    zone="Europe/Istanbul",
    stores={"sto_1": Shop(id="sto_1", zone="Asia/Jakarta"), "kadıköy": Shop(id="sto_2", zone="Europe/Istanbul")},
    levels={"gold": GOLD, "tier_9": GOLD},
)


def rules(*found: dict[str, Any], **top: Any) -> Any:
    return reading.read({"rules": list(found), **top}, "TRY")


def sale(minor: int, **over: Any) -> Receipt:
    values = {"at": TUESDAY, "zone": "Europe/Istanbul", "basket": Basket(amount_minor=minor), **over}
    return Receipt(**values)


def simulated(sales: list[Receipt], draft: Any, current: Any = None, value: str | None = "0.10") -> Simulated:
    worth = simulation.point_value_of(value, 2) if value else None
    return simulation.simulate(
        sales, draft, current or rules(BASE), zone="Europe/Istanbul", point_value=worth
    )  # fmt: skip


def test_new_rules_stand_beside_the_present_ones_with_their_cost() -> None:
    sales = [sale(17_800), sale(5_000, at=TUESDAY + timedelta(days=1))]

    told = simulated(sales, rules(BASE, DOUBLE))

    assert (told.receipts, told.spend_minor) == (2, 22_800)
    assert (told.draft.points, told.current.points) == (35 + 5, 17 + 5)
    assert (told.draft.cost_minor, told.current.cost_minor) == (400, 220)  # 40 and 22 points of 0.10
    assert told.draft.give_back == Fraction(400, 22_800)


def test_a_programme_of_one_percent_gives_back_one_percent() -> None:
    assert simulated([sale(100_000)], rules(BASE)).draft.give_back == Fraction(1, 100)


def test_every_sale_gets_what_the_engine_gives_it() -> None:
    draft = rules(BASE, DOUBLE, BONUS)
    sales = [sale(1_370 * number, at=TUESDAY + timedelta(hours=7 * number)) for number in range(1, 40)]

    told = simulated(sales, draft)

    place = [Place(at=one.at, zone=one.zone) for one in sales]
    assert told.draft.points == sum(
        engine.quote(draft, one.basket, Buyer(), where).points for one, where in zip(sales, place, strict=True)
    )


def test_the_shares_of_the_rules_sum_to_the_points() -> None:
    lines = (
        Line(number=1, amount_minor=17_800, category="food"),
        Line(number=2, amount_minor=12_000, category="tobacco"),
    )
    sold = sale(29_800, basket=Basket(amount_minor=29_800, lines=lines), level=GOLD, card="a")

    told = simulated([sold], rules(BASE, DOUBLE, TOBACCO, BONUS, CAP, stacking="multiply")).draft

    assert [(one.name, one.is_tier, one.points) for one in told.shares] == [
        ("Purchases", False, 29), ("Tuesday", False, 18), ("Gold", True, 18), ("Big", False, 5),
        ("Tobacco", False, -12), ("Daily", False, -28),
    ]  # fmt: skip
    assert sum(one.points for one in told.shares) == told.points == 30


def test_caps_count_by_card_and_day_and_budgets_for_all() -> None:
    budget = {"kind": "cap", "name": "Launch", "points": 50, "per": "budget"}
    sales = [
        sale(25_000, card="a"),
        sale(25_000, card="a", at=TUESDAY + timedelta(hours=1)),  # 30 a day: 5 are left
        sale(25_000, card="b", at=TUESDAY + timedelta(hours=2)),  # 50 for all: 20 are left
        sale(25_000, card="a", at=TUESDAY + timedelta(days=1)),
    ]

    assert simulated(sales, rules(BASE, CAP)).draft.points == 25 + 5 + 25 + 25
    assert simulated(sales, rules(BASE, CAP, budget)).draft.points == 50


def test_a_carry_goes_from_sale_to_sale_of_a_card() -> None:
    sales = [sale(250, card="a", at=TUESDAY + timedelta(hours=number)) for number in range(8)]

    assert simulated(sales, rules(BASE, carry=True)).draft.points == 2
    assert simulated(sales, rules(BASE)).draft.points == 0


def test_discounts_and_money_for_later_are_part_of_the_cost() -> None:
    discount = {"kind": "discount", "name": "Members", "bands": [{"from": "0", "percent": "10"}]}
    later = {"kind": "bonus_money", "name": "Later", "percent": "5"}

    told = simulated([sale(10_000)], rules(BASE, discount, later)).draft

    assert (told.points, told.discount_minor, told.bonus_minor) == (9, 1_000, 450)
    assert told.cost_minor == 90 + 1_000 + 450


def test_rules_that_receipts_cannot_answer_are_named() -> None:
    birthday = {"kind": "visit", "name": "Birthday", "points": 50, "when": {"occasions": ["birthday"]}}

    told = simulated([sale(10_000)], rules(BASE, birthday), value=None)

    assert told.unjudged == ("Birthday",)
    assert (told.draft.points, told.draft.cost_minor, told.draft.give_back) == (10, None, None)


CSV = """at;amount;store;card;tier;receipt;category
2026-11-24 09:00;12,50;;A;gold;1;
2026-11-24T09:30:00+03:00;10.00;Kadıköy;A;;2;food
2026-11-24T09:30:00+03:00;5;Kadıköy;A;;2;tobacco
tomorrow;5;;;;3;
2026-11-24;-5;;;;4;
2026-11-24;NaN;;;;5;
2026-11-24;1000000000000;;;;6;
2026-11-24;5;Mars;;;7;
2026-11-24;5;;;Platinum;8;
2026-11-24;5
"""


def test_receipts_are_read_from_csv_and_every_other_row_is_reported() -> None:
    read = receipts.from_csv(CSV, SHOP)

    first, second = read.receipts
    assert first.at == datetime(2026, 11, 24, 6, tzinfo=UTC)  # by the programme's clock
    assert (first.basket.amount_minor, first.card, first.level) == (1_250, "A", GOLD)
    assert (second.store, [line.amount_minor for line in second.basket.lines]) == ("sto_2", [1_000, 500])
    assert [fault.row for fault in read.faults] == [5, 6, 7, 8, 9, 10, 11]
    assert read.rows == 10
    assert all(len(fault.text) > 10 for fault in read.faults)


def test_receipts_are_read_from_json() -> None:
    raw: list[Any] = [
        {"at": "2026-11-24T09:00:00Z", "amount": "12.50", "store": "sto_1"},
        {"at": "2026-11-24T09:00:00Z", "lines": [{"amount": "3", "quantity": 2}, {"amount": 4, "kind": "tip"}]},
        {"at": "2026-11-24T09:00:00Z", "amount": True},
        {"at": "2026-11-24T09:00:00Z", "amount": "1", "colour": "red"},
        {"at": "2026-11-24T09:00:00Z", "lines": "none"},
        {"at": "0001-01-01", "amount": "1"},
        "receipt",
        {"at": "2026-11-24", "amount": "1", "quantity": "000000100099999999"},
        {"at": "2026-11-24", "amount": "1", "discount": "2"},
    ]

    read = receipts.from_objects(json.loads(json.dumps(raw)), SHOP)

    assert [one.zone for one in read.receipts] == ["Asia/Jakarta", "Europe/Istanbul"]
    assert [line.quantity for line in read.receipts[1].basket.lines] == [2, 1]
    assert [fault.row for fault in read.faults] == [3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("text", ["", "at\n", "amount,at,colour\n", "at,at,amount\n", "\x00\x00", "{}"])
def test_a_file_without_a_usable_header_is_refused(text: str) -> None:
    with pytest.raises(Unprocessable, match="invalid_receipts"):
        receipts.from_csv(text, SHOP)


def test_a_file_that_is_too_long_is_refused() -> None:
    rows = "2026-11-24,5\n" * (receipts.ROWS_MAX + 1)

    with pytest.raises(Unprocessable, match="invalid_receipts"):
        receipts.from_csv("at,amount\n" + rows, SHOP)


@pytest.mark.parametrize("text", ["", "0", "-1", "NaN", "1e3", "1" * 20, "1/3", "."])
def test_a_point_has_a_value_above_zero(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        simulation.point_value_of(text, 2)
