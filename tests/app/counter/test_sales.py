"""Sales by the rules that hold: what is quoted is booked, and stays as it was booked."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Programme
from app.counter import rewarding, sales
from app.counter.pricing import Sale
from app.earning import budgets
from app.errors import AppError, Conflict, Unprocessable
from app.ledger.models import Entry, Lot
from app.world import World
from tests import factories
from tests.app.counter.shop import BASE, TILL, CornerShop, line
from tests.conftest import MovableClock

TUESDAY = datetime(2026, 11, 24, 10, tzinfo=UTC)
DOUBLE = {
    "kind": "multiplier",
    "name": "Tuesday",
    "factor": "2",
    "when": {"windows": [{"weekdays": [2]}]},
    "no_end": True,
}
TOBACCO = {"kind": "exclusion", "name": "tobacco", "only": {"categories": ["tobacco"]}}
W1 = (
    line(1, 3_750, product="bread"),
    line(2, 8_990, product="coffee"),
    line(3, 5_060, product="cake"),
    line(4, 12_000, product="cigarettes", category="tobacco"),
)


def test_a_sale_with_lines_earns_by_the_rules_and_says_why(any_world: World, clock: MovableClock) -> None:
    clock.at = TUESDAY
    shop = CornerShop(any_world, BASE, DOUBLE, TOBACCO)

    sold = shop.sell(0, *W1)

    assert (sold.entry.points, sold.balance, shop.on()) == (35, 35, 35)
    assert [reason["code"] for reason in sold.entry.reasons] == ["excluded", "base", "multiplier"]
    with any_world.database.reading() as session:
        kept = session.get_one(Entry, sold.entry.id).lines
        assert [(one.product, one.amount_minor, one.points) for one in kept] == [
            ("bread", 3_750, 7), ("coffee", 8_990, 18), ("cake", 5_060, 10), ("cigarettes", 12_000, 0),
        ]  # fmt: skip


def test_the_store_s_clock_decides_which_day_it_is(any_world: World, clock: MovableClock) -> None:
    clock.at = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)  # Tuesday 00:30 in Istanbul, Monday 22:30 in Berlin
    shop = CornerShop(any_world, BASE, DOUBLE)
    with any_world.database.unit_of_work() as session:
        berlin = factories.store(
            session, session.get_one(Programme, shop.programme.id), "Berlin", timezone="Europe/Berlin"
        )

    assert (shop.sell(10_000).entry.points, shop.sell(10_000, store=berlin).entry.points) == (20, 10)


def test_what_is_quoted_is_what_is_booked(any_world: World, clock: MovableClock) -> None:
    cap = {"kind": "cap", "name": "a day", "points": 60, "per": "day"}
    clock.at = TUESDAY
    shop = CornerShop(any_world, BASE, DOUBLE, TOBACCO, cap, carry=True, stacking="multiply")
    chance = random.Random(4)  # which baskets are bought

    for _ in range(12):
        basket = [
            line(number, chance.randint(1, 9_999), category=chance.choice(["", "tobacco", "coffee"]))
            for number in range(1, chance.randint(2, 6))
        ]
        quoted, sold = shop.quote(0, *basket), shop.sell(0, *basket)

        assert quoted.quote == sold.priced.quote
        assert sold.entry.points == quoted.quote.points
    assert shop.on() == 60


def test_a_late_sale_is_judged_by_the_rules_of_its_time(any_world: World, clock: MovableClock) -> None:
    shop = CornerShop(any_world)
    bought_at = clock()
    clock.advance(hours=1)
    shop.publish({**BASE, "points": 5})

    late, new = shop.sell(10_000, occurred_at=bought_at), shop.sell(10_000)

    assert (late.entry.points, new.entry.points) == (10, 50)
    assert late.entry.rule_version_id != new.entry.rule_version_id


def test_rules_that_begin_tomorrow_do_not_hold_today(any_world: World, clock: MovableClock) -> None:
    shop = CornerShop(any_world)
    shop.publish({**BASE, "points": 5}, starts_at=clock() + timedelta(days=1))

    today = shop.sell(10_000).entry.points
    clock.advance(days=1)

    assert (today, shop.sell(10_000).entry.points) == (10, 50)


def test_fractions_are_carried_and_come_back_with_the_sale(any_world: World) -> None:
    shop = CornerShop(any_world, carry=True)

    sold = [shop.sell(250) for _ in range(4)]
    assert [one.entry.points for one in sold] == [0, 0, 0, 1]
    assert (sold[-1].entry.carry_before, sold[-1].entry.carry_after) == ("3/4", "0")

    shop.take_back(sold[-1].entry)
    assert shop.on() == 0
    assert shop.sell(250).entry.points == 1


def test_a_day_s_cap_gives_the_rest_and_is_not_filled_again_by_a_return(any_world: World) -> None:
    shop = CornerShop(any_world, BASE, {"kind": "cap", "name": "day", "points": 500, "per": "day"}, tiers=())
    first = shop.sell(480_000)

    capped = shop.sell(60_000)
    shop.take_back(first.entry)

    assert (first.entry.points, capped.entry.points) == (480, 20)
    assert capped.entry.reasons[-1] == {"code": "cap", "name": "day", "points": 500, "period": "day"}
    assert shop.sell(10_000).entry.points == 0


def test_the_next_day_a_cap_begins_anew(any_world: World, clock: MovableClock) -> None:
    clock.at = datetime(2026, 11, 24, 20, 59, tzinfo=UTC)  # one minute before midnight in Istanbul
    shop = CornerShop(any_world, BASE, {"kind": "cap", "name": "day", "points": 5, "per": "day"})

    before = shop.sell(10_000).entry.points
    clock.advance(minutes=1)

    assert (before, shop.sell(10_000).entry.points) == (5, 5)


def test_the_last_points_of_a_budget_go_to_one_of_many_cards(any_world: World) -> None:
    budget = {"kind": "cap", "name": "Opening", "points": 95, "per": "budget"}
    shop = CornerShop(any_world, BASE, budget)
    with any_world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        cards = [factories.card(session, programme, name=f"Guest {number}") for number in range(12)]

    def buy(card: Any) -> int:
        return shop.do(lambda s: sales.earn(s, card, shop.sale(10_000), by=TILL, now=any_world.clock())).entry.points

    with ThreadPoolExecutor(12) as tills:
        points = sorted(tills.map(buy, cards))

    assert points == [0, 0, 5, *[10] * 9]
    with any_world.database.reading() as session:
        assert budgets.used(session, shop.programme.id, ["Opening"]) == {"Opening": 95}
        assert budgets.differences(session) == []


def test_a_budget_gets_back_what_comes_back_and_only_once(any_world: World) -> None:
    shop = CornerShop(any_world, BASE, {"kind": "cap", "name": "Opening", "points": 20, "per": "budget"})
    sold = shop.sell(20_000)

    shop.take_back(sold.entry, amount_minor=5_000)
    shop.take_back(sold.entry)
    with pytest.raises(Conflict, match="already_reversed"):
        shop.take_back(sold.entry)

    with any_world.database.reading() as session:
        assert budgets.used(session, shop.programme.id, ["Opening"]) == {"Opening": 0}
        assert budgets.differences(session) == []


def test_bonus_money_is_given_beside_the_points_and_goes_back_line_by_line(
    any_world: World, clock: MovableClock
) -> None:
    bonus = {"kind": "bonus_money", "name": "Five percent", "percent": "5", "expires_days": 30,
             "only": {"categories": ["books"]}}  # fmt: skip
    shop = CornerShop(any_world, BASE, bonus)

    sold = shop.sell(0, line(1, 10_000, category="books", quantity=2), line(2, 5_000))
    given = shop.on("bonus:TRY")
    shop.take_back(sold.entry, {2: 1})
    kept = shop.on("bonus:TRY")
    shop.take_back(sold.entry, {1: 1})

    assert (given, kept, shop.on("bonus:TRY"), shop.on()) == (500, 500, 250, 5)
    with any_world.database.reading() as session:
        ends = session.scalars(select(Lot.expires_at).where(Lot.original == 500)).one()
    assert ends is not None
    assert ends.isoformat() == "2026-12-20T21:00:00+00:00"
    assert clock().date().isoformat() == "2026-11-20"


def test_a_birthday_and_a_first_purchase_are_occasions(any_world: World, clock: MovableClock) -> None:
    rules = [
        {"kind": "bonus", "name": "Birthday", "points": 50, "when": {"occasions": ["birthday"]}, "no_end": True},
        {"kind": "bonus", "name": "Welcome", "points": 7, "when": {"occasions": ["first_purchase"]}, "no_end": True},
        {"kind": "bonus", "name": "Nurses", "points": 3, "when": {"segments": ["job=nurse"]}, "no_end": True},
    ]
    shop = CornerShop(any_world, BASE, *rules, person={"birthday": "11-21", "attributes": {"job": "nurse"}})

    first = shop.sell(10_000).entry.points
    second = shop.sell(10_000).entry.points
    clock.advance(days=1)

    assert (first, second, shop.sell(10_000).entry.points) == (10 + 7 + 3, 10 + 3, 10 + 50 + 3)


def test_waiting_points_cannot_be_spent_and_a_return_takes_them_first(any_world: World) -> None:
    shop = CornerShop(any_world, pending_days=14)

    sold = shop.sell(10_000)
    waiting = shop.on(role="pend")
    shop.take_back(sold.entry, amount_minor=4_000)

    assert (waiting, shop.on(), shop.on(role="pend")) == (10, 0, 6)


@pytest.mark.parametrize(("policy", "owed"), [("allow_debt", -70), ("clamp", 0), ("refuse", None)])
def test_a_return_of_spent_points_follows_the_rules_of_its_sale(
    any_world: World, policy: str, owed: int | None
) -> None:
    shop = CornerShop(any_world, returns=policy)
    sold = shop.sell(100_000)
    shop.publish(BASE)  # newer rules, which would allow a debt
    from_points(shop, 70)

    if owed is None:
        with pytest.raises(Unprocessable, match="insufficient"):
            shop.take_back(sold.entry)
    else:
        shop.take_back(sold.entry)
        assert (shop.on(), shop.on(role="debt")) == (0, owed)


def test_buying_and_returning_a_hundred_times_leaves_the_balance(any_world: World) -> None:
    shop = CornerShop(any_world, BASE, carry=True)
    shop.sell(1_230)

    for _ in range(100):
        sold = shop.sell(0, line(1, 999, quantity=3), line(2, 1_501))
        shop.take_back(sold.entry, {1: 2})
        shop.take_back(sold.entry)

    assert (shop.on(), shop.on(role="debt")) == (1, 0)
    assert shop.do(lambda s: s.get_one(type(shop.card), shop.card.id)).spent_minor == 1_230


def test_an_event_earns_once_for_its_number(any_world: World) -> None:
    shop = CornerShop(any_world, BASE, {"kind": "event", "name": "Review", "event": "review", "points": 25})

    def review(number: str, name: str = "review") -> int:
        return shop.do(
            lambda s: sales.event(s, shop.card, name, by=TILL, now=any_world.clock(), store=shop.store, receipt=number)
        ).balance

    assert review("v1") == 25
    with pytest.raises(Conflict, match="duplicate_receipt"):
        review("v1")
    with pytest.raises(Unprocessable, match="unknown_event"):
        review("v2", "sneeze")
    assert shop.on() == 25


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"amount_minor": 0}, "invalid_amount"),
        ({"currency": "EUR"}, "currency_mismatch"),
        ({"lines": (line(1, 999),)}, "lines_do_not_sum"),
    ],
)
def test_a_sale_that_cannot_be_is_refused_and_nothing_is_written(
    any_world: World, over: dict[str, Any], code: str
) -> None:
    shop = CornerShop(any_world)
    sale = Sale(**{"amount_minor": 1_000, "currency": "TRY", **over})

    with pytest.raises(AppError, match=code):
        shop.do(lambda s: sales.earn(s, shop.card, sale, by=TILL, now=any_world.clock()))

    assert shop.on() == 0


def from_points(shop: CornerShop, points: int) -> None:
    shop.do(lambda s: rewarding.redeem_points(s, shop.card, points, by=TILL, now=shop.world.clock()))
