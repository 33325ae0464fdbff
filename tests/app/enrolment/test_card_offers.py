"""Offers and messages on the page of a card."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import ids
from app.cards.models import Card, Member, Programme
from app.offers.models import Offer, OfferGrant
from app.world import World
from tests import factories
from tests.app.wallets import telling


@pytest.fixture
def card(world: World) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session))


def offer(world: World, title: str, **more: object) -> int:
    now = world.clock()
    values = {
        "starts_at": now - timedelta(days=2), "ends_at": now + timedelta(hours=20), "audience": "all", **more,
    }  # fmt: skip
    with world.database.unit_of_work() as session:
        made = Offer(
            public_id=ids.public_id("off"), programme_id=session.scalars(select(Programme.id)).one(), title=title,
            body="", texts={}, timezone="Europe/Istanbul", state="live", created_by="test", created_at=now, **values,
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made.id


def test_an_offer_says_what_it_gives_when_and_that_it_ends_today(world: World, card: Card, client: FlaskClient) -> None:
    offer(
        world, "Tea time", kind="percent", terms={"percent": "20"},
        windows=[{"weekdays": [1, 2, 3, 4, 5], "from": "15:00", "to": "17:00"}],
    )  # fmt: skip
    page = client.get(f"/c/{card.link}").text
    assert "20% off" in page
    assert "Mon–Fri, 3:00 PM–5:00 PM" in page
    assert "Last day" in page


def test_a_granted_offer_and_a_message_stand_there_and_what_is_not_theirs_does_not(
    world: World, card: Card, client: FlaskClient
) -> None:
    given, _ = offer(world, "Yours alone", audience="targeted"), offer(world, "Not yours", audience="targeted")
    now = world.clock()
    with world.database.unit_of_work() as session:
        ends = now + timedelta(hours=3)
        session.add(OfferGrant(card_id=card.id, offer_id=given, starts_at=now, ends_at=ends))
        words = {"title": "{first_name|Friend}, look <here>", "body": "One\ntwo"}
        telling.say(session, [card.id], words, now=now)
    page = client.get(f"/c/{card.link}").text
    assert "Yours alone" in page
    assert "Not yours" not in page
    assert "Ayşe, look &lt;here&gt;" in page


def test_a_message_is_in_the_members_language(world: World, card: Card, client: FlaskClient) -> None:
    with world.database.unit_of_work() as session:
        session.execute(update(Member).values(language="tr"))
        telling.say(session, [card.id], {"title": "Hello", "texts": {"tr": {"title": "Merhaba"}}}, now=world.clock())
    assert "Merhaba" in client.get(f"/c/{card.link}").text
