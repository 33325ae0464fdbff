"""How an offer will look, drawn for real members."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Card, Programme, Tier
from app.marketing.offers import preview
from app.marketing.offers.preview import Preview
from app.offers.drafts import OfferDraft
from app.world import World
from tests import factories
from tests.app.wallets import telling
from tests.google_schema import assert_valid


@pytest.fixture
def cards(world: World) -> list[Card]:
    """Many members of one kind, and two who differ in language and level."""
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        tiers = list(session.scalars(select(Tier.id).order_by(Tier.position)))
        found = [factories.card(session, programme, f"Member {number}") for number in range(9)]
        for card, language, tier in zip(found[3:5], ("tr", "id"), tiers, strict=False):
            card.member.language, card.tier_id = language, tier
        return found


def drawn(world: World, **more: Any) -> list[Preview]:
    now = world.clock()
    with world.database.reading() as session:
        programme = session.scalars(select(Programme)).one()
        draft = OfferDraft(
            programme=programme, title="Akşam pastası", body="Kapanışa kadar.", starts_at=now + timedelta(days=1),
            ends_at=now + timedelta(days=3), timezone="Europe/Istanbul", kind="percent", terms={"percent": "30"},
            texts={"en": {"title": "Evening cake", "body": "Until we close."}}, **more,
        )  # fmt: skip
        views = preview.read(session, programme, draft, now=now)
        pictures = preview.pictures_of(session, programme, world.settings.base_url)
    return preview.draw(world, views, draft, pictures)


def test_three_members_who_differ_are_drawn_the_first_in_every_language(world: World, cards: list[Card]) -> None:
    found = drawn(world)
    assert [one.language for one in found[:3]] == ["en", "tr", "id"]
    assert {one.language for one in found[3:]} == {"tr", "id"}
    assert len({one.member for one in found}) == 3
    assert found[0].lock_screen.startswith("Evening cake – until")
    assert not any(one.problem for one in found)


def test_what_google_is_told_is_drawn_by_the_vehicle_that_is_taken(world: World, cards: list[Card]) -> None:
    told, quiet = drawn(world)[0], drawn(world, announce=False)[0]
    mine = drawn(world, audience="targeted")[0]

    assert [one["header"] for one in told.google_class["messages"]] == ["Evening cake"]
    assert len(quiet.google_class["valueAddedModuleData"]) == 1
    assert len(mine.google_object["valueAddedModuleData"]) == 1
    assert "messages" not in mine.google_class
    for one in (told, quiet, mine):
        assert_valid("LoyaltyClass", one.google_class)
        assert_valid("LoyaltyObject", one.google_object)
    assert quiet.lock_screen == mine.lock_screen == ""


def test_the_offer_is_the_news_whatever_stands_on_the_card(world: World, cards: list[Card]) -> None:
    with world.database.unit_of_work() as session:
        telling.say(session, [one.id for one in cards], {"title": "Hello"}, now=world.clock(), lasts=timedelta(days=9))
    assert all(one.lock_screen.startswith(("Evening cake", "Akşam pastası")) for one in drawn(world))


def test_nobody_to_draw_for(world: World) -> None:
    with world.database.unit_of_work() as session:
        factories.programme(session)
    assert drawn(world) == []
