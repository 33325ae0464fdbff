"""Windows that days leave, what is bought most, scores, and the zone of a member."""

from datetime import date

import pytest
from sqlalchemy import update

from app.cards.models import Card, Member, Store
from app.earning.sale import Line
from app.habits import nightly, service
from app.habits.models import Habit, HabitProgress
from app.world import World
from tests.app.habits.trade import Trade
from tests.conftest import MovableClock


@pytest.fixture
def trade(any_world: World, clock: MovableClock) -> Trade:
    return Trade(any_world, clock)


def line(product: str, category: str = "food", quantity: int = 1) -> Line:
    return Line(number=1, amount_minor=4_000, product=product, category=category, quantity=quantity)


def test_the_usual_gap_is_the_median_between_days_of_purchase_from_three_on(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card)
    trade.buys(card)  # the same day twice is one day
    trade.days_later(3)
    trade.buys(card)
    trade.follow()
    assert trade.habit(card).median_gap_days is None

    trade.days_later(10)
    trade.buys(card)
    trade.days_later(7)
    trade.buys(card)
    trade.follow()

    assert trade.habit(card).median_gap_days == 7  # of 3, 10 and 7


def test_windows_that_days_have_left_are_counted_anew_at_night(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card, store=1)
    trade.days_later(5)
    trade.buys(card, 2_000, store=0)
    trade.follow()
    assert trade.habit(card).store_id == trade.stores[0].id  # one visit each: the later one
    trade.night()

    trade.days_later(90)
    trade.night()
    assert trade.habit(card).store_id is None

    trade.days_later(270)  # 365 days after the first
    trade.night()

    habit = trade.habit(card)
    assert (habit.visits_365, habit.spend_365_minor, habit.visits, habit.spend_minor) == (1, 2_000, 2, 12_000)


def test_after_ten_days_off_there_is_one_night(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card)
    trade.follow()
    trade.night()
    trade.days_later(10)

    chunks = trade.night()

    assert chunks == 3  # windows, scores, and seeing that no card is left
    assert trade.night() == 0
    with trade.world.database.reading() as session:
        assert session.get_one(HabitProgress, trade.programme.id).day_done == date(2026, 11, 30)


def test_what_is_bought_most_is_in_most_sales_and_returns_do_not_count(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card, lines=(line("soap", "home", 9),))
    trade.buys(card, lines=(line("bread"),))
    trade.buys(card, lines=(line("bread"),))
    sales = [trade.buys(card, lines=(line("soap", "home"),)) for _ in range(2)]
    for sale in sales:
        trade.brings_back(sale)
    trade.follow()

    trade.night()

    assert (trade.habit(card).product, trade.habit(card).category) == ("bread", "food")


def test_fifths_share_the_better_score_among_equals(trade: Trade) -> None:
    spends = [1_000, 1_000, 1_000, 2_000, 3_000, 3_000, 4_000, 5_000, 6_000, 6_000]
    cards = [trade.card() for _ in spends]
    for card, minor in zip(cards, spends, strict=True):
        trade.buys(card, minor)
    trade.follow()

    trade.night()

    habits = [trade.habit(card) for card in cards]
    # 6000: 0 better; 5000: 2; 4000: 3; 3000: 4; 2000: 6; 1000: 7 of ten
    assert [one.monetary for one in habits] == [2, 2, 2, 2, 3, 3, 4, 4, 5, 5]
    assert {one.frequency for one in habits} == {5}  # all bought once
    assert {one.recency for one in habits} == {5}


def test_who_bought_nothing_in_a_year_has_no_score(trade: Trade) -> None:
    old, new = trade.card(), trade.card()
    trade.buys(old)
    trade.follow()
    trade.night()
    assert trade.habit(old).recency == 5
    trade.days_later(400)
    trade.buys(new)
    trade.follow()

    trade.night()

    assert (trade.habit(old).recency, trade.habit(old).frequency, trade.habit(old).monetary) == (None, None, None)
    assert trade.habit(new).recency == 5


def test_a_night_that_was_killed_goes_on_where_it_was(trade: Trade) -> None:
    cards = [trade.card() for _ in range(5)]
    for number, card in enumerate(cards):
        trade.buys(card, 1_000 * (number + 1), lines=(line(f"p{number}"),))
    trade.follow()
    with trade.world.database.reading() as session:
        cuts = nightly.cuts_of(session, trade.programme.id)
    for scores in (None, None, None, cuts):  # windows in three chunks of two, then two of the five scores
        with trade.world.database.unit_of_work() as session:
            assert nightly.turn(session, trade.programme.id, now=trade.clock(), chunk=2, cuts=scores)
    scored = [trade.habit(card).recency is not None for card in cards]
    assert scored == [True, True, False, False, False]

    trade.night(chunk=2, scores_chunk=2)

    assert all(trade.habit(card).recency is not None for card in cards)
    assert [trade.habit(card).product for card in cards] == [f"p{number}" for number in range(5)]


def test_the_zone_is_the_chosen_one_then_of_the_store_used_most_then_of_joining_then_the_programmes(
    trade: Trade,
) -> None:
    card = trade.card()
    with trade.world.database.unit_of_work() as session:
        session.get_one(Store, trade.stores[0].id).timezone = "Asia/Jayapura"
        session.get_one(Store, trade.stores[1].id).timezone = "Asia/Makassar"
        assert service.zone_of(session, card) == "Europe/Istanbul"
        member_id = session.get_one(Card, card).member_id
        home = update(Member).where(Member.id == member_id).values(home_store_id=trade.stores[1].id)
        session.execute(home)
        assert service.zone_of(session, card) == "Asia/Makassar"
    trade.buys(card, store=0)
    trade.follow()

    with trade.world.database.unit_of_work() as session:
        assert session.get_one(Habit, card).store_id == trade.stores[0].id
        assert service.zone_of(session, card) == "Asia/Jayapura"
        session.execute(update(Member).where(Member.id == member_id).values(timezone="Asia/Jakarta"))
        assert service.zone_of(session, card) == "Asia/Jakarta"
