"""Days and habits are what the ledger says, whatever was booked and however often it is counted."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.counter import merging
from app.earning.sale import Line
from app.habits import counting
from app.habits.joined import CARD_MERGE
from app.habits.models import CardDay, Habit, HabitProgress
from app.ledger.models import Account, Entry, Posting
from app.tables import metadata
from app.value import stock
from app.world import World
from tests.app.habits.trade import TILL, Trade
from tests.app.ledger.histories import History
from tests.conftest import MovableClock

BREAD = Line(number=1, amount_minor=4_000, product="bread", category="food", quantity=2)
SOAP = Line(number=2, amount_minor=6_000, product="soap", category="home", quantity=1)


@pytest.fixture
def trade(any_world: World, clock: MovableClock) -> Trade:
    return Trade(any_world, clock)


def test_what_is_known_of_joined_cards_is_as_their_room_made_it() -> None:
    real = metadata.tables["card_merge"]

    assert all(real.columns[one.name].type.python_type is one.type.python_type for one in CARD_MERGE.columns)


def test_a_sale_counts_on_its_day_and_at_its_store(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card, 10_000, store=0)
    trade.buys(card, 5_000, store=1)
    trade.buys(card, 3_000, store=None)

    trade.follow()

    today = date(2026, 11, 20)
    assert sorted(trade.days(card)) == [
        (today, -1, 1, 3_000, 3, 0), (today, 0, 1, 10_000, 10, 0), (today, 1, 1, 5_000, 5, 0),
    ]  # fmt: skip
    habit = trade.habit(card)
    assert (habit.visits, habit.spend_minor, habit.visits_365, habit.spend_365_minor) == (3, 18_000, 3, 18_000)
    assert habit.first_at == habit.last_at == trade.clock()


def test_a_sale_shortly_after_midnight_in_istanbul_is_of_the_new_day(trade: Trade) -> None:
    card = trade.card()
    trade.clock.at = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)  # 00:30 on the 21st
    trade.buys(card)

    trade.follow()

    assert [row[0] for row in trade.days(card)] == [date(2026, 11, 21)]


def test_a_return_counts_on_the_day_of_its_sale_and_the_last_visit_goes_back(trade: Trade) -> None:
    card = trade.card()
    first = trade.clock()
    trade.buys(card, 10_000)
    trade.days_later(3)
    sale = trade.buys(card, 8_000)
    trade.follow()
    trade.days_later(5)
    trade.brings_back(sale, minor=3_000)
    trade.follow()
    assert trade.days(card)[1] == (date(2026, 11, 23), 0, 1, 5_000, 5, 0)

    trade.brings_back(sale)
    trade.follow()

    assert [row[0] for row in trade.days(card)] == [date(2026, 11, 20)]
    assert trade.habit(card).last_at == first
    assert trade.habit(card).visits == 1


def test_a_late_sale_counts_on_the_day_on_which_it_was_made(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card, at=trade.clock() - timedelta(days=2))

    trade.follow()

    assert [row[0] for row in trade.days(card)] == [date(2026, 11, 18)]


def test_counting_again_changes_nothing(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card, lines=(BREAD, SOAP))
    trade.follow()
    before = trade.days(card), trade.last_times(card)

    trade.follow()
    with trade.world.database.unit_of_work() as session:
        session.get_one(HabitProgress, counting.WHOLE_LEDGER).entry_id = ""
    trade.follow()

    assert (trade.days(card), trade.last_times(card)) == before
    assert trade.habit(card).visits == 1


def test_two_processes_at_once_come_to_the_same(trade: Trade, tmp_path: Path) -> None:
    cards = [trade.card() for _ in range(4)]
    for card in cards * 5:
        trade.buys(card)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _one: counting.follow(trade.world, chunk=3), range(4)))
    trade.follow()

    assert [trade.habit(card).visits for card in cards] == [5] * 4
    assert all(trade.days(card)[0][2] == 5 for card in cards)


def test_what_was_killed_between_two_chunks_goes_on(trade: Trade) -> None:
    cards = [trade.card() for _ in range(3)]
    for card in cards:
        trade.buys(card)
    trade.days_later(1)
    for card in cards:
        trade.buys(card)
    with trade.world.database.unit_of_work() as session:
        counting.count_next(session, chunk=2, now=trade.clock())

    trade.follow()

    assert [trade.habit(card).visits for card in cards] == [2, 2, 2]


def test_an_entry_that_commits_behind_others_is_seen(trade: Trade) -> None:
    early, late = trade.card(), trade.card()
    trade.clock.at += timedelta(seconds=30)
    trade.buys(late)
    trade.follow()
    trade.clock.at -= timedelta(seconds=30)
    trade.buys(early)  # its id is below the cursor
    trade.days_later(3)  # and nobody counted for days

    trade.follow()

    assert trade.habit(early).visits == 1


def test_products_and_categories_are_remembered_and_forgotten_with_their_return(trade: Trade) -> None:
    card = trade.card()
    trade.buys(card, lines=(BREAD,))
    trade.days_later(2)
    sale = trade.buys(card, lines=(BREAD, SOAP))
    trade.follow()
    assert trade.last_times(card) == {
        ("product", "bread"): date(2026, 11, 22), ("category", "food"): date(2026, 11, 22),
        ("product", "soap"): date(2026, 11, 22), ("category", "home"): date(2026, 11, 22),
    }  # fmt: skip

    trade.brings_back(sale, pieces={2: 1, 1: 1})
    trade.follow()
    assert ("product", "soap") not in trade.last_times(card)
    assert trade.last_times(card)["product", "bread"] == date(2026, 11, 22)

    trade.brings_back(sale)
    trade.follow()
    assert trade.last_times(card) == {
        ("product", "bread"): date(2026, 11, 20), ("category", "food"): date(2026, 11, 20),
    }  # fmt: skip


def test_a_joined_card_counts_for_the_one_that_took_it_over_and_for_itself_again_when_parted(trade: Trade) -> None:
    old, new = trade.card(), trade.card()
    trade.buys(old, 10_000, lines=(BREAD,))
    sale = trade.buys(old, 6_000)
    trade.days_later(1)
    trade.buys(new, 5_000)
    trade.follow()
    trade.days_later(1)

    merge_id = join(trade, old, new)
    trade.follow()

    assert trade.days(old) == []
    assert not trade.has_habit(old)
    assert [row[3] for row in trade.days(new)] == [10_000, 5_000]
    assert trade.habit(new).visits == 3
    assert ("product", "bread") in trade.last_times(new)
    trade.brings_back(sale)
    trade.follow()
    assert trade.habit(new).spend_minor == 9_000

    trade.days_later(1)
    part(trade, merge_id)
    trade.follow()

    assert [row[3] for row in trade.days(old)] == [4_000]
    assert [row[3] for row in trade.days(new)] == [5_000]
    assert (trade.habit(old).visits, trade.habit(new).visits) == (1, 1)
    assert trade.last_times(new) == {}


def test_a_card_that_is_nobodys_has_days_and_no_habit(trade: Trade) -> None:
    with trade.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, trade.programme.id)
        from_stock = stock.make(session, programme, "bearer", source="test", now=trade.clock()).id
    trade.buys(from_stock)

    trade.follow()

    assert len(trade.days(from_stock)) == 1
    assert not trade.has_habit(from_stock)


def test_days_sum_to_the_ledger_to_the_unit_after_any_history(any_world: World) -> None:
    numbers = count(1)
    for seed in range(15):
        session = Session(any_world.database.engine, expire_on_commit=False, info=dict(any_world.database.info))
        try:
            dice = random.Random(seed)
            history = History(session, dice, lambda: next(numbers))
            programme_id = history.cards[0].programme_id
            for _step in range(30):
                history.step()
                if dice.random() < 0.2:
                    counted(session, history.now, chunk=dice.choice((1, 7, 500)))
            counted(session, history.now)

            assert of_days(session, programme_id) == of_ledger(session, programme_id), f"seed {seed}"
            habits = session.scalars(select(Habit).where(Habit.programme_id == programme_id)).all()
            assert sum(one.spend_minor for one in habits) == of_days(session, programme_id)["spend_minor"]
        finally:
            session.rollback()
            session.close()


def join(trade: Trade, source: int, target: int) -> str:
    with trade.world.database.unit_of_work() as session:
        cards = [session.get_one(Card, one) for one in (source, target)]
        return merging.merge(session, *cards, reason="twice", by=TILL, now=trade.clock()).public_id


def part(trade: Trade, merge_id: str) -> None:
    with trade.world.database.unit_of_work() as session:
        merging.unmerge(session, merging.named(session, merge_id), by=TILL, now=trade.clock())


def counted(session: Session, now: datetime, *, chunk: int = 500) -> None:
    after, done = "", chunk
    while done == chunk:
        done, after = counting.count_next(session, after=after, chunk=chunk, now=now)


def of_days(session: Session, programme_id: int) -> dict[str, int]:
    names = ("visits", "spend_minor", "earned", "spent")
    row = session.execute(
        select(*(func.coalesce(func.sum(getattr(CardDay, name)), 0) for name in names)).where(
            CardDay.programme_id == programme_id
        )
    ).one()
    return {name: int(value) for name, value in zip(names, row, strict=True)}


def of_ledger(session: Session, programme_id: int) -> dict[str, int]:
    """The same from postings and sales, in another way."""
    left: dict[str, int] = defaultdict(int)
    for entry in session.scalars(select(Entry).where(Entry.programme_id == programme_id)):
        if entry.kind == "earn" and entry.part_of_id is None and entry.amount_minor is not None:
            left[entry.id] += entry.amount_minor
    for entry in session.scalars(select(Entry).where(Entry.programme_id == programme_id)):
        if entry.reverses_id in left:
            left[entry.reverses_id] += entry.amount_minor or 0
    return {
        "visits": sum(1 for minor in left.values() if minor > 0),
        "spend_minor": sum(left.values()),
        "earned": -_on(session, programme_id, "issue"),
        "spent": _on(session, programme_id, "redeem"),
    }


def _on(session: Session, programme_id: int, role: str) -> int:
    query = select(func.coalesce(func.sum(Posting.amount), 0)).join(Account, Account.id == Posting.account_id)
    where = (
        Account.programme_id == programme_id, Account.member_id.is_(None), Account.role == role,
        Account.unit == "points",
    )  # fmt: skip
    return int(session.execute(query.where(*where)).scalar_one())
