"""The APNs stand-in: what it takes, what it refuses, and what it does wrong on order."""

import ssl
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.apns.rules import UnknownToken
from app.sandbox.sandbox import Sandbox
from tests.app.sandbox.apns_client import PASS_TYPE, TOKEN, ApnsClient

REFUSED_STREAM = 7


@pytest.fixture
def identity(sandbox: Sandbox) -> Path:
    return sandbox.issue_pass_identity(PASS_TYPE)


@pytest.fixture
def client(sandbox: Sandbox, identity: Path) -> Iterator[ApnsClient]:
    sandbox.hub.register(TOKEN)
    with ApnsClient(sandbox.apns_url, sandbox.ca_file, identity) as client:
        yield client


def bearer(sandbox: Sandbox, team: str = "TEAM123456", *, issued_at: float | None = None, **header: str) -> str:
    key_file = sandbox.issue_push_key(team)
    claims = {"iss": team, "iat": int(issued_at or time.time())}
    headers = {"kid": key_file.stem.removeprefix("AuthKey_"), **header}
    return "bearer " + jwt.encode(claims, key_file.read_text(), algorithm="ES256", headers=headers)


def shake_hands(sandbox: Sandbox, identity: Path | None) -> None:
    """Under TLS 1.3 the server's opinion of a certificate arrives after the client's part is done: read for it."""
    with ApnsClient(sandbox.apns_url, sandbox.ca_file, identity) as client:
        client.socket.settimeout(1)
        while client.socket.recv(65_536):
            pass


def test_an_empty_push_reaches_the_phone_and_its_id_comes_back(sandbox: Sandbox, client: ApnsClient) -> None:
    heard: list[str] = []
    apns_id = str(uuid.uuid4())

    with sandbox.apns.subscribe(TOKEN, heard.append):
        answer = client.push(apns_id=apns_id)

    assert (answer.status, answer.apns_id, answer.body) == (200, apns_id, b"")
    assert heard == [PASS_TYPE]
    record = sandbox.apns.requests[-1]
    assert (record.token, record.topic, record.status, record.bearer) == (TOKEN, PASS_TYPE, 200, False)


def test_aps_alone_is_empty_too_and_the_topic_may_be_left_to_the_certificate(client: ApnsClient) -> None:
    answer = client.push(body=b'{"aps":{}}', apns_topic=None)

    assert answer.status == 200
    assert uuid.UUID(answer.apns_id)


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"method": "GET"}, 405, "MethodNotAllowed"),
        ({"path": "/3/devices/" + TOKEN}, 404, "BadPath"),
        ({"path": "/3/device/"}, 400, "MissingDeviceToken"),
        ({"token": "not-hex"}, 400, "BadDeviceToken"),
        ({"token": "cd" * 32}, 400, "BadDeviceToken"),
        ({"body": b""}, 400, "PayloadEmpty"),
        ({"body": b'{"aps":{"alert":"Hello"}}'}, 400, "BadPayload"),
        ({"body": b"not json"}, 400, "BadPayload"),
        ({"body": b"{" + b" " * 5000 + b"}"}, 413, "PayloadTooLarge"),
        ({"apns_topic": "pass.com.example.other"}, 400, "TopicDisallowed"),
        ({"apns_topic": "com.example.app"}, 400, "BadTopic"),
        ({"apns_priority": "10"}, 400, "BadPriority"),
        ({"apns_priority": None}, 400, "BadPriority"),
        ({"apns_priority": "7"}, 400, "BadPriority"),
        ({"apns_push_type": "alert"}, 400, "InvalidPushType"),
        ({"apns_push_type": "passkit"}, 400, "InvalidPushType"),
        ({"apns_expiration": "tomorrow"}, 400, "BadExpirationDate"),
        ({"apns_id": "ABC"}, 400, "BadMessageId"),
        ({"apns_collapse_id": "x" * 65}, 400, "BadCollapseId"),
        ({"more": (("apns-topic", PASS_TYPE),)}, 400, "DuplicateHeaders"),
    ],
)
def test_a_wrong_push_is_refused_as_apple_refuses_it(
    client: ApnsClient, changes: dict[str, object], status: int, reason: str
) -> None:
    answer = client.push(**changes)

    assert (answer.status, answer.reason) == (status, reason)


def test_without_a_push_type_the_priority_may_be_ten(client: ApnsClient) -> None:
    assert client.push(apns_push_type=None, apns_priority=None).status == 200


def test_without_a_certificate_there_is_no_connection(sandbox: Sandbox) -> None:
    with pytest.raises(ssl.SSLError, match="certificate required"):
        shake_hands(sandbox, None)


def test_an_expired_certificate_is_refused_with_the_alert_that_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    expired = sandbox.issue_pass_identity("pass.com.example.expired", valid_days=-2)

    with pytest.raises(ssl.SSLError, match="expired"):
        shake_hands(sandbox, expired)


def test_a_certificate_of_another_authority_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    with Sandbox(tmp_path / "other") as other:
        stranger = other.issue_pass_identity(PASS_TYPE)

    with pytest.raises(ssl.SSLError, match=r"unknown ca|decrypt error"):
        shake_hands(sandbox, stranger)


def test_a_retired_token_is_gone_with_the_moment_in_milliseconds(sandbox: Sandbox, client: ApnsClient) -> None:
    before_ms = int(time.time() * 1000)
    sandbox.apns.unsubscribe(TOKEN)

    answer = client.push()

    assert (answer.status, answer.reason) == (410, "Unregistered")
    assert before_ms <= answer.json["timestamp"] <= int(time.time() * 1000)


@pytest.mark.parametrize(
    ("policy", "status"), [(UnknownToken.REFUSE, 400), (UnknownToken.ACCEPT, 200), (UnknownToken.GONE, 410)]
)
def test_what_becomes_of_unknown_tokens_can_be_chosen(
    sandbox: Sandbox, client: ApnsClient, policy: UnknownToken, status: int
) -> None:
    sandbox.apns.unknown_token = policy

    assert client.push("ee" * 32).status == status


def test_a_phone_that_was_off_hears_of_each_topic_once(sandbox: Sandbox, client: ApnsClient) -> None:
    for _ in range(3):
        client.push()
    heard: list[str] = []

    with sandbox.apns.subscribe(TOKEN, heard.append):
        pass
    with sandbox.apns.subscribe(TOKEN, heard.append):
        pass

    assert heard == [PASS_TYPE]


def test_a_push_that_expires_at_once_is_not_kept(sandbox: Sandbox, client: ApnsClient) -> None:
    assert client.push(apns_expiration="0").status == 200

    assert sandbox.hub.kept == []


def test_scripted_answers_are_used_up_in_order_and_spare_other_tokens(sandbox: Sandbox, client: ApnsClient) -> None:
    other = "cd" * 32
    sandbox.hub.register(other)
    sandbox.apns.script(
        Fault(status=429, reason="TooManyRequests", token=TOKEN),
        Fault(status=410, reason="ExpiredToken", timestamp_ms=1_700_000_000_000, token=TOKEN),
    )

    answers = [client.push(other), client.push(), client.push(), client.push()]

    assert [answer.status for answer in answers] == [200, 429, 410, 200]
    assert answers[2].json == {"reason": "ExpiredToken", "timestamp": 1_700_000_000_000}
    assert sandbox.apns.scripted == []


def test_silence_is_silence_and_a_lost_answer_was_delivered(sandbox: Sandbox, client: ApnsClient) -> None:
    heard: list[str] = []
    sandbox.apns.script(Fault(kind=FaultKind.SILENT), Fault(kind=FaultKind.LOST_ANSWER))

    with sandbox.apns.subscribe(TOKEN, heard.append):
        first, second = client.send(), client.send()
        third = client.push()

    assert third.status == 200
    assert not client.answers[first].ended
    assert not client.answers[second].ended
    assert heard == [PASS_TYPE, PASS_TYPE]
    assert [record.status for record in sandbox.apns.requests] == [0, 0, 200]


def test_a_slow_answer_does_not_hold_the_next(sandbox: Sandbox, client: ApnsClient) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.SLOW, delay_s=0.3))

    slow = client.send()
    quick = client.push()

    assert quick.status == 200
    assert not client.answers[slow].ended
    assert client.read_until(lambda: client.answers[slow].ended)
    assert client.answers[slow].status == 200


def test_goaway_leaves_later_streams_undone_and_then_closes(sandbox: Sandbox, client: ApnsClient) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.GOAWAY, after_streams=3, reason="Shutdown"))

    streams = [client.send() for _ in range(5)]
    client.read_until(lambda: False)

    assert client.closed
    assert client.goaway is not None
    assert client.goaway.last_stream_id == streams[2]
    assert b"Shutdown" in (client.goaway.additional_data or b"")
    assert [client.answers[stream].status for stream in streams] == [200, 200, 200, 0, 0]
    assert sandbox.apns.count == 3


def test_a_refused_stream_is_reset(sandbox: Sandbox, client: ApnsClient) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.REFUSE_STREAM))

    assert client.push().reset == REFUSED_STREAM
    assert client.push().status == 200


def test_a_dropped_connection_just_ends(sandbox: Sandbox, client: ApnsClient) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.DROP))

    answer = client.push()

    assert client.closed
    assert client.goaway is None
    assert answer.status == 0


def test_a_handshake_can_be_refused_with_a_named_alert(sandbox: Sandbox, identity: Path) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.REFUSE_HANDSHAKE, reason="certificate_revoked"))

    with pytest.raises(ssl.SSLError, match="revoked"), ApnsClient(sandbox.apns_url, sandbox.ca_file, identity):
        pass

    with ApnsClient(sandbox.apns_url, sandbox.ca_file, identity) as client:
        sandbox.hub.register(TOKEN)
        assert client.push().status == 200


def test_a_new_stream_limit_holds_on_open_connections(sandbox: Sandbox, client: ApnsClient) -> None:
    client.push()
    sandbox.apns.limit_streams(2)
    sandbox.apns.script(Fault(kind=FaultKind.SILENT, times=2))

    client.send()
    client.send()
    third = client.push()

    assert third.reset == REFUSED_STREAM
    assert client.stream_limit == 2
    assert sandbox.apns.streams_over_limit > 0


def test_a_bearer_token_starts_with_one_stream_and_then_has_many(sandbox: Sandbox) -> None:
    sandbox.issue_pass_identity(PASS_TYPE)
    sandbox.hub.register(TOKEN)
    sandbox.apns.limit_streams(500, at_first=1)

    with ApnsClient(sandbox.apns_token_url, sandbox.ca_file) as client:
        client.read_until(lambda: client.stream_limit == 1)
        assert client.push(authorization=bearer(sandbox)).status == 200
        assert client.read_until(lambda: client.stream_limit == 500)


def test_bearer_tokens_are_verified(sandbox: Sandbox) -> None:
    sandbox.issue_pass_identity(PASS_TYPE)
    sandbox.hub.register(TOKEN)
    good = bearer(sandbox)

    def ask(**changes: str | None) -> str:
        with ApnsClient(sandbox.apns_token_url, sandbox.ca_file) as client:
            return client.push(**changes).reason

    assert ask() == "MissingProviderToken"
    assert ask(authorization="bearer rubbish") == "InvalidProviderToken"
    assert ask(authorization=good[:-8] + "AAAAAAAA") == "InvalidProviderToken"
    assert ask(authorization=bearer(sandbox, kid="NOSUCHKEY1")) == "InvalidProviderToken"
    assert ask(authorization=bearer(sandbox, issued_at=time.time() - 3700)) == "ExpiredProviderToken"
    assert ask(authorization=bearer(sandbox, "OTHERTEAM1")) == "TopicDisallowed"
    assert ask(authorization=good, apns_topic=None) == "MissingTopic"
    assert ask(authorization=good) == ""


def test_a_second_key_on_one_connection_is_refused(sandbox: Sandbox) -> None:
    sandbox.issue_pass_identity(PASS_TYPE)
    sandbox.hub.register(TOKEN)

    with ApnsClient(sandbox.apns_token_url, sandbox.ca_file) as client:
        first = client.push(authorization=bearer(sandbox))
        second = client.push(authorization=bearer(sandbox, "OTHERTEAM1"))

    assert first.status == 200
    assert second.reason == "UnrelatedKeyIdInToken"


def test_a_broken_protocol_ends_that_connection_alone(sandbox: Sandbox, client: ApnsClient) -> None:
    client.socket.sendall(b"\x00\x00\x01" + bytes(6) + b"x")  # DATA on stream 0
    client.read_until(lambda: False)

    assert client.closed
    with ApnsClient(sandbox.apns_url, sandbox.ca_file, sandbox.issue_pass_identity(PASS_TYPE)) as other:
        assert other.push().status == 200
