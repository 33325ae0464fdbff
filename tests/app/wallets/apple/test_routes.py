"""The phones' protocol over real sockets: statuses, headers and bodies as passd takes them."""

import json
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest
from sqlalchemy import select

from app.cards import service as cards
from app.cards.models import Card
from app.clock import milliseconds
from app.outbox.models import Target
from app.outbox.service import Lane
from app.wallets.apple.add import signed_pass_by_link
from app.wallets.apple.issuer import issuer
from app.wallets.apple.models import Device, DeviceLog, Registration
from app.world import World
from tests import factories
from tests.app.wallets.apple.conftest import (
    DEVICE,
    PASS_TYPE,
    PUSH_TOKEN,
    Caller,
    list_path,
    pass_path,
    registration_body,
    registration_path,
)
from tests.conftest import MovableClock

Tokens = Callable[[Card], str]


def change(world: World, card: Card) -> None:
    with world.database.unit_of_work() as session:
        cards.touch(session, cards.lock(session, card.id), lane=Lane.URGENT, now=world.clock())


def targets(world: World) -> list[Target]:
    with world.database.reading() as session:
        return list(session.scalars(select(Target).order_by(Target.id)))


def count(world: World, table: type[Device] | type[Registration] | type[DeviceLog]) -> int:
    with world.database.reading() as session:
        return len(session.scalars(select(table)).all())


def test_the_first_registration_is_201_and_the_second_200(call: Caller, card: Card, token_of: Tokens) -> None:
    first = call("POST", registration_path(card), registration_body(), Authorization=token_of(card))
    second = call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    assert (first.status, second.status) == (201, 200)
    assert first.body == b""
    assert "Set-Cookie" not in first.headers


def test_a_registration_makes_a_target_that_wants_the_present_version(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    change(world, card)

    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    (target,) = targets(world)
    assert (target.channel, target.card_id, target.want, target.done) == ("apple", card.id, 2, 1)


def test_a_phone_that_just_downloaded_the_pass_is_not_pushed_for_it(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    signed_pass_by_link(world, card.link)

    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    (target,) = targets(world)
    assert (target.want, target.done, target.fetched) == (1, 1, 1)


def test_a_change_between_download_and_registration_is_still_owed(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    signed_pass_by_link(world, card.link)
    change(world, card)
    signed_pass_by_link(world, card.link)

    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    (target,) = targets(world)
    assert (target.want, target.done) == (2, 1)


def test_a_changed_push_token_replaces_the_old_one_and_what_was_not_fetched_is_told_again(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))
    with world.database.unit_of_work() as session:
        session.scalars(select(Target)).one().done = 1

    again = call("POST", registration_path(card), registration_body("cd" * 40), Authorization=token_of(card))

    with world.database.reading() as session:
        device = session.scalars(select(Device)).one()
    (target,) = targets(world)
    assert (again.status, device.push_token) == (200, "cd" * 40)
    assert target.want > target.done


def test_the_same_push_token_under_a_new_device_id_counts_once(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    second = call("POST", registration_path(card, "another-id"), registration_body(), Authorization=token_of(card))

    live = [one for one in targets(world) if one.state == "live"]
    assert (second.status, count(world, Registration), count(world, Device), len(live)) == (201, 1, 1, 1)


def test_a_card_has_at_most_twenty_phones_and_the_oldest_goes(
    call: Caller, card: Card, token_of: Tokens, world: World, clock: MovableClock
) -> None:
    for number in range(22):
        body = registration_body(f"{number:064x}")
        assert call("POST", registration_path(card, f"d{number}"), body, Authorization=token_of(card)).status == 201
        clock.advance(minutes=5)

    with world.database.reading() as session:
        names = set(session.scalars(select(Device.library_identifier)))
    assert names == {f"d{number}" for number in range(2, 22)}


def test_a_storm_of_new_registrations_is_told_to_come_back_later(call: Caller, card: Card, token_of: Tokens) -> None:
    answers = [
        call("POST", registration_path(card, f"d{n}"), registration_body(), Authorization=token_of(card))
        for n in range(31)
    ]

    assert [one.status for one in answers] == [201] * 30 + [429]
    assert answers[-1].headers["Retry-After"] == "3600"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"pushToken": 7}',
        b'{"pushToken": ""}',
        b'{"pushToken": "zz"}',
        b'{"pushToken": "' + b"a" * 5000 + b'"}',
        b"\xff\xfe\x00",
        b"[" * 3000,
    ],
)
def test_a_registration_that_cannot_be_read_is_400_and_leaves_nothing(
    body: bytes, call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    answer = call("POST", registration_path(card), body, Authorization=token_of(card))

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert count(world, Registration) == 0


def test_a_registration_needs_no_content_type(call: Caller, card: Card, token_of: Tokens) -> None:
    answer = call("POST", registration_path(card), registration_body(), Authorization=token_of(card), Content_Type="")

    assert answer.status == 201


@pytest.mark.parametrize(
    "header",
    [
        "",
        "ApplePass",
        "ApplePass ",
        "applepass {token}",
        "Bearer {token}",
        "ApplePass  {token}",
        "ApplePass {token}x",
        "ApplePass {token} x",
        "ApplePass \xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9\xe9",
        "ApplePass a=b=c=d=e=f=g=h=i=j",
    ],
)
def test_every_wrong_authorization_is_the_same_401(header: str, call: Caller, card: Card, token_of: Tokens) -> None:
    sent = header.format(token=token_of(card).partition(" ")[2])
    headers = {"Authorization": sent} if sent else {}

    answers = [
        call("POST", registration_path(card), registration_body(), **headers),
        call("DELETE", registration_path(card), **headers),
        call("GET", pass_path(card), **headers),
    ]

    assert [one.status for one in answers] == [401, 401, 401]
    assert "WWW-Authenticate" not in answers[0].headers


def test_an_unknown_pass_and_a_wrong_token_cannot_be_told_apart(call: Caller, card: Card, token_of: Tokens) -> None:
    unknown = call("GET", f"/apple/v1/passes/{PASS_TYPE}/nobody", Authorization=token_of(card))
    wrong = call("GET", pass_path(card), Authorization="ApplePass 0123456789abcdef0123456789abcdef")
    other_type = call("GET", pass_path(card, "pass.com.example.other"), Authorization=token_of(card))

    bodies = [{**one.json, "instance": ""} for one in (unknown, wrong, other_type)]
    assert [one.status for one in (unknown, wrong, other_type)] == [401, 401, 401]
    assert bodies[0] == bodies[1] == bodies[2]


def test_another_cards_token_opens_nothing(call: Caller, card: Card, token_of: Tokens, world: World) -> None:
    with world.database.unit_of_work() as session:
        programme = cards.by_serial(session, PASS_TYPE, card.serial).programme  # type: ignore[union-attr]
        mallory = factories.card(session, programme, "Mallory", now=world.clock())

    assert call("GET", pass_path(card), Authorization=token_of(mallory)).status == 401


def test_unregistering_is_200_also_when_nothing_was_registered(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    answers = [call("DELETE", registration_path(card), Authorization=token_of(card)) for _ in range(2)]

    assert [one.status for one in answers] == [200, 200]
    assert (count(world, Registration), count(world, Device)) == (0, 0)
    assert [one.state for one in targets(world)] == ["gone"]


def test_a_phone_that_comes_back_is_told_again(call: Caller, card: Card, token_of: Tokens, world: World) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))
    call("DELETE", registration_path(card), Authorization=token_of(card))
    change(world, card)

    answer = call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    (target,) = [one for one in targets(world) if one.state == "live"]
    assert (answer.status, target.want, target.done) == (201, 2, 1)


def test_without_a_tag_everything_is_listed_and_with_the_new_tag_nothing(
    call: Caller, card: Card, token_of: Tokens
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    everything = call("GET", list_path())
    nothing = call("GET", list_path(tag=everything.json["lastUpdated"]))

    assert everything.status == 200
    assert everything.headers["Content-Type"] == "application/json"
    assert everything.json["serialNumbers"] == [card.serial]
    assert isinstance(everything.json["lastUpdated"], str)
    assert (nothing.status, nothing.body) == (204, b"")


@pytest.mark.parametrize("tag", ["", "garbage", "1", "2026-11-21T10:00:00+00:00", "%00%ff", "A" * 5000, "(null)"])
def test_a_tag_that_cannot_be_decoded_lists_everything(tag: str, call: Caller, card: Card, token_of: Tokens) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    answer = call("GET", f"{list_path()}?passesUpdatedSince={tag}")

    assert answer.json["serialNumbers"] == [card.serial]


def test_strangers_learn_nothing_from_the_list(call: Caller, card: Card, token_of: Tokens) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    unknown_device = call("GET", list_path("somebody-else"))
    unknown_type = call("GET", list_path(pass_type="pass.com.example.other"))

    assert (unknown_device.status, unknown_type.status) == (204, 204)


def test_two_changes_within_one_second_are_both_listed_and_fetched(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))
    change(world, card)
    first = call("GET", list_path())
    between = call("GET", pass_path(card), Authorization=token_of(card))
    change(world, card)

    second = call("GET", list_path(tag=first.json["lastUpdated"]))
    after = call(
        "GET", pass_path(card), Authorization=token_of(card), If_Modified_Since=between.headers["Last-Modified"]
    )

    assert second.json["serialNumbers"] == [card.serial]
    assert after.status == 200
    assert after.headers["Last-Modified"] != between.headers["Last-Modified"]


def test_a_phone_that_was_told_and_never_fetched_is_told_again_after_ten_minutes(
    call: Caller, card: Card, token_of: Tokens, world: World, clock: MovableClock
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))
    change(world, card)
    tag = call("GET", list_path()).json["lastUpdated"]
    with world.database.unit_of_work() as session:
        target = session.scalars(select(Target)).one()
        target.done, target.told_at = target.want, milliseconds(clock())

    at_once = call("GET", list_path(tag=tag))
    clock.advance(minutes=11)
    later = call("GET", list_path(tag=tag))
    call("GET", pass_path(card), Authorization=token_of(card))
    issuer(world).fetched.write()
    after_the_fetch = call("GET", list_path(tag=tag))

    assert (at_once.status, later.status, after_the_fetch.status) == (204, 200, 204)
    assert later.json == {"serialNumbers": [card.serial], "lastUpdated": tag}


def test_a_fetch_says_when_the_card_changed_and_the_echo_of_that_is_304(
    call: Caller, card: Card, token_of: Tokens, clock: MovableClock
) -> None:
    full = call("GET", pass_path(card), Authorization=token_of(card))
    clock.advance(hours=3)
    echo = call("GET", pass_path(card), Authorization=token_of(card), If_Modified_Since=full.headers["Last-Modified"])

    assert full.status == 200
    assert full.headers["Content-Type"] == "application/vnd.apple.pkpass"
    assert full.headers["Cache-Control"] == "no-store"
    assert full.headers["X-Content-Type-Options"] == "nosniff"
    assert "attachment" in full.headers["Content-Disposition"]
    assert parsedate_to_datetime(full.headers["Last-Modified"]) == card.modified_at
    assert (echo.status, echo.body) == (304, b"")
    assert echo.headers["Last-Modified"] == full.headers["Last-Modified"]


@pytest.mark.parametrize(
    "since", ["(null)", "1763762400", "", "Fri, 31 Feb 2026 10:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT", "now"]
)
def test_a_date_that_is_not_the_echo_gets_the_pass(since: str, call: Caller, card: Card, token_of: Tokens) -> None:
    answer = call("GET", pass_path(card), Authorization=token_of(card), If_Modified_Since=since)

    assert answer.status == 200


def test_head_has_the_headers_of_get_and_no_body(call: Caller, card: Card, token_of: Tokens) -> None:
    answer = call("HEAD", pass_path(card), Authorization=token_of(card))

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == "application/vnd.apple.pkpass"


def test_a_fetch_is_credited_to_phones_that_were_told_or_are_being_told(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))
    change(world, card)
    with world.database.unit_of_work() as session:
        session.scalars(select(Target)).one().lease = "being-sent"

    call("GET", pass_path(card), Authorization=token_of(card))
    issuer(world).fetched.write()

    assert [(one.fetched, one.fetched_at) for one in targets(world)] == [(2, milliseconds(world.clock()))]


def test_a_fetch_of_what_none_of_several_phones_was_told_is_credited_to_nobody(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    for device, push_token in ((DEVICE, PUSH_TOKEN), ("b" * 32, "cd" * 32)):
        call("POST", registration_path(card, device), registration_body(push_token), Authorization=token_of(card))
    change(world, card)

    call("GET", pass_path(card), Authorization=token_of(card))
    issuer(world).fetched.write()

    assert [one.fetched for one in targets(world)] == [0, 0]


@pytest.mark.parametrize("part", ["%00", "%ff%fe", "a%2Fb", "..", "%20", "x" * 500, "%F0%9F%8E%89", "'--"])
def test_hostile_addresses_are_unknown_and_nothing_worse(part: str, call: Caller, card: Card, token_of: Tokens) -> None:
    token = token_of(card)
    answers = [
        call("GET", f"/apple/v1/passes/{PASS_TYPE}/{part}", Authorization=token),
        call("GET", f"/apple/v1/passes/{part}/{card.serial}", Authorization=token),
        call("POST", registration_path(card, part), registration_body(), Authorization=token),
        call("DELETE", registration_path(card, part), Authorization=token),
        call("GET", list_path(part)),
        call("GET", list_path(pass_type=part)),
    ]

    assert {one.status for one in answers} <= {200, 201, 204, 400, 401, 404, 405}


@pytest.mark.parametrize("path", ["//apple/v1", "/apple//v1", "/apple/v1/"])
def test_doubled_and_trailing_slashes_are_served_without_a_redirect(
    path: str, call: Caller, card: Card, token_of: Tokens
) -> None:
    answer = call("GET", f"{path}/passes/{PASS_TYPE}/{card.serial}/", Authorization=token_of(card))

    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/apple/v1/nothing", 404), ("PUT", "/apple/v1/log", 405), ("GET", "/apple/", 404)],
)
def test_errors_are_never_html(method: str, path: str, status: int, call: Caller) -> None:
    answer = call(method, path, Accept="text/html")

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"logs": 7}', b'{"logs": [7, null]}', b"[" * 5000, b'{"logs": ["' + b"a" * 90_000 + b'"]}', b"\xff"],
)
def test_the_log_call_is_200_whatever_it_is_sent(body: bytes, call: Caller, world: World) -> None:
    answer = call("POST", "/apple/v1/log", body)

    assert answer.status == 200
    assert count(world, DeviceLog) == 0


def test_a_complaint_is_kept_with_its_cause_and_without_secrets(call: Caller, world: World, card: Card) -> None:
    line = (
        f"[2026-11-21 12:49:07 -0600] Get pass task (for device {DEVICE}, pass type {PASS_TYPE}, serial number "
        f"{card.serial}; with web service url https://cards.example.com) encountered error: "
        f"Unexpected response code 503 ApplePass sEcReTsEcReTsEcReT {PUSH_TOKEN}\x1b[2J\n"
    )

    call("POST", "/apple/v1/log", json.dumps({"logs": [line]}).encode())

    with world.database.reading() as session:
        kept = session.scalars(select(DeviceLog)).one()
    assert kept.cause == "fetch:status-503"
    assert "Unexpected response code 503" in kept.line
    assert all(secret not in kept.line for secret in (DEVICE, card.serial, "sEcReT", PUSH_TOKEN, "\x1b", "\n"))


def test_a_flood_of_complaints_is_answered_and_not_kept(call: Caller, world: World, clock: MovableClock) -> None:
    body = json.dumps({"logs": ["something"]}).encode()

    statuses = {call("POST", "/apple/v1/log", body).status for _ in range(15)}

    assert statuses == {200}
    assert count(world, DeviceLog) == 10
    clock.advance(minutes=2)
    call("POST", "/apple/v1/log", body)
    assert count(world, DeviceLog) == 11
