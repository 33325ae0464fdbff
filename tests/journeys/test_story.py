"""The main story: a card is joined, signed, scanned, pushed, and an offer arrives and leaves on time."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import requests

from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from tests.conftest import postgres_database
from tests.journeys.stage import SHOWN_WITHIN_S, Stage, balance_on, stage, wait_for


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def on_stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One stage for all stories of a database; every story has a member and phones of its own."""
    folder = tmp_path_factory.mktemp(f"story-{request.param}")
    with ExitStack() as held:
        url = f"sqlite:///{folder}/tessera.db"
        if request.param == "postgresql":
            url = held.enter_context(postgres_database(request.getfixturevalue("postgres")))
        yield held.enter_context(stage(folder, url))


@pytest.fixture
def iphone(on_stage: Stage, request: pytest.FixtureRequest) -> ApplePhone:
    return on_stage.iphone(f"iphone-{request.node.name}")


@pytest.fixture
def android(on_stage: Stage, request: pytest.FixtureRequest) -> GooglePhone:
    return on_stage.android(f"android-{request.node.name}")


def offer_texts(phone: GooglePhone, object_id: str) -> str:
    return str(phone.card(object_id) or {})


def test_a_purchase_reaches_both_phones_with_a_message_on_the_lock_screen(
    on_stage: Stage, iphone: ApplePhone, android: GooglePhone
) -> None:
    card = on_stage.member()
    on_stage.add_to_iphone(iphone, card)
    object_id = on_stage.add_to_android(android, card)

    earned = on_stage.api.earn(card["number"], "125.00", receipt="R-1")

    assert earned["balance"] == 12
    assert iphone.wait_until(lambda p: p.shows(card["serial"], "balance") == 12, SHOWN_WITHIN_S), iphone.log
    assert android.wait_until(lambda p: balance_on(p, object_id) == 12, SHOWN_WITHIN_S), android.log
    assert any("12" in line for line in iphone.lock_screen)
    assert android.lock_screen


def test_an_offer_appears_at_its_second_and_leaves_at_its_end(
    on_stage: Stage, iphone: ApplePhone, android: GooglePhone
) -> None:
    began = datetime.now(UTC)
    card = on_stage.member()
    on_stage.add_to_iphone(iphone, card)
    object_id = on_stage.add_to_android(android, card)
    now = datetime.now(UTC)
    slow = now - began  # about a second; a machine that is busy gets more time to look
    start = now + max(timedelta(seconds=3), slow * 2)
    end = start + max(timedelta(seconds=6), slow * 8)

    on_stage.api.post(
        "offers",
        {
            "programme": "stage",
            "title": "Cake for free",
            "body": "A slice with any coffee.",
            "starts_at": start.isoformat(),
            "ends_at": end.isoformat(),
            "timezone": "Europe/Istanbul",
            "segment": "all",
        },
    )
    assert iphone.shows(card["serial"], "latest") != "Cake for free"
    assert "Cake for free" not in offer_texts(android, object_id)

    assert iphone.wait_until(lambda p: "Cake for free" in str(p.shows(card["serial"], "latest")), SHOWN_WITHIN_S), (
        iphone.log
    )
    assert datetime.now(UTC) >= start
    assert any("Cake for free" in line for line in iphone.lock_screen)
    assert android.wait_until(lambda p: "Cake for free" in offer_texts(p, object_id), SHOWN_WITHIN_S), android.log
    messages_before = len(iphone.lock_screen)

    assert iphone.wait_until(lambda p: "Cake for free" not in str(p.shows(card["serial"], "latest")), SHOWN_WITHIN_S), (
        iphone.log
    )
    assert datetime.now(UTC) >= end
    assert len(iphone.lock_screen) == messages_before, "leaving is silent"
    assert android.wait_until(lambda p: "Cake for free" not in offer_texts(p, object_id), SHOWN_WITHIN_S), android.log


def test_ten_changes_at_once_end_in_the_right_balance_with_few_pushes(
    on_stage: Stage, iphone: ApplePhone, android: GooglePhone
) -> None:
    card = on_stage.member()
    on_stage.add_to_iphone(iphone, card)
    object_id = on_stage.add_to_android(android, card)

    for _ in range(10):
        on_stage.api.earn(card["number"], "10.00")

    assert iphone.wait_until(lambda p: p.shows(card["serial"], "balance") == 10, SHOWN_WITHIN_S), iphone.log
    assert android.wait_until(lambda p: balance_on(p, object_id) == 10, SHOWN_WITHIN_S), android.log
    pushes = [one for one in on_stage.sandbox.apns.requests if one.token == iphone.device.push_token]
    assert 1 <= len(pushes) < 10


def test_a_phone_that_was_offline_catches_up_when_it_is_back(
    on_stage: Stage, iphone: ApplePhone, android: GooglePhone
) -> None:
    card = on_stage.member()
    on_stage.add_to_iphone(iphone, card)
    object_id = on_stage.add_to_android(android, card)
    iphone.set_airplane_mode(True)
    android.set_airplane_mode(True)
    on_stage.api.earn(card["number"], "100.00")
    token = iphone.device.push_token
    wait_for(lambda: any(one.token == token for one in on_stage.sandbox.apns.requests))
    on_stage.api.earn(card["number"], "100.00")

    iphone.set_airplane_mode(False)
    android.set_airplane_mode(False)

    assert iphone.wait_until(lambda p: p.shows(card["serial"], "balance") == 20, SHOWN_WITHIN_S), iphone.log
    assert android.wait_until(lambda p: balance_on(p, object_id) == 20, SHOWN_WITHIN_S), android.log


def test_a_phone_with_a_new_push_token_is_told_at_the_new_one(on_stage: Stage, iphone: ApplePhone) -> None:
    card = on_stage.member()
    on_stage.add_to_iphone(iphone, card)

    iphone.change_push_token()
    assert iphone.wait_until(lambda p: p.is_registered(card["serial"]) and p.is_idle, SHOWN_WITHIN_S), iphone.log
    on_stage.api.earn(card["number"], "100.00")

    assert iphone.wait_until(lambda p: p.shows(card["serial"], "balance") == 10, SHOWN_WITHIN_S), iphone.log
    assert on_stage.sandbox.apns.requests[-1].token == iphone.device.push_token


def test_a_deleted_card_is_told_no_more_and_an_erased_one_is_voided(
    on_stage: Stage, iphone: ApplePhone, android: GooglePhone
) -> None:
    card = on_stage.member()
    member = on_stage.api.get(f"cards/{card['number']}")["member"]["id"]
    on_stage.add_to_iphone(iphone, card)
    object_id = on_stage.add_to_android(android, card)

    answer = on_stage.api.session.delete(f"{on_stage.product.base}/api/v1/members/{member}", timeout=10)

    assert answer.status_code == 204
    assert android.wait_until(
        lambda p: (p.stored(object_id) or ({}, {}))[0].get("state") == "INACTIVE", SHOWN_WITHIN_S
    ), android.log
    held = iphone.device.by_serial
    assert iphone.wait_until(
        lambda _p: held(card["serial"]).apple_pass.content.get("voided") is True, SHOWN_WITHIN_S
    ), iphone.log
    assert "Ayşe" not in str(held(card["serial"]).apple_pass.content)
    assert requests.get(f"{on_stage.product.base}/healthz", timeout=5).ok
