"""Who is kept in the segments that cards ask about: the difference alone is written, and only those cards are told."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from app.cards.models import Card, Member, Programme
from app.counter import leaving
from app.earning.models import RuleVersion
from app.offers.models import Offer
from app.segments import keeping, service, uses
from app.segments.models import Segment, SegmentMember
from app.segments.service import SegmentDraft
from app.world import World
from tests import factories
from tests.conftest import MovableClock

TURKISH = {"fact": "language", "value": "tr"}
Made = tuple[int, list[int]]


@pytest.fixture
def made(any_world: World) -> Made:
    """A segment of those who speak Turkish, of four members of whom two do, and a live offer for it."""
    now = any_world.clock()
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session, now=now)
        languages = ("tr", "en", "tr", "id")
        cards = [factories.card(session, programme, language=one, now=now).id for one in languages]
        segment = service.create(
            session, SegmentDraft(programme=programme, name="Turkish", rules=TURKISH), by="x", now=now
        )
        session.add(offer(programme, segment, now))
    return segment.id, cards


def offer(programme: Programme, segment: Segment, now: datetime) -> Offer:
    return Offer(
        public_id="off_1", programme_id=programme.id, title="Tea", body="", starts_at=now,
        ends_at=now + timedelta(days=9), timezone="Europe/Istanbul", state="live", audience="segment",
        segment_id=segment.id, created_by="x", created_at=now,
    )  # fmt: skip


def kept(world: World, segment_id: int) -> list[int]:
    with world.database.reading() as session:
        rows = select(SegmentMember.card_id).where(SegmentMember.segment_id == segment_id)
        return sorted(session.scalars(rows))


def versions(world: World, cards: list[int]) -> list[int]:
    with world.database.reading() as session:
        return [session.get_one(Card, one).version for one in cards]


def speak(world: World, card: int, language: str) -> None:
    with world.database.unit_of_work() as session:
        member = session.get_one(Card, card).member_id
        session.execute(update(Member).where(Member.id == member).values(language=language))


def test_a_segment_that_an_offer_names_is_kept_and_only_the_difference_is_told(
    any_world: World, clock: MovableClock, made: Made
) -> None:
    segment_id, cards = made
    before = versions(any_world, cards)

    assert keeping.follow(any_world, chunk=1) == 2
    assert kept(any_world, segment_id) == [cards[0], cards[2]]
    assert versions(any_world, cards) == [before[0] + 1, before[1], before[2] + 1, before[3]]

    speak(any_world, cards[0], "en")
    speak(any_world, cards[3], "tr")
    clock.advance(minutes=2)
    assert keeping.follow(any_world) == 2
    assert kept(any_world, segment_id) == [cards[2], cards[3]]
    assert versions(any_world, cards) == [before[0] + 2, before[1], before[2] + 1, before[3] + 1]
    clock.advance(minutes=2)
    assert keeping.follow(any_world) == 0


def test_an_edit_is_brought_up_to_date_at_once(any_world: World, clock: MovableClock, made: Made) -> None:
    segment_id, cards = made
    keeping.follow(any_world)
    with any_world.database.unit_of_work() as session:
        segment = session.get_one(Segment, segment_id)
        service.change(session, segment, rules={"fact": "language", "value": "en"}, now=clock())

    keeping.follow(any_world)

    assert kept(any_world, segment_id) == [cards[1]]
    with any_world.database.reading() as session:
        segment = session.get_one(Segment, segment_id)
        assert (segment.counted, segment.kept_at) == (1, clock())


def test_when_nothing_asks_any_more_nobody_is_kept(any_world: World, clock: MovableClock, made: Made) -> None:
    segment_id, _cards = made
    keeping.follow(any_world)
    with any_world.database.unit_of_work() as session:
        session.execute(update(Offer).values(state="ended"))

    clock.advance(hours=2)
    keeping.follow(any_world)

    assert kept(any_world, segment_id) == []


def test_every_segment_has_a_count_within_the_hour(any_world: World, clock: MovableClock, made: Made) -> None:
    with any_world.database.unit_of_work() as session:
        session.execute(update(Offer).values(state="ended"))
    keeping.follow(any_world)

    def counted() -> int | None:
        with any_world.database.reading() as session:
            return session.get_one(Segment, made[0]).counted

    assert counted() == 2
    speak(any_world, made[1][0], "en")
    clock.advance(minutes=61)
    keeping.follow(any_world)
    assert counted() == 1


def test_who_is_erased_leaves_and_a_till_asks_live(any_world: World, made: Made) -> None:
    segment_id, cards = made

    def is_in(card: int) -> bool:
        with any_world.database.reading() as session:
            return service.is_in(session, segment_id, card, now=any_world.clock())

    keeping.follow(any_world)
    speak(any_world, cards[2], "en")
    assert (is_in(cards[0]), is_in(cards[2])) == (True, False)  # before anything is kept anew

    with any_world.database.unit_of_work() as session:
        leaving.erase(session, session.get_one(Card, cards[0]), now=any_world.clock())
    assert not is_in(cards[0])
    assert kept(any_world, segment_id) == [cards[2]]


def test_rules_of_earning_that_name_a_segment_know_who_is_in(any_world: World, made: Made) -> None:
    segment_id, cards = made
    with any_world.database.unit_of_work() as session:
        session.execute(update(Offer).values(state="ended"))
        segment = session.get_one(Segment, segment_id)
        programme = session.get_one(Programme, segment.programme_id)
        last = session.scalars(select(RuleVersion).where(RuleVersion.programme_id == programme.id)).one()
        session.add(
            RuleVersion(
                programme_id=programme.id, number=2, starts_at=last.starts_at, note="", created_by="x",
                rules=last.rules.replace("{", '{"about": "' + segment.public_id + '", ', 1), created_at=last.created_at,
            )
        )  # fmt: skip
        programme.rules_number = 2
        named = segment.public_id

    keeping.follow(any_world)

    with any_world.database.reading() as session:
        assert [service.kept_of(session, one) for one in cards[:2]] == [{named}, frozenset()]
        assert uses.of(session, session.get_one(Segment, segment_id)) == ["the rules of earning"]
        assert service.names(session, programme.id) == {named: "Turkish"}
