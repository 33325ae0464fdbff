"""Pushes against the APNs stand-in: every answer understood, no connection wasted, none trusted that is silent."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from app.clock import system_clock
from app.outbox.rules import Lane
from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.sandbox import Sandbox
from app.wallets.apple.batches import Wake, Woken
from app.wallets.apple.client import ApnsClient
from app.wallets.apple.dial import Access
from app.wallets.apple.tokens import ProviderTokens
from passes.outcome import Outcome
from tests.app.wallets.apple.conftest import PASS_TYPE, TEAM

DEADLINE_S = 20.0  # a loaded machine answers late, and that is not what is tested
SHORT_S = 1.5


@pytest.fixture
def access(sandbox: Sandbox) -> Access:
    folder = sandbox.folder / "passes" / PASS_TYPE
    return Access(
        url=sandbox.apns_url,
        ca_file=sandbox.ca_file,
        chain_pem=(folder / "certificate.pem").read_bytes(),
        key_pem=(folder / "key.pem").read_bytes(),
    )


@pytest.fixture
def client(access: Access) -> Iterator[ApnsClient]:
    made = ApnsClient(access, deadline_s=DEADLINE_S)
    yield made
    made.close()


@pytest.fixture
def phones(sandbox: Sandbox) -> Callable[[int], list[Wake]]:
    def make(count: int) -> list[Wake]:
        tokens = [secrets.token_hex(32) for _ in range(count)]
        for token in tokens:
            sandbox.hub.register(token)
        return [Wake(token) for token in tokens]

    return make


Phones = Callable[[int], list[Wake]]


def send(client: ApnsClient, wakes: Sequence[Wake], lane: Lane = Lane.URGENT) -> list[Woken]:
    results = client.send(wakes, topic=PASS_TYPE, lane=lane)
    return [one for one in results if one is not None]


def outcomes(results: list[Woken]) -> list[Outcome]:
    return [one.answer.outcome for one in results]


def test_many_pushes_share_one_connection_and_are_what_apple_asks_for(
    client: ApnsClient, phones: Phones, sandbox: Sandbox
) -> None:
    before = sandbox.apns.connections_made
    wakes = phones(200)

    results = send(client, wakes) + send(client, wakes)

    assert outcomes(results) == [Outcome.DELIVERED] * 400
    assert sandbox.apns.connections_made == before + 1
    assert sandbox.apns.streams_over_limit == 0
    record = sandbox.apns.requests[-1]
    assert (record.topic, record.push_type, record.priority, record.body) == (PASS_TYPE, "background", "5", b"{}")


def test_results_come_in_the_order_of_the_pushes(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    wakes = phones(20)
    sandbox.hub.unsubscribe(wakes[7].push_token)
    sandbox.apns.script(Fault(status=429, reason="TooManyRequests", token=wakes[12].push_token))

    results = send(client, wakes)

    assert [i for i, one in enumerate(results) if one.answer.outcome is Outcome.GONE] == [7]
    assert [i for i, one in enumerate(results) if one.answer.outcome is Outcome.TRY_AGAIN] == [12]
    assert results[7].answer.dead_since is not None


def test_the_end_of_an_offer_travels_as_the_pushs_own_end(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    ends_at = system_clock() + timedelta(hours=1)
    (wake,) = phones(1)

    send(client, [Wake(wake.push_token, int(ends_at.timestamp()))])

    assert sandbox.apns.requests[-1].expiration == str(int(ends_at.timestamp()))


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (400, "BadDeviceToken", Outcome.GONE),
        (400, "DeviceTokenNotForTopic", Outcome.REFUSED),
        (400, "PayloadEmpty", Outcome.REFUSED),
        (403, "BadCertificate", Outcome.REFUSED),
        (410, "ExpiredToken", Outcome.GONE),
        (429, "TooManyRequests", Outcome.TRY_AGAIN),
        (500, "InternalServerError", Outcome.TRY_AGAIN),
        (503, "Shutdown", Outcome.TRY_AGAIN),
        (418, "SomethingNew", Outcome.REFUSED),
    ],
)
def test_the_reason_in_the_body_is_read(
    status: int, reason: str, outcome: Outcome, client: ApnsClient, phones: Phones, sandbox: Sandbox
) -> None:
    sandbox.apns.script(Fault(status=status, reason=reason))

    (result,) = send(client, phones(1))

    assert (result.answer.outcome, result.answer.status, result.answer.reason) == (outcome, status, reason)


def test_a_silent_apns_is_given_up_and_its_connection_replaced(
    access: Access, phones: Phones, sandbox: Sandbox
) -> None:
    client = ApnsClient(access, deadline_s=SHORT_S)
    wakes = phones(5)
    send(client, wakes)
    made = sandbox.apns.connections_made
    sandbox.apns.script(Fault(kind=FaultKind.SILENT, token=wakes[2].push_token))

    results = send(client, wakes)

    assert [i for i, one in enumerate(results) if one.answer.outcome is Outcome.TRY_AGAIN] == [2]
    assert results[2].answer.reason == "Timeout"
    assert send(client, wakes)[0].detail == "waiting before the next connection to APNs"
    time.sleep(1.05)
    assert outcomes(send(client, wakes)) == [Outcome.DELIVERED] * 5
    assert sandbox.apns.connections_made == made + 1
    client.close()


def test_a_cut_connection_is_worth_another_try(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    wakes = phones(5)
    sandbox.apns.script(Fault(kind=FaultKind.DROP))

    results = send(client, wakes)

    assert Outcome.TRY_AGAIN in outcomes(results)
    assert set(outcomes(results)) <= {Outcome.TRY_AGAIN, Outcome.DELIVERED}


def test_no_push_is_lost_when_apns_says_goodbye(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.GOAWAY, after_streams=3, reason="Shutdown"))

    results = send(client, phones(30))

    assert outcomes(results) == [Outcome.DELIVERED] * 30
    assert sum(1 for record in sandbox.apns.requests if record.status == 200) == 30


def test_a_refused_stream_is_begun_again_at_once(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.REFUSE_STREAM, times=2))

    results = send(client, phones(10))

    assert outcomes(results) == [Outcome.DELIVERED] * 10


def test_streams_refused_without_end_are_left_for_later(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.REFUSE_STREAM, times=None))

    results = send(client, phones(3))

    assert {(one.answer.outcome, one.answer.reason) for one in results} == {(Outcome.TRY_AGAIN, "RefusedStream")}


def test_the_servers_limit_on_streams_is_kept(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    sandbox.apns.limit_streams(3)

    results = send(client, phones(40))

    assert outcomes(results) == [Outcome.DELIVERED] * 40
    assert sandbox.apns.streams_over_limit == 0


def test_a_limit_lowered_midway_costs_at_most_another_try(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    wakes = phones(300)
    sandbox.apns.limit_streams(20)
    sandbox.apns.script(Fault(kind=FaultKind.SLOW, delay_s=0.05, times=None))
    lowering = threading.Timer(0.3, lambda: sandbox.apns.limit_streams(5))
    lowering.start()

    results = send(client, wakes)
    lowering.join()

    assert set(outcomes(results)) <= {Outcome.DELIVERED, Outcome.TRY_AGAIN}
    left = [wake for wake, one in zip(wakes, results, strict=True) if one.answer.outcome is Outcome.TRY_AGAIN]
    for _ in range(10):
        time.sleep(0.5 if left else 0)
        again = send(client, left)
        left = [wake for wake, one in zip(left, again, strict=True) if one.answer.outcome is Outcome.TRY_AGAIN]
    assert left == []


def test_a_limit_lowered_while_nothing_is_sent_is_kept_too(
    client: ApnsClient, phones: Phones, sandbox: Sandbox
) -> None:
    over = sandbox.apns.streams_over_limit
    send(client, phones(50))
    sandbox.apns.limit_streams(3)
    time.sleep(1.05)

    results = send(client, phones(50))

    assert outcomes(results) == [Outcome.DELIVERED] * 50
    assert sandbox.apns.streams_over_limit == over


def test_the_limit_is_learnt_and_what_is_urgent_overtakes_a_campaign(
    client: ApnsClient, phones: Phones, sandbox: Sandbox
) -> None:
    sandbox.apns.limit_streams(4)
    sandbox.apns.script(Fault(kind=FaultKind.SLOW, delay_s=0.02, times=None))
    campaign, (urgent,) = phones(240), phones(1)
    bulk = threading.Thread(target=send, args=(client, campaign, Lane.BULK))
    bulk.start()
    sandbox.apns.wait_for(40)

    send(client, [urgent])
    bulk.join()

    order = [record.token for record in sandbox.apns.requests]
    assert order.index(urgent.push_token) < 120, "it passed the greater part of the campaign"


def test_many_threads_share_one_connection(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    made = sandbox.apns.connections_made
    batches = [phones(30) for _ in range(6)]

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda wakes: send(client, wakes), batches))

    assert [outcomes(one) for one in found] == [[Outcome.DELIVERED] * 30] * 6
    assert sandbox.apns.connections_made == made + 1


def test_what_cannot_be_sent_in_time_is_left_unsent(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    sandbox.apns.limit_streams(1)
    sandbox.apns.script(Fault(kind=FaultKind.SLOW, delay_s=0.1, times=None))

    results = client.send(phones(20), topic=PASS_TYPE, sending_s=0.35)

    sent = [one for one in results if one is not None]
    assert 0 < len(sent) < 20
    assert outcomes(sent) == [Outcome.DELIVERED] * len(sent)
    assert sandbox.apns.count == len(sent)


def test_the_first_push_of_a_connection_goes_alone(client: ApnsClient, phones: Phones, sandbox: Sandbox) -> None:
    over = sandbox.apns.streams_over_limit
    sandbox.apns.limit_streams(1)

    results = send(client, phones(30))

    assert outcomes(results) == [Outcome.DELIVERED] * 30
    assert sandbox.apns.streams_over_limit == over


def test_a_connection_that_nobody_holds_is_closed(access: Access, phones: Phones, sandbox: Sandbox) -> None:
    client = ApnsClient(access)
    send(client, phones(3))
    assert sandbox.apns.connections >= 1

    del client

    assert eventually(lambda: sandbox.apns.connections == 0)


def test_a_connection_is_kept_while_pushes_come_and_closed_when_none_come(
    access: Access, phones: Phones, sandbox: Sandbox
) -> None:
    made = sandbox.apns.connections_made
    client = ApnsClient(access, deadline_s=DEADLINE_S, idle_close_s=0.6)

    kept = []
    for _ in range(4):
        kept += send(client, phones(2))
        time.sleep(0.25)
    assert sandbox.apns.connections_made == made + 1
    assert eventually(lambda: sandbox.apns.connections == 0)
    anew = send(client, phones(2))
    client.close()

    assert outcomes(kept + anew) == [Outcome.DELIVERED] * 10
    assert sandbox.apns.connections_made == made + 2


def test_a_closed_client_opens_anew(client: ApnsClient, phones: Phones) -> None:
    first = send(client, phones(3))
    client.close()
    eventually(lambda: not any(thread.name == "apns-line" for thread in threading.enumerate()))

    second = send(client, phones(3))

    assert outcomes(first + second) == [Outcome.DELIVERED] * 6


def eventually(holds: Callable[[], bool], within_s: float = 30) -> bool:
    until = time.monotonic() + within_s
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


def test_an_idle_timeout_costs_the_connection_and_no_waiting(
    client: ApnsClient, phones: Phones, sandbox: Sandbox
) -> None:
    wakes = phones(1)
    sandbox.apns.script(Fault(status=400, reason="IdleTimeout"))

    (first,) = send(client, wakes)
    (second,) = send(client, wakes)

    assert (first.answer.outcome, first.answer.retry_after_s) == (Outcome.TRY_AGAIN, 0)
    assert second.answer.outcome is Outcome.DELIVERED


@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        ("certificate_expired", "CertificateExpired"),
        ("certificate_revoked", "CertificateRevoked"),
        ("unknown_ca", "CertificateRefused"),
    ],
)
def test_a_handshake_refused_for_our_certificate_speaks_of_the_credential(
    alert: str, reason: str, client: ApnsClient, phones: Phones, sandbox: Sandbox
) -> None:
    sandbox.apns.script(Fault(kind=FaultKind.REFUSE_HANDSHAKE, reason=alert))

    (result,) = send(client, phones(1))

    assert (result.answer.outcome, result.answer.reason) == (Outcome.REFUSED, reason)


def test_no_certificate_where_one_is_demanded_speaks_of_the_credential(sandbox: Sandbox, phones: Phones) -> None:
    client = ApnsClient(Access(url=sandbox.apns_url, ca_file=sandbox.ca_file), deadline_s=DEADLINE_S)

    (result,) = send(client, phones(1))
    client.close()

    assert (result.answer.outcome, result.answer.reason) == (Outcome.REFUSED, "CertificateRefused")


def test_a_server_that_is_not_trusted_is_never_pushed_to(access: Access, sandbox: Sandbox, phones: Phones) -> None:
    strict = Access(url=access.url, chain_pem=access.chain_pem, key_pem=access.key_pem)
    client = ApnsClient(strict, deadline_s=DEADLINE_S)

    (result,) = send(client, phones(1))
    client.close()

    assert (result.answer.outcome, result.answer.reason) == (Outcome.REFUSED, "ServerNotTrusted")
    assert "is not trusted" in result.detail
    assert sandbox.apns.count == 0


def test_an_absent_apns_is_not_knocked_at_more_and_more_often(phones: Phones) -> None:
    client = ApnsClient(Access(url="https://127.0.0.1:9"), deadline_s=DEADLINE_S)

    knocked = send(client, phones(1))
    refrained = send(client, phones(3))
    client.close()

    assert outcomes(knocked + refrained) == [Outcome.TRY_AGAIN] * 4
    assert refrained[0].answer.retry_after_s == 1


def tokens_of(sandbox: Sandbox, team: str = TEAM) -> ProviderTokens:
    key: Path = sandbox.issue_push_key(team)
    return ProviderTokens(key, key_id=key.stem.removeprefix("AuthKey_"), clock=system_clock)


def test_a_key_speaks_for_its_team_with_one_stream_until_it_is_believed(sandbox: Sandbox, phones: Phones) -> None:
    access = Access(url=sandbox.apns_token_url, ca_file=sandbox.ca_file)
    client = ApnsClient(access, tokens=tokens_of(sandbox).of(TEAM), deadline_s=DEADLINE_S)

    results = send(client, phones(50))
    client.close()

    assert outcomes(results) == [Outcome.DELIVERED] * 50
    assert sandbox.apns.streams_over_limit == 0
    assert sandbox.apns.requests[-1].bearer


def test_a_refused_key_is_tried_once_and_not_for_every_phone(sandbox: Sandbox, phones: Phones) -> None:
    sandbox.apns.script(Fault(status=403, reason="InvalidProviderToken", times=None))
    access = Access(url=sandbox.apns_token_url, ca_file=sandbox.ca_file)
    client = ApnsClient(access, tokens=tokens_of(sandbox).of(TEAM), deadline_s=DEADLINE_S)

    results = send(client, phones(50))
    client.close()

    assert {one.answer.reason for one in results} == {"InvalidProviderToken"}
    assert sandbox.apns.count == 1


def test_an_expired_token_is_replaced_and_so_is_the_connection(sandbox: Sandbox, phones: Phones) -> None:
    made = sandbox.apns.connections_made
    sandbox.apns.script(Fault(status=403, reason="ExpiredProviderToken"))
    access = Access(url=sandbox.apns_token_url, ca_file=sandbox.ca_file)
    client = ApnsClient(access, tokens=tokens_of(sandbox).of(TEAM), deadline_s=DEADLINE_S)
    wakes = phones(3)

    results = send(client, wakes)
    client.close()

    assert outcomes(results) == [Outcome.TRY_AGAIN, Outcome.DELIVERED, Outcome.DELIVERED]
    assert sandbox.apns.connections_made == made + 2
