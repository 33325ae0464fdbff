"""Snapshots, the census and the rolling check: right on both databases, once however many schedulers run."""

import math
import threading
from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.delivery import backlog, book, census, checks, counting, lags, snapshots, turns
from app.delivery.models import Census, Silence, Snapshot
from app.ledger.models import Account
from app.outbox import pace, switches
from app.outbox import service as outbox
from app.outbox.models import Sender, Target
from app.outbox.rules import Lane
from app.world import World
from tests import factories
from tests.conftest import MovableClock, open_test_world

BOUNDS = counting.LAG_BUCKETS_S


def wallet(world: World, number: int, **values: object) -> int:
    """A card on one phone; the target's row as *values* say."""
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).first() or factories.programme(session)
        sender = outbox.sender_for(session, "apple", programme.pass_type_identifier)
        card = factories.card(session, programme, f"Member {number}")
        made = outbox.ensure_target(
            session, channel="apple", sender_id=sender.id, card_id=card.id, address_id=number, want=1, done=1,
            now_ms=milliseconds(world.clock()),
        )  # fmt: skip
        for name, value in values.items():
            setattr(made, name, value)
        return made.id


def every_condition(world: World, clock: MovableClock) -> None:
    long_ago = milliseconds(clock() - timedelta(days=8))
    wallet(world, 1)
    wallet(world, 2, done=1, fetched=0)
    quiet = wallet(world, 3, done=1, fetched=0)
    wallet(world, 4, want=2)
    wallet(world, 5, want=2, attempts=4)
    wallet(world, 6, want=2, state="parked", last_status=400, last_reason="BadTopic")
    wallet(world, 7, state="gone")
    with world.database.unit_of_work() as session:
        session.add(Silence(target_id=quiet, since=long_ago, fetched=0))


def counted(world: World) -> dict[str, int]:
    with world.database.reading() as session:
        row = session.scalars(select(Census)).one()
    return {name: getattr(row, name) for name in ("current", "told", "quiet", "behind", "parked", "gone")}


def test_every_wallet_is_counted_once_by_its_condition(any_world: World, clock: MovableClock) -> None:
    every_condition(any_world, clock)

    in_steps = census.walk(any_world, fetched_from_ms=0, now=clock(), step_rows=3)
    snapshots.take(any_world)

    assert [(one.current, one.told, one.quiet, one.parked) for one in in_steps.rows(clock())] == [(1, 1, 1, 1)]

    assert counted(any_world) == {"current": 1, "told": 1, "quiet": 1, "behind": 2, "parked": 1, "gone": 1}
    with any_world.database.reading() as session:
        row = session.scalars(select(Census)).one()
    assert row.causes == {"waiting": 1, "retrying": 1}
    assert row.refusals == {"400 BadTopic": 1}


def test_a_count_for_a_page_is_that_of_the_walk(any_world: World, clock: MovableClock) -> None:
    every_condition(any_world, clock)
    snapshots.take(any_world)

    with any_world.database.reading() as session:
        now = census.count_now(session, now=clock())[0]

    assert {name: getattr(now, name) for name in counted(any_world)} == counted(any_world)


def test_what_is_held_back_is_counted_by_who_holds_it(any_world: World, clock: MovableClock) -> None:
    wallet(any_world, 1, want=2)
    with any_world.database.unit_of_work() as session:
        pace.open_until_mended(session, session.scalars(select(Sender)).one().id, "refused")
        programme_id = session.scalars(select(Programme.id)).one()

    def causes() -> dict[str, int]:
        with any_world.database.reading() as session:
            return census.count_now(session, now=clock())[0].causes

    assert causes() == {"stopped": 1}
    with any_world.database.unit_of_work() as session:
        switches.stop(session, programme_id=programme_id, reason="x", by="test", now_ms=1)
    assert causes() == {"switched": 1}


def test_what_is_owed_is_read_by_sender_channel_and_lane(any_world: World, clock: MovableClock) -> None:
    now_ms = milliseconds(clock())
    wallet(any_world, 1, want=2, lane=0, dirty_since=now_ms - 9_000)
    wallet(any_world, 2, want=2, lane=0, dirty_since=now_ms - 4_000, attempts=3)
    wallet(any_world, 3, want=2, lane=2, dirty_since=now_ms - 70_000)
    wallet(any_world, 4, want=2, lane=2, state="parked")

    with any_world.database.reading() as session:
        owed = {one.lane: one for one in backlog.read(session, now_ms=now_ms)}

    assert set(owed) == {Lane.URGENT, Lane.BULK}
    urgent = owed[Lane.URGENT]
    assert (urgent.count, urgent.retrying, urgent.oldest_ms) == (2, 1, now_ms - 9_000)
    assert owed[Lane.BULK].count == 1


def test_more_than_are_looked_at_are_counted_all_the_same(any_world: World) -> None:
    for number in range(5):
        wallet(any_world, number, want=2, lane=2)

    with any_world.database.reading() as session:
        exact = backlog.read(session, now_ms=0, looked_at=2)
        quick = backlog.read(session, now_ms=0, looked_at=2, is_exact=False)

    assert [one.count for one in exact] == [5]
    assert [one.count for one in quick] == [3]


def test_each_minute_is_written_once_however_many_schedulers_look(any_world: World, clock: MovableClock) -> None:
    others = [open_test_world(any_world.settings, clock) for _ in range(4)]
    for _ in range(3):
        threads = [threading.Thread(target=snapshots.take, args=(one,)) for one in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.advance(seconds=60)
    for one in others:
        one.database.close()

    with any_world.database.reading() as session:
        assert len(session.scalars(select(Snapshot.at)).all()) == 3


def test_a_turn_is_somebodys_and_comes_again(any_world: World, clock: MovableClock) -> None:
    first = turns.take(any_world, "work", every_ms=5_000)
    second = turns.take(any_world, "work", every_ms=5_000)
    clock.advance(seconds=5)
    third = turns.take(any_world, "work", every_ms=5_000)

    assert first is not None
    assert second is None
    assert third is not None


def test_minutes_are_thinned_to_hours_and_forgotten_after_a_month(any_world: World, clock: MovableClock) -> None:
    now = clock().replace(minute=0, second=0)
    clock.at = now
    with any_world.database.unit_of_work() as session:
        for ago in (timedelta(minutes=5), timedelta(hours=27), timedelta(hours=27, minutes=5), timedelta(days=33)):
            session.add(Snapshot(at=now - ago, tallies={}, behind={}))

    snapshots.take(any_world)

    with any_world.database.reading() as session:
        kept = [now - at for at in session.scalars(select(Snapshot.at).order_by(Snapshot.at.desc()))]
    assert kept == [timedelta(0), timedelta(minutes=5), timedelta(hours=27)]


def test_the_rolling_check_finds_what_is_wrong_and_forgets_what_was_mended(
    any_world: World, clock: MovableClock
) -> None:
    target_id = wallet(any_world, 1)
    with any_world.database.unit_of_work() as session:
        card = session.scalars(select(Card)).one()
        by, sale = Actor(name="staff:x", channel="till"), Sale(amount_minor=5_000, currency="TRY")
        sales.earn(session, card, sale, by=by, now=clock())

    def found() -> tuple[int, int]:
        clock.advance(minutes=2)
        checks.step(any_world)
        with any_world.database.reading() as session:
            return checks.found(session)

    def change(*statements: object) -> None:
        with any_world.database.unit_of_work() as session:
            for one in statements:
                session.execute(one)  # type: ignore[call-overload]

    assert found() == (0, 0)
    change(update(Target).where(Target.id == target_id).values(want=9))
    change(update(Account).where(Account.role == "avail").values(balance=Account.balance + 1))
    assert found() == (1, 1)
    assert found() == (1, 1)
    change(update(Target).where(Target.id == target_id).values(want=2))
    change(update(Account).where(Account.role == "avail").values(balance=Account.balance - 1))
    assert found() == (0, 0)


def test_tallies_between_two_moments_are_what_was_counted_then() -> None:
    before, after = {"lag:0:1": 5, "lag:1:1": 7}, {"lag:0:1": 8, "lag:0:2": 1, "lag:1:1": 9}

    assert lags.between(before, after, "lag:0:") == {"1": 3, "2": 1}
    assert lags.between({"lag:0:1": 50}, {"lag:0:1": 4}, "lag:0:") == {"1": 4}  # the database was put back


@given(values=st.lists(st.floats(min_value=0, max_value=4_000), min_size=1, max_size=200))
@settings(max_examples=100)
def test_a_percentile_lies_in_the_bucket_of_the_true_one(values: list[float]) -> None:
    edges = [float(bound) for bound in BOUNDS]
    counts = Counter(next(bound for bound in BOUNDS if value <= float(bound)) for value in values)

    found = lags.percentiles(counts, BOUNDS)

    assert found is not None
    assert found.count == len(values)
    for share, got in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        true = sorted(values)[math.ceil(round(share * len(values), 6)) - 1]
        upper = next(edge for edge in edges if true <= edge)
        lower = max((edge for edge in edges if edge < upper), default=0.0)
        assert lower <= got <= upper
    assert found.p50 <= found.p95 <= found.p99


def test_nothing_counted_has_no_percentiles() -> None:
    assert lags.percentiles({}, BOUNDS) is None
    assert lags.percentiles({"1": 0}, BOUNDS) is None


def test_what_lay_beyond_the_last_bound_is_said_to_be_at_least_that() -> None:
    found = lags.percentiles({"+Inf": 3}, BOUNDS)

    assert found is not None
    assert found.p50 == 3600


def test_growth_is_measured_against_a_snapshot_as_old_as_asked(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        book.add(session, {("push", "apple", "gone"): 5})
        early = snapshots.grown(session, clock() - timedelta(minutes=15), "push:apple:")
        session.add(Snapshot(at=clock() - timedelta(minutes=20), tallies={"push:apple:gone": 2}, behind={}))
        session.flush()
        later = snapshots.grown(session, clock() - timedelta(minutes=15), "push:apple:")

    assert (early, later) == ({}, {"gone": 3})
