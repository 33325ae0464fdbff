from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app import trace
from app.delivery import book, nodes, queries, steps
from app.delivery.engine import Engine
from app.delivery.models import Tally
from app.errors import ConfigurationError
from app.outbox import jobs, pace, switches
from app.outbox.jobs import Settlement
from app.outbox.models import Sender, SendLog, Target
from app.outbox.rules import LEASE_MS, Lane
from app.world import World
from passes.outcome import Outcome
from tests.app.delivery.vendor import Vendor, delivered, says
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import MovableClock

TRY_AGAIN = says(Outcome.TRY_AGAIN, status=503, reason="ServiceUnavailable")


@pytest.fixture
def kit(any_world: World) -> Kit:
    return kit_for(any_world, vendor="apple")


@pytest.fixture
def engine(kit: Kit, vendor: Vendor) -> Engine:
    return Engine(world=kit.world, channels={vendor.name: vendor})


def dirty(kit: Kit, count: int, lane: Lane = Lane.URGENT) -> list[int]:
    ids = [kit.card(channel="apple", address_id=n) for n in range(1, count + 1)]
    for one in ids:
        kit.change(one, lane)
    return ids


def tallies(kit: Kit) -> dict[tuple[str, str, str], int]:
    with kit.world.database.reading() as session:
        return {(one.name, one.label, one.detail): one.value for one in session.scalars(select(Tally))}


def logged(kit: Kit) -> list[SendLog]:
    with kit.world.database.reading() as session:
        return list(session.scalars(select(SendLog)))


def taken(kit: Kit) -> list[int]:
    claim = kit.claim(channel="apple")
    return [one.id for one in claim.rows] if claim else []


def sender(kit: Kit) -> Sender:
    with kit.world.database.reading() as session:
        return session.get_one(Sender, kit.sender_id)


def test_a_change_reaches_the_vendor_once(kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock) -> None:
    (card_id,) = dirty(kit, 1)
    assert not engine.drain("apple", Lane.URGENT)
    clock.advance(seconds=1)

    assert engine.drain("apple", Lane.URGENT)
    assert not engine.drain("apple", Lane.URGENT)

    assert vendor.shows == {1: kit.target(card_id).want}
    assert kit.target(card_id).done == kit.target(card_id).want


def test_a_change_while_the_push_is_on_its_way_is_sent_as_well(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    (card_id,) = dirty(kit, 1)
    clock.advance(seconds=1)
    vendor.during_push = lambda: kit.change(card_id) and None
    engine.drain("apple", Lane.URGENT)
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)

    assert vendor.shows[1] == kit.target(card_id).want == 3
    assert len(vendor.pushed) == 2


def test_what_was_sent_is_logged_and_counted_with_its_lag(kit: Kit, engine: Engine, clock: MovableClock) -> None:
    dirty(kit, 3)
    clock.advance(seconds=1.2)
    engine.drain("apple", Lane.URGENT)

    counted = tallies(kit)
    assert [(one.outcome, one.lag_ms) for one in logged(kit)] == [("delivered", 1_200)] * 3
    assert counted["push", "apple", "delivered"] == 3
    assert counted["lag", "0", "1.5"] == 3
    assert counted["lag_sum", "0", ""] == 3_600


def test_a_campaigns_successes_are_counted_and_only_its_failures_logged(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    dirty(kit, 3, Lane.BULK)
    vendor.answers.append(TRY_AGAIN)
    clock.advance(seconds=10)
    engine.drain("apple", Lane.BULK)

    assert [one.outcome for one in logged(kit)] == ["try_again"]
    assert tallies(kit)["push", "apple", "delivered"] == 2
    assert tallies(kit)["push", "apple", "try_again"] == 1


def test_a_failed_push_is_tried_again_later(kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock) -> None:
    (card_id,) = dirty(kit, 1)
    vendor.answers.append(TRY_AGAIN)
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)

    waits_ms = kit.target(card_id).not_before - kit.now_ms
    assert 2_500 <= waits_ms <= 7_500
    clock.advance(milliseconds=waits_ms)
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 2}
    assert kit.target(card_id).attempts == 0


def test_a_row_that_failed_for_a_day_is_parked_and_tried_once_a_day(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    (card_id,) = dirty(kit, 1)
    vendor.always = TRY_AGAIN
    clock.advance(hours=25)
    engine.drain("apple", Lane.URGENT)
    assert kit.target(card_id).state == "parked"

    vendor.always = says(Outcome.DELIVERED)
    clock.advance(hours=23)
    assert steps.sweep(kit.world) == 0
    clock.advance(hours=2)
    assert steps.sweep(kit.world) == 1
    engine.drain("apple", Lane.BULK)
    assert vendor.shows == {1: 2}


@pytest.mark.parametrize("asked_s", [None, 300], ids=["nothing asked", "Retry-After"])
def test_after_an_outage_of_ten_minutes_a_row_waits_half_a_minute_and_as_long_as_the_vendor_asked(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock, asked_s: float | None
) -> None:
    """Its backoff alone would let it wait for up to a quarter of an hour more."""
    dirty(kit, 1)
    vendor.always = TRY_AGAIN
    waited_s = 0

    def pass_second() -> None:
        clock.advance(seconds=1)
        steps.sweep(kit.world)
        engine.drain("apple", Lane.URGENT)

    for _ in range(600):
        pass_second()
    vendor.always = says(Outcome.TRY_AGAIN, status=503, retry_after_s=asked_s) if asked_s else delivered
    while asked_s and kit.target(1).asked_until < kit.now_ms:
        pass_second()
    vendor.always = delivered
    while not vendor.shows:
        pass_second()
        waited_s += 1

    assert (asked_s or 0) - 1 <= waited_s <= (asked_s or 0) + 31


def test_a_refused_row_is_parked_until_somebody_tries_it_again(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    (card_id,) = dirty(kit, 1)
    vendor.answers.append(says(Outcome.REFUSED, status=400, reason="invalidResource"))
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)
    target = kit.target(card_id)
    assert (target.state, target.last_reason) == ("parked", "invalidResource")

    with kit.world.database.unit_of_work() as session:
        assert queries.retry(session, target.id, now_ms=kit.now_ms)
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 2}


def test_a_card_that_cannot_be_drawn_does_not_hold_up_its_batch(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    ids = dirty(kit, 3)
    vendor.poisoned = {2}
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)

    assert sorted(vendor.shows) == [1, 3]
    assert [kit.target(one).state for one in ids] == ["live", "parked", "live"]
    assert "cannot be prepared" in caplog.text


def test_rows_are_not_blamed_for_a_database_that_goes_away_while_they_are_prepared(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    ids = dirty(kit, 2)
    vendor.outage = OperationalError("SELECT 1", {}, ConnectionError("server closed the connection unexpectedly"))
    clock.advance(seconds=1)
    with pytest.raises(OperationalError):
        engine.drain("apple", Lane.URGENT)
    vendor.outage = None

    assert [kit.target(one).state for one in ids] == ["live", "live"]
    clock.advance(minutes=1)
    engine.drain("apple", Lane.URGENT)
    assert sorted(vendor.shows) == [1, 2]


def test_a_wrong_credential_stops_the_sender_and_costs_no_row_its_place(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    ids = dirty(kit, 3)
    vendor.always = says(Outcome.REFUSED, status=403, breaker="The certificate was revoked.")
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)

    assert not engine.drain("apple", Lane.URGENT)
    clock.advance(days=3)
    assert not engine.drain("apple", Lane.URGENT)
    assert sender(kit).breaker_reason == "The certificate was revoked."
    assert {(kit.target(one).state, kit.target(one).attempts) for one in ids} == {("live", 0)}

    vendor.always = says(Outcome.DELIVERED)
    with kit.world.database.unit_of_work() as session:
        queries.reopen(session, kit.sender_id, now_ms=kit.now_ms)
    engine.drain("apple", Lane.URGENT)
    assert vendor.batches[-1] != [1, 2, 3]
    assert len(vendor.batches[-1]) == 1
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 2, 2: 2, 3: 2}
    assert sender(kit).breaker_failures == 0


def test_a_storm_of_failures_opens_the_breaker_and_one_row_probes_it(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    dirty(kit, 30, Lane.BULK)
    vendor.always = TRY_AGAIN
    clock.advance(seconds=10)
    engine.drain("apple", Lane.BULK)
    assert sender(kit).breaker_until == kit.now_ms + 30_000

    clock.advance(seconds=120)
    engine.drain("apple", Lane.BULK)
    assert len(vendor.batches[-1]) == 1
    assert sender(kit).breaker_until == kit.now_ms + 60_000

    vendor.always = says(Outcome.DELIVERED)
    clock.advance(seconds=60)
    engine.drain("apple", Lane.BULK)
    assert len(vendor.batches[-1]) == 1
    assert sender(kit).breaker_failures == 0
    clock.advance(hours=1)
    engine.drain("apple", Lane.BULK)
    assert len(vendor.shows) == 30


def test_many_phones_gone_at_once_are_not_believed(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    ids = dirty(kit, 60, Lane.BULK)
    vendor.always = says(Outcome.GONE, status=410, reason="Unregistered")
    clock.advance(seconds=10)
    engine.drain("apple", Lane.BULK)

    assert {kit.target(one).state for one in ids} == {"live"}
    assert "No phone was forgotten" in sender(kit).breaker_reason
    assert not any(one.outcome is Outcome.GONE for one in vendor.told)


def test_a_phone_that_is_gone_is_not_told_again(kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock) -> None:
    (card_id,) = dirty(kit, 1)
    vendor.answers.append(says(Outcome.GONE, status=410, reason="Unregistered"))
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)
    kit.change(card_id)
    clock.advance(days=2)
    assert not engine.drain("apple", Lane.URGENT)
    assert kit.target(card_id).state == "gone"


def test_senders_are_served_in_turn(kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock) -> None:
    """One merchant's campaign waits behind nobody, and nobody waits behind it."""
    for n in range(1, 151):
        kit.change(kit.card(channel="apple", address_id=n), Lane.NORMAL)
    clock.advance(seconds=5)
    other = kit_for(kit.world, vendor="apple", name="pass.com.example.other", slug="other")
    other.change(other.card(channel="apple", address_id=1000), Lane.NORMAL)
    clock.advance(seconds=5)

    engine.drain("apple", Lane.NORMAL)

    assert [len(one) for one in vendor.batches] == [100, 1]


def test_one_senders_fault_does_not_stop_another(kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock) -> None:
    dirty(kit, 2)
    other = kit_for(kit.world, vendor="apple", name="pass.com.example.other", slug="other")
    other.change(other.card(channel="apple", address_id=1000))
    with kit.world.database.unit_of_work() as session:
        pace.open_until_mended(session, kit.sender_id, "No certificate.")
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1000: 2}


def test_a_new_certificate_is_noticed(kit: Kit, engine: Engine, vendor: Vendor) -> None:
    with kit.world.database.unit_of_work() as session:
        pace.open_until_mended(session, kit.sender_id, "Expired.")
    before = engine.credentials()
    vendor.secret = "two"
    assert before == {kit.sender_id: "one"}
    assert engine.credentials() == {kit.sender_id: "two"}


def test_a_worker_that_was_frozen_longer_than_its_lease_acknowledges_nothing(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    (card_id,) = dirty(kit, 1)
    clock.advance(seconds=1)

    def freeze() -> None:
        clock.advance(milliseconds=LEASE_MS[Lane.URGENT])
        Engine(world=kit.world, channels={"apple": vendor}).drain("apple", Lane.URGENT)

    vendor.during_push = freeze
    engine.drain("apple", Lane.URGENT)

    assert kit.target(card_id).done == 2
    assert tallies(kit)["duplicate", "apple", ""] == 1


def test_leases_of_a_dead_process_are_given_back_at_the_start(kit: Kit, clock: MovableClock) -> None:
    dirty(kit, 2)
    clock.advance(seconds=1)
    assert len(taken(kit)) == 2
    # of several machines nobody can tell whether the one that took a row is dead; its lease runs out
    voided = 2 if kit.world.database.is_sqlite else 0
    assert steps.void_leases(kit.world) == voided
    assert len(taken(kit)) == voided


def test_a_mail_that_a_dead_process_held_is_given_back_at_the_start_unless_it_may_be_what_killed_it(kit: Kit) -> None:
    for name in ("tried", "fresh"):
        with kit.world.database.unit_of_work() as session:
            jobs.enqueue(session, message_id=name, kind="mail", recipient=b"", body=b"", now_ms=kit.now_ms)
        if name == "tried":
            with kit.world.database.unit_of_work() as session:
                (held,) = jobs.claim(session, kind="mail", limit=1, lease_ms=60_000, now_ms=kit.now_ms)
                again = Settlement(
                    message_id=held.id, lease=held.lease or "", state="waiting", not_before=kit.now_ms, reason="busy"
                )
                jobs.settle(session, [again], now_ms=kit.now_ms)
    with kit.world.database.unit_of_work() as session:
        assert len(jobs.claim(session, kind="mail", limit=2, lease_ms=60_000, now_ms=kit.now_ms)) == 2

    voided = steps.void_leases(kit.world)

    with kit.world.database.unit_of_work() as session:
        due = jobs.claim(session, kind="mail", limit=2, lease_ms=60_000, now_ms=kit.now_ms)
        assert [one.id for one in due] == (["fresh"] if kit.world.database.is_sqlite else [])
    assert voided == len(due)


def test_old_records_are_forgotten(kit: Kit, engine: Engine, clock: MovableClock) -> None:
    dirty(kit, 1)
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)
    clock.advance(days=15)
    assert steps.housekeeping(kit.world)["send_log"] == 1
    with kit.world.database.reading() as session:
        assert session.scalar(select(Target.state)) == "live"


def test_counts_from_two_workers_add_up(kit: Kit) -> None:
    for _ in range(2):
        with kit.world.database.unit_of_work() as session:
            book.add(session, {("push", "apple", "delivered"): 2, ("lag", "0", "1"): 1})
    with kit.world.database.reading() as session:
        assert {one.name: one.value for one in session.scalars(select(Tally))} == {"push": 4, "lag": 2}


def test_a_clock_that_disagrees_with_the_database_stops_the_start(kit: Kit, clock: MovableClock) -> None:
    if kit.world.database.is_sqlite:
        nodes.require_same_clock(kit.world)
        return
    with pytest.raises(ConfigurationError, match="time server"):
        nodes.require_same_clock(kit.world)
    clock.at = datetime.now(UTC)
    nodes.require_same_clock(kit.world)


def test_a_worker_that_slept_through_most_of_its_lease_sends_nothing_and_gives_the_rows_back(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    (card_id,) = dirty(kit, 1)
    clock.advance(seconds=1)
    vendor.during_prepare = lambda: clock.advance(seconds=21) and None
    engine.drain("apple", Lane.URGENT)

    assert vendor.pushed == []
    assert (kit.target(card_id).attempts, kit.target(card_id).lease) == (0, None)
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 2}


def test_what_a_channel_did_not_come_to_send_is_given_back(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    ids = dirty(kit, 3)
    clock.advance(seconds=1)
    vendor.sends_at_most = 2
    engine.drain("apple", Lane.URGENT)
    assert sorted(kit.target(one).done for one in ids) == [1, 2, 2]
    vendor.sends_at_most = 10
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 2, 2: 2, 3: 2}


def test_a_stopped_programme_waits_unharmed_and_others_go_on(
    kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock
) -> None:
    mine = dirty(kit, 3)
    other = kit_for(kit.world, vendor="apple", slug="other")
    theirs = other.card(channel="apple", address_id=1000)
    other.change(theirs)
    stop(kit, kit.programme_id)
    clock.advance(seconds=1)
    while engine.drain("apple", Lane.URGENT):
        pass

    assert vendor.shows == {1000: 2}
    assert {(kit.target(one).state, kit.target(one).attempts) for one in mine} == {("live", 0)}

    with kit.world.database.unit_of_work() as session:
        switches.resume(session, programme_id=kit.programme_id)
    clock.advance(seconds=60)
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 2, 2: 2, 3: 2, 1000: 2}


def test_the_great_switch_stops_everybody(kit: Kit, engine: Engine, vendor: Vendor, clock: MovableClock) -> None:
    dirty(kit, 2)
    clock.advance(seconds=1)
    stop(kit, None)
    assert not engine.drain("apple", Lane.URGENT)
    with kit.world.database.unit_of_work() as session:
        switches.resume(session, programme_id=None)
    engine.drain("apple", Lane.URGENT)
    assert vendor.shows == {1: 2, 2: 2}


def test_a_campaign_keeps_to_the_pace_that_the_phones_downloads_allow(
    kit: Kit, vendor: Vendor, clock: MovableClock
) -> None:
    slow = replace(kit.world, settings=replace(kit.world.settings, bulk_apple_rate=10))
    engine = Engine(world=slow, channels={"apple": vendor})
    dirty(kit, 30, Lane.BULK)
    clock.advance(seconds=10)
    left = []
    for _ in range(20):
        while engine.drain("apple", Lane.BULK):
            pass
        left.append(len(vendor.pushed))
        clock.advance(milliseconds=200)

    assert left[0] <= 10
    assert all(sent <= 10 + 2 * (number + 1) for number, sent in enumerate(left))
    assert left[-1] == 30


def test_the_trace_of_a_change_is_in_the_log_of_its_send(kit: Kit, engine: Engine, clock: MovableClock) -> None:
    card_id = kit.card(channel="apple", address_id=1)
    trace.begin("till-request-7")
    kit.change(card_id)
    clock.advance(seconds=1)
    engine.drain("apple", Lane.URGENT)
    assert [one.trace for one in logged(kit)] == ["till-request-7"]


def stop(kit: Kit, programme_id: int | None) -> None:
    with kit.world.database.unit_of_work() as session:
        switches.stop(session, programme_id=programme_id, reason="wrong text", by="ops", now_ms=kit.now_ms)
