"""What cannot follow to another card is settled before a card is given up, so that nobody loses it unawares."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme, Tier
from app.clubs import service as clubs
from app.clubs.service import ClubDraft, Term
from app.counter import merging, swapping, takeover
from app.counter.merging import Preview
from app.tiers import service as tiers
from app.tiers.service import Granting
from app.value import stock
from app.world import World
from tests.app.rewards.stall import TILL, Stall, refusal


def join_cards(stall: Stall, source: Card, target: Card) -> Preview:
    def work(session: Session) -> Preview:
        pair = session.get_one(Card, source.id), session.get_one(Card, target.id)
        found = merging.preview(session, *pair, now=stall.now)
        merging.merge(session, *pair, reason="same person", by=TILL, now=stall.now)
        return found

    return stall.work(work)


def waiting_goods(stall: Stall, card: Card) -> Callable[[], object]:
    """Something to pick up; what settles it."""
    booked = stall.redeem(stall.offer(pick_up=True), card)
    return lambda: stall.collect(booked)


def a_place_on_the_waiting_list(stall: Stall, card: Card) -> Callable[[], object]:
    tasting = stall.offer(name="Tasting", kind="experience")
    slot = stall.slot(tasting, capacity=1)
    stall.redeem(tasting, stall.member(500), slot=slot.public_id)
    booked = stall.redeem(tasting, card, slot=slot.public_id, waits=True)
    assert stall.state(booked) == "waiting"
    return lambda: stall.cancel(booked)


def a_club(stall: Stall, card: Card) -> Callable[[], object]:
    def found(session: Session) -> str:
        programme = session.get_one(Programme, stall.programme.id)
        made = clubs.create(session, ClubDraft(programme=programme, slug="wine", name="Wine"), by="t", now=stall.now)
        return made.public_id

    name = stall.work(found)

    def join(session: Session, one: Card) -> None:
        club = clubs.by_id(session, name)
        clubs.join(session, club, session.get_one(Card, one.id), Term(), by="t", now=stall.now)

    stall.work(lambda s: join(s, card))
    return lambda: stall.work(lambda s: join(s, stall.card))


def a_tier_by_hand(stall: Stall, card: Card) -> Callable[[], object]:
    def give(session: Session, one: Card) -> None:
        gold = session.scalars(select(Tier.id).where(Tier.name == "Gold")).one()
        granting = Granting(tier_id=gold, until=date(2027, 6, 30), reason="kind", by="t")
        tiers.grant(session, session.get_one(Card, one.id), granting, now=stall.now)

    stall.work(lambda s: give(s, card))
    return lambda: stall.work(lambda s: give(s, stall.card))


@pytest.mark.parametrize("leave", [waiting_goods, a_place_on_the_waiting_list, a_club, a_tier_by_hand])
def test_a_card_with_something_that_cannot_follow_is_joined_once_that_is_settled(
    any_world: World, leave: Callable[[Stall, Card], Callable[[], object]]
) -> None:
    stall = Stall(any_world)
    second = stall.member(500)
    settle = leave(stall, second)
    before = stall.has(second)

    refused = refusal(lambda: join_cards(stall, second, stall.card))

    assert (refused.status, refused.code) == (409, "left_behind")
    assert stall.has(second) == before
    settle()
    join_cards(stall, second, stall.card)
    assert stall.has(second) == 0
    assert stall.row(second).status == "voided"


def test_what_waits_for_a_lost_card_waits_for_the_one_that_replaces_it(any_world: World) -> None:
    stall = Stall(any_world)

    def bearer(session: Session) -> Card:
        programme = session.get_one(Programme, stall.programme.id)
        return stock.make(session, programme, "bearer", source="till", now=stall.now)

    lost = stall.work(bearer)
    stall.give(500, lost)
    booked = stall.redeem(stall.offer(pick_up=True), lost)

    new = stall.work(lambda s: swapping.replace_card(s, lost.id, by=TILL, now=stall.now, reason="lost")).card

    assert stall.row(booked.taking).card_id == new.id
    stall.collect(booked)
    stall.undo(booked)
    assert takeover.follow(any_world) == 1
    assert (stall.has(lost), stall.has(new)) == (0, 500)
