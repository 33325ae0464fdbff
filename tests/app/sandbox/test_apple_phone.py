"""The simulated iPhone against a PassKit web service of a few lines."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.sandbox.apple_phone import ApplePhone
from app.sandbox.hub import Hub, Push
from app.sandbox.state import State
from tests.app.sandbox.phone_kit import TOKEN, Answer, PassKit, card_json, pack, serve_passkit
from tests.authority import Authority, PassCertificate

PASS_TYPE = "pass.test.tessera"


@pytest.fixture(scope="module")
def identity() -> PassCertificate:
    return Authority().issue_pass_certificate(PASS_TYPE)


@pytest.fixture
def passkit(identity: PassCertificate) -> Iterator[PassKit]:
    with serve_passkit(identity) as passkit:
        yield passkit


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    state = State(tmp_path / "state.db")
    yield Hub(state)
    state.close()


@pytest.fixture
def switch_on(hub: Hub, identity: PassCertificate, tmp_path: Path) -> Iterator[Callable[[], ApplePhone]]:
    phones: list[ApplePhone] = []

    def phone_with_its_state() -> ApplePhone:
        phone = ApplePhone(hub, tmp_path / "phone", root_pem=identity.root_pem, retry_delays_s=(0.01, 0.02))
        phones.append(phone)
        return phone

    yield phone_with_its_state
    for phone in phones:
        phone.close()


@pytest.fixture
def phone(switch_on: Callable[[], ApplePhone]) -> ApplePhone:
    return switch_on()


@pytest.fixture
def push(hub: Hub) -> Callable[[ApplePhone], bool]:
    return lambda phone: hub.publish(Push(topic=PASS_TYPE, token=phone.device.push_token, apns_id="1"))


def settled(phone: ApplePhone) -> bool:
    return phone.wait_until(lambda it: it.is_idle)


def added(phone: ApplePhone, passkit: PassKit) -> None:
    assert phone.add(passkit.issue()).accepted
    assert phone.wait_until(lambda it: it.is_registered("card-1") and it.is_idle)


def test_adding_a_card_registers_with_the_token_and_lists_without_one(phone: ApplePhone, passkit: PassKit) -> None:
    added(phone, passkit)

    path, headers, body = passkit.calls("POST", "/registrations/")[0]
    assert path.endswith(f"/registrations/{PASS_TYPE}/card-1")
    assert headers["Authorization"] == f"ApplePass {TOKEN}"
    assert phone.device.push_token.encode() in body
    path, headers, _ = passkit.calls("GET", "/registrations/")[0]
    assert "?" not in path
    assert "Authorization" not in headers


def test_a_push_brings_the_new_balance_and_its_message(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool]
) -> None:
    added(phone, passkit)
    passkit.change(balance=52)

    assert push(phone)

    assert phone.wait_until(lambda it: it.shows("card-1", "balance") == 52)
    assert phone.lock_screen == ["You now have 52 points"]
    assert phone.messages[0].title == "Corner Coffee"
    assert settled(phone)
    assert "push arrived → asked for changes → 1 serial → fetched" in phone.log[-1]
    assert "POINTS 40 → 52" in phone.log[-1]


def test_the_tag_and_the_stamp_come_back_to_the_letter(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool]
) -> None:
    added(phone, passkit)
    passkit.stamp = "not even a date, (null)"

    phone.pull_to_refresh("card-1")
    assert settled(phone)
    push(phone)
    assert settled(phone)
    phone.pull_to_refresh("card-1")
    assert settled(phone)

    assert passkit.calls("GET", "passesUpdatedSince=v1")
    assert passkit.calls("GET", "/v1/passes/")[-1][1]["If-Modified-Since"] == "not even a date, (null)"
    assert phone.log[-1].endswith("unchanged (304)")


def test_several_changed_fields_make_one_general_line(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool]
) -> None:
    added(phone, passkit)
    passkit.change(balance=52, message="Two for one today")

    push(phone)

    assert phone.wait_until(lambda it: it.shows("card-1", "latest") == "Two for one today")
    assert phone.lock_screen == ["Your card was updated."]


def test_a_change_without_a_message_stays_silent(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool]
) -> None:
    added(phone, passkit)
    passkit.change(logoText="Corner", backgroundColor="rgb(0,0,0)")

    push(phone)

    assert phone.wait_until(lambda it: "no field changed" in it.log[-1])
    assert phone.lock_screen == []


def test_offline_the_phone_asks_nothing_and_gets_the_one_kept_push_later(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool]
) -> None:
    added(phone, passkit)
    phone.set_airplane_mode(True)
    calls = len(passkit.requests)
    passkit.change(balance=45)
    assert not push(phone)
    passkit.change(balance=52)
    assert not push(phone)
    assert len(passkit.requests) == calls

    phone.set_airplane_mode(False)

    assert phone.wait_until(lambda it: it.shows("card-1", "balance") == 52)
    assert settled(phone)
    assert len(passkit.calls("GET", "passesUpdatedSince")) == 1


def test_deleting_offline_unregisters_when_the_network_is_back(phone: ApplePhone, passkit: PassKit) -> None:
    added(phone, passkit)
    phone.set_airplane_mode(True)

    phone.delete("card-1")
    assert passkit.calls("DELETE", "/registrations/") == []
    phone.set_airplane_mode(False)

    assert phone.wait_until(lambda it: "unregistered (200)" in " ".join(it.log))
    assert passkit.registrations == {}
    assert phone.serials == []


def test_turning_automatic_updates_off_unregisters_and_on_registers(phone: ApplePhone, passkit: PassKit) -> None:
    added(phone, passkit)

    phone.set_automatic_updates("card-1", on=False)
    assert phone.wait_until(lambda it: not it.is_registered("card-1") and it.is_idle)
    assert passkit.registrations == {}
    phone.set_automatic_updates("card-1", on=True)

    assert phone.wait_until(lambda it: it.is_registered("card-1"))
    assert len(passkit.registrations) == 1


def test_a_new_push_token_is_registered_and_the_old_one_retired(phone: ApplePhone, passkit: PassKit, hub: Hub) -> None:
    added(phone, passkit)
    old = phone.device.push_token

    phone.change_push_token()

    assert phone.wait_until(lambda it: it.is_registered("card-1"))
    assert phone.device.push_token != old
    assert list(passkit.registrations.values()) == [phone.device.push_token]
    assert hub.gone_at(old) is not None


def test_a_restart_keeps_the_card_the_tag_and_the_kept_push(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool], switch_on: Callable[[], ApplePhone]
) -> None:
    added(phone, passkit)
    passkit.change(balance=44)
    push(phone)
    assert phone.wait_until(lambda it: it.shows("card-1", "balance") == 44 and it.is_idle)
    phone.close()
    passkit.change(balance=52)
    assert not push(phone)

    again = switch_on()

    assert again.wait_until(lambda it: it.shows("card-1", "balance") == 52)
    assert passkit.calls("GET", "passesUpdatedSince=v2")
    assert len(passkit.calls("POST", "/registrations/")) == 1
    assert again.lock_screen == ["You now have 44 points", "You now have 52 points"]


@pytest.mark.parametrize(
    ("call", "answer", "fault"),
    [
        (("POST", "/registrations/"), Answer(202), "Unexpected response code 202"),
        (("POST", "/registrations/"), Answer(401), "Authentication failure"),
        (("POST", "/registrations/"), Answer(302, headers={"Location": "/"}), "Unexpected response code 302"),
        (("GET", "/registrations/"), Answer(404), "Unexpected response code 404"),
        (("GET", "/registrations/"), Answer(200, b"[]"), "the top level is no object"),
        (("GET", "/registrations/"), Answer(200, b"{}"), "serialNumbers is no array of strings"),
        (
            ("GET", "/registrations/"),
            Answer(200, b'{"serialNumbers":["card-1"],"lastUpdated":7}'),
            "lastUpdated 7 is no string",
        ),
        (("GET", "/v1/passes/"), Answer(204), "Unexpected response code 204"),
        (("GET", "/v1/passes/"), Answer(200, b"<html>"), "Received invalid pass data"),
    ],
)
def test_what_is_no_success_for_a_device_is_posted_to_the_log(
    phone: ApplePhone, passkit: PassKit, call: tuple[str, str], answer: Answer, fault: str
) -> None:
    passkit.answers[call] = answer

    phone.add(passkit.issue())

    assert phone.wait_until(lambda it: "gave up" in " ".join(it.log) and it.is_idle)
    assert any(fault in line and "task (for " in line for line in passkit.logs)
    assert fault in " ".join(phone.log)


def test_a_passing_failure_is_tried_again(phone: ApplePhone, passkit: PassKit) -> None:
    passkit.answers[("POST", "/registrations/")] = Answer(503)
    phone.add(passkit.issue())
    assert phone.wait_until(lambda it: "tries again" in it.log[-1])

    del passkit.answers[("POST", "/registrations/")]

    assert phone.wait_until(lambda it: it.is_registered("card-1"))


def test_a_pass_with_another_serial_than_asked_for_is_thrown_away(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool]
) -> None:
    added(phone, passkit)
    passkit.change(balance=52)
    stranger = card_json(passkit.identity, "card-2", webServiceURL=passkit.url, authenticationToken=TOKEN)
    passkit.passes["card-1"] = pack(stranger, passkit.identity)

    push(phone)

    assert phone.wait_until(lambda it: bool(passkit.logs) and it.is_idle)
    assert "Requested serial number card-1, received serial number card-2" in passkit.logs[0]
    assert phone.shows("card-1", "balance") == 40


def test_what_wallet_refuses_is_not_added(phone: ApplePhone, passkit: PassKit) -> None:
    stranger = Authority("Stranger").issue_pass_certificate(PASS_TYPE)

    verdict = phone.add(pack(card_json(stranger), stranger))

    assert not verdict.accepted
    assert phone.serials == []
    assert "Wallet refused it" in phone.log[-1]


def test_texts_and_messages_are_in_the_phones_language(
    phone: ApplePhone, passkit: PassKit, push: Callable[[ApplePhone], bool]
) -> None:
    strings = '"You now have %@ points" = "Artık %@ puanınız var";\n"Gold" = "Altın";\n'.encode("utf-16")
    extra = {"tr.lproj/pass.strings": strings, "en.lproj/pass.strings": b'"Gold" = "Gold";'}
    phone.set_language("tr")
    phone.add(passkit.issue(extra=extra))
    assert phone.wait_until(lambda it: it.is_registered("card-1") and it.is_idle)
    passkit.change(balance=52, extra=extra)

    push(phone)

    assert phone.wait_until(lambda it: it.lock_screen == ["Artık 52 puanınız var"])
    assert phone.shows_text("card-1", "tier") == "Altın"
    phone.set_language("id")
    assert phone.shows_text("card-1", "tier") == "Gold"
