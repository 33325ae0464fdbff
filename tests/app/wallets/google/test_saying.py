"""Messages on members' own objects: campaigns, and announced offers that are for some."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.campaigns.models import CardMessage, Recipient
from app.cards import service as cards
from app.cards.models import Card, Member
from app.delivery.engine import Engine
from app.offers.models import Offer, OfferGrant
from app.outbox.rules import Lane
from app.sandbox.google.faults import Fault
from app.segments.models import SegmentMember
from app.wallets.google.add import save_url
from app.wallets.google.class_push import GoogleClassChannel
from app.wallets.google.models import GoogleAlert, GoogleObject
from app.wallets.google.push import GoogleChannel
from tests.app.wallets import telling
from tests.app.wallets.google.conftest import Stage
from tests.app.wallets.google.test_push import balance, give, up_to_date
from tests.app.wallets.google.test_together import hold
from tests.google_schema import assert_valid, assert_valid_patch

WORDS = {
    "title": "{first_name|Friend}, {points} points wait",
    "body": "Only {points_to_reward} to a coffee.",
    "texts": {"tr": {"title": "{first_name|Dostum}, {points} puanın var", "body": "Kahveye {points_to_reward} kaldı."}},
}
NUMBERS = {"points": 120, "points_to_reward": 30}
QUOTA = Fault(operation="loyaltyObject.addMessage", status=403, reason="quotaExceeded")


def say(stage: Stage, card_ids: list[int], words: dict[str, Any] = WORDS, **more: Any) -> int:
    with stage.world.database.unit_of_work() as session:
        return telling.say(session, card_ids, words, now=stage.clock(), numbers=NUMBERS, **more)


def messages(stage: Stage, card_id: int) -> list[dict[str, Any]]:
    return list(stage.object_of(card_id).get("messages", []))  # type: ignore[call-overload]


def headers(stage: Stage, card_id: int) -> list[str]:
    return [one["header"] for one in messages(stage, card_id)]


def modules(stage: Stage, card_id: int) -> list[dict[str, Any]]:
    return list(stage.object_of(card_id).get("valueAddedModuleData", []))  # type: ignore[call-overload]


def kinds_added(stage: Stage) -> list[str]:
    return [one.body["message"]["messageType"] for one in stage.asked if one.operation == "loyaltyObject.addMessage"]


def notes(stage: Stage, run_id: int) -> list[str]:
    with stage.world.database.reading() as session:
        return list(session.scalars(select(Recipient.note).where(Recipient.run_id == run_id)))


def budgets(stage: Stage) -> list[str]:
    with stage.world.database.reading() as session:
        return sorted(session.scalars(select(GoogleAlert.budget)))


def held_card(stage: Stage, name: str = "Ayşe Yılmaz") -> int:
    card_id = stage.saved_card(name)
    hold(stage)
    return card_id


def for_some(stage: Stage, audience: str, *, announce: bool = False, limit: int | None = None) -> int:
    with stage.world.database.unit_of_work() as session:
        offer_id = stage.offer("Kahve bizden", announce=announce)
        found = session.get_one(Offer, offer_id)
        found.audience, found.segment_id, found.limit_per_card = audience, 7 if audience == "segment" else None, limit
    return offer_id


def enter(stage: Stage, card_id: int, *, leaves: bool = False) -> None:
    with stage.world.database.unit_of_work() as session:
        if leaves:
            session.delete(session.get_one(SegmentMember, (card_id, 7)))
        else:
            session.add(SegmentMember(card_id=card_id, segment_id=7))
        cards.touch(session, session.get_one(Card, card_id), lane=Lane.BULK, now=stage.clock())


def test_a_campaigns_message_is_one_call_that_sounds_and_holds_the_members_own_numbers(stage: Stage) -> None:
    card_id = held_card(stage)
    run_id = say(stage, [card_id])
    stage.deliver()

    (call,) = stage.asked
    assert call.operation == "loyaltyObject.addMessage"
    assert_valid("AddMessageRequest", call.body)
    (message,) = messages(stage, card_id)
    assert message["id"].endswith(f"-{run_id}")
    assert (message["header"], message["body"]) == ("Ayşe, 120 points wait", "Only 30 to a coffee.")
    assert message["messageType"] == "TEXT_AND_NOTIFY"
    assert set(message["displayInterval"]) == {"start", "end"}
    assert budgets(stage) == ["message"]
    with stage.world.database.reading() as session:
        assert session.get_one(CardMessage, card_id).alerted_at is not None
    assert notes(stage, run_id) == [""]


def test_a_message_is_in_its_members_own_language(stage: Stage) -> None:
    card_id = held_card(stage)
    with stage.world.database.unit_of_work() as session:
        session.execute(update(Member).values(language="tr"))
    say(stage, [card_id])
    stage.deliver()
    assert headers(stage, card_id) == ["Ayşe, 120 puanın var"]


def test_a_later_change_of_the_card_does_not_say_it_again(stage: Stage) -> None:
    card_id = held_card(stage)
    say(stage, [card_id])
    stage.deliver()
    stage.forget()
    give(stage, card_id, 500)
    stage.deliver()

    assert stage.operations == ["loyaltyObject.patch"]
    assert headers(stage, card_id) == ["Ayşe, 120 points wait"]


@pytest.mark.parametrize("applied", [True, False])
def test_a_message_whose_answer_was_lost_sounds_once(stage: Stage, applied: bool) -> None:
    card_id = held_card(stage)
    stage.google.script(Fault(operation="loyaltyObject.addMessage", apply=applied, drop=True))
    say(stage, [card_id])
    stage.deliver(rounds=20)

    assert len(messages(stage, card_id)) == 1
    assert budgets(stage) == ["message"]
    assert up_to_date(stage, card_id)


def test_a_message_whose_answer_and_look_were_lost_sounds_once(stage: Stage) -> None:
    card_id = held_card(stage)
    lost = Fault(operation="loyaltyObject.addMessage", apply=True, drop=True)
    stage.google.script(lost, Fault(operation="loyaltyObject.get", drop=True))
    say(stage, [card_id])
    stage.deliver(rounds=20)

    assert kinds_added(stage) == ["TEXT_AND_NOTIFY"]
    assert len(messages(stage, card_id)) == 1
    assert up_to_date(stage, card_id)


def test_two_messages_a_day_sound_and_the_third_is_silent_so_that_the_balance_still_may(stage: Stage) -> None:
    card_id = held_card(stage)
    runs = []
    for number in range(3):
        runs.append(say(stage, [card_id], {"title": f"News {number}", "body": ""}))
        stage.deliver()
    give(stage, card_id, 45)
    stage.deliver()

    assert kinds_added(stage) == ["TEXT_AND_NOTIFY", "TEXT_AND_NOTIFY", "TEXT"]
    assert [notes(stage, one) for one in runs] == [[""], [""], ["wallet_quota"]]
    assert budgets(stage) == ["field", "message", "message"]
    assert balance(stage, card_id) == 45


def test_alerts_of_the_balance_count_as_well(stage: Stage) -> None:
    card_id = held_card(stage)
    for points in (10, 20):
        give(stage, card_id, points)
        stage.deliver()
    stage.forget()
    run_id = say(stage, [card_id])
    stage.deliver()
    give(stage, card_id, 30)
    stage.deliver()

    assert kinds_added(stage) == ["TEXT"]
    assert notes(stage, run_id) == ["wallet_quota"]
    assert budgets(stage) == ["field"] * 3


def test_a_day_later_messages_sound_again(stage: Stage) -> None:
    card_id = held_card(stage)
    for number in range(3):
        say(stage, [card_id], {"title": f"News {number}"})
        stage.deliver()
        stage.forget()
    stage.clock.advance(hours=25)
    say(stage, [card_id], {"title": "A day later"})
    stage.deliver()
    assert kinds_added(stage) == ["TEXT_AND_NOTIFY"]


def test_where_google_counts_otherwise_the_message_arrives_in_silence_and_the_recipient_says_so(stage: Stage) -> None:
    card_id = held_card(stage)
    stage.google.script(QUOTA)
    first = say(stage, [card_id], {"title": "First"})
    stage.deliver()
    second = say(stage, [card_id], {"title": "Second"})
    stage.deliver()
    give(stage, card_id, 45)
    stage.deliver()

    assert headers(stage, card_id) == ["First", "Second"]
    assert kinds_added(stage) == ["TEXT_AND_NOTIFY", "TEXT", "TEXT"]
    assert (notes(stage, first), notes(stage, second)) == (["wallet_quota"], ["wallet_quota"])
    assert budgets(stage).count("field") == 1


def test_what_was_said_of_the_recipient_before_stays(stage: Stage) -> None:
    card_id = held_card(stage)
    stage.google.script(QUOTA)
    run_id = say(stage, [card_id])
    with stage.world.database.unit_of_work() as session:
        session.execute(update(Recipient).values(note="quiet_hours_moved"))
    stage.deliver()
    assert notes(stage, run_id) == ["quiet_hours_moved wallet_quota"]


def test_a_silent_message_spends_no_alert(stage: Stage) -> None:
    card_id = held_card(stage)
    run_id = say(stage, [card_id], alert=False)
    stage.deliver()
    assert (kinds_added(stage), budgets(stage), notes(stage, run_id)) == (["TEXT"], [], [""])


def test_a_message_of_yesterday_makes_no_new_holders_phone_sound(stage: Stage) -> None:
    card_id = stage.card()
    say(stage, [card_id])
    stage.clock.advance(hours=1)
    with stage.world.database.reading() as session:
        assert session.scalar(select(GoogleObject.id)) is None
    save_url(stage.world, card_id)
    hold(stage)
    stage.touch(card_id)
    stage.deliver()
    assert kinds_added(stage) == ["TEXT"]


def test_ten_messages_at_most_stand_on_a_card_and_those_that_are_over_go_first(stage: Stage) -> None:
    card_id = held_card(stage)
    for number in range(9):
        say(stage, [card_id], {"title": f"Short {number}"}, lasts=timedelta(hours=1), alert=False)
        stage.deliver()
    say(stage, [card_id], {"title": "Long"}, lasts=timedelta(days=9), alert=False)
    stage.deliver()
    assert len(messages(stage, card_id)) == 10
    stage.clock.advance(hours=2)
    stage.forget()
    say(stage, [card_id], {"title": "Eleventh"}, alert=False)
    stage.deliver()

    assert headers(stage, card_id) == ["Long", "Eleventh"]
    assert stage.operations == ["loyaltyObject.get", "loyaltyObject.patch", "loyaltyObject.addMessage"]
    assert_valid_patch("LoyaltyObject", stage.asked[1].body)
    assert len(stage.object_row(card_id).messages) == 2


def test_ten_that_all_last_make_room_by_the_oldest(stage: Stage) -> None:
    card_id = held_card(stage)
    for number in range(12):
        say(stage, [card_id], {"title": f"News {number}"}, lasts=timedelta(days=9), alert=False)
        stage.deliver()
    assert headers(stage, card_id) == [f"News {number}" for number in range(2, 12)]


def test_a_full_write_keeps_the_messages(stage: Stage) -> None:
    card_id = held_card(stage)
    say(stage, [card_id])
    stage.deliver()
    with stage.world.database.unit_of_work() as session:
        session.execute(update(GoogleObject).values(sent=None))
    give(stage, card_id, 45)
    stage.deliver()
    assert headers(stage, card_id) == ["Ayşe, 120 points wait"]
    assert balance(stage, card_id) == 45


def test_a_forgotten_members_messages_leave_with_the_name(stage: Stage) -> None:
    card_id = held_card(stage)
    say(stage, [card_id])
    stage.deliver()
    with stage.world.database.unit_of_work() as session:
        member = session.get_one(Member, session.get_one(Card, card_id).member_id)
        cards.erase(session, member, now=stage.clock())
    stage.deliver()
    assert messages(stage, card_id) == []
    assert "Ayşe" not in str(stage.object_of(card_id))


def test_a_segments_offer_appears_on_its_members_and_leaves_with_the_segment(stage: Stage) -> None:
    inside, outside = held_card(stage), held_card(stage, "Mehmet Öz")
    for_some(stage, "segment")
    enter(stage, inside)
    stage.touch(outside)
    stage.deliver()

    (module,) = modules(stage, inside)
    assert_valid("ValueAddedModuleData", module)
    assert module["header"]["defaultValue"]["value"] == "Coffee on us"
    assert module["viewConstraints"]["displayInterval"]["end"]["date"]
    assert modules(stage, outside) == []
    assert all(row.get("valueAddedModuleData") is None for row in stage.google.classes.values())

    enter(stage, inside, leaves=True)
    stage.deliver()
    assert modules(stage, inside) == []


def test_a_segments_announced_offer_sounds_on_its_members_alone_and_leaves_early_when_it_is_called_off(
    stage: Stage,
) -> None:
    inside, outside = held_card(stage), held_card(stage, "Mehmet Öz")
    offer_id = for_some(stage, "segment", announce=True)
    enter(stage, inside)
    stage.touch(outside)
    stage.deliver()

    assert headers(stage, inside) == ["Coffee on us"]
    assert (headers(stage, outside), kinds_added(stage)) == ([], ["TEXT_AND_NOTIFY"])
    assert all(not row.get("messages") for row in stage.google.classes.values())

    stage.end(offer_id)
    stage.touch(inside)
    stage.deliver()
    assert messages(stage, inside) == []


def test_a_granted_offer_stands_from_its_own_start_to_its_own_end(stage: Stage) -> None:
    card_id = held_card(stage)
    offer_id = for_some(stage, "targeted", announce=True)
    now = stage.clock()
    with stage.world.database.unit_of_work() as session:
        grant = OfferGrant(card_id=card_id, offer_id=offer_id, starts_at=now, ends_at=now + timedelta(hours=5))
        session.add(grant)
    stage.touch(card_id)
    stage.deliver()

    (module,) = modules(stage, card_id)
    interval = module["viewConstraints"]["displayInterval"]
    assert interval["end"]["date"] == (now + timedelta(hours=5)).isoformat()
    assert kinds_added(stage) == []

    stage.clock.advance(hours=5)
    stage.touch(card_id)
    stage.deliver()
    assert modules(stage, card_id) == []


def test_campaigns_go_in_batches_where_one_counts_as_one_call(stage: Stage) -> None:
    world = replace(stage.world, settings=replace(stage.world.settings, google_batch_weight="one"))
    objects = GoogleChannel(world)
    stage.engine = Engine(world=world, channels={"google": objects, "google_class": GoogleClassChannel(objects)})
    stage.google.batch_weight = "one"
    ids = [held_card(stage, f"Member {number}") for number in range(6)]
    lost = stage.object_row(ids[2]).object_id
    stage.google.script(Fault(operation="loyaltyObject.addMessage", resource_id=lost, apply=True, drop=True))
    run_id = say(stage, ids)
    stage.deliver(rounds=20)

    assert [len(messages(stage, one)) for one in ids] == [1] * 6
    assert stage.operations.count("batch") >= 1
    assert budgets(stage) == ["message"] * 6
    assert notes(stage, run_id) == [""] * 6
