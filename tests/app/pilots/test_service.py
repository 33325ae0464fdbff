"""Pilots: begun with honest groups, widened or stopped by one word, each in the audit log."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.cards.models import Programme
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning import service as earning
from app.errors import AppError, Conflict, NotFound, Unprocessable
from app.offers.models import Offer
from app.pilots import service
from app.pilots.models import Pilot
from app.staff.models import AuditEvent
from app.world import World
from tests import factories
from tests.app.pilots.chain import BASE, Chain, unknown

Work = Callable[[Session, Pilot], object]


@pytest.fixture
def chain(world: World) -> Chain:
    return Chain(world)


def turned(chain: Chain, pilot: Pilot, work: Work) -> Pilot:
    with chain.world.database.unit_of_work() as session:
        found = service.by_id(session, pilot.public_id)
        work(session, found)
        return found


def widen(chain: Chain, pilot: Pilot, *names: str) -> Pilot:
    stores = chain.some(*names) if names else None
    return turned(chain, pilot, lambda s, one: service.widen(s, one, stores, by="staff:stf_x", now=chain.world.clock()))


def stop(chain: Chain, pilot: Pilot) -> Pilot:
    return turned(chain, pilot, lambda s, one: service.stop(s, one, by="staff:stf_x", now=chain.world.clock()))


def offer_now(chain: Chain, offer: Offer) -> Offer:
    with chain.world.database.reading() as session:
        return session.get_one(Offer, offer.id)


def rules_now(chain: Chain) -> list[dict[str, object]]:
    with chain.world.database.reading() as session:
        programme = session.get_one(Programme, chain.programme.id)
        found: list[dict[str, object]] = earning.raw(earning.published(session, programme)[0])["rules"]
        return found


def test_a_store_in_both_groups_is_refused(chain: Chain) -> None:
    draft = chain.draft(chain.offer("Kadıköy", "Moda").public_id, control=chain.some("Moda", "Konak"))

    with pytest.raises(Unprocessable) as refusal:
        chain.begun(draft)

    assert refusal.value.code == "store_in_both"
    assert "Moda" in refusal.value.public


@pytest.mark.parametrize(
    ("stores", "field"), [((), "control"), (("Kadıköy", "Moda", "Konak"), "control"), (("Kadıköy",), "pilot")]
)
def test_what_holds_in_a_control_store_or_misses_a_pilot_store_is_refused(
    chain: Chain, stores: tuple[str, ...], field: str
) -> None:
    draft = chain.draft(chain.offer(*stores).public_id)

    with pytest.raises(Unprocessable) as refusal:
        chain.begun(draft)

    assert refusal.value.code == "not_limited"
    assert field in refusal.value.errors


def test_what_is_wrong_is_said_for_each_field(chain: Chain) -> None:
    draft = chain.draft("", name=" ", kind="wish", pilot=(), ends_on=chain.starts_on - timedelta(days=1))

    with pytest.raises(Unprocessable) as refusal:
        chain.begun(draft)

    assert set(refusal.value.errors) == {"name", "kind", "pilot", "ends_on"}


def test_a_pilot_of_more_than_a_year_is_refused(chain: Chain) -> None:
    draft = chain.draft(chain.offer("Kadıköy", "Moda").public_id)

    with pytest.raises(Unprocessable):
        chain.begun(replace(draft, ends_on=chain.starts_on + timedelta(days=366)))


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "fields"),
    [
        (date(9999, 6, 1), date(9999, 12, 31), {"starts_on", "ends_on"}),
        (date(1, 1, 1), date(1, 1, 5), {"starts_on", "ends_on"}),
        (date(1999, 12, 31), date(2000, 1, 5), {"starts_on"}),
        (date(2199, 12, 1), date(2200, 1, 1), {"ends_on"}),
    ],
)
def test_days_far_from_our_time_are_refused_by_name(
    chain: Chain, starts_on: date, ends_on: date, fields: set[str]
) -> None:
    draft = chain.draft(chain.offer("Kadıköy", "Moda").public_id, starts_on=starts_on, ends_on=ends_on)

    with pytest.raises(Unprocessable) as refusal:
        chain.begun(draft)

    assert (refusal.value.code, set(refusal.value.errors)) == ("invalid_pilot", fields)
    assert refusal.value.public == "Write the day as 2026-11-20, in the years 2000 to 2199."


@pytest.mark.parametrize("day", [date(2000, 1, 1), date(2199, 12, 31)])
def test_the_first_and_the_last_day_of_those_years_are_taken(chain: Chain, day: date) -> None:
    draft = chain.draft(chain.offer("Kadıköy", "Moda").public_id, starts_on=day, ends_on=day)

    assert chain.begun(draft).state == "open"


@pytest.mark.parametrize("kind", ["offer", "campaign", "rule"])
def test_what_is_not_there_cannot_be_tried(chain: Chain, kind: str) -> None:
    with pytest.raises(NotFound) as refusal:
        chain.begun(chain.draft(unknown(), kind=kind))

    assert refusal.value.code == "unknown_subject"


def test_one_store_in_each_group_is_allowed(chain: Chain) -> None:
    draft = chain.draft(chain.offer("Kadıköy").public_id, pilot=chain.some("Kadıköy"), control=chain.some("Konak"))

    assert chain.begun(draft).state == "open"


def test_an_offer_is_widened_to_all_stores_and_keeps_its_approval(chain: Chain) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(offer.public_id))

    ended = widen(chain, pilot)

    now = offer_now(chain, offer)
    assert (now.stores, now.state, now.revision) == ([], "scheduled", offer.revision + 1)
    assert ended.state == "widened"


def test_an_offer_is_widened_to_chosen_stores_and_keeps_those_of_the_pilot(chain: Chain) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(offer.public_id))

    widen(chain, pilot, "Beşiktaş")

    assert offer_now(chain, offer).stores == sorted(one.id for one in chain.some("Kadıköy", "Moda", "Beşiktaş"))


def test_stopping_calls_the_offer_off(chain: Chain) -> None:
    offer = chain.offer("Kadıköy", "Moda")

    ended = stop(chain, chain.begun(chain.draft(offer.public_id)))

    assert (ended.state, offer_now(chain, offer).state) == ("stopped", "cancelled")


def test_an_offer_that_is_over_cannot_be_widened_but_its_pilot_can_be_stopped(chain: Chain) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(offer.public_id))
    with chain.world.database.unit_of_work() as session:
        session.get_one(Offer, offer.id).state = "ended"

    with pytest.raises(Conflict) as refusal:
        widen(chain, pilot)

    assert refusal.value.code == "offer_over"
    assert stop(chain, pilot).state == "stopped"


@pytest.mark.parametrize(("approve_above", "state", "waits"), [(500, "queued", ""), (0, "draft", "approval_needed")])
def test_a_campaign_is_widened_by_a_copy_that_goes_to_the_stores_that_were_not_told(
    chain: Chain, approve_above: int, state: str, waits: str
) -> None:
    public_id = chain.launched("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(public_id, kind="campaign"))
    chain.member("Beşiktaş")
    chain.approve_above(approve_above)

    ended = widen(chain, pilot)

    with chain.world.database.reading() as session:
        copy = campaigns.by_id(session, ended.outcome["campaign"])
        first = campaigns.by_id(session, public_id)
    others = sorted(one.id for one in chain.some("Beşiktaş", "Alsancak", "Konak"))
    assert (copy.stores, copy.goal) == (others, first.goal)
    assert (copy.state, ended.outcome["waits"]) == (state, waits)
    assert first.stores == sorted(one.id for one in chain.some("Kadıköy", "Moda"))


def test_stopping_stops_the_campaign(chain: Chain) -> None:
    public_id = chain.campaign("Kadıköy", "Moda")

    stop(chain, chain.begun(chain.draft(public_id, kind="campaign")))

    with chain.world.database.reading() as session:
        found = session.scalars(select(Campaign).where(Campaign.public_id == public_id)).one()
    assert (found.state, found.stopped_because) == ("stopped", "The pilot was stopped.")


def test_a_campaign_that_went_to_all_of_them_already_has_nothing_to_widen(chain: Chain) -> None:
    pilot = chain.begun(chain.draft(chain.launched("Kadıköy", "Moda"), kind="campaign"))

    with pytest.raises(Conflict) as refusal:
        widen(chain, pilot, "Moda")

    assert refusal.value.code == "nothing_to_widen"


def test_the_copy_of_a_campaign_that_still_waits_goes_at_the_same_time(chain: Chain) -> None:
    public_id = chain.launched("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(public_id, kind="campaign"))
    chain.member("Beşiktaş")

    ended = widen(chain, pilot)

    with chain.world.database.reading() as session:
        both = [campaigns.by_id(session, one) for one in (public_id, ended.outcome["campaign"])]
        assert [one.state for one in both] == ["queued", "queued"]
        assert campaigns.next_at(session, both[0]) == campaigns.next_at(session, both[1])


def test_a_campaign_that_was_never_launched_is_not_sent_to_other_stores(chain: Chain) -> None:
    public_id = chain.campaign("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(public_id, kind="campaign"))
    chain.member("Beşiktaş")

    with pytest.raises(Conflict) as refusal:
        widen(chain, pilot)

    assert refusal.value.code == "campaign_not_launched"
    assert "launch it first" in refusal.value.public
    with chain.world.database.reading() as session:
        assert [one.public_id for one in session.scalars(select(Campaign))] == [public_id]
        assert service.by_id(session, pilot.public_id).state == "open"


@pytest.mark.parametrize(
    ("stores", "approve_above", "waits"),
    [((), 500, ""), (("Beşiktaş",), 500, ""), (("Beşiktaş",), 0, "approval_needed")],
)
def test_the_offer_of_a_campaign_holds_where_its_copy_goes(
    chain: Chain, stores: tuple[str, ...], approve_above: int, waits: str
) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(chain.launched("Kadıköy", "Moda", offer=offer), kind="campaign"))
    chain.member("Beşiktaş")
    chain.approve_above(approve_above)

    ended = widen(chain, pilot, *stores)

    wanted = chain.some("Kadıköy", "Moda", *(stores or ("Beşiktaş", "Alsancak", "Konak")))
    assert (ended.outcome["waits"], ended.outcome["offer"]) == (waits, offer.public_id)
    assert offer_now(chain, offer).stores == sorted(one.id for one in wanted)
    assert offer_now(chain, offer).state == "scheduled"


def test_a_campaign_whose_offer_is_over_leaves_its_copy_a_draft_that_says_so(chain: Chain) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    pilot = chain.begun(chain.draft(chain.launched("Kadıköy", "Moda", offer=offer), kind="campaign"))
    chain.member("Beşiktaş")
    with chain.world.database.unit_of_work() as session:
        session.get_one(Offer, offer.id).state = "ended"

    ended = widen(chain, pilot)

    with chain.world.database.reading() as session:
        assert campaigns.by_id(session, ended.outcome["campaign"]).state == "draft"
    assert (ended.outcome["waits"], "offer" in ended.outcome) == ("offer_over", False)
    assert offer_now(chain, offer).stores == offer.stores


def test_an_offer_that_holds_in_those_stores_already_stays_as_it_is(chain: Chain) -> None:
    offer = chain.offer()
    pilot = chain.begun(chain.draft(chain.launched("Kadıköy", "Moda", offer=offer), kind="campaign"))
    chain.member("Beşiktaş")

    ended = widen(chain, pilot)

    assert (ended.outcome["waits"], "offer" in ended.outcome) == ("", False)
    assert (offer_now(chain, offer).stores, offer_now(chain, offer).revision) == ([], offer.revision)


def test_a_rule_of_earning_is_widened_for_the_next_purchase(any_world: World) -> None:
    chain = Chain(any_world)
    pilot = chain.begun(chain.draft(chain.rule("Kadıköy", "Moda"), kind="rule"))
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, chain.programme, now=any_world.clock())

    def earned(store: str) -> int:
        sale = Sale(amount_minor=100_00, currency="TRY", store=chain.stores[store])
        by, now = Actor(name="staff:stf_x", channel="till"), any_world.clock()
        return any_world.database.transact(lambda s: sales.earn(s, card, sale, by=by, now=now)).entry.points

    before = earned("Kadıköy"), earned("Konak")
    any_world.clock.advance(minutes=1)  # type: ignore[attr-defined]
    widen(chain, pilot)

    assert before == (20, 10)
    assert earned("Konak") == 20
    assert "stores" not in str(rules_now(chain))


def test_a_rule_is_widened_to_chosen_stores_or_taken_out(chain: Chain) -> None:
    first = chain.begun(chain.draft(chain.rule("Kadıköy", "Moda"), kind="rule"))

    widen(chain, first, "Beşiktaş")
    widened = rules_now(chain)[1]
    second = chain.begun(chain.draft("Double", kind="rule"))
    stop(chain, second)

    wanted = {one.public_id for one in chain.some("Kadıköy", "Moda", "Beşiktaş")}
    assert set(widened["when"]["stores"]) == wanted  # type: ignore[index]
    assert rules_now(chain) == [BASE]


def test_rules_that_begin_later_are_not_published_over(chain: Chain) -> None:
    pilot = chain.begun(chain.draft(chain.rule("Kadıköy", "Moda"), kind="rule"))
    now = chain.world.clock()
    with chain.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, chain.programme.id)
        raw = earning.raw(earning.published(session, programme)[0])
        earning.publish(session, programme, raw, starts_at=now + timedelta(days=1), note="", by="t", now=now)

    with pytest.raises(Conflict) as refusal:
        widen(chain, pilot)

    assert refusal.value.code == "rules_coming"


def test_a_pilot_whose_rule_was_taken_out_can_still_be_stopped(chain: Chain) -> None:
    pilot = chain.begun(chain.draft(chain.rule("Kadıköy", "Moda"), kind="rule"))
    with chain.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, chain.programme.id)
        earning.publish(session, programme, {"rules": [BASE]}, starts_at=None, note="", by="t", now=chain.world.clock())

    with pytest.raises(NotFound):
        widen(chain, pilot)

    assert stop(chain, pilot).state == "stopped"


@pytest.mark.parametrize("again", [widen, stop])
def test_what_was_ended_once_is_not_ended_twice(chain: Chain, again: Callable[[Chain, Pilot], Pilot]) -> None:
    pilot = chain.begun(chain.draft(chain.offer("Kadıköy", "Moda").public_id))
    widen(chain, pilot)

    with pytest.raises(AppError) as refusal:
        again(chain, pilot)

    assert refusal.value.code == "pilot_over"


def test_beginning_widening_and_stopping_are_in_the_audit_log(chain: Chain) -> None:
    widen(chain, chain.begun(chain.draft(chain.offer("Kadıköy", "Moda").public_id)))
    stop(chain, chain.begun(chain.draft(chain.offer("Kadıköy", "Moda").public_id)))

    with chain.world.database.reading() as session:
        events = [(one.action, one.actor) for one in session.scalars(select(AuditEvent).order_by(AuditEvent.id))]
    assert [one for one in events if one[0].startswith("pilot_")] == [
        ("pilot_created", "staff:stf_x"),
        ("pilot_widened", "staff:stf_x"),
        ("pilot_created", "staff:stf_x"),
        ("pilot_stopped", "staff:stf_x"),
    ]


def test_stores_are_named_by_their_region(chain: Chain) -> None:
    with chain.world.database.reading() as session:
        programme = session.get_one(Programme, chain.programme.id)
        found = service.in_regions(session, programme, ["Ege"])

        assert [one.name for one in found] == ["Alsancak", "Konak"]
        for region in ("Akdeniz", ""):
            with pytest.raises(Unprocessable) as refusal:
                service.in_regions(session, programme, ["Ege", region])
            assert refusal.value.code == "unknown_region"
