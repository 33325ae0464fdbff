"""Webhooks over real sockets: signed, repeated, given up, and never in each other's way."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.sandbox.authority import Authority
from app.staff.models import AuditEvent
from app.webhooks import deliveries, endpoints
from app.webhooks.deliver import Deliverer
from app.webhooks.rules import BACKOFF_MS, GIVEN_UP_AFTER_MS
from tests.app.webhooks import receiver
from tests.app.webhooks.conftest import House
from tests.app.webhooks.sink import closed_port, sink, sleeping
from tests.conftest import MovableClock


def test_an_event_arrives_once_signed_and_complete_on_both_databases(any_house: House) -> None:
    house = any_house
    endpoint = house.listen()
    house.announce(points=12)

    house.deliver()

    (one,) = house.sink.received
    name = receiver.check(house.secrets[endpoint.id], one.headers, one.body, now_s=house.world.clock().timestamp())
    assert one.headers["content-type"] == "application/json"
    assert one.event == {
        "sequence": house.jobs()[0].event_id,
        "id": name,
        "type": "card.updated",
        "timestamp": "2026-11-20T10:00:00.000+00:00",
        "programme": house.programme.public_id,
        "data": {
            "card": {"number": house.card.number, "serial": house.card.serial, "version": 1},
            "points": 12,
        },
    }
    assert [(job.state, job.last_status) for job in house.jobs()] == [("sent", 204)]
    assert (house.fresh(endpoint).delivered, house.fresh(endpoint).failed) == (1, 0)


def test_numbers_of_events_grow_and_are_never_used_again(any_house: House) -> None:
    house = any_house
    house.listen()
    for _ in range(3):
        house.announce()
    house.deliver()
    with house.world.database.unit_of_work() as session:
        for model, old in deliveries.old_rows(2**60):
            session.query(model).filter(old).delete()

    house.announce()
    house.deliver()

    numbers = [one.event["sequence"] for one in house.sink.received]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 4


def test_a_failure_is_tried_again_at_its_times_under_one_id_and_then_parked(house: House, clock: MovableClock) -> None:
    house.sink.answer = lambda _: 500
    house.listen()
    house.announce()

    for wait_ms in BACKOFF_MS:
        house.deliver()
        before = len(house.sink.received)
        clock.advance(milliseconds=wait_ms - 1)
        house.deliver()
        assert len(house.sink.received) == before
        clock.advance(milliseconds=1)
    house.deliver()

    assert len(house.sink.received) == 12
    assert len({one.id for one in house.sink.received}) == 1
    assert len({one.body for one in house.sink.received}) == 1
    assert len({one.headers["webhook-timestamp"] for one in house.sink.received}) == 12
    assert [(job.state, job.attempts, job.last_status) for job in house.jobs()] == [("parked", 12, 500)]
    clock.advance(days=1)
    house.deliver()
    assert len(house.sink.received) == 12


def test_the_waits_begin_with_those_that_the_specification_names() -> None:
    minute, hour, day = 60_000, 3_600_000, 86_400_000

    assert BACKOFF_MS[:9] == (5_000, minute, 5 * minute, 30 * minute, 2 * hour, 6 * hour, 12 * hour, day, day)
    assert sum(BACKOFF_MS) < GIVEN_UP_AFTER_MS == 5 * day


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 404, 422, 429, 500, 503])
def test_everything_but_a_2xx_is_tried_again(house: House, status: int) -> None:
    elsewhere = {"Location": f"{house.sink.url}/moved"}
    house.sink.answer = lambda _: (status, elsewhere, b"")
    house.listen()
    house.announce()

    house.deliver()

    assert [one.path for one in house.sink.received] == ["/hook"]
    assert [(job.state, job.last_status) for job in house.jobs()] == [("waiting", status)]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_taken(house: House, status: int) -> None:
    house.sink.answer = lambda _: status
    house.listen()
    house.announce()

    house.deliver()

    assert [job.state for job in house.jobs()] == ["sent"]


def test_an_endpoint_that_says_410_is_told_nothing_more(house: House, clock: MovableClock) -> None:
    house.sink.answer = lambda _: 410
    endpoint = house.listen()
    house.announce()
    house.deliver()

    house.announce()
    clock.advance(days=2)
    house.deliver()

    assert len(house.sink.received) == 1
    assert (house.fresh(endpoint).state, house.fresh(endpoint).reason) == ("disabled", "gone")
    with house.world.database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "webhook_disabled")).all()
    assert [(one.actor, one.reason) for one in events] == [("delivery", "gone")]


def test_an_endpoint_that_fails_for_five_days_is_switched_off_and_may_be_switched_on_again(
    house: House, clock: MovableClock
) -> None:
    house.sink.answer = lambda _: 503
    endpoint = house.listen()
    for _ in range(5):
        house.announce()
        house.deliver()
        assert house.fresh(endpoint).state == "enabled"
        clock.advance(days=1)

    house.deliver()
    assert (house.fresh(endpoint).state, house.fresh(endpoint).reason) == ("disabled", "failing")

    house.sink.answer = lambda _: 204
    house.change(endpoint, enabled=True)
    house.announce()
    clock.advance(days=1)
    house.deliver()
    assert house.jobs()[-1].state == "sent"
    assert house.fresh(endpoint).failing_since == 0


def test_one_success_makes_failures_forgotten(house: House, clock: MovableClock) -> None:
    house.sink.answer = lambda one: 500 if len(house.sink.received) == 1 else 204
    endpoint = house.listen()
    house.announce()
    house.deliver()
    assert house.fresh(endpoint).failing_since > 0

    clock.advance(seconds=5)
    house.deliver()

    assert (house.fresh(endpoint).failures, house.fresh(endpoint).failing_since) == (0, 0)


def test_a_slow_and_a_dead_endpoint_delay_nobody(house: House) -> None:
    house.allow(f"127.0.0.1:{(dead := closed_port())}")
    released = threading.Event()
    with sink() as slow:
        house.allow(slow.neighbour)
        slow.answer = lambda _: 204 if released.wait(8) else 500
        house.listen(slow.url)
        house.listen(f"http://127.0.0.1:{dead}/")
        house.listen()
        for _ in range(50):
            house.announce()
        going = threading.Thread(target=house.deliver)
        going.start()

        house.sink.wait_for(50)
        assert len(slow.received) == 1
        released.set()
        going.join()
        house.deliver()

        assert len(slow.wait_for(50)) == 50
    assert sum(job.last_reason == "unreachable" for job in house.jobs()) >= 1


def test_endpoints_that_fail_leave_threads_to_those_that_do_not(house: House) -> None:
    hang = threading.Event()
    with sink() as stuck:
        house.allow(stuck.neighbour)
        stuck.answer = lambda _: 500 if len(stuck.received) <= 6 else hang.wait(8) and 500
        for _ in range(6):
            house.listen(stuck.url)
        house.announce()
        house.deliver()
        house.world.clock.advance(seconds=5)  # type: ignore[attr-defined]  # the tests' clock moves
        going = threading.Thread(target=house.deliver)
        going.start()
        stuck.wait_for(8)

        house.listen()
        house.announce()

        house.sink.wait_for(1, within_s=5)
        hang.set()
        going.join()


def test_an_answer_without_end_is_not_read_and_a_long_one_counts(house: House) -> None:
    house.sink.answer = lambda _: (200, {}, b"x" * 3_000_000)
    house.listen()
    house.announce()

    house.deliver()

    assert [(job.state, job.last_reason) for job in house.jobs()] == [("sent", "")]


def test_nothing_of_an_answer_is_kept_but_its_status(house: House) -> None:
    house.sink.answer = lambda _: (500, {"X-Secret": "kahve"}, b"internal: secret kahve <script>")
    endpoint = house.listen()
    house.announce()

    house.deliver()

    assert house.jobs()[0].last_reason == "status 500"
    assert house.fresh(endpoint).last_reason == "status 500"


def test_an_answer_that_does_not_come_in_ten_seconds_is_a_failure(house: House) -> None:
    house.sink.answer = sleeping(12)
    house.listen()
    house.announce()
    began = time.monotonic()

    house.deliver()

    assert time.monotonic() - began >= 10
    assert [(job.state, job.last_status, job.last_reason) for job in house.jobs()] == [("waiting", 0, "timeout")]


def test_proxies_of_the_environment_are_not_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with sink() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        house.listen()
        house.announce()

        house.deliver()

        assert proxy.received == []
        assert proxy.connections == 0
    assert len(house.sink.received) == 1


def test_a_name_that_changes_its_mind_is_judged_at_each_send(house: House, clock: MovableClock) -> None:
    found = ["93.184.216.34"]
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return list(found)

    endpoints.check_url("https://rebind.example.com/", house.world.settings, resolve=resolve)
    house.listen("https://rebind.example.com/")
    house.announce()
    found[:] = ["127.0.0.1"]
    house.deliverer = Deliverer(resolve=resolve, threads=2)

    house.deliver()
    clock.advance(seconds=5)
    found[:] = ["93.184.216.34", "169.254.169.254"]
    house.deliver()
    house.deliverer.close()

    assert asked == ["rebind.example.com"] * 3
    assert [job.last_reason for job in house.jobs()] == ["link_local"]
    assert house.jobs()[0].attempts == 2


def test_the_connection_goes_to_the_judged_address_under_the_name(house: House, tmp_path: Path) -> None:
    """The name leads nowhere on this machine; only the resolver handed in knows it."""
    authority = Authority(tmp_path)
    with sink(authority.server_identity()) as secure:
        house.allow(f"localhost:{secure.port}", f"elsewhere.test:{secure.port}")
        asked: list[str] = []

        def resolve(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        house.deliverer = Deliverer(resolve=resolve, ca_file=authority.ca_file, threads=2)
        house.listen(f"https://localhost:{secure.port}/a")
        house.listen(f"https://elsewhere.test:{secure.port}/b")
        house.announce()

        house.deliver()
        house.deliverer.close()

        assert sorted(asked) == ["elsewhere.test", "localhost"]
        assert sorted(str(name) for name in secure.names) == ["elsewhere.test", "localhost"]
        assert [one.path for one in secure.received] == ["/a"]
    states = {(job.state, job.last_reason) for job in house.jobs()}
    assert states == {("sent", ""), ("waiting", "certificate")}


def test_a_certificate_of_an_unknown_authority_is_not_believed(house: House, tmp_path: Path) -> None:
    with sink(Authority(tmp_path).server_identity()) as secure:
        house.allow(secure.neighbour)
        house.listen(secure.url)
        house.announce()

        house.deliver()

        assert secure.received == []
    assert [job.last_reason for job in house.jobs()] == ["certificate"]


def test_both_secrets_sign_for_a_day_after_a_rotation(house: House, clock: MovableClock) -> None:
    endpoint = house.listen()
    old = house.secrets[endpoint.id]
    with house.world.database.unit_of_work() as session:
        row = endpoints.by_id(session, endpoint.public_id, to_change=True)
        new = endpoints.rotate(session, row, now=clock())

    house.announce()
    house.deliver()
    clock.advance(hours=24)
    house.announce()
    house.deliver()

    first, second = house.sink.received
    for secret in (old, new):
        receiver.check(secret, first.headers, first.body, now_s=(clock() - timedelta(hours=24)).timestamp())
    receiver.check(new, second.headers, second.body, now_s=clock().timestamp())
    with pytest.raises(receiver.NotGenuine):
        receiver.check(old, second.headers, second.body, now_s=clock().timestamp())


def test_messages_of_one_endpoint_share_a_connection(house: House) -> None:
    house.listen()
    for _ in range(10):
        house.announce()

    house.deliver()

    assert (len(house.sink.received), house.sink.connections) == (10, 1)


def test_what_was_forgotten_while_its_endpoint_was_off_is_not_sent(house: House, clock: MovableClock) -> None:
    endpoint = house.listen()
    house.announce()
    house.change(endpoint, enabled=False)
    clock.advance(days=15)
    with house.world.database.unit_of_work() as session:
        for model, old in deliveries.old_rows(int(clock().timestamp() * 1000)):
            session.query(model).filter(old).delete()
    house.change(endpoint, enabled=True)

    house.deliver()

    assert house.sink.received == []
    assert [(job.state, job.last_reason) for job in house.jobs()] == [("failed", "forgotten")]


def test_a_neighbour_that_is_no_longer_allowed_gets_nothing(house: House) -> None:
    house.listen()
    house.announce()
    house.world = replace(house.world, settings=replace(house.world.settings, webhook_allow=frozenset()))

    house.deliver()

    assert house.sink.received == []
    assert [job.last_reason for job in house.jobs()] == ["not_https"]


def test_two_processes_share_the_work_and_send_nothing_twice(any_house: House) -> None:
    house = any_house
    house.sink.answer = sleeping(0.01)
    house.listen()
    for _ in range(60):
        house.announce()
    other = Deliverer(threads=2)

    def help_out() -> None:
        while other.deliver_due(house.world):
            pass

    helper = threading.Thread(target=help_out)
    helper.start()
    house.deliver()
    helper.join()
    other.close()

    assert len(house.sink.received) == 60
    assert len({one.id for one in house.sink.received}) == 60
    assert {job.state for job in house.jobs()} == {"sent"}


def test_name_servers_that_take_their_time_delay_nobody_else(house: House) -> None:
    asked, released = threading.Event(), threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        asked.set()
        released.wait(10)
        return []

    house.listen("https://slow.example.com/")
    house.listen()
    house.announce()
    house.deliverer = Deliverer(resolve=resolve, threads=2)
    going = threading.Thread(target=house.deliver)
    going.start()

    assert asked.wait(10)
    house.sink.wait_for(1, within_s=8)
    released.set()
    going.join()
    house.deliverer.close()

    assert sorted(job.last_reason for job in house.jobs()) == ["", "unresolved"]


def test_a_replay_while_it_is_being_sent_is_sent_once_more_and_not_lost(house: House) -> None:
    endpoint = house.listen()
    house.announce()
    busy, go_on = threading.Event(), threading.Event()

    def answer(_: object) -> int:
        busy.set()
        go_on.wait(8)
        return 204

    house.sink.answer = answer
    going = threading.Thread(target=house.deliver)
    going.start()
    assert busy.wait(10)

    with house.world.database.unit_of_work() as session:
        row = endpoints.by_id(session, endpoint.public_id, to_change=True)
        deliveries.replay(session, row, house.jobs()[0].id, now=house.world.clock())
    go_on.set()
    going.join()
    house.deliver()

    assert len({one.id for one in house.sink.received}) == 1
    assert len(house.sink.received) == 2
    assert [job.state for job in house.jobs()] == ["sent"]
