"""The life of an offer: approved before it is scheduled, a draft again once it is changed, paused and let go on."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Card, Expansion
from app.delivery import steps
from app.errors import Conflict, Unprocessable
from app.offers import grants
from app.offers import service as offers
from app.offers.models import Occurrence, Offer
from app.world import World
from tests import factories
from tests.app.offers.desk import Desk, budget
from tests.conftest import MovableClock


def on(desk: Desk, offer: Offer, work: Any, **values: Any) -> Any:
    return desk.do(lambda s: work(s, s.get_one(Offer, offer.id), **values))


def a_draft(desk: Desk, **over: Any) -> Offer:
    return desk.do(lambda s: offers.make_draft(s, desk.draft(**over), by="staff:mary", now=desk.world.clock()))


def edited(desk: Desk, offer: Offer, **over: Any) -> bool:
    def work(session: Any) -> bool:
        row = session.get_one(Offer, offer.id)
        kept = vars(offers.draft_of(session, row))
        return offers.edit(session, row, offers.OfferDraft(**{**kept, **over}), now=desk.world.clock())

    return desk.do(work)


def occurrences(world: World) -> dict[str, str]:
    with world.database.reading() as session:
        return {one.kind: one.status for one in session.scalars(select(Occurrence))}


def versions(desk: Desk) -> int:
    while steps.expand(desk.world):
        pass
    with desk.world.database.reading() as session:
        return session.get_one(Card, desk.card.id).version


def test_a_draft_is_approved_then_scheduled_and_only_then_starts(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = a_draft(desk)

    with pytest.raises(Conflict, match="wrong_state"):
        on(desk, offer, offers.schedule, now=clock())
    desk.tick()
    assert (desk.now_of(offer).state, desk.tried(offer)) == ("draft", "not_started")
    on(desk, offer, offers.approve, by="staff:ann")
    desk.tick()
    assert (desk.now_of(offer).state, desk.now_of(offer).approved_by) == ("approved", "staff:ann")
    on(desk, offer, offers.schedule, now=clock())
    desk.tick()
    assert desk.now_of(offer).state == "live"


@pytest.mark.parametrize(
    "over",
    [
        {"title": "Another"},
        {"texts": {"tr": {"title": "Başka"}}},
        {"kind": "percent", "terms": {"percent": "5"}},
        {"ends_at": factories.NOW + timedelta(days=9)},
        {"windows": [{"from": "10:00", "to": "12:00"}]},
        {"audience": "targeted"},
        {"combines": "alone"},
        {"grace_min": 5},
    ],
)
def test_a_change_of_what_was_approved_voids_the_approval_and_takes_the_offer_off_the_cards(
    any_world: World, clock: MovableClock, over: dict[str, Any]
) -> None:
    desk = Desk(any_world)
    offer = desk.offer()
    shown = versions(desk)
    clock.advance(seconds=1)

    assert edited(desk, offer, **over) is True

    found = desk.now_of(offer)
    assert (found.state, found.approved_by, found.revision) == ("draft", "", 2)
    assert versions(desk) == shown + 1
    assert desk.tried(offer) == "not_started"
    on(desk, offer, offers.approve, by="staff:ann")
    on(desk, offer, offers.schedule, now=clock())
    desk.tick()
    assert desk.now_of(offer).state == "live"


@pytest.mark.parametrize(
    "over",
    [{"limit_per_card": 5}, {"limit_total": 50}, {"announce": False}, {"budgets": [budget("uses", "all", 9)]}, {}],
)
def test_limits_and_budgets_may_change_at_any_time(world: World, over: dict[str, Any]) -> None:
    desk = Desk(world)
    offer = desk.offer()

    assert edited(desk, offer, **over) is False
    assert (desk.now_of(offer).state, desk.tried(offer)) == ("live", "")


def test_a_limit_of_all_uses_is_not_set_below_what_was_used(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="percent", terms={"percent": "10"})
    desk.use(offer)
    desk.use(offer)

    with pytest.raises(Unprocessable) as refused:
        edited(desk, offer, limit_total=1)
    assert set(refused.value.errors) == {"limit_total"}


def test_a_paused_offer_leaves_the_cards_and_comes_back_when_it_goes_on(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer()
    shown = versions(desk)

    on(desk, offer, offers.pause, now=clock())
    desk.tick()
    assert (versions(desk), desk.tried(offer)) == (shown + 1, "paused")
    clock.advance(minutes=1)
    on(desk, offer, offers.resume, now=clock())
    desk.tick()
    assert (versions(desk), desk.tried(offer), desk.now_of(offer).state) == (shown + 2, "", "live")


def test_an_offer_paused_before_its_start_starts_when_it_goes_on(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(starts_at=clock() + timedelta(hours=1))
    on(desk, offer, offers.pause, now=clock())
    clock.advance(hours=2)
    desk.tick()
    assert desk.now_of(offer).state == "paused"

    on(desk, offer, offers.resume, now=clock())
    desk.tick()
    assert (desk.now_of(offer).state, versions(desk)) == ("live", 2)


def test_a_paused_offer_ends_at_its_time_all_the_same(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(ends_at=clock() + timedelta(hours=1))
    on(desk, offer, offers.pause, now=clock())
    desk.tick()
    clock.advance(days=10)
    desk.tick()

    assert desk.now_of(offer).state == "ended"
    with pytest.raises(Conflict, match="wrong_state"):
        on(desk, offer, offers.resume, now=clock())


def test_a_day_before_the_end_of_a_long_offer_its_cards_are_told_silently(
    any_world: World, clock: MovableClock
) -> None:
    desk = Desk(any_world)
    desk.offer(ends_at=clock() + timedelta(days=3))
    clock.advance(days=2)

    assert desk.tick() == 1

    with any_world.database.reading() as session:
        reasons = [one.reason for one in session.scalars(select(Expansion).order_by(Expansion.id))]
    assert reasons == ["offer_started", "offer_warned"]


def test_a_short_offer_is_not_warned_of_and_a_warning_after_the_end_is_missed(
    any_world: World, clock: MovableClock
) -> None:
    desk = Desk(any_world)
    desk.offer(ends_at=clock() + timedelta(days=2))
    assert "warn" not in occurrences(any_world)

    long = desk.offer(ends_at=clock() + timedelta(days=5))
    clock.advance(days=10)  # the scheduler was off
    desk.tick()
    with any_world.database.reading() as session:
        query = select(Occurrence.kind, Occurrence.status).where(Occurrence.offer_id == long.id)
        assert dict(session.execute(query).all()) == {"start": "fired", "warn": "missed", "end": "fired"}
        assert session.get_one(Offer, long.id).state == "ended"


@pytest.mark.parametrize(("state", "before"), [("ended", "ended"), ("cancelled", "cancelled"), ("draft", "draft")])
def test_what_is_over_can_be_put_away_and_nothing_else(
    world: World, clock: MovableClock, state: str, before: str
) -> None:
    desk = Desk(world)
    offer = a_draft(desk, ends_at=clock() + timedelta(hours=1)) if state == "draft" else desk.offer(
        ends_at=clock() + timedelta(hours=1)
    )  # fmt: skip
    if state != "draft":
        with pytest.raises(Conflict, match="wrong_state"):
            on(desk, offer, offers.archive)
    if state == "cancelled":
        on(desk, offer, offers.cancel, now=clock())
    if state == "ended":
        clock.advance(hours=2)
        desk.tick()
    assert desk.now_of(offer).state == before

    on(desk, offer, offers.archive)
    assert (desk.now_of(offer).state, desk.tried(offer)) == ("archived", "ended")


def test_an_offer_that_is_over_is_not_changed_but_duplicated(world: World, clock: MovableClock) -> None:
    desk = Desk(world)
    offer = desk.offer(
        ends_at=clock() + timedelta(days=1), limit_per_card=3, kind="percent", terms={"percent": "7"},
        windows=[{"from": "09:00", "to": "12:00"}], budgets=[budget("money", "day", 700)],
    )  # fmt: skip
    clock.advance(days=2)
    desk.tick()

    with pytest.raises(Conflict, match="wrong_state"):
        edited(desk, offer, title="Again")
    copy = on(desk, offer, offers.duplicate, by="staff:mary", now=clock())

    assert (copy.state, copy.kind, copy.terms, copy.limit_per_card) == ("draft", "percent", {"percent": "7"}, 3)
    assert (copy.starts_at - offer.starts_at, copy.ends_at - offer.ends_at) == (timedelta(weeks=1), timedelta(weeks=1))
    assert desk.used_of(copy) == {("money", "day"): 0}


def test_a_grant_is_given_once_and_only_ever_widened(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(audience="targeted", ends_at=clock() + timedelta(days=9))
    hours = [(2, 5), (1, 4), (3, 999)]

    for start, end in hours:
        times = {"starts_at": clock() + timedelta(hours=start), "ends_at": clock() + timedelta(hours=end)}
        on(desk, offer, grants.give, card_ids=[desk.card.id], run_id=None, now=clock(), **times)

    with any_world.database.reading() as session:
        one = session.scalars(select(grants.OfferGrant)).one()
    assert (one.starts_at, one.ends_at) == (clock() + timedelta(hours=1), offer.ends_at)


def test_an_offer_for_everybody_is_not_given_one_by_one(world: World, clock: MovableClock) -> None:
    desk = Desk(world)
    times = {"starts_at": clock(), "ends_at": clock() + timedelta(days=1)}

    with pytest.raises(Conflict, match="not_targeted"):
        on(desk, desk.offer(), grants.give, card_ids=[desk.card.id], run_id=None, now=clock(), **times)
    with pytest.raises(Conflict, match="offer_over"):
        on(desk, desk.offer(audience="targeted"), grants.give, card_ids=[desk.card.id], run_id=None,
           now=clock() + timedelta(days=2), **times)  # fmt: skip


def test_a_grant_leaves_its_card_at_its_own_end_once_however_late(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(audience="targeted")
    times = {"starts_at": clock(), "ends_at": clock() + timedelta(hours=1)}
    on(desk, offer, grants.give, card_ids=[desk.card.id], run_id=None, now=clock(), **times)
    before = versions(desk)

    assert grants.close_due(any_world) == 0
    clock.advance(days=10)
    assert (grants.close_due(any_world), grants.close_due(any_world)) == (1, 0)
    assert versions(desk) == before + 1
    with any_world.database.reading() as session:
        assert offers.live_for(session, session.get_one(Card, desk.card.id), now=clock()) == []


def test_a_grant_that_is_taken_away_is_no_longer_used(world: World, clock: MovableClock) -> None:
    desk = Desk(world)
    offer = desk.offer(audience="targeted")
    times = {"starts_at": clock(), "ends_at": clock() + timedelta(hours=1)}
    on(desk, offer, grants.give, card_ids=[desk.card.id], run_id=None, now=clock(), **times)

    assert on(desk, offer, grants.revoke, card_id=desk.card.id, now=clock()) is True
    assert on(desk, offer, grants.revoke, card_id=desk.card.id, now=clock()) is False
    assert desk.tried(offer) == "ended"


@pytest.mark.parametrize("turn", ["cancel", "edit"])
def test_an_offer_paused_and_then_called_off_or_changed_at_once_leaves_the_cards(
    any_world: World, clock: MovableClock, turn: str
) -> None:
    desk = Desk(any_world)
    offer = desk.offer()
    shown = versions(desk)
    clock.advance(seconds=1)

    on(desk, offer, offers.pause, now=clock())
    if turn == "cancel":
        on(desk, offer, offers.cancel, now=clock())
    else:
        edited(desk, offer, title="Another")
    desk.tick()

    assert versions(desk) == shown + 1


def test_an_offer_that_left_the_cards_when_it_was_paused_does_not_leave_them_again(
    any_world: World, clock: MovableClock
) -> None:
    desk = Desk(any_world)
    offer = desk.offer()
    on(desk, offer, offers.pause, now=clock())
    desk.tick()
    shown = versions(desk)
    clock.advance(seconds=1)

    on(desk, offer, offers.cancel, now=clock())

    assert versions(desk) == shown


def test_a_far_day_of_an_offer_kept_before_such_days_were_refused_moves_no_further_in_a_copy(
    world: World, clock: MovableClock
) -> None:
    desk = Desk(world)
    offer = desk.offer(ends_at=clock() + timedelta(days=1), windows=[{"last_on": "2026-12-31"}])
    with world.database.unit_of_work() as session:
        session.get_one(Offer, offer.id).windows = [{"last_on": "9999-12-31"}]
    clock.advance(days=10)
    desk.tick()

    copy = on(desk, offer, offers.duplicate, by="staff:mary", now=clock())

    assert copy.windows == [{"last_on": "2199-12-31"}]


def test_offers_that_were_put_away_or_are_over_leave_no_current_one_out(world: World, clock: MovableClock) -> None:
    desk = Desk(world)
    long = desk.offer(ends_at=clock() + timedelta(days=300))
    clock.advance(days=1)
    away, off = (a_draft(desk, starts_at=clock()) for _ in range(2))
    on(desk, away, offers.archive)
    on(desk, off, offers.cancel, now=clock())

    with world.database.reading() as session:
        found = offers.of_programme(session, desk.programme.id)
        first = offers.of_programme(session, desk.programme.id, limit=1)

    assert [one.id for one in found] == [long.id, off.id]
    assert [one.id for one in first] == [long.id]
