"""Offers open and close at their instants, once, and are refused with a reason outside of them."""

import contextlib
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.cards import expansion
from app.cards.models import Card, Expansion, Programme
from app.counter import moves, offering, returns, sales
from app.counter.moves import Actor
from app.delivery import steps
from app.errors import Conflict, Unprocessable
from app.offers import service as offers
from app.offers.models import Occurrence, Offer
from app.offers.service import OfferDraft
from app.world import World
from tests import factories
from tests.bench import seed
from tests.conftest import MovableClock

TILL = Actor(name="staff:till", channel="till")


def a_programme(world: World) -> Programme:
    with world.database.unit_of_work() as session:
        return factories.programme(session)


def a_card(world: World, programme: Programme) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, session.merge(programme, load=False))


def an_offer(world: World, programme: Programme, **over: object) -> Offer:
    now = world.clock()
    values: dict[str, object] = {
        "programme": programme,
        "title": "Cake for free",
        "body": "With any coffee.",
        "starts_at": now + timedelta(minutes=1),
        "ends_at": now + timedelta(minutes=11),
        "timezone": "Europe/Istanbul",
        **over,
    }
    with world.database.unit_of_work() as session:
        return offers.create(session, OfferDraft(**values), by="test", now=now)  # type: ignore[arg-type]


def tick(world: World) -> int:
    with world.database.unit_of_work() as session:
        return offers.tick(session, now=world.clock())


def spread(world: World) -> None:
    """Run all expansions to their end."""
    while steps.expand(world):
        pass


def live(world: World, card: Card) -> list[str]:
    with world.database.reading() as session:
        return [one.title for one in offers.live_for(session, session.get_one(Card, card.id), now=world.clock())]


def version(world: World, card: Card) -> int:
    with world.database.reading() as session:
        return session.get_one(Card, card.id).version


def redeem(world: World, card: Card, offer: Offer) -> moves.Done:
    return world.database.transact(
        lambda s: offering.redeem_offer(s, card, s.get_one(Offer, offer.id), by=TILL, now=world.clock())
    )


def test_an_offer_appears_at_its_start_and_leaves_at_its_end(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    card = a_card(any_world, programme)
    an_offer(any_world, programme)

    assert (tick(any_world), live(any_world, card)) == (0, [])
    clock.advance(minutes=1)
    assert tick(any_world) == 1
    spread(any_world)
    assert (live(any_world, card), version(any_world, card)) == (["Cake for free"], 2)
    clock.advance(minutes=10)
    assert tick(any_world) == 1
    spread(any_world)
    assert (live(any_world, card), version(any_world, card)) == ([], 3)
    assert tick(any_world) == 0


def test_an_offer_over_before_anybody_ticked_is_missed_and_never_shown(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    card = a_card(any_world, programme)
    offer = an_offer(any_world, programme)

    clock.advance(hours=1)
    tick(any_world)
    spread(any_world)

    with any_world.database.reading() as session:
        statuses = {one.kind: one.status for one in session.scalars(select(Occurrence))}
        assert session.get_one(Offer, offer.id).state == "ended"
    assert (statuses["start"], live(any_world, card), version(any_world, card)) == ("missed", [], 1)


def test_many_clocks_at_once_fire_an_offer_once(any_world: World, clock: MovableClock) -> None:
    an_offer(any_world, a_programme(any_world))
    clock.advance(minutes=1)
    fired: list[int] = []

    def one() -> None:
        fired.append(any_world.database.transact(lambda s: offers.tick(s, now=clock())))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with any_world.database.reading() as session:
        assert len(session.scalars(select(Expansion)).all()) == 1
    assert sum(fired) == 1


def test_the_server_decides_when_an_offer_may_be_used(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    card = a_card(any_world, programme)
    offer = an_offer(any_world, programme, limit_per_card=1)

    with pytest.raises(Conflict, match="not_started"):
        redeem(any_world, card, offer)
    clock.advance(minutes=1)
    tick(any_world)
    assert redeem(any_world, card, offer).entry.kind == "offer"
    with pytest.raises(Conflict, match="already_used"):
        redeem(any_world, card, offer)
    clock.advance(minutes=10)
    with pytest.raises(Conflict, match="ended"):
        redeem(any_world, card, offer)


def test_a_use_that_is_undone_can_be_made_again(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    card = a_card(any_world, programme)
    offer = an_offer(any_world, programme, limit_per_card=1, limit_total=1)
    clock.advance(minutes=1)
    tick(any_world)
    used = redeem(any_world, card, offer)

    any_world.database.transact(lambda s: returns.reverse(s, used.entry.id, reason="wrong card", by=TILL, now=clock()))

    assert redeem(any_world, card, offer).entry.id != used.entry.id


def test_the_last_use_of_all_goes_to_exactly_one_of_many_tills(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    cards = [a_card(any_world, programme) for _ in range(8)]
    offer = an_offer(any_world, programme, limit_total=1)
    clock.advance(minutes=1)
    tick(any_world)
    outcomes: list[str] = []

    def one(card: Card) -> None:
        try:
            redeem(any_world, card, offer)
            outcomes.append("used")
        except Conflict as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=one, args=(card,)) for card in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["budget_spent"] * 7 + ["used"]


def test_an_offer_for_a_tier_is_for_that_tier_alone(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    plain, gold = a_card(any_world, programme), a_card(any_world, programme)
    with any_world.database.unit_of_work() as session:
        tiers = session.get_one(Programme, programme.id).tiers
        session.get_one(Card, gold.id).tier_id = tiers[1].id
    offer = an_offer(any_world, programme, tier=tiers[1])
    clock.advance(minutes=1)
    tick(any_world)
    spread(any_world)

    assert (live(any_world, plain), live(any_world, gold)) == ([], ["Cake for free"])
    assert (version(any_world, plain), version(any_world, gold)) == (1, 2)
    with pytest.raises(Conflict, match="not_eligible"):
        redeem(any_world, plain, offer)


def test_a_live_offer_that_is_cancelled_leaves_the_cards_at_once(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    card = a_card(any_world, programme)
    offer = an_offer(any_world, programme)
    clock.advance(minutes=1)
    tick(any_world)
    spread(any_world)

    with any_world.database.unit_of_work() as session:
        offers.cancel(session, session.get_one(Offer, offer.id), now=clock())
    spread(any_world)

    assert (live(any_world, card), version(any_world, card)) == ([], 3)
    with pytest.raises(Conflict, match="offer_over"), any_world.database.unit_of_work() as session:
        offers.cancel(session, session.get_one(Offer, offer.id), now=clock())
    with pytest.raises(Conflict, match="ended"):
        redeem(any_world, card, offer)


def test_a_bulk_change_that_is_interrupted_goes_on_where_it_was(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    with any_world.database.unit_of_work() as session:
        merged = session.merge(programme, load=False)
        cards = [factories.card(session, merged).id for _ in range(5)]
    an_offer(any_world, programme)
    clock.advance(minutes=1)
    tick(any_world)

    with contextlib.suppress(KeyboardInterrupt), any_world.database.unit_of_work() as session:
        turn = expansion.next_turn(session)
        assert turn is not None
        expansion.take(session, turn, now=clock())
        raise KeyboardInterrupt  # the process dies before it commits
    spread(any_world)

    with any_world.database.reading() as session:
        assert {session.get_one(Card, one).version for one in cards} == {2}
        assert session.scalars(select(Expansion)).one().touched == 5


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 61}, "title"),
        ({"body": "x" * 501}, "body"),
        ({"body": "a\x00b"}, "body"),
        ({"ends_at": factories.NOW - timedelta(days=1)}, "ends_at"),
        ({"starts_at": factories.NOW - timedelta(days=2), "ends_at": factories.NOW}, "ends_at"),
        ({"ends_at": factories.NOW + timedelta(days=2000)}, "ends_at"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"limit_per_card": 0}, "limit_per_card"),
        ({"limit_total": -1}, "limit_total"),
        ({"texts": {"xx": {"title": "?"}}}, "texts.xx"),
        ({"texts": {"tr": {"title": "x" * 61}}}, "texts.tr.title"),
    ],
)
def test_an_offer_that_cannot_be_is_refused_with_the_field_named(
    world: World, over: dict[str, object], field: str
) -> None:
    programme = a_programme(world)

    with pytest.raises(Unprocessable) as refused:
        an_offer(world, programme, **over)

    assert field in refused.value.errors


def test_an_offer_cancelled_half_way_leaves_no_card_that_shows_it(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    chunk = expansion.CHUNK_SQLITE if any_world.database.is_sqlite else expansion.CHUNK_POSTGRES
    seed.seed(any_world.database, seed.Crowd(programme_id=programme.id, cards=chunk + 10), now=clock())
    offer = an_offer(any_world, programme)
    clock.advance(minutes=1)
    tick(any_world)
    steps.expand(any_world)
    with any_world.database.reading() as session:
        earned, untouched = session.scalars(select(Card).order_by(Card.id.desc()).limit(2)).all()
    sale = sales.Sale(amount_minor=10_000, currency="TRY")
    any_world.database.transact(lambda s: sales.earn(s, s.get_one(Card, earned.id), sale, by=TILL, now=clock()))

    clock.advance(minutes=1)
    with any_world.database.unit_of_work() as session:
        offers.cancel(session, session.get_one(Offer, offer.id), now=clock())
    spread(any_world)

    with any_world.database.reading() as session:
        first = session.scalars(select(Card).order_by(Card.id).limit(1)).one()
        changes = {one.reason: one.status for one in session.scalars(select(Expansion))}
    assert version(any_world, first) == 3, "given the offer, then rid of it"
    assert version(any_world, earned) == 3, "its own change brought the offer; now it is taken off"
    assert version(any_world, untouched) == 1, "it never showed the offer"
    assert changes == {"offer_started": "stopped", "offer_ended": "done"}


def test_an_offer_that_ends_before_it_reached_all_cards_goes_no_further(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    card = a_card(any_world, programme)
    an_offer(any_world, programme)
    clock.advance(minutes=1)
    tick(any_world)

    clock.advance(minutes=10)
    tick(any_world)
    spread(any_world)

    with any_world.database.reading() as session:
        changes = {one.reason: one.status for one in session.scalars(select(Expansion))}
    assert changes == {"offer_started": "stopped", "offer_ended": "done"}
    assert version(any_world, card) == 1


def test_an_offer_is_stopped_on_its_way_and_stays_live(any_world: World, clock: MovableClock) -> None:
    programme = a_programme(any_world)
    card = a_card(any_world, programme)
    offer = an_offer(any_world, programme)
    clock.advance(minutes=1)
    tick(any_world)

    with any_world.database.unit_of_work() as session:
        offers.stop_spreading(session, session.get_one(Offer, offer.id), by="staff:mary", now=clock())
    spread(any_world)

    assert (live(any_world, card), version(any_world, card)) == (["Cake for free"], 1)
    with any_world.database.unit_of_work() as session, pytest.raises(Conflict, match="change_over"):
        offers.stop_spreading(session, session.get_one(Offer, offer.id), by="staff:mary", now=clock())
