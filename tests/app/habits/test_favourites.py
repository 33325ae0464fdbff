"""What a card buys most follows its returns, late sales and merges, whenever they come and whatever is killed."""

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.earning.sale import Line
from app.errors import Conflict, Unprocessable
from app.habits import counting, favourites, nightly
from app.habits.models import Habit, HabitProgress
from app.world import World
from tests.app.habits.test_counting import join, part
from tests.app.habits.trade import Trade
from tests.conftest import MovableClock


@pytest.fixture
def trade(any_world: World, clock: MovableClock) -> Trade:
    return Trade(any_world, clock)


def line(product: str, category: str = "food") -> Line:
    return Line(number=1, amount_minor=4_000, product=product, category=category, quantity=1)


def favourite(trade: Trade, card: int) -> tuple[str, str]:
    habit = trade.habit(card)
    return habit.product, habit.category


def turn(trade: Trade) -> bool:
    """One chunk of one card of a night, after which the worker is killed."""
    with trade.world.database.unit_of_work() as session:
        progress = session.get(HabitProgress, trade.programme.id)
        is_scoring = progress is not None and progress.night_step == nightly.SCORES
        cuts = nightly.cuts_of(session, trade.programme.id) if is_scoring else None
        return nightly.turn(session, trade.programme.id, now=trade.clock(), chunk=1, cuts=cuts)


def test_what_was_brought_back_weeks_later_is_no_favourite(trade: Trade) -> None:
    card = trade.card()
    tea = trade.buys(card, lines=(line("tea", "drinks"),))
    trade.follow()
    trade.days_later(1)
    trade.night()
    assert favourite(trade, card) == ("tea", "drinks")
    trade.days_later(20)
    trade.night()

    trade.brings_back(tea)
    trade.follow()

    assert favourite(trade, card) == ("", "")


def test_what_was_brought_back_on_the_day_that_a_night_has_counted_is_no_favourite(trade: Trade) -> None:
    card = trade.card()
    trade.night()
    trade.days_later(1)
    tea = trade.buys(card, lines=(line("tea"),))
    trade.follow()
    trade.night()
    assert favourite(trade, card) == ("tea", "food")

    trade.brings_back(tea)
    trade.follow()

    assert trade.days(card) == []
    assert favourite(trade, card) == ("", "")


def test_a_sale_that_a_till_sends_days_late_counts_for_the_favourite(trade: Trade) -> None:
    known, new = trade.card(), trade.card()
    trade.buys(known, lines=(line("tea"),))
    trade.follow()
    trade.days_later(5)
    trade.night()

    for _time in range(2):
        trade.buys(known, lines=(line("coffee"),), at=trade.clock() - timedelta(days=2))
    trade.buys(new, lines=(line("salt"),), at=trade.clock() - timedelta(hours=40))
    trade.follow()

    assert favourite(trade, known) == ("coffee", "food")
    assert favourite(trade, new) == ("salt", "food")


def test_the_favourite_of_joined_cards_is_that_of_both_and_parting_gives_each_its_own(trade: Trade) -> None:
    old, new = trade.card(), trade.card()
    trade.buys(new, lines=(line("soap", "home"),))
    for _time in range(3):
        trade.buys(old, lines=(line("tea", "drinks"),))
        trade.days_later(1)
    trade.follow()
    trade.night()
    trade.days_later(5)
    trade.night()

    merge_id = join(trade, old, new)
    trade.follow()
    assert favourite(trade, new) == ("tea", "drinks")
    trade.days_later(1)
    part(trade, merge_id)
    trade.follow()

    assert (favourite(trade, old), favourite(trade, new)) == (("tea", "drinks"), ("soap", "home"))


def test_a_night_that_goes_on_after_midnight_misses_nothing_of_the_day_before(trade: Trade) -> None:
    cards = [trade.card() for _ in range(3)]
    for card in cards:
        trade.buys(card, store=1, lines=(line("tea"),))
    trade.follow()
    trade.night()
    trade.days_later(89)
    trade.buys(cards[2], lines=(line("tea"),))
    trade.follow()
    assert turn(trade)  # the cursor is at the last card already: the others have no day since
    trade.buys(cards[2], lines=(line("salt"),))
    trade.buys(cards[2], lines=(line("salt"),))
    trade.follow()
    trade.days_later(1)

    trade.night()

    assert favourite(trade, cards[2]) == ("salt", "food")
    assert [trade.habit(card).store_id for card in cards[:2]] == [None, None]  # 90 days after their only visit


def test_ordinary_sales_are_left_to_the_night(trade: Trade) -> None:
    card = trade.card()
    trade.night()
    trade.buys(card, lines=(line("tea"),))
    trade.follow()
    assert favourite(trade, card) == ("", "")

    trade.days_later(1)
    trade.night()

    assert favourite(trade, card) == ("tea", "food")


class Life:
    """Random sales, returns and joined cards of some members, followed now and then by workers that are killed."""

    def __init__(self, trade: Trade, dice: random.Random) -> None:
        self.trade, self.dice = trade, dice
        self.cards = [trade.card() for _ in range(5)]
        self.sales: list[str] = []
        self.merge_id = ""

    def step(self) -> None:
        steps = {self.buy: 6, self.send_late: 3, self.bring_back: 3, self.join: 1, self.trade.follow: 5,
                 self.turn: 8, self.wait: 3}  # fmt: skip
        with suppress(Conflict, Unprocessable):  # such as a sale on a card that another one took over
            self.dice.choices(list(steps), list(steps.values()))[0]()

    def buy(self, hours_ago: int = 0) -> None:
        product, at = self.dice.choice("abcd"), self.trade.clock() - timedelta(hours=hours_ago)
        bought = line(product, product.upper())
        self.sales.append(self.trade.buys(self.dice.choice(self.cards), lines=(bought,), at=at))

    def send_late(self) -> None:
        self.buy(hours_ago=self.dice.randint(1, 90))

    def bring_back(self) -> None:
        if self.sales:
            self.trade.brings_back(self.sales.pop(self.dice.randrange(len(self.sales))))

    def join(self) -> None:
        if self.merge_id:
            part(self.trade, self.merge_id)
            self.merge_id = ""
        else:
            self.merge_id = join(self.trade, *self.dice.sample(self.cards, 2))

    def turn(self) -> None:
        turn(self.trade)

    def wait(self) -> None:
        self.trade.days_later(self.dice.choice((0.2, 0.5, 1, 1, 40, 200)))


@pytest.mark.parametrize("seed", range(4))
def test_after_any_history_a_night_leaves_the_favourites_that_the_ledger_tells(trade: Trade, seed: int) -> None:
    life = Life(trade, random.Random(seed))
    for _step in range(60):
        life.step()
    trade.follow()
    trade.days_later(1)
    trade.night()

    with trade.world.database.unit_of_work() as session:
        kept = {habit.card_id: (habit.product, habit.category) for habit in session.scalars(select(Habit))}
        books = counting.books_of(session, trade.programme.id)
        favourites.renew(session, books, kept, books.day_of(trade.clock()))

    assert kept == {card: favourite(trade, card) for card in kept}
    assert kept
