"""What a card shows at a moment, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import event, select

from app.cards import service as cards
from app.cards.models import Card, Member, Programme, Tier
from app.ledger.models import Account
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft
from app.wallets.view import CardView, card_view, card_views, offer_view
from app.world import World
from tests import factories
from tests.conftest import MovableClock


@pytest.fixture
def card(any_world: World) -> Card:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        factories.store(session, programme, latitude=40.99, longitude=29.02)
        return factories.card(session, programme)


def seen(world: World, card: Card) -> CardView:
    with world.database.reading() as session:
        return card_view(session, session.get_one(Card, card.id), now=world.clock())


def offer(world: World, title: str, *, tier: str | None = None, lasts: timedelta, announce: bool = True) -> None:
    """An offer that starts now and is opened."""
    now = world.clock()
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        wanted = session.scalars(select(Tier).where(Tier.name == tier)).one() if tier else None
        draft = OfferDraft(
            programme=programme,
            title=title,
            body="Only for you.",
            texts={"tr": {"title": f"{title} (tr)"}},
            starts_at=now,
            ends_at=now + lasts,
            timezone="Europe/Istanbul",
            tier=wanted,
            announce=announce,
        )
        offers.create(session, draft, by="test", now=now)
        offers.tick(session, now=now)


def tick(world: World) -> None:
    with world.database.unit_of_work() as session:
        offers.tick(session, now=world.clock())


def test_a_new_card_shows_its_first_tier_and_what_the_next_one_needs(any_world: World, card: Card) -> None:
    view = seen(any_world, card)

    assert (view.balance, view.short_name, view.number) == (0, "Ayşe Y.", card.number)
    assert view.next_tier is not None
    assert (view.next_tier.name, view.to_next_tier_minor) == ("Silver", 200_000)
    assert view.programme.stores[0].latitude == 40.99


def test_the_balance_is_the_ledgers(any_world: World, card: Card) -> None:
    with any_world.database.unit_of_work() as session:
        account = Account(
            programme_id=card.programme_id, member_id=card.member_id, role="avail", unit="points", balance=52
        )
        session.add(account)

    assert seen(any_world, card).balance == 52


def test_only_live_offers_for_this_card_stand_on_it(any_world: World, card: Card, clock: MovableClock) -> None:
    offer(any_world, "Everybody", lasts=timedelta(hours=3))
    offer(any_world, "Gold only", tier="Gold", lasts=timedelta(hours=1))

    view = seen(any_world, card)
    clock.advance(hours=3)
    after = seen(any_world, card)

    assert [one.title for one in view.offers] == ["Everybody"]
    assert view.offers[0].title_in("tr") == "Everybody (tr)"
    assert view.offers[0].body_in("tr") == "Only for you."
    assert view.offers[0].title_in("id") == "Everybody"
    assert after.offers == ()
    assert after.latest is None


def test_the_announcement_that_started_last_is_the_latest(any_world: World, card: Card, clock: MovableClock) -> None:
    offer(any_world, "First", lasts=timedelta(hours=9))
    clock.advance(hours=1)
    offer(any_world, "Second", lasts=timedelta(hours=1))
    offer(any_world, "Quiet", lasts=timedelta(hours=1), announce=False)

    view = seen(any_world, card)

    assert view.latest is not None
    assert (view.latest.title, view.latest_is_news) == ("Second", True)


def test_going_back_to_an_older_announcement_is_no_news(any_world: World, card: Card, clock: MovableClock) -> None:
    offer(any_world, "First", lasts=timedelta(hours=9))
    clock.advance(hours=1)
    offer(any_world, "Second", lasts=timedelta(hours=1))
    clock.advance(hours=2)
    tick(any_world)

    view = seen(any_world, card)

    assert view.latest is not None
    assert (view.latest.title, view.latest_is_news) == ("First", False)


def test_another_tiers_past_announcement_leaves_ours_news(any_world: World, card: Card, clock: MovableClock) -> None:
    offer(any_world, "First", lasts=timedelta(hours=9))
    clock.advance(hours=1)
    offer(any_world, "Gold", tier="Gold", lasts=timedelta(hours=1))
    clock.advance(hours=2)
    tick(any_world)

    assert seen(any_world, card).latest_is_news


def test_an_erased_card_names_nobody_and_shows_no_offers(any_world: World, card: Card) -> None:
    offer(any_world, "Everybody", lasts=timedelta(hours=3))
    with any_world.database.unit_of_work() as session:
        cards.erase(session, session.get_one(Member, card.member_id), now=any_world.clock())

    view = seen(any_world, card)

    assert (view.short_name, view.offers, view.status, view.is_valid) == ("", (), "erased", False)
    assert view.version == 2


def test_many_cards_cost_as_many_statements_as_one(any_world: World, card: Card) -> None:
    with any_world.database.unit_of_work() as session:
        programme = session.get_one(Programme, card.programme_id)
        ids = [card.id] + [factories.card(session, programme, f"Member {n}").id for n in range(20)]
    statements: list[str] = []
    event.listen(any_world.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    def cost(wanted: list[int]) -> int:
        statements.clear()
        with any_world.database.reading() as session:
            assert set(card_views(session, wanted, any_world.clock())) == set(wanted)
        return sum(1 for one in statements if one.startswith("SELECT"))

    assert cost(ids) == cost(ids[:1]) <= 9


def test_unknown_cards_are_left_out(any_world: World, card: Card) -> None:
    with any_world.database.reading() as session:
        assert set(card_views(session, [card.id, 10**9], any_world.clock())) == {card.id}


def test_a_preview_shows_an_offer_that_is_not_live_yet(any_world: World, card: Card) -> None:
    offer(any_world, "Later", lasts=timedelta(hours=1))
    with any_world.database.reading() as session:
        planned = offer_view(session.scalars(select(Offer)).one())

    view = seen(any_world, card).with_offers([planned])

    assert view.latest == planned
    assert view.latest_is_news
