"""Which offers and messages stand on a card, and what is said of them, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import ids
from app.cards.models import Card, Member, Programme, Tier
from app.cards.people import Person, seal
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning import windows
from app.offers import terms
from app.offers.models import Occurrence, Offer, OfferGrant, Redemption
from app.segments.models import SegmentMember
from app.wallets import messages
from app.wallets.promises import OfferView
from app.wallets.view import CardView, card_view
from app.world import World
from tests import factories
from tests.app.wallets import telling
from tests.conftest import MovableClock

WORDS = {"title": "{first_name|Friend}, {points} points wait", "body": "Come by."}
NUMBERS = {"points": 1200}


@pytest.fixture
def card(any_world: World) -> Card:
    with any_world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session))


def seen(world: World, card: Card) -> CardView:
    with world.database.reading() as session:
        return card_view(session, session.get_one(Card, card.id), now=world.clock())


def offer(world: World, title: str = "Offer", *, hours: int = 48, **more: Any) -> int:
    """A live offer that starts now."""
    now = world.clock()
    with world.database.unit_of_work() as session:
        made = Offer(
            public_id=ids.public_id("off"), programme_id=session.scalars(select(Programme.id)).one(), title=title,
            body="", texts={}, starts_at=now, ends_at=now + timedelta(hours=hours), timezone="Europe/Istanbul",
            state="live", created_by="test", created_at=now, **more,
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made.id


def change(world: World, offer_id: int, **values: Any) -> None:
    with world.database.unit_of_work() as session:
        for name, value in values.items():
            setattr(session.get_one(Offer, offer_id), name, value)


def add(world: World, *rows: Any) -> None:
    with world.database.unit_of_work() as session:
        session.add_all(rows)


def say(world: World, card: Card, words: dict[str, Any] = WORDS, **more: Any) -> None:
    with world.database.unit_of_work() as session:
        telling.say(session, [card.id], words, now=world.clock(), numbers=NUMBERS, **more)


def bought(world: World, card: Card) -> str:
    """The entry of a sale."""
    sale = Sale(amount_minor=5_000, currency="TRY")
    return world.database.transact(
        lambda session: sales.earn(session, card, sale, by=Actor(name="api:test", channel="api"), now=world.clock())
    ).entry.id


def titles(view: CardView) -> list[str]:
    return [one.title for one in view.offers]


def test_an_offer_of_several_tiers_stands_on_cards_of_those(any_world: World, card: Card) -> None:
    with any_world.database.reading() as session:
        tiers = list(session.scalars(select(Tier.id).order_by(Tier.position)))
    offer(any_world, tiers=tiers[:2])
    assert titles(seen(any_world, card)) == []
    with any_world.database.unit_of_work() as session:
        session.get_one(Card, card.id).tier_id = tiers[1]
    assert titles(seen(any_world, card)) == ["Offer"]


def test_an_offer_of_a_segment_stands_on_who_is_in_it(any_world: World, card: Card) -> None:
    offer(any_world, audience="segment", segment_id=7)
    assert titles(seen(any_world, card)) == []
    add(any_world, SegmentMember(card_id=card.id, segment_id=8), SegmentMember(card_id=card.id, segment_id=7))
    assert titles(seen(any_world, card)) == ["Offer"]


def test_a_granted_offer_stands_within_the_cards_own_time(any_world: World, card: Card, clock: MovableClock) -> None:
    offer_id = offer(any_world, audience="targeted")
    other = offer(any_world, "Other", hours=4)
    now = clock()
    starts, ends = now + timedelta(hours=1), now + timedelta(hours=3)
    add(any_world, OfferGrant(card_id=card.id, offer_id=offer_id, starts_at=starts, ends_at=ends))

    assert titles(seen(any_world, card)) == ["Other"]
    clock.advance(hours=1)
    view = seen(any_world, card)
    assert titles(view) == ["Offer", "Other"]  # its own end is the sooner one
    assert (view.offers[0].starts_at, view.offers[0].ends_at) == (starts, ends)
    assert view.latest is not None
    assert view.latest.id == other  # whoever grants an offer tells of it
    clock.advance(hours=2)
    assert titles(seen(any_world, card)) == ["Other"]


def test_a_grant_that_was_taken_back_is_off(any_world: World, card: Card) -> None:
    offer_id, now = offer(any_world, audience="targeted"), any_world.clock()
    ends = now + timedelta(hours=3)
    add(any_world, OfferGrant(card_id=card.id, offer_id=offer_id, starts_at=now, ends_at=ends, closed=True))
    assert titles(seen(any_world, card)) == []


def test_uses_are_counted_without_those_taken_back(any_world: World, card: Card) -> None:
    offer_id, now = offer(any_world, limit_per_card=2), any_world.clock()

    def use(number: int, *, is_taken_back: bool = False) -> None:
        row = Redemption(offer_id=offer_id, card_id=card.id, use_no=number, entry_id=bought(any_world, card), at=now)
        row.reversed_at = now if is_taken_back else None
        add(any_world, row)

    use(1)
    use(2, is_taken_back=True)
    one = seen(any_world, card).offers[0]
    use(3)
    both = seen(any_world, card).offers[0]

    assert (one.uses, one.is_used_up) == (1, False)
    assert (both.uses, both.is_used_up) == (2, True)


def test_the_last_day_of_an_offer_begins_24_hours_before_its_end(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    offer(any_world, hours=48)
    offer(any_world, "Short", hours=23)
    before = {one.title: one.is_last_day(clock()) for one in seen(any_world, card).offers}
    clock.advance(hours=24)
    after = {one.title: one.is_last_day(clock()) for one in seen(any_world, card).offers}
    assert (before, after) == ({"Offer": False, "Short": False}, {"Offer": True})


def test_a_message_is_the_news_until_its_end_and_keeps_its_numbers(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    offer(any_world, "First", hours=9)
    clock.advance(minutes=1)
    say(any_world, card, lasts=timedelta(hours=2))

    view = seen(any_world, card)
    assert view.told is not None
    assert view.told.title == "Ayşe, 1,200 points wait"
    assert view.told.line.startswith("Ayşe, 1,200 points wait · ")
    assert view.latest_is_news
    clock.advance(hours=2)
    over = seen(any_world, card)
    assert (over.message, over.told) == (None, None)
    assert over.latest is not None
    assert (over.latest.title, over.latest_is_news) == ("First", False)  # going back makes no sound


def test_a_later_announcement_is_the_news_and_the_message_comes_back_in_silence(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    offer(any_world, "Old", hours=200)
    say(any_world, card, lasts=timedelta(hours=9))
    clock.advance(hours=1)
    later = offer(any_world, "Later", hours=2)

    view = seen(any_world, card)
    assert (view.told, view.latest and view.latest.title, view.latest_is_news) == (None, "Later", True)
    assert view.message is not None
    change(any_world, later, state="ended")
    mark_fired(any_world, later)
    back = seen(any_world, card)
    assert back.told is not None
    assert not back.latest_is_news


def mark_fired(world: World, offer_id: int) -> None:
    """Its start has been on the cards."""
    add(
        world,
        Occurrence(offer_id=offer_id, kind="start", fire_at=world.clock(), status="fired", fired_at=world.clock()),
    )


def test_a_silent_message_is_no_news(any_world: World, card: Card) -> None:
    say(any_world, card, alert=False)
    view = seen(any_world, card)
    assert view.told is not None
    assert not view.latest_is_news


def test_a_name_is_the_one_of_today_and_a_lost_one_is_filled(any_world: World, card: Card) -> None:
    say(any_world, card)
    with any_world.database.unit_of_work() as session:
        session.get_one(Member, card.member_id).sealed = seal(session, Person(name="Zeynep Ak"))
    renamed = seen(any_world, card).message
    with any_world.database.unit_of_work() as session:
        session.get_one(Member, card.member_id).sealed = None
    nameless = seen(any_world, card).message
    assert renamed is not None
    assert nameless is not None
    assert (renamed.title, nameless.title) == ("Zeynep, 1,200 points wait", "Friend, 1,200 points wait")


def test_a_message_that_says_nothing_any_more_is_left_out(any_world: World, card: Card) -> None:
    say(any_world, card, {"title": "{first_name}", "body": ""})
    with any_world.database.unit_of_work() as session:
        session.get_one(Member, card.member_id).sealed = None
    assert seen(any_world, card).message is None


def test_leaving_a_segment_does_not_sound_for_the_older_offer_a_day_later(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    offer(any_world, "For all", hours=200)
    clock.advance(hours=25)
    offer(any_world, "For some", hours=200, audience="segment", segment_id=7)
    member = SegmentMember(card_id=card.id, segment_id=7)
    add(any_world, member)
    inside = seen(any_world, card)
    with any_world.database.unit_of_work() as session:
        session.delete(session.get_one(SegmentMember, (card.id, 7)))
    outside = seen(any_world, card)

    assert (inside.latest and inside.latest.title, inside.latest_is_news) == ("For some", True)
    assert (outside.latest and outside.latest.title, outside.latest_is_news) == ("For all", False)


@pytest.mark.parametrize(("characters", "is_test"), [(10, False), (60, False), (200, False), (200, True)])
def test_the_line_for_the_lock_screen_has_90_characters_at_most(characters: int, is_test: bool) -> None:
    at = datetime(2026, 11, 22, 18, 30, 5, tzinfo=UTC)
    line = messages.line_of("x" * characters, at, language="tr", zone="Europe/Istanbul", is_test=is_test)
    assert len(line) <= messages.LINE_CHARACTERS
    assert line.endswith("22 Kas 21:30:05" if is_test else "22 Kas")


def view_of(
    kind: str = "text", raw: dict[str, Any] | None = None, hours: list[dict[str, Any]] | None = None
) -> OfferView:
    errors: dict[str, str] = {}
    read = terms.read(kind, raw or {}, "TRY", errors)
    found = tuple(windows.parse(one, "", errors) for one in hours or [])
    assert not errors
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return OfferView(
        id=1, public_id="off_1", title="Offer", body="", texts={}, starts_at=now, ends_at=now + timedelta(days=9),
        timezone="Europe/Istanbul", announce=True, kind=kind, terms=read, currency="TRY",
        windows=tuple(one for one in found if one is not None),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "raw", "said"),
    [
        ("text", {}, ""),
        ("percent", {"percent": "12.5"}, "12.5% off"),
        ("amount", {"amount": "25.00"}, "25 TRY off"),
        ("product", {"percent": "100", "products": ["cake"]}, "1 free: cake"),
        ("product", {"percent": "50", "pieces": 2, "categories": ["tea"]}, "50% off: tea"),
        ("multiplier", {"factor": "2"}, "2× points"),
        ("bonus", {"points": 1000}, "+1,000 points"),
        ("gift", {"gift": "Tote bag"}, "Gift: Tote bag"),
        ("percent", {"percent": "20", "minimum": "50.00", "at_most": "30.00"}, "20% off, from 50 TRY, at most 30 TRY"),
    ],
)
def test_what_an_offer_gives_is_said_in_a_line(kind: str, raw: dict[str, Any], said: str) -> None:
    assert view_of(kind, raw).gives_in("en") == said


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ([], ""),
        ([{"weekdays": [1, 2, 3, 4, 5], "from": "15:00", "to": "17:00"}], "Mon–Fri, 3:00 PM–5:00 PM"),
        ([{"weekdays": [2, 6, 7]}], "Tue, Sat, Sun"),
        ([{"from": "22:00", "to": "02:00"}], "10:00 PM–2:00 AM"),
        ([{"first_on": "2026-12-24", "last_on": "2026-12-31"}], "24 Dec – 31 Dec"),
        ([{"weekdays": [1]}, {"weekdays": [3]}], "Mon; Wed"),
        ([{}], ""),
    ],
)
def test_weekly_hours_are_said_in_words(hours: list[dict[str, Any]], said: str) -> None:
    assert view_of(hours=hours).hours_in("en") == said


def test_hours_are_said_in_each_language() -> None:
    view = view_of(hours=[{"weekdays": [1, 2, 3, 4, 5], "from": "15:00", "to": "17:00"}])
    assert (view.hours_in("tr"), view.hours_in("id")) == ("Pzt–Cum, 15:00–17:00", "Sen–Jum, 15.00–17.00")
