"""The worked examples of the loyalty domain that are about lots, holds, returns and debts, number by number."""

from datetime import UTC, datetime, timedelta

import pytest

from app.errors import Conflict, Unprocessable
from app.ledger.reversals import OnDeficit, Returned
from app.world import World
from tests.app.ledger.shelf import Shelf

NEVER = None
JAN_31 = datetime(2027, 1, 31, 21, tzinfo=UTC)  # the first instant of 1 February in Istanbul
FEB_28 = datetime(2027, 2, 28, 21, tzinfo=UTC)


@pytest.fixture
def shelf(any_world: World) -> Shelf:
    return Shelf(any_world)


def line(number: int, quantity: int, points: int, amount_minor: int = 1_000) -> tuple[int, str, str, int, int, int]:
    return (number, f"sku-{number}", "", quantity, amount_minor, points)


def test_w2_a_partial_return_takes_what_that_line_earned(shelf: Shelf) -> None:
    sale = shelf.earn(35, lines=[line(1, 1, 7), line(2, 1, 18), line(3, 1, 10)])

    taken = [shelf.reverse(sale, Returned(pieces={number: 1})).points for number in (2, 1, 3)]

    assert taken == [-18, -7, -10]
    assert shelf.on("avail") == 0
    with pytest.raises(Conflict, match="already_reversed"):
        shelf.reverse(sale)


def test_w3_a_return_by_quantity_steps_so_that_the_sum_is_exact(shelf: Shelf) -> None:
    sale = shelf.earn(10, lines=[line(1, 3, 10)])

    taken = [shelf.reverse(sale, Returned(pieces={1: 1})).points for _ in range(3)]

    assert taken == [-3, -3, -4]
    with pytest.raises(Conflict, match="already_reversed"):
        shelf.reverse(sale, Returned(pieces={1: 1}))


def test_more_than_was_bought_does_not_come_back(shelf: Shelf) -> None:
    sale = shelf.earn(10, lines=[line(1, 3, 10)])
    shelf.reverse(sale, Returned(pieces={1: 2}))

    for returned in (Returned(pieces={1: 2}), Returned(pieces={1: 0}), Returned(pieces={})):
        with pytest.raises(Unprocessable, match="exceeds_original"):
            shelf.reverse(sale, returned)
    with pytest.raises(Unprocessable, match="unknown_line"):
        shelf.reverse(sale, Returned(pieces={2: 1}))


def test_w4_a_return_is_not_proportional_by_value(shelf: Shelf) -> None:
    sale = shelf.earn(70, lines=[line(1, 1, 20, 1_000), line(2, 1, 30, 1_000), line(3, 1, 20, 2_000)])

    assert shelf.reverse(sale, Returned(pieces={3: 1})).points == -20


def test_w9_spending_uses_the_lot_that_expires_soonest(shelf: Shelf) -> None:
    shelf.earn(80, expires_at=NEVER)
    shelf.earn(50, expires_at=FEB_28)
    shelf.earn(100, expires_at=JAN_31)

    shelf.spend(120)

    assert shelf.lots() == [(30, FEB_28), (80, NEVER)]
    shelf.now = FEB_28
    assert [shelf.expire(), shelf.expire(), shelf.on("avail")] == [30, 0, 80]


def test_w10_a_refund_restores_the_lots_and_what_is_too_late_lives_two_weeks(shelf: Shelf) -> None:
    shelf.earn(100, expires_at=JAN_31)
    shelf.earn(50, expires_at=FEB_28)
    shelf.earn(80, expires_at=NEVER)
    spent = shelf.spend(120)
    shelf.now = datetime(2027, 2, 10, 9, tzinfo=UTC)

    shelf.reverse(spent)

    assert shelf.lots() == [(100, shelf.now + timedelta(days=14)), (50, FEB_28), (80, NEVER)]


def test_w11_a_hold_over_midnight_keeps_its_lots_until_it_ends(shelf: Shelf) -> None:
    midnight = datetime(2026, 11, 21, 21, tzinfo=UTC)
    shelf.earn(60, expires_at=midnight)
    shelf.earn(40, expires_at=NEVER)
    shelf.now = midnight - timedelta(minutes=2)
    hold = shelf.hold(80)
    shelf.now = midnight
    assert shelf.expire() == 0
    shelf.now = midnight + timedelta(minutes=1)

    shelf.capture(hold, 50)

    assert [shelf.on("avail"), shelf.on("hold")] == [50, 0]
    assert shelf.expire() == 10
    assert shelf.lots() == [(40, NEVER)]


def test_w12_a_deficit_is_filled_by_what_is_earned_later(shelf: Shelf) -> None:
    sale = shelf.earn(100)
    shelf.spend(70)

    shelf.reverse(sale)

    seen = [(shelf.on("avail"), shelf.on("debt"))]
    for _ in range(2):
        shelf.earn(50)
        seen.append((shelf.on("avail"), shelf.on("debt")))
    assert seen == [(0, -70), (0, -20), (30, 0)]


def test_w18_stored_value_comes_back_to_the_same_card(shelf: Shelf) -> None:
    shelf.credit(50_000, unit="TRY", kind="load", source="funding")
    paid = shelf.spend(32_050, unit="TRY", kind="pay", sink="sales", amount_minor=32_050, currency="TRY")
    assert shelf.on("avail", "TRY") == 17_950

    shelf.reverse(paid, Returned(amount_minor=10_000), kind="refund")

    assert shelf.on("avail", "TRY") == 27_950


@pytest.mark.parametrize(
    ("policy", "left"), [(OnDeficit.ALLOW_DEBT, (0, -70)), (OnDeficit.CLAMP, (0, 0))], ids=["debt", "clamp"]
)
def test_what_becomes_of_points_that_were_spent_before_the_return(
    shelf: Shelf, policy: OnDeficit, left: tuple[int, int]
) -> None:
    sale = shelf.earn(100)
    shelf.spend(70)

    shelf.reverse(sale, on_deficit=policy)

    assert (shelf.on("avail"), shelf.on("debt")) == left


def test_a_shop_may_refuse_a_return_whose_points_were_spent(shelf: Shelf) -> None:
    sale = shelf.earn(100)
    shelf.spend(70)

    with pytest.raises(Unprocessable, match="insufficient"):
        shelf.reverse(sale, on_deficit=OnDeficit.REFUSE)

    assert (shelf.on("avail"), shelf.on("debt")) == (30, 0)


def test_buying_and_returning_a_hundred_times_leaves_the_balance(shelf: Shelf) -> None:
    shelf.earn(40)
    for _ in range(100):
        sale = shelf.earn(10, lines=[line(1, 3, 10)])
        shelf.reverse(sale, Returned(pieces={1: 2}))
        shelf.reverse(sale, Returned(pieces={1: 1}))

    assert shelf.on("avail") == 40


def test_a_spend_that_was_captured_in_part_comes_back_to_the_lots_that_are_left(shelf: Shelf) -> None:
    shelf.earn(60, expires_at=FEB_28)
    shelf.earn(40, expires_at=NEVER)
    hold = shelf.hold(80)
    captured = shelf.capture(hold, 50)

    shelf.reverse(captured)

    assert shelf.lots() == [(60, FEB_28), (40, NEVER)]


def test_a_hold_ends_once(shelf: Shelf) -> None:
    shelf.earn(100)
    hold = shelf.hold(80)
    with pytest.raises(Unprocessable, match="exceeds_hold"):
        shelf.capture(hold, 81)
    shelf.void(hold)

    for end in (shelf.void, shelf.capture):
        with pytest.raises(Conflict, match="hold_ended"):
            end(hold)

    assert (shelf.on("avail"), shelf.on("hold")) == (100, 0)


def test_points_that_wait_become_spendable_on_their_day_and_not_twice(shelf: Shelf) -> None:
    day = shelf.now + timedelta(days=14)
    shelf.earn(100, pending_until=day)
    with pytest.raises(Unprocessable, match="insufficient"):
        shelf.spend(1)
    assert shelf.activate() == 0
    shelf.now = day

    assert (shelf.on("avail"), shelf.on("pend")) == (0, 100)
    assert [shelf.activate(), shelf.activate()] == [1, 0]
    assert (shelf.on("avail"), shelf.on("pend")) == (100, 0)


def test_a_return_before_the_day_takes_the_waiting_points(shelf: Shelf) -> None:
    day = shelf.now + timedelta(days=14)
    sale = shelf.earn(100, pending_until=day, lines=[line(1, 2, 100)])

    shelf.reverse(sale, Returned(pieces={1: 1}))

    assert (shelf.on("avail"), shelf.on("pend")) == (0, 50)
    shelf.now = day
    shelf.activate()
    assert (shelf.on("avail"), shelf.on("debt")) == (50, 0)


def test_an_undone_sale_gives_its_fraction_back(shelf: Shelf) -> None:
    quarters = ["0", "1/4", "1/2", "3/4"]
    for before, after in zip(quarters, [*quarters[1:], "0"], strict=True):
        sale = shelf.earn(int(after == "0"), carry_before=before, carry_after=after, amount_minor=250)

    undone = shelf.reverse(sale)

    assert (undone.points, undone.carry_before, undone.carry_after) == (-1, "0", "3/4")
