"""Raising and clearing alarms: by any number of schedulers at once, each thing once."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.alarms import conditions, words
from app.alarms.conditions import Finding, Look
from app.alarms.models import Alarm
from app.db import insert_if_new, rows_changed
from app.webhooks import service as webhooks
from app.webhooks.kinds import ALARM_CLEARED, ALARM_RAISED
from app.world import World

log = logging.getLogger(__name__)

KEPT = timedelta(days=90)
WORST_FIRST = ("bad", "warn")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was found, and the kinds that could be judged at all: what could not be looked at is neither raised nor
    cleared.
    """

    findings: tuple[Finding, ...]
    kinds: frozenset[str]


def evaluate(world: World) -> tuple[int, int]:
    """Look at everything, raise what is new and clear what is over; how many of each.

    To be called every few seconds by every scheduler. Webhooks are told in the same transaction.
    """
    judged = judge(world)
    now = world.clock()

    def work(session: Session) -> tuple[int, int]:
        raised = sum(_raise(session, one, now) for one in judged.findings)
        still = {(one.kind, one.subject) for one in judged.findings}
        over = [
            one for one in open_alarms(session) if one.kind in judged.kinds and (one.kind, one.subject) not in still
        ]
        cleared = sum(_clear(session, one, now) for one in over)
        if cleared:
            old = delete(Alarm).where(Alarm.cleared_at < now - KEPT)
            session.execute(old.execution_options(synchronize_session=False))
        return raised, cleared

    if judged.findings or _any_open(world):
        return world.database.transact(work)
    return 0, 0


def judge(world: World) -> Judgement:
    """What is wrong now. A question that cannot be answered is logged, and the others are asked all the same."""
    findings: list[Finding] = []
    kinds: set[str] = set()
    for of, look in conditions.LOOKS.items():
        try:
            with world.database.reading() as session:
                findings += look(Look(world=world, session=session, now=world.clock()))
        except Exception:
            log.exception("alarms of these kinds could not be judged: %s", ", ".join(of))
        else:
            kinds.update(of)
    return Judgement(findings=tuple(findings), kinds=frozenset(kinds))


def open_alarms(session: Session) -> list[Alarm]:
    """What is wrong as far as schedulers have noticed, the worst and oldest first."""
    found = session.scalars(select(Alarm).where(Alarm.cleared_at.is_(None)).order_by(Alarm.raised_at, Alarm.id))
    return sorted(found, key=lambda one: WORST_FIRST.index(one.severity))


def seen_now(world: World, session: Session, *, now: datetime) -> list[Alarm]:
    """As `open_alarms`, together with what schedulers cannot write down: that none runs, that the disk is full."""
    found = open_alarms(session)
    known = {(one.kind, one.subject) for one in found}
    live = [one for look in conditions.LIVE for one in look(Look(world=world, session=session, now=now))]
    unwritten = [_alarm(one, now) for one in live if (one.kind, one.subject) not in known]
    return sorted([*found, *unwritten], key=lambda one: WORST_FIRST.index(one.severity))


def cleared(session: Session, *, limit: int = 50) -> Sequence[Alarm]:
    """What was wrong and is over, the latest first."""
    query = select(Alarm).where(Alarm.cleared_at.is_not(None)).order_by(Alarm.cleared_at.desc(), Alarm.id.desc())
    return session.scalars(query.limit(limit)).all()


def _any_open(world: World) -> bool:
    with world.database.reading() as session:
        return session.scalar(select(Alarm.id).where(Alarm.cleared_at.is_(None)).limit(1)) is not None


def _alarm(one: Finding, now: datetime) -> Alarm:
    return Alarm(
        kind=one.kind, subject=one.subject, severity=one.severity, values=one.values, raised_at=now, last_seen_at=now
    )


def _raise(session: Session, one: Finding, now: datetime) -> bool:
    """Whether it is new. The unique index of open alarms decides between two schedulers."""
    new = insert_if_new(
        session, Alarm, kind=one.kind, subject=one.subject, severity=one.severity, values=one.values, raised_at=now,
        last_seen_at=now,
    )  # fmt: skip
    if new:
        log.warning("alarm: %s", words.title(one.kind, one.values))
        _announce(session, ALARM_RAISED, one, now)
        return True
    session.execute(
        update(Alarm)
        .where(Alarm.kind == one.kind, Alarm.subject == one.subject, Alarm.cleared_at.is_(None))
        .values(last_seen_at=now, severity=one.severity, values=one.values)
        .execution_options(synchronize_session=False)
    )
    return False


def _clear(session: Session, alarm: Alarm, now: datetime) -> bool:
    over = update(Alarm).where(Alarm.id == alarm.id, Alarm.cleared_at.is_(None)).values(cleared_at=now)
    if rows_changed(session, over.execution_options(synchronize_session=False)) == 0:
        return False
    log.info("alarm is over: %s", words.title(alarm.kind, alarm.values))
    finding = Finding(kind=alarm.kind, subject=alarm.subject, severity=alarm.severity, values=alarm.values)
    _announce(session, ALARM_CLEARED, finding, now, raised_at=alarm.raised_at)
    return True


def _announce(session: Session, kind: str, one: Finding, now: datetime, raised_at: datetime | None = None) -> None:
    data = {
        "alarm": one.kind,
        "subject": one.subject,
        "severity": one.severity,
        "title": str(words.title(one.kind, one.values)),
        "meaning": str(words.meaning(one.kind, one.values)),
        "mend": str(words.mend(one.kind, one.values)),
        "raised_at": (raised_at or now).isoformat(timespec="seconds"),
    }
    webhooks.announce(session, programme_id=None, kind=kind, data=data, now=now)
