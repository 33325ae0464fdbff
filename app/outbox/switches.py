"""Kill switches: an operator stops all sending, or a programme's, at once; what is owed waits unharmed.

Stopping and resuming are a row each; the engine reads them before every batch. The urgent caller is somebody who sees
phones being told something wrong: nothing may stand between that button and the next send.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.db import insert_if_new, rows_changed
from app.outbox.claims import SenderRef
from app.outbox.models import KillSwitch, Target
from app.outbox.rules import Lane
from app.outbox.statements import TARGETS, programme_of

ALL = "all"
LOOK_ROWS = 1_000
ASIDE_MS = 60_000
_THROWN = select(KillSwitch.scope, KillSwitch.reason, KillSwitch.by, KillSwitch.at).order_by(KillSwitch.at)


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """A switch that is thrown. `programme_id` is None where everything is stopped."""

    programme_id: int | None
    reason: str
    by: str
    at_ms: int


def stop(session: Session, *, programme_id: int | None, reason: str, by: str, now_ms: int) -> bool:
    """Stop the sends of a programme, or with None of everybody. False if that was stopped already (the first stays)."""
    return insert_if_new(session, KillSwitch, scope=_scope(programme_id), reason=reason, by=by, at=now_ms)


def resume(session: Session, *, programme_id: int | None) -> bool:
    """Let the sends go on; within a minute everything that waited is due again. False if nothing was stopped."""
    return rows_changed(session, delete(KillSwitch).where(KillSwitch.scope == _scope(programme_id))) == 1


def stopped(session: Session) -> list[Stopped]:
    """Every switch that is thrown, the oldest first."""
    rows = session.execute(_THROWN)
    return [Stopped(programme_id=_programme(scope), reason=reason, by=by, at_ms=at) for scope, reason, by, at in rows]


def set_aside(
    session: Session, sender: SenderRef, *, channel: str, lane: Lane, programme_ids: Collection[int], now_ms: int
) -> int:
    """Move rows of stopped programmes away from the head of a lane for a minute; how many there were.

    A claim passes them over by itself, but a million of them in front would make every claim of the others long.
    """
    head = (
        select(Target.id)
        .where(
            Target.channel == channel, Target.sender_id == sender.id, Target.lane == int(lane),
            Target.want > Target.done, Target.state == "live", Target.not_before <= now_ms,
        )
        .order_by(Target.not_before)
        .limit(LOOK_ROWS)
    )  # fmt: skip
    move = update(TARGETS).where(TARGETS.c.id.in_(head), programme_of(channel).in_(programme_ids))
    return rows_changed(session, move.values(not_before=now_ms + ASIDE_MS))


def _scope(programme_id: int | None) -> str:
    return ALL if programme_id is None else f"programme:{programme_id}"


def _programme(scope: str) -> int | None:
    return None if scope == ALL else int(scope.partition(":")[2])
