"""A shop whose members buy and bring back, through the counter, at moments of the test's choice."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.cards.models import Card, Programme, Store
from app.counter import returns, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning.sale import Line
from app.habits import counting, nightly
from app.habits.models import CardDay, Habit, LastTime
from app.ledger.reversals import Returned
from app.world import World
from tests import factories
from tests.conftest import MovableClock

TILL = Actor(name="staff:till", channel="till")


class Trade:
    """One programme in Istanbul with two stores, at the clock of its world."""

    def __init__(self, world: World, clock: MovableClock) -> None:
        self.world, self.clock, self.members = world, clock, 0
        with world.database.unit_of_work() as session:
            self.programme: Programme = factories.programme(session, now=clock())
            self.stores: list[Store] = [
                factories.store(session, self.programme, name, now=clock()) for name in ("Kadıköy", "Moda")
            ]

    def card(self, **over: Any) -> int:
        self.members += 1
        with self.world.database.unit_of_work() as session:
            programme = session.get_one(Programme, self.programme.id)
            values = {"email": f"m{self.members}@example.com", "now": self.clock(), **over}
            return factories.card(session, programme, **values).id

    def buys(self, card_id: int, minor: int = 10_000, *, store: int | None = 0, at: datetime | None = None,
             lines: tuple[Line, ...] = ()) -> str:  # fmt: skip
        """Buy now, or *at* a moment before that the till sends late; the sale's id."""
        with self.world.database.unit_of_work() as session:
            amount = sum(line.amount_minor for line in lines) or minor
            sale = Sale(
                amount_minor=amount, currency="TRY", store=None if store is None else self.stores[store],
                occurred_at=at, lines=lines,
            )  # fmt: skip
            done = sales.earn(session, session.get_one(Card, card_id), sale, by=TILL, now=self.clock())
            return done.entry.id

    def brings_back(self, sale: str, *, minor: int | None = None, pieces: dict[int, int] | None = None) -> str:
        with self.world.database.unit_of_work() as session:
            returned = Returned(amount_minor=minor, pieces=pieces)
            done = returns.reverse(session, sale, reason="back", by=TILL, now=self.clock(), returned=returned)
            return done.entry.id

    def days_later(self, days: float) -> None:
        self.clock.at += timedelta(days=days)

    def follow(self) -> int:
        return counting.follow(self.world)

    def night(self, **over: Any) -> int:
        return nightly.work(self.world, **over)

    def days(self, card_id: int) -> list[tuple[date, int, int, int, int, int]]:
        """(day, store, visits, spend, earned, spent), oldest first; stores by their place in `stores`, -1: none."""
        places = {store.id: place for place, store in enumerate(self.stores)} | {0: -1}
        with self.world.database.reading() as session:
            rows = session.scalars(
                select(CardDay).where(CardDay.card_id == card_id).order_by(CardDay.day, CardDay.store_id)
            )
            return [(row.day, places[row.store_id], row.visits, row.spend_minor, row.earned, row.spent) for row in rows]

    def habit(self, card_id: int) -> Habit:
        with self.world.database.reading() as session:
            return session.get_one(Habit, card_id)

    def has_habit(self, card_id: int) -> bool:
        with self.world.database.reading() as session:
            return session.get(Habit, card_id) is not None

    def last_times(self, card_id: int) -> dict[tuple[str, str], date]:
        with self.world.database.reading() as session:
            rows = session.scalars(select(LastTime).where(LastTime.card_id == card_id))
            return {(row.sort, row.name): row.last_on for row in rows}
