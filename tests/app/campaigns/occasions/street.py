"""A programme whose members buy at its store, and campaigns that follow what they do."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.campaigns import triggered
from app.campaigns.models import Campaign, Occasion
from app.cards.models import Card, Programme, Store
from app.counter import moves, returns, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.habits import counting
from app.ledger import service as ledger
from app.world import World
from tests import factories
from tests.app.campaigns import crowd
from tests.conftest import MovableClock

TILL = Actor(name="staff:till", channel="till")


class Street:
    """One shop in Istanbul, at the clock of its world: 20 November 2026, 13:00 there."""

    def __init__(self, world: World, clock: MovableClock, **over: Any) -> None:
        self.world, self.clock = world, clock
        with world.database.unit_of_work() as session:
            self.programme: Programme = factories.programme(session, now=clock(), **over)
            self.store: Store = factories.store(session, self.programme, now=clock())

    def card(self, name: str = "Ayşe Yılmaz", **over: Any) -> Card:
        with self.world.database.unit_of_work() as session:
            programme = session.get_one(Programme, self.programme.id)
            return crowd.person(session, programme, name, **{"now": self.clock(), **over})

    def buys(self, card: Card, minor: int = 10_000) -> str:
        with self.world.database.unit_of_work() as session:
            sale = Sale(amount_minor=minor, currency="TRY", store=session.get_one(Store, self.store.id))
            return sales.earn(session, session.get_one(Card, card.id), sale, by=TILL, now=self.clock()).entry.id

    def brings_back(self, sale: str) -> None:
        with self.world.database.unit_of_work() as session:
            returns.reverse(session, sale, reason="back", by=TILL, now=self.clock())

    def gets(self, card: Card, points: int, *, until: datetime | None = None) -> None:
        """Points by hand, that end at a moment."""
        with self.world.database.unit_of_work() as session:
            held = moves.usable(session, session.get_one(Card, card.id), None)
            by = moves.circumstance(held, TILL, self.clock())
            booked = ledger.credit(session, held, points, by=by, expires_at=until)
            moves.done(session, booked.card, booked, self.clock())

    def spends(self, card: Card, points: int) -> None:
        with self.world.database.unit_of_work() as session:
            held = moves.usable(session, session.get_one(Card, card.id), None)
            by = moves.circumstance(held, TILL, self.clock())
            booked = ledger.spend(session, held, points, by=by)
            moves.done(session, booked.card, booked, self.clock())

    def follows(self, trigger: dict[str, Any], **over: Any) -> Campaign:
        """A launched campaign."""
        return crowd.launched(self.world, self.programme, trigger=trigger, send_local="", **over)

    def due(self) -> int:
        """Everything that a scheduler would bring in now; how many."""
        counting.follow(self.world)
        return triggered.soon(self.world) + triggered.daily(self.world)

    def occasions(self, card: Card) -> list[str]:
        """On which occasions a card was told, in the order of telling."""
        with self.world.database.reading() as session:
            query = select(Occasion.occasion).where(Occasion.card_id == card.id)
            return list(session.scalars(query.order_by(Occasion.at, Occasion.occasion)))

    def days_later(self, days: float) -> "Street":
        self.clock.advance(days=days)
        return self
