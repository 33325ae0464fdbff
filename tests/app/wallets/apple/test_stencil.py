"""A filled stencil is byte for byte what drawing and encoding the card would give."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.campaigns.models import CampaignText
from app.cards import programmes
from app.cards import service as cards
from app.cards.design import Design
from app.cards.models import Card, Member, Programme, Tier
from app.cards.people import Person, seal
from app.ledger.models import Account
from app.lookup import Lookup
from app.offers import service as offers
from app.offers.models import Offer, OfferGrant
from app.offers.service import OfferDraft
from app.outbox.service import Lane
from app.segments.models import SegmentMember
from app.wallets import messages
from app.wallets import programme as shared
from app.wallets.apple import face
from app.wallets.apple.stencil import cut, kind, own
from app.wallets.view import CardRow, cards_by, draw
from app.world import World
from passes.apple.encode import encode
from tests import factories
from tests.app.wallets import telling

NAMES = ["Ayşe Yılmaz", 'O\'Neil "Bob" \\ Smith', "李", "Maximiliana-Alexandrina Featherstonehaugh", "Ω 🎉 Ünal", "A"]
TOKEN = "ab" * 32


def check(world: World) -> int:
    """Cut a stencil from each card and fill it for every other card of its kind; how many fillings were compared."""
    now = world.clock()
    with world.database.reading() as session:
        known = shared.facts(session, [session.scalars(select(Programme.id)).one()])
        words = messages.words_of(session, session.scalars(select(CampaignText.id)).all())
    rows = [CardRow._make(row) for row in Lookup(cards_by()).all(world.database)]
    compared = 0
    for one in rows:
        facts_of = known[one.programme_id]
        first = draw(one, facts_of, words=words, vault=world.vault, now=now)
        stencil = cut(first, base_url="https://cards.example.com")
        for row in rows:
            view = draw(row, facts_of, words=words, vault=world.vault, now=now)
            if kind(row, view) == kind(one, first):
                assert stencil.fill(own(row, view, TOKEN)) == encode(
                    face.store_card(view, base_url="https://cards.example.com", token=TOKEN)
                )
                compared += 1
    return compared


@pytest.fixture
def crowd(world: World) -> list[Card]:
    """Cards of every tier, name and balance."""
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=world.clock())
        tiers = [None, *session.scalars(select(Tier.id).order_by(Tier.position))]
        found = []
        for number, name in enumerate(NAMES * len(tiers)):
            card = factories.card(session, programme, f"Member {number}", now=world.clock() - timedelta(days=number))
            card.member.sealed = seal(session, Person(name=name))
            card.member.language = ("tr", "en", "id")[number % 3] if number % 2 else "tr"
            card.tier_id = tiers[number // len(NAMES)]
            card.qualifying_minor = number * 37_123
            account = Account(
                programme_id=programme.id,
                member_id=card.member_id,
                role="avail",
                unit="points",
                balance=10**number % 10**15,
            )
            session.add(account)
            found.append(card)
        return found


def test_cards_of_every_tier_language_and_name(world: World, crowd: list[Card]) -> None:
    assert check(world) > len(crowd)


def test_cards_with_offers_and_a_benefit_in_the_first_place(world: World, crowd: list[Card]) -> None:
    now = world.clock()
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        programmes.change_design(session, programme, Design(benefit={"en": "Free refills"}), now=now)
        draft = OfferDraft(
            programme=programme,
            title="Two for one",
            body="Today",
            starts_at=now,
            ends_at=now + timedelta(hours=1),
            timezone="Europe/Istanbul",
        )
        offers.create(session, draft, by="test", now=now)
        offers.tick(session, now=now)

    assert check(world) > len(crowd)


def test_voided_and_erased_cards(world: World, crowd: list[Card]) -> None:
    with world.database.unit_of_work() as session:
        for card in crowd[::3]:
            cards.erase(session, session.get_one(Member, card.member_id), now=world.clock())
        for card in crowd[1::3]:
            fresh = session.get_one(Card, card.id)
            fresh.status = "voided"
            cards.touch(session, fresh, lane=Lane.URGENT, now=world.clock())

    assert check(world) > len(crowd)


def test_texts_that_look_like_a_cards_own_values_stay_texts(world: World, crowd: list[Card]) -> None:
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        about = f"0 {crowd[0].serial} {crowd[0].link} {TOKEN} {crowd[0].number} (.*) \\1"
        programmes.change_design(session, programme, Design(about={"en": about}), now=world.clock())

    assert check(world) > len(crowd)


def test_cards_with_messages_of_their_own_and_offers_that_some_have_used_or_were_granted(
    world: World, crowd: list[Card]
) -> None:
    now = world.clock()
    words = {"title": "{first_name|friend}, {points} points wait", "body": 'It\'s "yours" \\ {reward|a coffee}'}
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        made = [
            Offer(
                public_id=f"off_{name}", programme_id=programme.id, title=name, body="", texts={}, starts_at=now,
                ends_at=now + timedelta(hours=30), timezone="Europe/Istanbul", state="live", created_by="test",
                created_at=now, audience=audience, segment_id=7 if audience == "segment" else None,
            )
            for name, audience in (("All", "all"), ("Some", "segment"), ("Given", "targeted"))
        ]  # fmt: skip
        session.add_all(made)
        session.flush()
        for card in crowd[:9]:
            session.add(SegmentMember(card_id=card.id, segment_id=7))
            ends = now + timedelta(hours=3)
            session.add(OfferGrant(card_id=card.id, offer_id=made[2].id, starts_at=now, ends_at=ends))
        for points, some in ((5, crowd[::2]), (10**6, crowd[1::2])):
            telling.say(session, [one.id for one in some], words, now=now, numbers={"points": points})

    assert check(world) > len(crowd)
