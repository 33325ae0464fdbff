"""A member of a programme with tiers, who buys and brings back on days of the test's choice."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select

from app.cards import moving
from app.cards.models import Card, Programme, Tier
from app.cards.programmes import TierDraft
from app.ledger import held
from app.ledger.held import Held
from app.outbox.service import Lane
from app.tiers import nightly, service, standings
from app.tiers.models import CardStanding
from app.world import World
from tests import factories
from tests.conftest import MovableClock

LADDER = (
    TierDraft(name="Silver", threshold="2000.00"),
    TierDraft(name="Gold", threshold="6000.00", multiplier="1.5"),
    TierDraft(name="Platinum", threshold="15000.00", multiplier="2"),
)


def noon(day: str) -> datetime:
    """Noon in UTC of a day, which is the same day in the programme's zone."""
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).replace(hour=12)


class Shop:
    """A programme of silver, gold and platinum, at the clock of its world."""

    def __init__(self, world: World, clock: MovableClock, **over: Any) -> None:
        self.world, self.clock = world, clock
        with world.database.unit_of_work() as session:
            values: dict[str, Any] = {"tiers": LADDER, "language": "en", "now": clock(), **over}
            self.programme: Programme = factories.programme(session, **values)
        self.members = 0

    def enrol(self, **over: Any) -> "Buyer":
        self.members += 1
        with self.world.database.unit_of_work() as session:
            programme = session.get_one(Programme, self.programme.id)
            values: dict[str, Any] = {"email": f"m{self.members}@example.com", "now": self.clock(), **over}
            return Buyer(self, factories.card(session, programme, **values))

    def day(self, day: str) -> "Shop":
        """Let it be noon of that day."""
        self.clock.at = noon(day)
        return self

    def night(self, day: str) -> int:
        """Run the job on that day; how many cards it looked at."""
        return nightly.work(self.day(day).world)

    def tier(self, name: str) -> int:
        with self.world.database.reading() as session:
            return session.scalars(
                select(Tier.id).where(Tier.programme_id == self.programme.id, Tier.name == name)
            ).one()


class Buyer:
    """One card of a shop."""

    def __init__(self, shop: Shop, card: Card) -> None:
        self.shop, self.card = shop, card

    def buys(self, amount: str, day: str, *, of: str | None = None) -> "Buyer":
        """Spend (below zero: bring back) on that day; *of*: the day of the sale itself, if it is another."""
        self.shop.day(day)
        minor = round(float(amount) * 100)
        now = self.shop.clock()
        with self.shop.world.database.unit_of_work() as session:
            card = held.by_id(session, self.card.id)
            visits = 1 if minor > 0 else -1
            after = service.after_sale(
                session, card, spend_minor=minor, earned=minor // 1000, visits=visits, at=noon(of or day), now=now
            )
            store(session, after, now)
        return self

    @property
    def tier(self) -> str | None:
        return self.stored.tier.name if self.stored.tier else None

    @property
    def stored(self) -> Card:
        with self.shop.world.database.reading() as session:
            card = session.get_one(Card, self.card.id)
            _ = card.tier
            return card

    @property
    def standing(self) -> CardStanding:
        with self.shop.world.database.reading() as session:
            return session.get_one(CardStanding, self.card.id)

    @property
    def metric(self) -> int:
        return self.stored.qualifying_minor

    def told(self) -> Any:
        """What is missing to keep the tier and to reach the next."""
        with self.shop.world.database.reading() as session:
            return service.projection_of(session, self.card, now=self.shop.clock())

    def months(self) -> dict[str, int]:
        with self.shop.world.database.reading() as session:
            _, record = standings.of_card(session, self.card.id, self.shop.programme.id)
            return {month.isoformat()[:7]: spend for month, spend, _points, _visits in record.months}


def store(session: Any, card: Held, now: datetime) -> None:
    """Write a card as the counter does at the end of a movement."""
    moving.move_on(
        session, card_id=card.id, version=card.version + 1, modified_at=card.modified_at,
        qualifying_minor=card.qualifying_minor, spent_minor=0, tier_id=card.tier.id if card.tier else None,
        seq=card.seq, hash=card.hash, lane=Lane.URGENT, now=now,
    )  # fmt: skip
