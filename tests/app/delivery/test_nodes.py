"""Who lives, on which machine, with which clock."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.delivery import nodes
from app.delivery.heart import ClockWatch, Heart
from app.delivery.models import LaneState, Node, Tally
from app.delivery.nodes import Signs
from app.errors import ConfigurationError
from app.outbox.rules import Lane
from app.world import World
from tests.conftest import MovableClock, open_test_world, settings_for


def node(world: World, **over: object) -> None:
    now = world.clock()
    values = {"name": "other:1", "role": "worker", "started_at": now, "beat_at": now, "host": "other", **over}
    with world.database.unit_of_work() as session:
        session.merge(Node(**values))


@contextmanager
def another_machine_beats(world: World, clock: MovableClock) -> Iterator[None]:
    """A process elsewhere that shows signs of life."""
    over = threading.Event()
    node(world, machine="another-kernel")

    def beat() -> None:
        while not over.wait(0.2):
            node(world, machine="another-kernel", beat_at=clock() + timedelta(seconds=1))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_file_that_another_machine_uses_is_refused(world: World, clock: MovableClock) -> None:
    with another_machine_beats(world, clock), pytest.raises(ConfigurationError, match="another machine") as refusal:
        nodes.require_one_machine(world)
    assert "other" in str(refusal.value)
    assert "postgresql://" in str(refusal.value)


def test_a_machine_that_was_replaced_a_moment_ago_does_not_lock_the_file(
    world: World, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "ANOTHER_HOST_LOOKS_S", 1)
    node(world, machine="another-kernel")
    nodes.require_one_machine(world)


def test_processes_of_one_machine_share_the_file(world: World) -> None:
    node(world, machine=nodes.machine())
    nodes.require_one_machine(world)


def test_many_machines_share_postgresql(postgres_url: str, tmp_path: Path, clock: MovableClock) -> None:
    shared = open_test_world(settings_for(postgres_url, tmp_path), clock)
    with another_machine_beats(shared, clock):
        nodes.require_one_machine(shared)
    shared.database.close()


def test_a_beat_tells_of_this_process_and_a_clean_end_takes_it_back(any_world: World, clock: MovableClock) -> None:
    started = clock()

    def beat(**over: object) -> None:
        with any_world.database.unit_of_work() as session:
            nodes.beat(session, Signs(role="worker", started_at=started, **over), now=clock())  # type: ignore[arg-type]

    beat()
    clock.advance(seconds=10)
    beat(works=False, clock_apart_ms=-1_500)
    clock.advance(seconds=10)
    beat(works=False, clock_jump_ms=4_000)

    with any_world.database.reading() as session:
        one = session.scalars(select(Node)).one()
    assert (one.name, one.role, one.machine) == (nodes.node_name(), "worker", nodes.machine())
    assert (one.beat_at, one.worked_at) == (clock(), started)
    assert (one.clock_apart_ms, one.clock_jump_ms, one.clock_jumped_at) == (0, 4_000, clock())

    with any_world.database.unit_of_work() as session:
        nodes.forget_self(session)
    with any_world.database.reading() as session:
        assert session.scalars(select(Node)).all() == []


def test_a_lane_is_degraded_once_and_relieved_only_by_a_worker_that_heard_later(any_world: World) -> None:
    def do(step: object, *more: object, **over: object) -> object:
        with any_world.database.unit_of_work() as session:
            return step(session, *more, **over)  # type: ignore[operator]

    do(nodes.note_heard, [Lane.URGENT], now_ms=1_000)
    assert do(nodes.degrade, Lane.URGENT, now_ms=5_000)
    assert not do(nodes.degrade, Lane.URGENT, now_ms=6_000)
    assert not do(nodes.relieve, Lane.URGENT)
    do(nodes.note_heard, [Lane.URGENT, Lane.BULK], now_ms=7_000)
    do(nodes.note_heard, [Lane.URGENT], now_ms=6_500)
    with any_world.database.reading() as session:
        assert nodes.heard_at(session) == {Lane.URGENT: 7_000, Lane.NORMAL: 0, Lane.BULK: 7_000}
        assert [one.lane for one in nodes.degraded(session)] == [Lane.URGENT]
    assert do(nodes.relieve, Lane.URGENT)
    assert not do(nodes.relieve, Lane.URGENT)
    with any_world.database.reading() as session:
        assert session.get_one(LaneState, 0).degraded_since == 0


def test_a_clock_that_jumps_is_noticed_and_one_that_drifts_is_not() -> None:
    wall = [datetime(2026, 3, 29, tzinfo=UTC)]
    steady = [100.0]
    watch = ClockWatch(lambda: wall[0], lambda: steady[0])

    def pass_by(wall_s: float, steady_s: float) -> int:
        wall[0] += timedelta(seconds=wall_s)
        steady[0] += steady_s
        return watch.jump_ms()

    assert pass_by(1.0, 1.0) == 0
    assert pass_by(2.9, 1.0) == 0
    assert pass_by(4.5, 1.0) == 3_500
    assert pass_by(1.0, 1.0) == 0
    assert pass_by(-3_599.0, 1.0) == -3_600_000


def test_a_heart_counts_what_became_of_hints_and_says_which_lanes_were_heard(any_world: World) -> None:
    counted = [Counter(sent=3, failed=1)]
    heart = Heart(
        any_world, "worker", heard=lambda: {Lane.NORMAL}, counts=lambda: counted.pop() if counted else Counter()
    )
    heart.start()
    try:
        for _ in range(200):
            with any_world.database.reading() as session:
                heard = nodes.heard_at(session)
            if heard[Lane.NORMAL]:
                break
            threading.Event().wait(0.05)
    finally:
        heart.stop()

    with any_world.database.reading() as session:
        tallies = {(one.name, one.label): one.value for one in session.scalars(select(Tally))}
        assert session.scalars(select(Node)).all() == []
    assert heard[Lane.NORMAL] > 0
    assert tallies == {("hint", "sent"): 3, ("hint", "failed"): 1}
