"""People to tell, campaigns to tell them, and what became of both."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.campaigns import service, working
from app.campaigns.drafting import Draft
from app.campaigns.models import Campaign, CampaignRun, Recipient
from app.cards.models import Card, Installation, Programme
from app.offers.models import Offer
from app.world import World
from tests import factories

AUTHOR, APPROVER = "staff:author", "staff:approver"
GOAL = {"metric": "purchase", "days": 14}
WORDS = {"title": "Coffee week", "body": "Come and see us"}


@dataclass(kw_only=True)
class Crowd:
    """A programme and its people."""

    programme: Programme
    cards: list[Card]

    @property
    def ids(self) -> list[int]:
        return [card.id for card in self.cards]


def install(session: Session, card: Card, wallet: str = "apple", *, now: datetime = factories.NOW) -> None:
    """Let a card be in a wallet."""
    session.add(Installation(programme_id=card.programme_id, card_id=card.id, wallet=wallet, installed_at=now))
    session.flush()


def person(
    session: Session, programme: Programme, name: str = "Ayşe Yılmaz", *, zone: str | None = None,
    installed: bool = True, consent: bool = True, **over: Any,
) -> Card:  # fmt: skip
    """Somebody who wants to be told things, with their card in a wallet."""
    card = factories.card(session, programme, name, consent=consent, **over)
    card.member.timezone = zone
    session.flush()
    if installed:
        install(session, card)
    return card


def crowd(world: World, number: int, **over: Any) -> Crowd:
    """A programme with so many people who all want to be told."""
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, timezone=over.pop("timezone", "Europe/Istanbul"))
        cards = [person(session, programme, f"Member {one}", **over) for one in range(number)]
        return Crowd(programme=programme, cards=cards)


def draft(programme: Programme, **over: Any) -> Draft:
    """A message to everybody, now, with nobody held back."""
    values: dict[str, Any] = {
        "programme": programme, "name": "Coffee", "message": WORDS, "send_local": "now", "goal": GOAL, "holdout_bp": 0,
        **over,
    }  # fmt: skip
    return Draft(**values)


def launched(world: World, programme: Programme, **over: Any) -> Campaign:
    """A campaign that waits for its time."""
    with world.database.unit_of_work() as session:
        campaign = service.create(session, draft(programme, **over), by=AUTHOR, now=world.clock())
        service.launch(session, campaign, by=AUTHOR, now=world.clock())
        return campaign


def settled(world: World) -> working.Done:
    """Everything that is due, done."""
    return working.settle(world)


def again(session: Session, campaign: Campaign) -> Campaign:
    """A campaign as it is now."""
    return session.get_one(Campaign, campaign.id, populate_existing=True)


def outcome(world: World, campaign: Campaign) -> Counter[str]:
    """How many recipients of a campaign there are by state, or reason."""
    with world.database.reading() as session:
        query = (
            select(Recipient.state, Recipient.reason, func.count())
            .join(CampaignRun, CampaignRun.id == Recipient.run_id)
            .where(CampaignRun.campaign_id == campaign.id)
            .group_by(Recipient.state, Recipient.reason)
        )
        return Counter({reason or state: number for state, reason, number in session.execute(query)})


def state(world: World, campaign: Campaign) -> str:
    with world.database.reading() as session:
        return again(session, campaign).state


def run_states(world: World, campaign: Campaign) -> dict[str, str]:
    """The state of each occurrence."""
    with world.database.reading() as session:
        query = select(CampaignRun.occurrence, CampaignRun.state).where(CampaignRun.campaign_id == campaign.id)
        return {row.occurrence: row.state for row in session.execute(query.order_by(CampaignRun.occurrence))}


def recipients(world: World, campaign: Campaign) -> dict[int, Recipient]:
    with world.database.reading() as session:
        query = select(Recipient).join(CampaignRun, CampaignRun.id == Recipient.run_id)
        found = session.scalars(query.where(CampaignRun.campaign_id == campaign.id))
        return {one.card_id: one for one in found}


def an_offer(world: World, programme: Any, *, hours: float = 100, **over: Any) -> Offer:
    """A live offer that ends so many hours from now."""
    now = world.clock()
    values: dict[str, Any] = {
        "public_id": "off_test", "programme_id": programme.id, "title": "Free cake", "body": "With coffee",
        "starts_at": now - timedelta(hours=1), "ends_at": now + timedelta(hours=hours), "timezone": "Europe/Istanbul",
        "audience": "targeted", "state": "live", "created_by": AUTHOR, "created_at": now, **over,
    }  # fmt: skip
    with world.database.unit_of_work() as session:
        offer = Offer(**values)
        session.add(offer)
        session.flush()
        return offer
