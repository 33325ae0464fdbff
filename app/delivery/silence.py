"""Phones that were told and never fetched: told once more after six hours, then daily for a week, then left quiet.

Apple's service promises nothing: it keeps one notification for each device and may drop it. A quiet phone is still told
of every later change; it is only no longer reminded.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.db import insert_for, rows_changed
from app.delivery.models import Silence
from app.outbox.models import Target
from app.outbox.rules import DAY_MS, HOUR_MS, REMINDER, Lane
from app.world import World

FIRST_AFTER_MS = 6 * HOUR_MS
AGAIN_AFTER_MS = DAY_MS
QUIET_AFTER_MS = 7 * DAY_MS
STEP_ROWS = 500

UNFETCHED = and_(
    Target.channel == "apple", Target.state == "live", Target.want == Target.done, Target.fetched < Target.done
)


def follow_up(world: World) -> int:
    """Remind every phone whose time has come, in small transactions; how many."""
    now = world.clock()
    _forget_broken(world)
    after_id = reminded = 0
    while True:
        with world.database.reading() as session:
            ids = list(session.scalars(_to_remind(after_id, milliseconds(now))))
        if not ids:
            return reminded
        reminded += world.database.transact(partial(remind, target_ids=ids, now=now))
        after_id = ids[-1]


def remind(session: Session, target_ids: Sequence[int], *, now: datetime) -> int:
    """Let these addresses be told again what they were told, in the bulk lane, unless they fetched it meanwhile."""
    now_ms = milliseconds(now)
    rows = session.execute(
        select(Target.id, Target.told_at, Target.fetched)
        .where(Target.id.in_(target_ids), UNFETCHED)
        .order_by(Target.id)
        .with_for_update()
    ).all()
    for row in rows:
        first = insert_for(session, Silence).values(
            target_id=row.id, since=row.told_at, fetched=row.fetched, pushes=1, pushed_at=now_ms
        )
        again = {"pushes": Silence.pushes + 1, "pushed_at": now_ms}
        session.execute(first.on_conflict_do_update(index_elements=["target_id"], set_=again))
    values = {
        "done": Target.done - 1, "lane": int(Lane.BULK), "not_before": now_ms, "dirty_since": now_ms, "trace": REMINDER,
    }  # fmt: skip
    chosen = update(Target).where(Target.id.in_([row.id for row in rows])).values(values)
    return rows_changed(session, chosen.execution_options(synchronize_session=False))


def is_quiet(now: datetime) -> ColumnElement[bool]:
    """Whether a target's phone was told, reminded for a week, and has fetched nothing since."""
    return and_(
        Target.fetched < Target.want,
        exists().where(
            Silence.target_id == Target.id,
            Silence.fetched == Target.fetched,
            Silence.since < milliseconds(now) - QUIET_AFTER_MS,
        ),
    )


def _to_remind(after_id: int, now_ms: int) -> Select[int]:
    never = and_(Silence.target_id.is_(None), Target.told_at < now_ms - FIRST_AFTER_MS)
    again = and_(Silence.pushed_at < now_ms - AGAIN_AFTER_MS, Silence.since > now_ms - QUIET_AFTER_MS)
    return (
        select(Target.id)
        .outerjoin(Silence, Silence.target_id == Target.id)
        .where(UNFETCHED, Target.id > after_id, or_(never, again))
        .order_by(Target.id)
        .limit(STEP_ROWS)
    )


def _forget_broken(world: World) -> None:
    """Silences that are over: the phone fetched something, or its address is gone."""
    still = exists().where(Target.id == Silence.target_id, Target.fetched == Silence.fetched, Target.state != "gone")
    while True:
        with world.database.reading() as session:
            ids = list(session.scalars(select(Silence.target_id).where(~still).limit(STEP_ROWS)))
        if not ids:
            return
        gone = delete(Silence).where(Silence.target_id.in_(ids)).execution_options(synchronize_session=False)
        world.database.transact(partial(rows_changed, statement=gone))
