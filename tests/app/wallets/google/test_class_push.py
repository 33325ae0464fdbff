import pytest
from sqlalchemy import select

from app.cards.models import Programme
from app.offers.models import Offer
from app.outbox.models import Target
from app.sandbox.google.faults import Fault
from app.wallets.google.models import GoogleMessage
from tests.app.wallets.google.conftest import Stage
from tests.google_schema import assert_valid_patch

PROMOTIONS = "valueAddedModuleData"


def messages(stage: Stage) -> list[list[str]]:
    """Headers of the messages on each class, in the order of the classes."""
    return [
        [one["header"] for one in stage.google.classes[row.class_id].get("messages", [])] for row in stage.class_rows()
    ]


def noted(stage: Stage) -> list[GoogleMessage]:
    with stage.world.database.reading() as session:
        return list(session.scalars(select(GoogleMessage).order_by(GoogleMessage.id)))


def behind(stage: Stage) -> int:
    with stage.world.database.reading() as session:
        return len(session.scalars(select(Target).where(Target.want > Target.done)).all())


def added(stage: Stage) -> list[str]:
    return [one.body["message"]["messageType"] for one in stage.asked if one.operation == "loyaltyClass.addMessage"]


def test_an_offer_reaches_every_holder_with_one_call_for_each_class(stage: Stage) -> None:
    stage.saved_card("Ayşe Yılmaz")
    stage.saved_card("Mehmet Öz")
    stage.forget()
    stage.offer("Kahve bizden")
    stage.deliver()

    assert stage.operations == ["loyaltyClass.addMessage"] * 3
    assert added(stage) == ["TEXT_AND_NOTIFY"] * 3
    assert messages(stage) == [["Kahve bizden"]] * 3
    assert behind(stage) == 0


def test_an_offer_of_one_tier_is_told_to_that_tier_alone(stage: Stage) -> None:
    stage.saved_card()
    stage.offer("Altın", tier_id=stage.tier("Gold").id)
    stage.deliver()
    assert messages(stage) == [[], [], ["Altın"]]


def test_an_offer_leaves_at_its_end_and_the_others_stay(stage: Stage) -> None:
    stage.saved_card()
    first = stage.offer("Kahve bizden")
    stage.deliver()
    stage.offer("Tatlı yarı fiyat")
    stage.deliver()
    assert messages(stage) == [["Kahve bizden", "Tatlı yarı fiyat"]] * 3

    stage.end(first)
    stage.deliver()

    assert messages(stage) == [["Tatlı yarı fiyat"]] * 3
    assert [one.removed_at is not None for one in noted(stage)] == [True] * 3 + [False] * 3


def test_the_last_offer_leaves_as_well(stage: Stage) -> None:
    stage.saved_card()
    offer = stage.offer()
    stage.deliver()
    stage.end(offer)
    stage.deliver()
    assert messages(stage) == [[]] * 3
    assert behind(stage) == 0


def modules(stage: Stage) -> list[list[str]]:
    """Headers of what stands on each class from one instant to another, in the order of the classes."""
    return [
        [one["header"]["defaultValue"]["value"] for one in stage.google.classes[row.class_id].get(PROMOTIONS) or []]
        for row in stage.class_rows()
    ]


def test_an_offer_that_is_not_told_is_shown_by_google_itself_and_published_before_its_start(stage: Stage) -> None:
    stage.saved_card()
    stage.forget()
    offer = stage.offer("Sabah kahvesi", announce=False, starts_in_h=5)
    stage.deliver()

    assert stage.operations == ["loyaltyClass.patch"] * 3
    assert modules(stage) == [["Sabah kahvesi"]] * 3
    for call in stage.asked:
        assert_valid_patch("LoyaltyClass", call.body)
        (module,) = call.body[PROMOTIONS]
        interval = module["viewConstraints"]["displayInterval"]
        assert interval["start"]["date"] < interval["end"]["date"]
        assert module["uri"].startswith("http")
    stage.forget()
    stage.clock.advance(hours=5)
    stage.go_live(offer)
    stage.deliver()
    assert stage.operations == []

    stage.end(offer)
    stage.deliver()
    assert stage.operations == ["loyaltyClass.patch"] * 3
    assert modules(stage) == [[]] * 3


def test_an_offer_to_come_that_will_be_told_is_not_shown_before(stage: Stage) -> None:
    stage.saved_card()
    stage.forget()
    stage.offer("Sabah kahvesi", starts_in_h=5)
    stage.deliver()
    assert stage.operations == []


def test_at_most_fifteen_are_published_the_soonest_first(stage: Stage) -> None:
    stage.saved_card()
    for number in range(17):
        stage.offer(f"Teklif {number:02}", announce=False, starts_in_h=20 - number)
    stage.deliver()
    assert modules(stage) == [[f"Teklif {number:02}" for number in range(16, 1, -1)]] * 3


def test_offers_of_two_tiers_stand_on_the_classes_of_both(stage: Stage) -> None:
    stage.saved_card()
    offer_id = stage.offer("İki kat puan", announce=False)
    tiers = [stage.tier("Gold").id, stage.tier("Silver").id]
    with stage.world.database.unit_of_work() as session:
        session.get_one(Offer, offer_id).tiers = tiers
    stage.deliver()
    assert modules(stage) == [[], ["İki kat puan"], ["İki kat puan"]]


@pytest.mark.parametrize("audience", ["segment", "targeted"])
@pytest.mark.parametrize("announce", [True, False])
def test_what_is_for_some_never_stands_on_a_class(stage: Stage, audience: str, announce: bool) -> None:
    stage.saved_card()
    offer_id = stage.offer("Gizli", announce=announce)
    with stage.world.database.unit_of_work() as session:
        offer = session.get_one(Offer, offer_id)
        offer.audience, offer.segment_id = audience, 7 if audience == "segment" else None
    stage.deliver()
    assert (modules(stage), messages(stage)) == ([[]] * 3, [[]] * 3)


def test_what_began_before_anybody_held_a_card_makes_no_sound(stage: Stage) -> None:
    stage.offer("Kahve bizden")
    stage.clock.advance(minutes=1)
    stage.saved_card()
    stage.deliver()
    assert messages(stage) == [["Kahve bizden"]] * 3
    assert [one.alerted for one in noted(stage)] == [False] * 3


def test_the_fourth_announcement_of_a_day_is_silent(stage: Stage) -> None:
    stage.saved_card()
    for number in range(4):
        stage.offer(f"Teklif {number}")
        stage.deliver()
    assert added(stage) == ["TEXT_AND_NOTIFY"] * 9 + ["TEXT"] * 3


def test_a_budget_that_google_counts_otherwise_is_repeated_silently(stage: Stage) -> None:
    stage.saved_card()
    stage.google.script(Fault(operation="loyaltyClass.addMessage", status=403, reason="quotaExceeded"))
    stage.offer()
    stage.deliver()
    assert added(stage) == ["TEXT_AND_NOTIFY", "TEXT", "TEXT_AND_NOTIFY", "TEXT_AND_NOTIFY"]
    assert messages(stage) == [["Kahve bizden"]] * 3


def test_a_message_whose_answer_was_lost_is_not_sent_twice(stage: Stage) -> None:
    stage.saved_card()
    stage.google.script(Fault(operation="loyaltyClass.addMessage", apply=True, drop=True))
    stage.offer()
    stage.deliver()
    assert messages(stage) == [["Kahve bizden"]] * 3
    assert len(added(stage)) == 3


def test_a_message_that_was_lost_on_the_way_is_sent_again(stage: Stage) -> None:
    stage.saved_card()
    stage.google.script(Fault(operation="loyaltyClass.addMessage", drop=True))
    stage.offer()
    stage.deliver(rounds=12)
    assert messages(stage) == [["Kahve bizden"]] * 3
    assert behind(stage) == 0


def test_a_message_lost_twice_over_is_looked_for_before_the_next_try(stage: Stage) -> None:
    """The answer is lost, and Google cannot be asked either: the next try must look first."""
    stage.saved_card()
    stage.google.script(
        Fault(operation="loyaltyClass.addMessage", apply=True, drop=True),
        Fault(operation="loyaltyClass.get", status=503),
    )
    stage.offer()
    stage.deliver(rounds=12)
    assert messages(stage) == [["Kahve bizden"]] * 3
    assert behind(stage) == 0


def test_a_new_look_is_written_to_the_classes_with_their_review_status(stage: Stage) -> None:
    stage.saved_card()
    with stage.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, stage.programme_id)
        programme.design = {**programme.design, "background_color": "#223344"}
        stage.classes_changed(session)
    stage.deliver()
    changed = [one for one in stage.asked if one.operation == "loyaltyClass.patch"]
    assert {one.body["reviewStatus"] for one in changed} == {"UNDER_REVIEW"}
    assert {"#223344"} <= {one["hexBackgroundColor"] for one in stage.google.classes.values()}
    assert behind(stage) == 0


def test_a_message_survives_a_new_look(stage: Stage) -> None:
    stage.saved_card()
    stage.offer()
    stage.deliver()
    with stage.world.database.unit_of_work() as session:
        session.get_one(Programme, stage.programme_id).name = "Kahve Köşkü"
        stage.classes_changed(session)
    stage.deliver()
    assert messages(stage) == [["Kahve bizden"]] * 3
    assert {one["programName"] for one in stage.google.classes.values()} == {"Kahve Köşkü"}


def test_no_more_than_ten_messages_are_ever_on_a_class(stage: Stage) -> None:
    stage.saved_card()
    for number in range(12):
        stage.offer(f"Teklif {number}")
        stage.clock.advance(seconds=1)
    stage.deliver(rounds=4)
    assert [len(one) for one in messages(stage)] == [10] * 3
    assert behind(stage) == 0
