"""A shop with people who can be told, people who work there, and a browser for each of them."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.campaigns import policy
from app.campaigns.models import Campaign
from app.campaigns.policy import Policy
from app.cards.models import Card, Installation, Member, Programme, Store
from app.world import World
from tests import factories
from tests.app.pages import csrf_of

NAMES = ("Ayşe Yılmaz", "Budi Santoso", "Emily Clark")
LANGUAGES = ("tr", "id", "en")
NEW = "/marketing/campaigns/new"
FIELDS = {
    "what": "message",
    "segment": "all",
    "kind": "once",
    "send_local": "2026-11-21T10:00",
    "timezone_mode": "member",
    "timezone": "Europe/Istanbul",
    "quiet_from": "21:00",
    "quiet_to": "09:00",
    "holdout": "",
    "metric": "purchase",
    "goal_days": "14",
    "title": "Kahven hazır, {first_name|dostum}",
    "body": "Kasada kartını göster.",
    "title_en": "Your coffee is ready, {first_name|friend}",
    "name": "Coffee is ready",
    "priority": "50",
    "purpose": "marketing",
}


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A programme with three members who can be told, in three languages."""

    world: World
    app: Flask
    programme: Programme
    stores: list[Store]
    cards: list[Card]
    staff: dict[str, str]

    def browser(self, role: str) -> FlaskClient:
        """Somebody of that role, signed in."""
        client = self.app.test_client()
        fields = {"email": f"{role}@example.com", "password": factories.PASSWORD}
        client.post("/login", data={"csrf_token": csrf_of(client, "/login"), **fields})
        return client

    def campaigns(self) -> list[Campaign]:
        with self.world.database.reading() as session:
            return list(session.scalars(select(Campaign).order_by(Campaign.id)))

    def change(self, work: Callable[[Session], object]) -> None:
        with self.world.database.unit_of_work() as session:
            work(session)

    def approve_above(self, people: int) -> None:
        self.change(
            lambda session: policy.change(
                session,
                self.programme,
                Policy(approve_above=people, global_holdout_bp=0),
                by="test",
                now=self.world.clock(),
            )
        )


def shop(world: World, app: Flask) -> Shop:
    """Make it."""
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        stores = [
            factories.store(session, programme),
            factories.store(session, programme, "Menteng", timezone="Asia/Jakarta"),
        ]
        roles = ("marketer", "approver", "manager", "auditor", "cashier", "owner", "operator")
        staff = {role: f"staff:{factories.staff(session, role).public_id}" for role in roles}
        cards = [told(session, programme, name, language) for name, language in zip(NAMES, LANGUAGES, strict=True)]
    return Shop(world=world, app=app, programme=programme, stores=stores, cards=cards, staff=staff)


def told(session: Session, programme: Programme, name: str, language: str = "en") -> Card:
    """A member who agreed and has the card on an iPhone."""
    card = factories.card(session, programme, name, language=language, consent=True)
    member = session.get_one(Member, card.member_id)
    member.home_store_id = None
    session.add(Installation(programme_id=programme.id, card_id=card.id, wallet="apple", installed_at=factories.NOW))
    return card


def send(client: FlaskClient, address: str, page: str = NEW, **fields: str) -> TestResponse:
    """Send a form with the token of a page that has one."""
    return client.post(address, data={"csrf_token": csrf_of(client, page), **fields})
