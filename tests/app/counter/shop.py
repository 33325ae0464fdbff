"""A shop with rules of its own and one customer, whose every movement is a transaction of its own."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme, Store
from app.counter import returns, sales
from app.counter.moves import Actor, Done
from app.counter.pricing import Priced, Sale
from app.counter.sales import Sold
from app.earning import service as earning
from app.earning.sale import Line
from app.ledger import verify
from app.ledger.held import POINTS
from app.ledger.models import Account, Entry
from app.ledger.reversals import Returned
from app.world import World
from tests import factories

T = TypeVar("T")
TILL = Actor(name="staff:stf_ece", channel="till")
BASE = {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"}


class CornerShop:
    """`rules` replace the base rule; tiers are Silver from 2,000 and Gold (1.5×) from 6,000, unless said otherwise."""

    def __init__(self, world: World, *rules: dict[str, Any], **top: Any) -> None:
        self.world = world
        tiers = top.pop("tiers", factories.TIERS)
        person = top.pop("person", {})
        with world.database.unit_of_work() as session:
            self.programme: Programme = factories.programme(session, tiers=tiers, now=world.clock())
            self.store: Store = factories.store(session, self.programme)
            self.card: Card = factories.card(session, self.programme, now=world.clock(), **person)
        if rules or top:
            self.publish(*(rules or (BASE,)), **top)

    def publish(self, *rules: dict[str, Any], starts_at: datetime | None = None, **top: Any) -> None:
        raw, now = {"rules": list(rules), **top}, self.world.clock()
        self.do(
            lambda session: earning.publish(
                session, self._programme(session), raw, starts_at=starts_at, note="", by="t", now=now
            )
        )

    def sale(self, amount: int, *lines: Line, **over: Any) -> Sale:
        over.setdefault("store", self.store)
        return Sale(amount_minor=amount or sum(line.paid_minor for line in lines), currency="TRY", lines=lines, **over)

    def sell(self, amount: int = 0, *lines: Line, **over: Any) -> Sold:
        return self.do(
            lambda s: sales.earn(s, self.card, self.sale(amount, *lines, **over), by=TILL, now=self.world.clock())
        )

    def quote(self, amount: int = 0, *lines: Line, **over: Any) -> Priced:
        return self.do(lambda s: sales.quote(s, self.card, self.sale(amount, *lines, **over), now=self.world.clock()))

    def take_back(self, entry: Entry, pieces: dict[int, int] | None = None, *, amount_minor: int | None = None) -> Done:
        returned = Returned(pieces=pieces, amount_minor=amount_minor)
        return self.do(
            lambda s: returns.reverse(
                s, entry.id, reason="returned", by=TILL, now=self.world.clock(), store=self.store, returned=returned
            )
        )

    def on(self, unit: str = POINTS, role: str = "avail") -> int:
        """What stands on an account, after checking the books."""
        with self.world.database.reading() as session:
            assert verify.differences(session) == []
            query = select(Account.balance).where(
                Account.member_id == self.card.member_id, Account.unit == unit, Account.role == role
            )
            return session.scalar(query) or 0

    def _programme(self, session: Session) -> Programme:
        return session.get_one(Programme, self.programme.id)

    def do(self, work: Callable[[Session], T]) -> T:
        return self.world.database.transact(work)


def line(number: int, amount_minor: int, **over: Any) -> Line:
    return Line(number=number, amount_minor=amount_minor, **over)
