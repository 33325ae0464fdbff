"""A shop with a stamp card and a member: stamped, rewarded and undone as the till does it, a transaction each."""

from typing import Any

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves, stamping
from app.counter.moves import Actor
from app.counter.stamping import Stamped
from app.earning.sale import Basket, Line
from app.ledger import held as holding
from app.ledger import movements, verify
from app.ledger import service as ledger
from app.ledger.models import Entry
from app.ledger.reversals import Returned
from app.stamps import booking, service
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard
from app.world import World
from tests import factories

TILL = Actor(name="staff:stf_1", channel="till")


class Bench:
    """`now` is the shop's clock; set it."""

    def __init__(self, world: World, **over: Any) -> None:
        self.world = world
        self.now = factories.NOW
        with world.database.unit_of_work() as session:
            self.programme = factories.programme(session, tiers=())
            self.store = factories.store(session, self.programme)
            self.card = factories.card(session, self.programme)
        self.stamp_card = self.make(**over)

    def make(self, **over: Any) -> StampCard:
        with self.world.database.unit_of_work() as session:
            return service.create(session, self.draft(session, **over), by="staff:stf_1", now=self.now)

    def draft(self, session: Session, **over: Any) -> StampCardDraft:
        values: dict[str, Any] = {"name": "Coffee card", "reward": "One free coffee", "size": 10, **over}
        return StampCardDraft(programme=session.merge(self.programme), **values)

    def stamp(self, count: int = 1, **over: Any) -> Stamped:
        values: dict[str, Any] = {"by": TILL, "now": self.now, "store": self.store, **over}
        with self.world.database.unit_of_work() as session:
            one = service.by_id(session, self.stamp_card.public_id)
            return stamping.stamp(session, session.get_one(Card, self.card.id), one, count, **values)

    def use(self, **over: Any) -> Stamped:
        values: dict[str, Any] = {"by": TILL, "now": self.now, "store": self.store, **over}
        with self.world.database.unit_of_work() as session:
            one = service.by_id(session, self.stamp_card.public_id)
            return stamping.redeem_voucher(session, session.get_one(Card, self.card.id), one, **values)

    def undo(self, entry: Entry, returned: Returned = booking.WHOLE) -> Entry:
        with self.world.database.unit_of_work() as session:
            card = holding.by_id(session, self.card.id)
            told = moves.circumstance(card, TILL, self.now)
            booked = booking.undo(session, card, ledger.by_id(session, entry.id), by=told, returned=returned)
            moves.done(session, booked.card, booked, self.now)
            return booked.entry

    def sell(self, *lines: Line, amount_minor: int | None = None, receipt: str | None = None) -> list[Entry]:
        """A sale of a point with its stamps: the sale's entry, then those of the stamps."""
        paid = sum(line.paid_minor for line in lines) if amount_minor is None else amount_minor
        with self.world.database.unit_of_work() as session:
            card = holding.by_id(session, self.card.id)
            told = moves.circumstance(card, TILL, self.now, store=self.store, receipt=receipt)
            rows = tuple((one.number, one.product, one.category, one.quantity, one.paid_minor, 0) for one in lines)
            rows = (*rows[:-1], (*rows[-1][:5], 1)) if rows else ()
            sale = movements.give(
                session, card, "points", 1, source="issue", by=told, kind="earn", lines=rows, amount_minor=paid,
                currency="TRY",
            )  # fmt: skip
            basket = Basket(amount_minor=paid, lines=lines)
            parts = stamping.for_sale(session, sale.card, basket, by=told.part_of(sale.entry.id))
            last = parts[-1].card if parts else sale.card
            moves.done(session, last, sale, self.now)
            return [sale.entry, *(one.entry for one in parts)]

    def stands(self, stamp_card: StampCard | None = None) -> tuple[int, int, int]:
        """Stamps, rewards that can be used, stamps owed; after checking the books."""
        one = stamp_card or self.stamp_card
        with self.world.database.unit_of_work() as session:
            assert verify.differences(session) == []
            card = holding.by_id(session, self.card.id)
            return card.in_unit(one.unit), card.in_unit(one.voucher_unit), card.owed(one.unit)
