"""Money on cards moved by hand, each movement in a transaction of its own, and the books checked after it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.counter import paying
from app.counter.moves import Actor, Done
from app.ledger import held, verify
from app.ledger.models import Account, Entry
from app.value import liability, service, stock
from app.value.bonus import BonusPayment
from app.value.liability import Liability
from app.value.service import NewLoad, Payment
from app.world import World
from tests import factories

BY = Actor(name="staff:x", channel="till")


@dataclass(kw_only=True)
class Purse:
    """A programme, and a gift card without money."""

    world: World
    programme: Programme
    card: Card

    @classmethod
    def open(cls, world: World, **over: Any) -> "Purse":
        with world.database.unit_of_work() as session:
            programme = factories.programme(session, **over)
            card = stock.issue(session, programme, "gift", source="test", now=world.clock())
        return cls(world=world, programme=programme, card=card)

    def load(self, minor: int, reference: str = "R1", card: Card | None = None, currency: str = "TRY") -> Done:
        new = NewLoad(amount_minor=minor, currency=currency, reference=reference)
        return self._do(paying.load, card, new)

    def pay(self, minor: int, card: Card | None = None, **more: Any) -> Done:
        payment = Payment(amount_minor=minor, **{"currency": "TRY", **more})
        return self._do(paying.pay, card, payment)

    def pay_in(self, session: Session, minor: int, pin: str) -> Done:
        """Pay in somebody's transaction."""
        payment = Payment(amount_minor=minor, currency="TRY", pin=pin)
        return paying.pay(session, held.by_id(session, self.card.id), payment, by=BY, now=self.world.clock())

    def pay_bonus(self, minor: int, basket_minor: int, *, in_part: bool = False, receipt: str | None = None) -> Done:
        payment = BonusPayment(amount_minor=minor, basket_minor=basket_minor, currency="TRY", in_part=in_part)
        return self._do(paying.pay_with_bonus, None, payment, receipt=receipt)

    def settle(self, how: str, card: Card | None = None) -> Done:
        return self._do(paying.settle, card, how, reason="asked for")

    def refund(self, entry: Entry, minor: int | None = None) -> Done:
        world = self.world
        return world.database.transact(lambda s: paying.refund(s, entry.id, minor, by=BY, now=world.clock()))

    def balance(self, card: Card | None = None, unit: str = "TRY") -> int:
        """What is on the card, after everything in the books was checked."""
        with self.world.database.reading() as session:
            assert verify.differences(session) == []
            self._check_invariants(session)
            own = held.by_id(session, (card or self.card).id)
            if unit == "TRY":
                assert own.in_unit(unit) == service.balance_of(session, own.member_id, unit)
            return own.in_unit(unit)

    def liability(self) -> Liability:
        with self.world.database.reading() as session:
            return liability.report(session, self.programme, now=self.world.clock())

    def _check_invariants(self, session: Session) -> None:
        """No entry speaks of another unit than its accounts', and no card is below zero."""
        wrong = (
            select(func.count()).select_from(Entry).join(Entry.postings).join(Account).where(Account.unit != Entry.unit)
        )
        assert session.scalar(wrong) == 0
        assert (session.scalar(select(func.min(Account.balance)).where(Account.unit == "TRY")) or 0) >= 0
        assert liability.report(session, self.programme, now=self.world.clock()).is_exact

    def _do(self, work: Any, card: Card | None, *args: Any, **more: Any) -> Done:
        world, number = self.world, (card or self.card).id
        done: Done = world.database.transact(
            lambda s: work(s, held.by_id(s, number), *args, by=BY, now=world.clock(), **more)
        )
        return done
