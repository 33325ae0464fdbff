"""The audit log is a chain: whoever changes or removes an event breaks it where they did."""

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.staff import audit
from app.world import World
from tests import factories

DROP = {
    "sqlite": ["DROP TRIGGER audit_event_no_update", "DROP TRIGGER audit_event_no_delete"],
    "postgresql": ["DROP TRIGGER audit_event_no_change ON audit_event"],
}


def record(world: World, subject: str) -> None:
    with world.database.unit_of_work() as session:
        audit.record(session, actor="cli", action="tried", subject=subject, after={"ş": [1, None]}, now=factories.NOW)


def differences(world: World) -> list[str]:
    with world.database.reading() as session:
        return audit.differences(session)


def tamper(world: World, statement: str) -> None:
    """As somebody with the database's own keys would: the triggers go first."""
    with world.database.unit_of_work() as session:
        for trigger in DROP[world.database.engine.dialect.name]:
            session.execute(text(trigger))
        session.execute(text(statement))


def test_events_written_at_once_form_one_chain(any_world: World) -> None:
    threads = [threading.Thread(target=record, args=(any_world, f"thing:{number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert differences(any_world) == []


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE audit_event SET actor = 'nobody' WHERE id = 2", "event 2 was changed"),
        ("DELETE FROM audit_event WHERE id = 2", "event 3 does not follow"),
    ],
)
def test_a_changed_or_removed_event_is_found(any_world: World, statement: str, says: str) -> None:
    for number in range(3):
        record(any_world, f"thing:{number}")
    assert differences(any_world) == []

    tamper(any_world, statement)

    assert any(says in line for line in differences(any_world))


def test_the_database_refuses_to_change_an_event(any_world: World) -> None:
    record(any_world, "thing:1")

    with pytest.raises(DBAPIError, match="never changed"), any_world.database.unit_of_work() as session:
        session.execute(text("UPDATE audit_event SET actor = 'nobody'"))
