"""A corner shop with offers: made, started, and used with purchases."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.counter import offering
from app.counter.offering import OfferUsed
from app.counter.sales import Sold
from app.earning.sale import Basket
from app.errors import AppError
from app.ledger import verify
from app.offers import budgets, refusals
from app.offers import service as offers
from app.offers.drafts import BudgetDraft, OfferDraft
from app.offers.models import Offer, Redemption
from app.offers.refusals import Refusal
from tests.app.counter.shop import TILL, CornerShop


def budget(measure: str, period: str, most: int) -> BudgetDraft:
    return BudgetDraft(measure=measure, period=period, most=most)


class Desk(CornerShop):
    """`offer` makes one that is live from now on, unless said otherwise."""

    def draft(self, **over: Any) -> OfferDraft:
        now = self.world.clock()
        values: dict[str, Any] = {
            "programme": self.programme, "title": "A fifth off", "body": "", "starts_at": now,
            "ends_at": now + timedelta(days=30), "timezone": "Europe/Istanbul", **over,
        }  # fmt: skip
        return OfferDraft(**values)

    def offer(self, **over: Any) -> Offer:
        made = self.do(lambda s: offers.create(s, self.draft(**over), by="staff:mary", now=self.world.clock()))
        self.tick()
        return made

    def tick(self) -> int:
        return self.do(lambda s: offers.tick(s, now=self.world.clock()))

    def use(self, offer: Offer, amount: int = 10_000, **over: Any) -> Sold:
        return self.sell(amount, offers=(offer.public_id,), **over)

    def tried(self, offer: Offer, amount: int = 10_000, **over: Any) -> str:
        """The code of the refusal; empty if it was used."""
        try:
            self.use(offer, amount, **over)
        except AppError as refusal:
            return refusal.code
        return ""

    def redeem(self, offer: Offer, amount: int | None = None) -> OfferUsed:
        basket = None if amount is None else Basket(amount_minor=amount)
        return self.do(
            lambda s: offering.redeem_offer(
                s, self.card, s.get_one(Offer, offer.id), by=TILL, now=self.world.clock(), store=self.store,
                basket=basket,
            )
        )  # fmt: skip

    def refusal(self, offer: Offer, **over: Any) -> Refusal | None:
        told = {"store": self.store, "now": self.world.clock(), **over}
        return self.do(lambda s: refusals.refusal(s, s.get_one(Offer, offer.id), s.merge(self.card), **told))

    def now_of(self, offer: Offer) -> Offer:
        with self.world.database.reading() as session:
            return session.get_one(Offer, offer.id)

    def uses(self, offer: Offer) -> list[Redemption]:
        with self.world.database.reading() as session:
            query = select(Redemption).where(Redemption.offer_id == offer.id, Redemption.reversed_at.is_(None))
            return list(session.scalars(query.order_by(Redemption.id)))

    def used_of(self, offer: Offer) -> dict[tuple[str, str], int]:
        """What the budgets say is used, after checking them and the books."""
        with self.world.database.reading() as session:
            assert verify.differences(session) == []
            assert budgets.differences(session) == []
            day = budgets.day_of(self.world.clock(), "Europe/Istanbul")
            rows = budgets.standing(session, [offer.id], day=day, store_id=self.store.id).get(offer.id, [])
            return {(one.measure, one.period): one.used for one in rows}
