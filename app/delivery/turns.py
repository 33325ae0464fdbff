"""Work that any number of schedulers know of and one of them does: whoever moves its row on has the turn."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.db import insert_if_new, rows_changed
from app.delivery.models import Turn
from app.world import World


@dataclass(frozen=True, kw_only=True)
class Mine:
    """A turn that was taken: where the one before it stopped, and what it left word of."""

    name: str
    cursor: int = 0
    note: dict[str, Any] = field(default_factory=dict)


def take(world: World, name: str, *, every_ms: int) -> Mine | None:
    """The turn, if it is due and nobody else took it; it is due again after *every_ms*, or as `finish` says.

    Asking costs one read while nothing is due.
    """
    now_ms = milliseconds(world.clock())
    with world.database.reading() as session:
        due_at = session.scalar(select(Turn.due_at).where(Turn.name == name))
    if due_at is not None and due_at > now_ms:
        return None

    def work(session: Session) -> Mine | None:
        insert_if_new(session, Turn, name=name, due_at=0, cursor=0, note={})
        moved = update(Turn).where(Turn.name == name, Turn.due_at <= now_ms).values(due_at=now_ms + every_ms)
        if rows_changed(session, moved.execution_options(synchronize_session=False)) == 0:
            return None
        taken = session.get_one(Turn, name, populate_existing=True)
        return Mine(name=name, cursor=taken.cursor, note=dict(taken.note))

    return world.database.transact(work)


def finish(
    session: Session, mine: Mine, *, cursor: int | None = None, note: dict[str, Any] | None = None, due_ms: int = 0
) -> None:
    """Leave word for the next turn, in the transaction of the work itself; `due_ms` overrules when that is."""
    values: dict[str, Any] = {"cursor": mine.cursor if cursor is None else cursor}
    if note is not None:
        values["note"] = note
    if due_ms:
        values["due_at"] = due_ms
    session.execute(update(Turn).where(Turn.name == mine.name).values(values))


def place_of(session: Session, name: str) -> tuple[int, dict[str, Any]]:
    """Where the work of a turn stands now, and what it left word of."""
    found = session.execute(select(Turn.cursor, Turn.note).where(Turn.name == name)).one()
    return found.cursor, dict(found.note)


def noted(session: Session, name: str) -> dict[str, Any]:
    """What the last turn left word of; empty before the first."""
    found = session.scalar(select(Turn.note).where(Turn.name == name))
    return dict(found) if found else {}
