"""A higher tier, and one that is about to be lost."""

from datetime import UTC, datetime

from app.campaigns import texts
from app.campaigns.models import CampaignText, CardMessage
from app.cards.models import Card
from app.tiers import nightly
from app.tiers import service as tiers
from tests.app.campaigns.crowd import outcome, settled
from tests.app.campaigns.occasions.street import Street


def missing(street: Street, card: Card) -> int | None:
    with street.world.database.reading() as session:
        return tiers.projection_of(session, session.get_one(Card, card.id), now=street.clock()).to_keep


def said(street: Street, card: Card) -> str:
    """The message that stands on a card."""
    with street.world.database.reading() as session:
        message = session.get_one(CardMessage, card.id)
        words = session.get_one(CampaignText, message.text_id).words
    return texts.filled(words, "en", message.numbers or {})[1]


def test_a_higher_tier_is_said_once_for_each(street: Street) -> None:
    card = street.card()
    campaign = street.follows({"on": "tier_reached"})
    assert street.due() == 0

    street.days_later(0.01).buys(card, 250_000)
    assert street.days_later(0.01).due() == 1
    settled(street.world)
    assert street.days_later(1).due() == 0
    street.buys(card, 400_000)
    assert street.days_later(1).due() == 1

    settled(street.world)
    assert len(street.occasions(card)) == 2
    assert outcome(street.world, campaign) == {"sent": 2}


def test_a_tier_that_was_reached_before_the_campaign_or_long_ago_is_not_news(street: Street) -> None:
    before, late = street.card(), street.card("Can Demir")
    street.buys(before, 250_000)
    street.days_later(1).follows({"on": "tier_reached"})
    street.days_later(0.01).buys(late, 250_000)

    assert street.days_later(10).due() == 0


def test_what_is_missing_to_keep_a_tier_is_said_30_days_before_its_end(street: Street) -> None:
    card = street.card()
    street.buys(card, 250_000)
    words = {"title": "Stay with us", "body": "{to_keep_tier} more until {tier_until}"}
    campaign = street.follows({"on": "tier_ending"}, message=words)

    street.clock.at = datetime(2027, 10, 30, 9, tzinfo=UTC)
    nightly.work(street.world)
    assert street.due() == 0
    street.clock.at = datetime(2027, 10, 31, 9, tzinfo=UTC)
    nightly.work(street.world)
    assert street.due() == 1
    settled(street.world)
    assert street.days_later(10).due() == 0

    assert missing(street, card) == 200_000
    assert said(street, card) == "TRY\u00a02,000.00 more until 30 November"
    assert len(street.occasions(card)) == 1
    assert street.occasions(card)[0].endswith(":2027-11-30")
    assert outcome(street.world, campaign) == {"sent": 1}


def test_who_has_kept_the_tier_is_not_warned(street: Street) -> None:
    card = street.card()
    street.buys(card, 250_000)
    street.follows({"on": "tier_ending"})
    street.clock.at = datetime(2027, 11, 1, 9, tzinfo=UTC)
    street.buys(card, 250_000)
    nightly.work(street.world)

    assert street.due() == 0
