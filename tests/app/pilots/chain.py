"""A chain of stores in two regions, whose days of purchases are written as the ledger would be counted to."""

from datetime import date, timedelta
from typing import Any

from app import ids
from app.campaigns import policy
from app.campaigns import service as campaigns
from app.campaigns.drafting import Draft as CampaignDraft
from app.campaigns.policy import Policy
from app.cards import programmes
from app.cards.models import Card, Installation, Member, Programme, Store
from app.earning import service as earning
from app.habits.models import CardDay
from app.offers import service as offers
from app.offers.drafts import OfferDraft
from app.offers.models import Offer
from app.pilots import service
from app.pilots.models import Pilot
from app.pilots.service import Draft
from app.world import World
from tests import factories

BASE = {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"}
REGIONS = {"Kadıköy": "Marmara", "Moda": "Marmara", "Beşiktaş": "Marmara", "Alsancak": "Ege", "Konak": "Ege"}


class Chain:
    """Stores by name. A pilot begins ten days before the clock, on a Tuesday, and runs for four weeks."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.database.unit_of_work() as session:
            self.programme: Programme = factories.programme(session, now=world.clock(), tiers=(), language="en")
            self.stores: dict[str, Store] = {}
            for name, region in REGIONS.items():
                store = factories.store(session, self.programme, name)
                programmes.set_region(session, store, region)
                self.stores[name] = store
        self.starts_on = date(2026, 11, 10)
        self.ends_on = self.starts_on + timedelta(days=27)
        self._cards = 0

    def some(self, *names: str) -> list[Store]:
        return [self.stores[name] for name in names]

    def offer(self, *stores: str) -> Offer:
        now = self.world.clock()
        with self.world.database.unit_of_work() as session:
            draft = OfferDraft(
                programme=self.programme, title="Tea and simit", body="", starts_at=now,
                ends_at=now + timedelta(days=60), timezone="Europe/Istanbul",
                stores=[self.stores[name].id for name in stores],
            )  # fmt: skip
            return offers.create(session, draft, by="staff:stf_x", now=now)

    def campaign(self, *stores: str, offer: Offer | None = None) -> str:
        with self.world.database.unit_of_work() as session:
            draft = CampaignDraft(
                programme=self.programme, name="Tea week", stores=tuple(self.some(*stores)),
                offer=session.get_one(Offer, offer.id) if offer else None,
                message={"title": "Tea", "body": "Come by."}, send_local="2026-12-24T10:00",
                goal={"metric": "purchase", "days": 7},
            )  # fmt: skip
            return campaigns.create(session, draft, by="staff:stf_x", now=self.world.clock()).public_id

    def launched(self, *stores: str, offer: Offer | None = None) -> str:
        """A campaign that goes to somebody of the first of these stores at its time."""
        self.member(stores[0])
        public_id = self.campaign(*stores, offer=offer)
        with self.world.database.unit_of_work() as session:
            found = campaigns.by_id(session, public_id)
            campaigns.launch(session, found, by="staff:stf_x", now=self.world.clock())
        return public_id

    def member(self, store: str) -> Card:
        """Somebody whose store it is, who can be told."""
        with self.world.database.unit_of_work() as session:
            card = factories.card(session, self.programme, consent=True)
            session.get_one(Member, card.member_id).home_store_id = self.stores[store].id
            session.add(
                Installation(
                    programme_id=self.programme.id, card_id=card.id, wallet="apple", installed_at=self.world.clock()
                )
            )
            return card

    def approve_above(self, people: int) -> None:
        with self.world.database.unit_of_work() as session:
            wanted = Policy(approve_above=people, global_holdout_bp=0)
            policy.change(session, self.programme, wanted, by="test", now=self.world.clock())

    def rule(self, *stores: str) -> str:
        when = {"stores": [self.stores[name].public_id for name in stores]} if stores else {}
        double = {"kind": "multiplier", "name": "Double", "factor": "2", "no_end": True, "when": when}
        with self.world.database.unit_of_work() as session:
            earning.publish(
                session, session.get_one(Programme, self.programme.id), {"rules": [BASE, double]}, starts_at=None,
                note="", by="t", now=self.world.clock(),
            )  # fmt: skip
        return "Double"

    def draft(self, subject: str, *, kind: str = "offer", **over: Any) -> Draft:
        values: dict[str, Any] = {
            "programme": self.programme, "name": "Tea in Marmara", "kind": kind, "subject": subject,
            "starts_on": self.starts_on, "ends_on": self.ends_on, "pilot": self.some("Kadıköy", "Moda"),
            "control": self.some("Alsancak", "Konak"), **over,
        }  # fmt: skip
        return Draft(**values)

    def begun(self, draft: Draft) -> Pilot:
        with self.world.database.unit_of_work() as session:
            return service.create(session, draft, by="staff:stf_x", now=self.world.clock())

    def days(self, store: str, day: date, members: int, *, repeaters: int = 0, spend_minor: int = 1000) -> None:
        """So many new members buy there on a day; some of them again the next day."""
        with self.world.database.unit_of_work() as session:
            for number in range(members):
                self._cards += 1
                for later in range(2 if number < repeaters else 1):
                    session.add(
                        CardDay(
                            programme_id=self.programme.id, day=day + timedelta(days=later), card_id=self._cards,
                            store_id=self.stores[store].id, visits=1, spend_minor=spend_minor,
                        )
                    )  # fmt: skip


def unknown() -> str:
    return ids.public_id("off")
