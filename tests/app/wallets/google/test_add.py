import jwt
import pytest

from app.cards.models import Card, Member
from app.errors import Busy, Conflict, NotFound
from app.sandbox.google.faults import Fault
from app.wallets.google.add import save_url
from app.wallets.google.service import is_ready
from passes.google.schema import problems
from tests.app.wallets.google.conftest import Stage


def test_a_link_names_ids_only_and_the_card_is_there_before_it(stage: Stage) -> None:
    card_id = stage.card()

    url = save_url(stage.world, card_id)

    token = url.rsplit("/", 1)[1]
    claims = jwt.decode(token, options={"verify_signature": False})
    row = stage.object_row(card_id)
    assert claims["payload"] == {"loyaltyObjects": [{"id": row.object_id, "classId": row.sent["classId"]}]}
    assert len(url) < 1_800
    assert stage.operations[:2] == ["loyaltyClass.insert", "loyaltyObject.insert"]
    assert stage.object_of(card_id)["state"] == "ACTIVE"


def test_what_was_stored_keeps_to_googles_schema_and_says_what_the_card_is(stage: Stage) -> None:
    card_id = stage.saved_card()
    with stage.world.database.reading() as session:
        card = session.get_one(Card, card_id)
    row = stage.object_row(card_id)
    held = stage.object_of(card_id)
    classes = stage.class_rows()

    assert problems("LoyaltyObject", row.sent) == []
    assert [problems("LoyaltyClass", one.sent or {}) for one in classes] == [[], [], []]
    assert held["barcode"]["value"] == f"LY1:{card.number}"
    assert held["barcode"]["alternateText"].replace(" ", "") == card.number
    assert held["loyaltyPoints"]["balance"] == {"int": 0}
    assert held["accountName"] == "Ayşe Y."
    assert {one.get("rewardsTier") for one in stage.google.classes.values()} == {None, "Silver", "Gold"}
    assert {one["hexBackgroundColor"] for one in stage.google.classes.values()} >= {"#5c4300"}


def test_asking_again_signs_and_asks_google_nothing(stage: Stage) -> None:
    card_id = stage.saved_card()
    save_url(stage.world, card_id)
    assert stage.operations == []


def test_an_object_that_exists_at_google_already_is_brought_to_what_is_wanted(stage: Stage) -> None:
    card_id = stage.card()
    stage.google.script(Fault(operation="loyaltyObject.insert", apply=True, drop=True))
    with pytest.raises(Busy) as refusal:
        save_url(stage.world, card_id)
    assert refusal.value.code == "google_unavailable"

    assert save_url(stage.world, card_id)
    stage.deliver()

    assert [one for one in stage.operations if one.startswith("loyaltyObject")][-2:] == [
        "loyaltyObject.insert",
        "loyaltyObject.patch",
    ]
    assert stage.target(card_id).done == stage.target(card_id).want


def test_a_google_that_cannot_answer_is_no_fault_of_the_person(stage: Stage) -> None:
    card_id = stage.card()
    stage.google.script(Fault(status=503, times=None))
    with pytest.raises(Busy) as refusal:
        save_url(stage.world, card_id)
    assert refusal.value.retry_after_s
    assert "try again" in refusal.value.public


def test_a_service_account_that_is_not_invited_is_named_in_the_log_only(stage: Stage) -> None:
    card_id = stage.card()
    stage.google.invited = False
    with pytest.raises(Busy) as refusal:
        save_url(stage.world, card_id)
    assert "permission" in refusal.value.detail
    assert "permission" not in refusal.value.public


def test_an_erased_card_gets_no_link(stage: Stage) -> None:
    card_id = stage.card()
    with stage.world.database.unit_of_work() as session:
        card = session.get_one(Card, card_id)
        card.status = "erased"
        session.get_one(Member, card.member_id).sealed = None
    with pytest.raises(Conflict):
        save_url(stage.world, card_id)
    with pytest.raises(NotFound):
        save_url(stage.world, 999)


def test_without_credentials_the_button_is_hidden(stage: Stage) -> None:
    assert is_ready(stage.world.settings)
    assert not is_ready(type(stage.world.settings)())
