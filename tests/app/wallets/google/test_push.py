import pytest
from sqlalchemy import select

from app.cards import service as cards
from app.cards.models import Card, Member
from app.ledger.models import Account
from app.outbox.models import Sender
from app.outbox.rules import Lane
from app.sandbox.google.faults import Fault
from app.wallets.google.add import save_url
from app.wallets.google.models import GoogleAlert
from tests.app.wallets.google.conftest import Stage


def give(stage: Stage, card_id: int, points: int, lane: Lane = Lane.URGENT) -> None:
    """Set a balance as the ledger keeps it, and touch the card."""
    with stage.world.database.unit_of_work() as session:
        card = session.get_one(Card, card_id)
        account = session.scalars(
            select(Account).where(Account.member_id == card.member_id, Account.role == "avail")
        ).one_or_none()
        if account is None:
            account = Account(programme_id=card.programme_id, member_id=card.member_id, role="avail", unit="points")
            session.add(account)
        account.balance = points
        cards.touch(session, card, lane=lane, now=stage.clock())


def balance(stage: Stage, card_id: int) -> object:
    return stage.object_of(card_id)["loyaltyPoints"]["balance"]["int"]


def spent(stage: Stage) -> int:
    with stage.world.database.reading() as session:
        return len(session.scalars(select(GoogleAlert)).all())


def up_to_date(stage: Stage, card_id: int) -> bool:
    target = stage.target(card_id)
    return target.done == target.want


def test_a_new_balance_is_patched_alone_and_the_phone_buzzes(stage: Stage) -> None:
    card_id = stage.saved_card()
    give(stage, card_id, 45)
    stage.deliver()

    (patch,) = stage.asked
    assert patch.operation == "loyaltyObject.patch"
    assert set(patch.body) == {"loyaltyPoints", "notifyPreference"}
    assert balance(stage, card_id) == 45
    assert spent(stage) == 1


def test_a_change_that_shows_nothing_new_asks_google_nothing(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.touch(card_id)
    stage.deliver()
    assert stage.operations == []
    assert up_to_date(stage, card_id)


def test_two_changes_at_once_are_one_patch(stage: Stage) -> None:
    card_id = stage.saved_card()
    give(stage, card_id, 10)
    give(stage, card_id, 25)
    stage.deliver()
    assert stage.operations == ["loyaltyObject.patch"]
    assert balance(stage, card_id) == 25


def test_the_fourth_alert_of_a_day_is_silent(stage: Stage) -> None:
    card_id = stage.saved_card()
    for points in (10, 20, 30, 40):
        give(stage, card_id, points)
        stage.deliver()
    assert ["notifyPreference" in one.body for one in stage.asked] == [True, True, True, False]

    stage.clock.advance(hours=25)
    stage.google.advance(25 * 3600)
    give(stage, card_id, 50)
    stage.deliver()
    assert "notifyPreference" in stage.asked[-1].body


def test_a_campaign_leaves_one_alert_for_the_till(stage: Stage) -> None:
    card_id = stage.saved_card()
    for points in (10, 20, 30):
        give(stage, card_id, points, Lane.BULK)
        stage.deliver()
    give(stage, card_id, 40)
    stage.deliver()
    assert ["notifyPreference" in one.body for one in stage.asked] == [True, True, False, True]


def test_a_budget_that_google_counts_otherwise_costs_the_alert_and_not_the_balance(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.google.script(Fault(operation="loyaltyObject.patch", status=403, reason="quotaExceeded"))
    give(stage, card_id, 45)
    stage.deliver()

    assert balance(stage, card_id) == 45
    assert ["notifyPreference" in one.body for one in stage.asked] == [True, False]
    give(stage, card_id, 50)
    stage.deliver()
    assert "notifyPreference" not in stage.asked[-1].body


def test_an_object_that_google_has_lost_is_made_again(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.google.wallet.reset()
    stage.forget()
    give(stage, card_id, 45)
    stage.deliver(rounds=1)

    assert stage.operations[:4] == [
        "loyaltyObject.patch",
        "loyaltyObject.insert",
        "loyaltyClass.insert",
        "loyaltyObject.insert",
    ]
    assert balance(stage, card_id) == 45


def test_a_lost_answer_is_made_up_for_even_if_the_balance_went_back_meanwhile(stage: Stage) -> None:
    """Google applied 45, we never heard; the sale was undone. An unchanged body must not be taken for granted."""
    card_id = stage.saved_card()
    stage.google.script(Fault(operation="loyaltyObject.patch", apply=True, drop=True))
    give(stage, card_id, 45)
    stage.deliver(rounds=1)
    assert balance(stage, card_id) == 45

    give(stage, card_id, 0)
    stage.deliver(rounds=5)
    assert balance(stage, card_id) == 0
    assert up_to_date(stage, card_id)


def test_an_expired_token_is_renewed_once_and_the_call_repeated(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.google.account.revoke_tokens()
    give(stage, card_id, 45)
    stage.deliver()
    assert [one.status for one in stage.asked] == [401, 200]
    assert balance(stage, card_id) == 45


def test_an_account_that_is_no_longer_invited_stops_everything_until_somebody_acts(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.google.invited = False
    give(stage, card_id, 45)
    stage.deliver(rounds=5)

    assert len(stage.asked) == 1
    with stage.world.database.reading() as session:
        sender = session.scalars(select(Sender).where(Sender.vendor == "google")).one()
    assert "Developer role" in sender.breaker_reason
    assert stage.target(card_id).state == "live"


def test_too_fast_means_slower_for_all_workers(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.google.script(Fault(status=429, reason="rateLimitExceeded", retry_after_s=20))
    give(stage, card_id, 45)
    stage.deliver(rounds=2)
    assert len(stage.asked) == 1
    with stage.world.database.reading() as session:
        sender = session.scalars(select(Sender).where(Sender.vendor == "google")).one()
    assert sender.slowed_at > 0

    stage.deliver(rounds=6)
    assert balance(stage, card_id) == 45


def test_what_google_refuses_is_parked_with_its_words(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.google.script(Fault(status=400, reason="invalidResource", message="Image cannot be loaded."))
    give(stage, card_id, 45)
    stage.deliver(rounds=4)
    target = stage.target(card_id)
    assert (target.state, target.last_status, target.last_reason) == ("parked", 400, "invalidResource")
    assert len(stage.asked) == 1


def test_a_tier_moves_the_object_to_the_class_of_that_tier(stage: Stage) -> None:
    card_id = stage.saved_card()
    gold = stage.tier("Gold")
    with stage.world.database.unit_of_work() as session:
        card = session.get_one(Card, card_id)
        card.tier_id = gold.id
        session.flush()
        cards.touch(session, card, lane=Lane.URGENT, now=stage.clock())
    stage.deliver()

    class_id = stage.object_of(card_id)["classId"]
    assert stage.google.classes[class_id]["rewardsTier"] == "Gold"


def test_a_new_class_is_made_when_a_card_moves_to_it_first(stage: Stage) -> None:
    card_id = stage.card()
    save_url(stage.world, card_id)  # the classes of the tiers have not been delivered yet
    gold = stage.tier("Gold")
    stage.forget()
    with stage.world.database.unit_of_work() as session:
        card = session.get_one(Card, card_id)
        card.tier_id = gold.id
        session.flush()
        cards.touch(session, card, lane=Lane.URGENT, now=stage.clock())
    stage.clock.advance(seconds=2)
    stage.engine.drain("google", Lane.URGENT)

    assert stage.operations == ["loyaltyObject.patch", "loyaltyClass.insert", "loyaltyObject.patch"]


def test_an_erased_card_names_nobody_at_google_either(stage: Stage) -> None:
    card_id = stage.saved_card()
    with stage.world.database.unit_of_work() as session:
        member = session.get_one(Member, session.get_one(Card, card_id).member_id)
        cards.erase(session, member, now=stage.clock())
    stage.deliver()

    held = stage.object_of(card_id)
    assert held["state"] == "INACTIVE"
    assert not {"accountName", "accountId", "barcode", "textModulesData", "linksModuleData"} & set(held)
    assert "Ayşe" not in str(held)


def test_old_spellings_in_an_answer_are_no_difference(stage: Stage) -> None:
    stage.google.wallet.legacy_names = True
    card_id = stage.saved_card()
    give(stage, card_id, 45)
    stage.deliver()
    assert stage.operations == ["loyaltyObject.patch"]


def test_whether_anybody_holds_the_card_is_learnt_from_every_answer(stage: Stage) -> None:
    card_id = stage.saved_card()
    assert stage.object_row(card_id).has_users is False
    stage.google.wallet.hold(stage.object_row(card_id).object_id, "phone")
    give(stage, card_id, 45)
    stage.deliver()
    assert stage.object_row(card_id).has_users is True


@pytest.mark.parametrize("channel", ["google"])
def test_a_network_that_fails_is_tried_again(stage: Stage, channel: str) -> None:
    card_id = stage.saved_card()
    stage.google.script(Fault(drop=True))
    give(stage, card_id, 45)
    stage.deliver(rounds=4)
    assert balance(stage, card_id) == 45
    assert stage.operations == ["loyaltyObject.patch"] * 2
