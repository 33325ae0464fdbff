"""A campaign whose recipients, sales, returns and phones are put where a test wants them."""

from datetime import datetime, timedelta
from typing import Any

from app import ids
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards.models import Card, Programme, Store
from app.counter import returns, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.ledger.models import Entry
from app.ledger.reversals import Returned
from app.offers.models import Offer, Redemption
from app.outbox.models import Sender, Target
from app.world import World
from tests import factories

TILL = Actor(name="staff:stf_ece", channel="till")
DAYS = 7


class Stage:
    """`days` is the window of the goal. Cards are numbered from 0; run 0 is there from the start."""

    def __init__(
        self, world: World, *, people: int, metric: str = "purchase", held_bp: int = 1000, **over: Any
    ) -> None:
        self.world, self.start = world, world.clock()
        with world.database.unit_of_work() as session:
            self.programme: Programme = factories.programme(session, now=self.start, tiers=())
            self.store: Store = factories.store(session, self.programme)
            self.cards: list[Card] = [
                factories.card(session, self.programme, f"Member {number}", now=self.start) for number in range(people)
            ]
            self.offer = Offer(
                public_id=ids.public_id("off"), programme_id=self.programme.id, title="Tea", body="", created_by="t",
                starts_at=self.start, ends_at=self.start + timedelta(days=30), timezone="Europe/Istanbul",
                created_at=self.start, state="live",
            )  # fmt: skip
            session.add(self.offer)
            session.flush()
            values: dict[str, Any] = {
                "kind": "once", "state": "sent", "holdout_bp": held_bp, "offer_id": self.offer.id, **over
            }  # fmt: skip
            self.campaign = Campaign(
                public_id=ids.public_id("cmp"), programme_id=self.programme.id, name="Tea week",
                timezone="Europe/Istanbul", goal={"metric": metric, "days": DAYS}, created_by="t",
                created_at=self.start, changed_by="t", changed_at=self.start, launched_at=self.start, **values,
            )  # fmt: skip
            session.add(self.campaign)
            session.flush()
            self.sender = Sender(vendor="apple", name="pass.test")
            session.add(self.sender)
        self.runs: list[CampaignRun] = []
        self.run("2026-11-20T13:00", held_bp=held_bp)

    def run(self, occurrence: str, *, held_bp: int = 1000) -> CampaignRun:
        with self.world.database.unit_of_work() as session:
            run = CampaignRun(
                campaign_id=self.campaign.id, occurrence=occurrence, fire_at=self.start, state="done",
                holdout_bp=held_bp,
            )  # fmt: skip
            session.add(run)
        self.runs.append(run)
        return run

    def assign(self, number: int, arm: str, *, run: int = 0, at: datetime | None = None, **over: Any) -> None:
        """Put a card into an arm: treated is sent, holdout is suppressed, unless `over` says otherwise."""
        held = {"state": "suppressed", "reason": "holdout"}
        values: dict[str, Any] = {"state": "sent", "version": 2} if arm == "treated" else held
        with self.world.database.unit_of_work() as session:
            session.add(
                Recipient(
                    run_id=self.runs[run].id, card_id=self.cards[number].id, arm=arm, due_at=at or self.start,
                    at=at or self.start, **{**values, **over},
                )
            )  # fmt: skip

    def buys(self, number: int, amount: str, *, after: timedelta = timedelta(hours=1)) -> Entry:
        minor = round(float(amount) * 100)
        sale = Sale(amount_minor=minor, currency="TRY", store=self.store)
        now = self.start + after
        return self.world.database.transact(
            lambda session: sales.earn(session, self.cards[number], sale, by=TILL, now=now)
        ).entry  # fmt: skip

    def brings_back(self, entry: Entry, *, amount_minor: int | None = None) -> None:
        self.world.database.transact(
            lambda session: returns.reverse(
                session, entry.id, reason="returned", by=TILL, now=entry.occurred_at + timedelta(minutes=5),
                store=self.store, returned=Returned(amount_minor=amount_minor),
            )
        )  # fmt: skip

    def uses(
        self, number: int, entry: Entry, *, cost_minor: int = 0, use_no: int = 1, taken_back: bool = False
    ) -> None:
        with self.world.database.unit_of_work() as session:
            session.add(
                Redemption(
                    offer_id=self.offer.id, card_id=self.cards[number].id, use_no=use_no, entry_id=entry.id,
                    store_id=self.store.id, at=entry.occurred_at, cost_minor=cost_minor, day="2026-11-20",
                    reversed_at=entry.occurred_at if taken_back else None,
                )
            )  # fmt: skip

    def phone(self, number: int, channel: str, *, done: int, fetched: int = 0, address: int = 1) -> None:
        with self.world.database.unit_of_work() as session:
            session.add(
                Target(
                    channel=channel, sender_id=self.sender.id, card_id=self.cards[number].id, address_id=address,
                    want=done, done=done, fetched=fetched,
                )
            )  # fmt: skip
