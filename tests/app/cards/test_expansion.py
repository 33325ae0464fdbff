"""Bulk changes go on where they stopped, take turns, wait for the phones, and can be stopped."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from app.cards import expansion, ranges
from app.cards.models import Card, Expansion, Programme
from app.cards.ranges import Audience, CardRange
from app.clock import milliseconds
from app.delivery import steps
from app.errors import Conflict
from app.outbox.models import Target
from app.outbox.service import Lane
from app.world import World
from tests import factories
from tests.bench import seed
from tests.conftest import SECRET, MovableClock

FEW = 50


def a_programme(world: World, slug: str = "kahve", *, cards: int, google: int = 0) -> int:
    """A programme with that many seeded cards; one in ten has the first tier."""
    pass_type = f"pass.com.example.{slug}"
    with world.database.unit_of_work() as session:
        found = factories.programme(session, slug=slug, pass_type_identifier=pass_type, now=world.clock()).id
    crowd = seed.Crowd(programme_id=found, cards=cards, google=google)
    seed.seed(world.database, crowd, now=world.clock())
    return found


def a_change(world: World, programme_id: int, reason: str = "design", **more: object) -> int:
    with world.database.unit_of_work() as session:
        return expansion.start(session, programme_id=programme_id, reason=reason, now=world.clock(), **more).id  # type: ignore[arg-type]


def progress(world: World, change: int, pause_rows: int = expansion.PAUSE_ROWS) -> expansion.Progress:
    with world.database.reading() as session:
        found = session.get_one(Expansion, change)
        return expansion.progress(session, found, now=world.clock(), pause_rows=pause_rows)


def versions(world: World, programme_id: int) -> dict[int, int]:
    """How many cards have each version."""
    query = select(Card.version, func.count()).where(Card.programme_id == programme_id).group_by(Card.version)
    with world.database.reading() as session:
        return {row[0]: row[1] for row in session.execute(query)}


def size_of_chunk(world: World) -> int:
    return expansion.CHUNK_SQLITE if world.database.is_sqlite else expansion.CHUNK_POSTGRES


def let_bulk_rows_wait(world: World, programme_id: int, count: int, channel: str = "apple") -> None:
    """The phones of some cards owe a bulk change that no worker has sent."""
    cards = select(Card.id).where(Card.programme_id == programme_id).order_by(Card.id).limit(count)
    waiting = {"want": Target.want + 1, "lane": int(Lane.BULK)}
    with world.database.unit_of_work() as session:
        session.execute(update(Target).where(Target.channel == channel, Target.card_id.in_(cards)).values(waiting))


def catch_up(world: World) -> None:
    with world.database.unit_of_work() as session:
        session.execute(update(Target).values(done=Target.want))


def expand(world: World) -> bool:
    """As the scheduler does it, but a change is held back by few phones already."""
    with world.database.reading() as session:
        turn = expansion.next_turn(session, pause_rows=FEW)
    if turn is None:
        return False
    return world.database.transact(lambda session: expansion.take(session, turn, now=world.clock()))


def test_every_card_is_touched_once_and_its_phones_want_it(any_world: World) -> None:
    mine, other = a_programme(any_world, cards=2_345), a_programme(any_world, "other", cards=10)
    change = a_change(any_world, mine)

    while steps.expand(any_world):
        pass

    assert versions(any_world, mine) == {2: 2_345}
    assert versions(any_world, other) == {1: 10}
    with any_world.database.reading() as session:
        wants = select(Target.want, Target.lane, func.count()).group_by(Target.want, Target.lane).order_by(Target.want)
        assert [tuple(row) for row in session.execute(wants)] == [(1, 0, 10), (2, 2, 2_345)]
    done = progress(any_world, change)
    assert (done.state, done.audience, done.touched, done.left) == ("done", 2_345, 2_345, 0)


def test_a_tier_is_an_audience_of_its_own(any_world: World) -> None:
    programme = a_programme(any_world, cards=1_000)
    with any_world.database.reading() as session:
        tier = session.get_one(Programme, programme).tiers[0].id
    change = a_change(any_world, programme, tier_id=tier)

    while steps.expand(any_world):
        pass

    assert versions(any_world, programme) == {1: 900, 2: 100}
    assert progress(any_world, change).audience == 100


def test_members_who_come_later_are_right_from_the_beginning(any_world: World) -> None:
    programme = a_programme(any_world, cards=10)
    a_change(any_world, programme)
    with any_world.database.unit_of_work() as session:
        late = factories.card(session, session.get_one(Programme, programme)).id

    while steps.expand(any_world):
        pass

    with any_world.database.reading() as session:
        assert session.get_one(Card, late).version == 1
    assert versions(any_world, programme) == {1: 1, 2: 10}


def test_changes_of_two_merchants_take_turns(any_world: World, clock: MovableClock) -> None:
    chunk = size_of_chunk(any_world)
    first, second = a_programme(any_world, cards=chunk * 3), a_programme(any_world, "other", cards=chunk * 3)
    changes = [a_change(any_world, first), a_change(any_world, second)]

    for _ in range(4):
        clock.advance(milliseconds=5)
        assert steps.expand(any_world)

    assert [progress(any_world, one).touched for one in changes] == [chunk * 2, chunk * 2]


def test_a_change_waits_for_phones_to_catch_up_and_holds_up_nobody_else(any_world: World) -> None:
    slow, quick = a_programme(any_world, cards=60), a_programme(any_world, "other", cards=60)
    held, free = a_change(any_world, slow), a_change(any_world, quick)
    let_bulk_rows_wait(any_world, slow, FEW)

    while expand(any_world):
        pass
    assert progress(any_world, held, FEW).state == "waiting"
    assert progress(any_world, free).touched == 60

    catch_up(any_world)
    while expand(any_world):
        pass
    assert progress(any_world, held, FEW).state == "done"


def test_a_change_that_is_held_back_says_how_many_phones_it_waits_for(any_world: World) -> None:
    programme = a_programme(any_world, cards=size_of_chunk(any_world) + 1)
    change = a_change(any_world, programme)

    assert expand(any_world)
    assert not expand(any_world)

    now = progress(any_world, change, FEW)
    assert (now.state, now.left) == ("paused", 1)
    assert now.behind.most >= FEW


def test_a_shared_google_issuer_does_not_let_one_campaign_hold_another(any_world: World) -> None:
    slow, quick = a_programme(any_world, cards=60, google=60), a_programme(any_world, "other", cards=60, google=60)
    let_bulk_rows_wait(any_world, slow, FEW, channel="google")

    with any_world.database.reading() as session:
        backlogs = [expansion.backlog(session, one, limit=100).most for one in (slow, quick)]

    assert backlogs == [FEW, 0]


def test_an_offer_leaves_google_objects_alone_because_it_stands_on_the_class(any_world: World) -> None:
    programme = a_programme(any_world, cards=20, google=20)
    with any_world.database.unit_of_work() as session:
        owing = select(Target.id).where(Target.channel == "google").order_by(Target.id).limit(1).scalar_subquery()
        session.execute(update(Target).where(Target.id == owing).values(done=0))
    a_change(any_world, programme, "offer_started")

    while steps.expand(any_world):
        pass

    owed = select(Target.channel, func.count()).where(Target.want == 2, Target.done < 2).group_by(Target.channel)
    with any_world.database.reading() as session:
        assert {row[0]: row[1] for row in session.execute(owed)} == {"apple": 20, "google": 1}


def test_a_stopped_change_touches_no_further_card_and_keeps_what_it_touched(any_world: World) -> None:
    chunk = size_of_chunk(any_world)
    programme = a_programme(any_world, cards=chunk * 2)
    change = a_change(any_world, programme)
    steps.expand(any_world)

    with any_world.database.unit_of_work() as session:
        expansion.stop(session, change, by="staff:mary", now=any_world.clock())

    assert not steps.expand(any_world)
    assert versions(any_world, programme) == {1: chunk, 2: chunk}
    over = progress(any_world, change)
    assert (over.state, over.stopped_by, over.may_stop) == ("stopped", "staff:mary", False)
    with any_world.database.unit_of_work() as session, pytest.raises(Conflict, match="change_over"):
        expansion.stop(session, change, by="staff:mary", now=any_world.clock())


def test_a_chunk_planned_before_a_stop_is_not_touched_after_it(any_world: World) -> None:
    programme = a_programme(any_world, cards=5)
    change = a_change(any_world, programme)
    with any_world.database.reading() as session:
        turn = expansion.next_turn(session)
    with any_world.database.unit_of_work() as session:
        expansion.stop(session, change, by="staff:mary", now=any_world.clock())

    assert turn is not None
    with any_world.database.unit_of_work() as session:
        assert not expansion.take(session, turn, now=any_world.clock())
    assert versions(any_world, programme) == {1: 5}


def test_taking_an_ended_offer_off_the_cards_cannot_be_stopped(any_world: World) -> None:
    programme = a_programme(any_world, cards=5)
    change = a_change(any_world, programme, "offer_ended")

    with any_world.database.unit_of_work() as session, pytest.raises(Conflict, match="change_cleans_up"):
        expansion.stop(session, change, by="staff:mary", now=any_world.clock())
    assert not progress(any_world, change).may_stop


def test_beyond_a_stopped_start_only_cards_that_may_show_the_offer_are_touched(
    any_world: World, clock: MovableClock
) -> None:
    programme = a_programme(any_world, cards=10)
    with any_world.database.reading() as session:
        ids = list(session.scalars(select(Card.id).order_by(Card.id)))
    began = clock.advance(minutes=5)
    earned, fetched, told = ids[6], ids[7], ids[8]
    clock.advance(seconds=5)
    with any_world.database.unit_of_work() as session:
        session.execute(update(Card).where(Card.id == earned).values(modified_at=clock()))
        for card_id, column in ((fetched, "fetched_at"), (told, "told_at")):
            session.execute(update(Target).where(Target.card_id == card_id).values({column: milliseconds(clock())}))
    a_change(any_world, programme, "offer_ended", all_up_to=ids[3], changed_since=began)

    while steps.expand(any_world):
        pass

    with any_world.database.reading() as session:
        touched = list(session.scalars(select(Card.id).where(Card.version == 2).order_by(Card.id)))
    assert touched == [*ids[:4], earned, fetched, told]


CHILD = """
import sys
from app.delivery import steps
from app.settings import Settings
from app.world import open_world
from pathlib import Path
url, secret, folder, failpoint = sys.argv[1:]
settings = Settings(database_url=url, secret_key=secret, var_dir=Path(folder), failpoint=failpoint)
world = open_world(settings)
while steps.expand(world):
    pass
"""


def expand_in_a_process(world: World, folder: Path, failpoint: str = "") -> int:
    arguments = [sys.executable, "-c", CHILD, world.settings.database_url, SECRET, str(folder), failpoint]
    return subprocess.run(arguments, env=dict(os.environ), check=False, timeout=60).returncode


def test_a_process_killed_inside_chunks_leaves_each_card_with_exactly_one_version(
    any_world: World, tmp_path: Path
) -> None:
    chunk = size_of_chunk(any_world)
    programme = a_programme(any_world, cards=chunk * 3 + 7)
    change = a_change(any_world, programme)

    for nth in (1, 2):
        code = expand_in_a_process(any_world, tmp_path, f"expand.before_commit=kill@{nth}")
        assert code == -signal.SIGKILL
    assert progress(any_world, change).touched == chunk
    assert expand_in_a_process(any_world, tmp_path) == 0

    assert versions(any_world, programme) == {2: chunk * 3 + 7}
    assert progress(any_world, change).state == "done"


@pytest.mark.parametrize("has_tier", [False, True])
def test_a_chunk_is_found_and_touched_by_indexes_alone(any_world: World, has_tier: bool) -> None:
    programme = a_programme(any_world, cards=3_000, google=300)
    with any_world.database.reading() as session:
        tier = session.get_one(Programme, programme).tiers[0].id if has_tier else None
    some = CardRange(
        audience=Audience(programme_id=programme, tiers=(tier,) if tier else ()), after_id=1_000, up_to_id=1_200
    )

    with any_world.database.unit_of_work() as session, statements_of(any_world) as made:
        session.execute(select(Card.id).where(*ranges.members(some)).order_by(Card.id).limit(200)).all()
        ranges.touch(session, some, now=any_world.clock())

    assert len(made) == 3
    shown = [plan(any_world, *one) for one in made]
    for one in shown:
        assert "SCAN" not in one, one
        assert "Seq Scan" not in one, one
    assert re.search("ix_target_card_id|uq_target_channel_card_id", shown[2]), shown[2]
    if has_tier:
        assert "ix_card_programme_id_tier_id_status_id" in shown[0], shown[0]


@contextmanager
def statements_of(world: World) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database, with its parameters."""
    made: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if not statement.startswith("BEGIN"):
            made.append((statement, parameters))

    event.listen(world.database.engine, "before_cursor_execute", keep)
    yield made
    event.remove(world.database.engine, "before_cursor_execute", keep)


def plan(world: World, statement: str, parameters: Any) -> str:
    """How the database would run it; PostgreSQL is not to be tempted by how small the tables of a test are."""
    with world.database.reading() as session:
        connection = session.connection()
        if world.database.is_sqlite:
            return "\n".join(
                row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            )
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
