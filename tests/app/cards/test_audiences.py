"""Bulk changes for some: tiers, segments, and cards that an offer was granted to, on both databases."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards import ranges
from app.cards.models import Card, Programme
from app.cards.ranges import Audience, CardRange
from app.delivery import reach, steps
from app.offers.models import Offer, OfferGrant
from app.outbox.models import Target
from app.segments.models import SegmentMember
from app.world import World
from tests.app.cards.test_expansion import a_change, a_programme, plan, progress, size_of_chunk, statements_of


def of_offer(world: World, programme: int, ends_in: timedelta = timedelta(hours=9)) -> int:
    now = world.clock()
    with world.database.unit_of_work() as session:
        offer = Offer(
            public_id="off_1", programme_id=programme, title="Offer", body="", starts_at=now - timedelta(days=1),
            ends_at=now + ends_in, timezone="UTC", state="live", created_by="test", created_at=now,
        )  # fmt: skip
        session.add(offer)
        session.flush()
        return offer.id


def in_segment(world: World, card_ids: Iterable[int]) -> None:
    with world.database.unit_of_work() as session:
        session.add_all(SegmentMember(card_id=one, segment_id=7) for one in card_ids)
        session.add_all(SegmentMember(card_id=one, segment_id=8) for one in range(1, 9))


def granted(world: World, offer_id: int, card_ids: Iterable[int]) -> None:
    now = world.clock()
    with world.database.unit_of_work() as session:
        session.add_all(
            OfferGrant(card_id=one, offer_id=offer_id, starts_at=now, ends_at=now + timedelta(days=1))
            for one in card_ids
        )


def touched(world: World) -> list[int]:
    with world.database.reading() as session:
        return list(session.scalars(select(Card.id).where(Card.version > 1).order_by(Card.id)))


def owed(world: World, channel: str) -> int:
    with world.database.reading() as session:
        wanting = select(func.count()).where(Target.channel == channel, Target.want > Target.done)
        return session.scalar(wanting) or 0


def all_of(world: World) -> int:
    chunks = 0
    while steps.expand(world):
        chunks += 1
    return chunks


def test_a_segments_cards_are_touched_chunk_by_chunk_and_no_others(any_world: World) -> None:
    chunk = size_of_chunk(any_world)
    programme = a_programme(any_world, cards=3 * chunk)
    wanted = [one for one in range(1, 3 * chunk + 1) if one % 2]
    in_segment(any_world, wanted)
    change = a_change(any_world, programme, "offer_started", segment_id=7)

    assert all_of(any_world) == 3  # two of cards, and the one that finds no more
    assert touched(any_world) == wanted
    now = progress(any_world, change)
    assert (now.audience, now.touched, now.left, now.state) == (len(wanted), len(wanted), 0, "done")


def test_cards_that_an_offer_was_granted_to_are_touched_and_no_others(any_world: World) -> None:
    programme = a_programme(any_world, cards=30)
    offer_id = of_offer(any_world, programme)
    granted(any_world, offer_id, [3, 9, 27])
    a_change(any_world, programme, "offer_started", granted=True, offer_id=offer_id)
    all_of(any_world)
    assert touched(any_world) == [3, 9, 27]


def test_cards_of_several_tiers_are_touched(any_world: World) -> None:
    programme = a_programme(any_world, cards=9)
    with any_world.database.unit_of_work() as session:
        tiers = [one.id for one in session.get_one(Programme, programme).tiers]
        for card in session.scalars(select(Card)):
            card.tier_id = [None, *tiers][card.id % (len(tiers) + 1)]
        wanted = sorted(session.scalars(select(Card.id).where(Card.tier_id.in_(tiers[:2]))))
    a_change(any_world, programme, "offer_started", tiers=tiers[:2])
    all_of(any_world)
    assert touched(any_world) == wanted


@pytest.mark.parametrize(
    ("reason", "ends_in_h", "for_some", "tells_google"),
    [
        ("offer_started", 9, False, False),
        ("offer_started", 9, True, True),
        ("offer_warned", 9, True, False),
        ("offer_ended", 9, True, True),  # called off: Google does not take it off by itself
        ("offer_ended", 0, True, False),
        ("offer_ended", 9, False, False),
        ("design", 9, False, True),
    ],
)
def test_objects_at_google_are_told_only_of_what_stands_on_them(
    any_world: World, reason: str, ends_in_h: int, for_some: bool, tells_google: bool
) -> None:
    programme = a_programme(any_world, cards=5, google=5)
    offer_id = of_offer(any_world, programme, timedelta(hours=ends_in_h))
    in_segment(any_world, range(1, 6))
    change = a_change(any_world, programme, reason, offer_id=offer_id, segment_id=7 if for_some else None)
    assert progress(any_world, change).tells_google == tells_google
    all_of(any_world)
    assert owed(any_world, "google") == (5 if tells_google else 0)


@pytest.mark.parametrize("by", ["segment", "grant"])
def test_a_chunk_of_a_small_list_is_found_and_touched_by_indexes_alone(any_world: World, by: str) -> None:
    programme = a_programme(any_world, cards=3_000, google=300)
    offer_id = of_offer(any_world, programme)
    in_segment(any_world, range(1, 3_000, 150))
    granted(any_world, offer_id, range(1, 3_000, 150))
    if not any_world.database.is_sqlite:
        with any_world.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")
    named: dict[str, Any] = {"segment_id": 7} if by == "segment" else {"granted_offer_id": offer_id}
    some = CardRange(audience=Audience(programme_id=programme, **named), after_id=0, up_to_id=3_000)

    with any_world.database.unit_of_work() as session, statements_of(any_world) as made:
        assert len(session.scalars(ranges.first(some, limit=200)).all()) == 20
        assert ranges.touch(session, some, now=any_world.clock()) == 20

    for one in (plan(any_world, *each) for each in made):
        assert "SCAN card" not in one.replace("SCAN card_", ""), one
        assert "Seq Scan on card" not in one, one
        assert "Seq Scan on target" not in one, one


def test_reach_counts_a_segment_and_times_google_card_by_card(any_world: World) -> None:
    programme = a_programme(any_world, cards=60, google=40)
    in_segment(any_world, range(1, 31))
    with any_world.database.reading() as session:
        everybody = reach.crowd(session, Audience(programme_id=programme))
        some = reach.crowd(session, Audience(programme_id=programme, segment_id=7))
        whole, part = (reach.of(session, programme, one, any_world.settings) for one in (everybody, some))
    assert (whole.cards, part.cards) == (60, 30)
    assert part.google_cards == 30
    assert part.google_seconds > whole.google_seconds
