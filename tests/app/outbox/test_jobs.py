"""Job rows: each claimed once, kept until it is over, found by an index however many wait."""

from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.outbox import jobs
from app.outbox.jobs import Settlement
from app.outbox.models import Message
from app.world import World
from tests.conftest import MovableClock, open_test_world, settings_for

LEASE_MS = 60_000


def write(world: World, *names: str) -> None:
    with world.database.unit_of_work() as session:
        for name in names:
            jobs.enqueue(
                session, message_id=name, kind="mail", recipient=b"to", body=b"text", now_ms=milliseconds(world.clock())
            )


def claim(session: Session, world: World, limit: int = 10) -> list[Message]:
    now_ms = milliseconds(world.clock())
    return jobs.claim(session, kind="mail", limit=limit, lease_ms=LEASE_MS, now_ms=now_ms)


def settled(world: World, job: Message, state: str, *, not_before: int = 0) -> None:
    one = Settlement(message_id=job.id, lease=job.lease or "", state=state, not_before=not_before, reason="because")
    with world.database.unit_of_work() as session:
        jobs.settle(session, [one], now_ms=milliseconds(world.clock()))


def row(world: World, name: str) -> Message:
    with world.database.reading() as session:
        return session.get_one(Message, name)


def test_what_is_claimed_is_nobody_else_s_until_its_lease_runs_out(any_world: World, clock: MovableClock) -> None:
    write(any_world, "a", "b")

    with any_world.database.unit_of_work() as session:
        assert {one.id for one in claim(session, any_world)} == {"a", "b"}
    with any_world.database.unit_of_work() as session:
        assert claim(session, any_world) == []
    clock.advance(milliseconds=LEASE_MS)
    with any_world.database.unit_of_work() as session:
        assert [one.attempts for one in claim(session, any_world)] == [2, 2]


def test_two_workers_at_once_share_what_waits(postgres_url: str, tmp_path: Path, clock: MovableClock) -> None:
    """On SQLite a writing transaction is alone."""
    world = open_test_world(settings_for(postgres_url, tmp_path), clock)
    write(world, "a", "b")

    with world.database.unit_of_work() as one, world.database.unit_of_work() as other:
        first, second = claim(one, world, 1), claim(other, world, 10)
    world.database.close()

    assert len(first) == len(second) == 1
    assert first[0].id != second[0].id


def test_who_lost_the_lease_settles_nothing(any_world: World, clock: MovableClock) -> None:
    write(any_world, "a")
    with any_world.database.unit_of_work() as session:
        (late,) = claim(session, any_world)
    clock.advance(milliseconds=LEASE_MS)
    with any_world.database.unit_of_work() as session:
        (mine,) = claim(session, any_world)

    settled(any_world, late, "failed")
    assert row(any_world, "a").state == "waiting"
    settled(any_world, mine, "sent")
    assert row(any_world, "a").state == "sent"


@pytest.mark.parametrize(("state", "body"), [("sent", b""), ("failed", b""), ("waiting", b"text"), ("parked", b"text")])
def test_what_is_over_keeps_no_body(any_world: World, state: str, body: bytes) -> None:
    write(any_world, "a")
    with any_world.database.unit_of_work() as session:
        (job,) = claim(session, any_world)

    settled(any_world, job, state)

    assert (row(any_world, "a").body, row(any_world, "a").lease) == (body, None)


def test_what_is_given_back_counts_no_attempt(any_world: World) -> None:
    write(any_world, "a")
    with any_world.database.unit_of_work() as session:
        jobs.release(session, claim(session, any_world), now_ms=milliseconds(any_world.clock()))

    with any_world.database.unit_of_work() as session:
        assert [one.attempts for one in claim(session, any_world)] == [1]


@pytest.mark.parametrize(
    ("endpoint_id", "index"),
    [(None, "ix_message_due_without_endpoint"), (7, "ix_message_due")],
    ids=["mail", "webhook"],
)
def test_a_claim_reads_its_own_index_however_much_else_waits(world: World, endpoint_id: int | None, index: str) -> None:
    asked: list[tuple[str, object]] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    with world.database.unit_of_work() as session:
        jobs.claim(session, kind="mail", limit=10, lease_ms=1, now_ms=1, endpoint_id=endpoint_id)
    statement, values = next(one for one in asked if one[0].startswith("SELECT message.id"))

    with world.database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()  # type: ignore[arg-type]

    assert any(f"USING COVERING INDEX {index} " in step[3] or f"USING INDEX {index} " in step[3] for step in plan), plan
