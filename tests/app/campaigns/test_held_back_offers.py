"""Who is held back of a campaign can neither see nor use its offer, whomever the offer is for."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.campaigns.models import Campaign
from app.cards.models import Card
from app.offers import firing, refusals
from app.offers.models import Offer, OfferGrant
from app.segments import service as segments
from app.segments.models import Segment
from app.wallets.google import vehicles
from app.wallets.promises import OfferView, offer_view
from app.wallets.view import card_views
from app.world import World
from tests.app.campaigns.crowd import AUTHOR, Crowd, an_offer, crowd, launched, recipients, settled

HALF = 5000


@pytest.fixture
def people(any_world: World) -> Crowd:
    return crowd(any_world, 40)


def for_everybody(world: World, people: Crowd, **over: Any) -> Offer:
    return an_offer(world, people.programme, **{"audience": "all", **over})


def for_everybody_in_a_segment(world: World, people: Crowd) -> Offer:
    now = world.clock()
    with world.database.unit_of_work() as session:
        segment = Segment(
            public_id="seg_all", programme_id=people.programme.id, name="All", rules={"all": []},
            created_by=AUTHOR, created_at=now, changed_at=now,
        )  # fmt: skip
        session.add(segment)
        session.flush()
        segments.keep(session, segment, now=now)
    return for_everybody(world, people, audience="segment", segment_id=segment.id)


def arms(world: World, campaign: Campaign) -> tuple[list[int], list[int]]:
    """The cards of those who were told, and of those who were held back."""
    found = recipients(world, campaign)
    told = [one.card_id for one in found.values() if one.state == "sent"]
    held = [one.card_id for one in found.values() if one.reason == "holdout"]
    assert len(told) > 3
    assert len(held) > 3
    return told, held


def refused(world: World, offer: Offer, card_id: int) -> str:
    with world.database.reading() as session:
        found = refusals.refusal(
            session, session.get_one(Offer, offer.id), session.get_one(Card, card_id), now=world.clock()
        )
        return found.code if found else ""


def shown(world: World, card_ids: list[int]) -> dict[int, list[str]]:
    with world.database.reading() as session:
        views = card_views(session, card_ids, world.clock())
        return {one: [offer.public_id for offer in views[one].offers] for one in card_ids}


def view(world: World, offer: Offer) -> OfferView:
    with world.database.reading() as session:
        return offer_view(session.get_one(Offer, offer.id))


@pytest.mark.parametrize("audience", ["all", "targeted"])
def test_who_is_held_back_neither_sees_the_offer_nor_may_use_it(any_world: World, people: Crowd, audience: str) -> None:
    offer = for_everybody(any_world, people, audience=audience)
    campaign = launched(any_world, people.programme, offer=offer, message={}, holdout_bp=HALF)

    settled(any_world)

    told, held = arms(any_world, campaign)
    assert {refused(any_world, offer, one) for one in held} == {"not_eligible"}
    assert {refused(any_world, offer, one) for one in told} == {""}
    on_cards = shown(any_world, told + held)
    assert all(on_cards[one] == ["off_test"] for one in told)
    assert not any(on_cards[one] for one in held)


def test_of_a_segment_too_some_can_be_held_back(any_world: World, people: Crowd) -> None:
    offer = for_everybody_in_a_segment(any_world, people)
    campaign = launched(any_world, people.programme, offer=offer, message={}, holdout_bp=HALF)

    settled(any_world)

    told, held = arms(any_world, campaign)
    assert {refused(any_world, offer, one) for one in held} == {"not_eligible"}
    assert {refused(any_world, offer, one) for one in told} == {""}


def test_phones_of_those_held_back_are_brought_up_to_date(any_world: World, people: Crowd) -> None:
    offer = for_everybody(any_world, people)
    before = {card.id: card.version for card in people.cards}

    campaign = launched(any_world, people.programme, offer=offer, message={}, holdout_bp=HALF)
    settled(any_world)

    with any_world.database.reading() as session:
        now = {card.id: card.version for card in session.scalars(select(Card))}
    assert all(now[one] > before[one] for one in arms(any_world, campaign)[1])


def test_an_offer_that_some_must_not_have_leaves_googles_class(any_world: World, people: Crowd) -> None:
    offer = for_everybody(any_world, people)
    assert vehicles.of_offer(view(any_world, offer)).is_shared

    launched(any_world, people.programme, offer=offer, message={}, holdout_bp=HALF)

    now = view(any_world, offer)
    assert not vehicles.of_offer(now).is_shared
    assert now.was_told_to_all, "it sounds on no phone again"
    with any_world.database.unit_of_work() as session:
        assert firing.tick(session, now=any_world.clock()) == 1, "its cards are told one by one"


def test_an_offer_that_is_to_come_is_told_card_by_card_from_its_start(any_world: World, people: Crowd) -> None:
    later = any_world.clock() + timedelta(hours=2)
    offer = for_everybody(any_world, people, state="scheduled", starts_at=later)

    launched(any_world, people.programme, offer=offer, message={}, holdout_bp=HALF)

    now = view(any_world, offer)
    assert not vehicles.of_offer(now).is_shared
    assert not now.was_told_to_all
    with any_world.database.unit_of_work() as session:
        assert firing.tick(session, now=any_world.clock()) == 0


def test_a_campaign_that_holds_nobody_back_leaves_the_offer_as_it_is(any_world: World, people: Crowd) -> None:
    offer = for_everybody(any_world, people)

    launched(any_world, people.programme, offer=offer, message={}, holdout_bp=0)
    settled(any_world)

    assert vehicles.of_offer(view(any_world, offer)).is_shared
    with any_world.database.reading() as session:
        assert session.scalars(select(OfferGrant)).all() == []


def test_who_is_told_by_a_later_campaign_has_the_offer_again(any_world: World, people: Crowd) -> None:
    offer = for_everybody(any_world, people)
    first = launched(any_world, people.programme, offer=offer, message={}, holdout_bp=HALF)
    settled(any_world)
    _told, held = arms(any_world, first)

    launched(any_world, people.programme, offer=offer, message={}, holdout_bp=0, purpose="information")
    settled(any_world)

    assert {refused(any_world, offer, one) for one in held} == {""}
    assert all(shown(any_world, held).values())
