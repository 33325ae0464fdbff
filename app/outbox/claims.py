"""How waiting rows are claimed, and how what happened to them is written down.

All functions work in the caller's transaction and touch rows in the order of their ids. Times are epoch milliseconds.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, ColumnElement, Table, and_, bindparam, case, func, literal, select, update
from sqlalchemy.orm import Session

from app.outbox.models import Sender, Target
from app.outbox.rules import LEASE_MS, REQUEST_DEADLINE_MS, WINDOW_MS, Lane

VOID = "void"
TARGETS = cast("Table", Target.__table__)
DUE = and_(Target.want > Target.done, Target.state == "live")


class SenderRef(NamedTuple):
    """Who sends: the vendor's name for one of our identities there."""

    id: int
    vendor: str
    name: str


class Claimed(NamedTuple):
    """A row under our lease, as it was when it was taken; this attempt is counted in `attempts`."""

    id: int
    card_id: int | None
    address_id: int
    want: int
    done: int
    attempts: int
    dirty_since: int
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Rows that were taken together: all of one sender, channel and lane, under one lease.

    Nothing more is sent after `send_until_ms`: the lease would run out before the answer comes.
    """

    channel: str
    sender: SenderRef
    lane: Lane
    lease: str
    claimed_ms: int
    send_until_ms: int
    rows: Sequence[Claimed]


def due_senders(session: Session, *, channel: str, lane: Lane, now_ms: int) -> list[SenderRef]:
    """Senders with rows to claim in this lane, those with an open breaker left out."""
    waiting = select(Target.id).where(
        _in_lane(channel, lane), Target.sender_id == Sender.id, Target.not_before <= now_ms
    )
    columns = select(Sender.id, Sender.vendor, Sender.name)
    statement = columns.where(Sender.breaker_until <= now_ms, waiting.exists()).order_by(Sender.id)
    return [SenderRef._make(row) for row in session.execute(statement)]


def next_due(session: Session, *, channel: str, lanes: Sequence[Lane]) -> int | None:
    """When the next row of these lanes may be claimed; None if nothing waits. Open breakers count as their own end."""
    soonest: list[int] = []
    for lane in lanes:
        first = (
            select(func.min(Target.not_before))
            .where(_in_lane(channel, lane), Target.sender_id == Sender.id)
            .correlate(Sender)
            .scalar_subquery()
        )
        for not_before, breaker_until in session.execute(select(first, Sender.breaker_until)):
            if not_before is not None:
                soonest.append(max(not_before, breaker_until))
    return min(soonest, default=None)


def due_count(session: Session, *, channel: str, sender_id: int, lane: Lane, limit: int, now_ms: int) -> int:
    """How many rows could be claimed now, counting no further than *limit*."""
    due = select(Target.id).where(_in_lane(channel, lane), Target.sender_id == sender_id, Target.not_before <= now_ms)
    return session.scalar(select(func.count()).select_from(due.limit(limit).subquery())) or 0


def claim(session: Session, sender: SenderRef, *, channel: str, lane: Lane, limit: int, now_ms: int) -> Claim | None:
    """Take up to *limit* due rows under a lease; nobody else gets them until it runs out. None if nothing is due.

    The attempt is counted here, not at the answer: a row that kills its worker is slowed like one that fails.
    """
    due = (
        select(Target.id)
        .where(_in_lane(channel, lane), Target.sender_id == sender.id, Target.not_before <= now_ms)
        .order_by(Target.not_before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(session.scalars(due))
    if not ids:
        return None
    lease = secrets.token_hex(8)
    values = {"not_before": now_ms + LEASE_MS[lane], "lease": lease, "attempts": Target.attempts + 1}
    claimed = session.connection().execute(
        update(TARGETS)
        .where(TARGETS.c.id.in_(ids))
        .values(values)
        .returning(*(TARGETS.c[name] for name in Claimed._fields))
    )
    return Claim(
        channel=channel,
        sender=sender,
        lane=lane,
        lease=lease,
        claimed_ms=now_ms,
        send_until_ms=now_ms + LEASE_MS[lane] - REQUEST_DEADLINE_MS,
        rows=sorted(map(Claimed._make, claimed)),
    )


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What to write for one claimed row.

    `action`: done, later, gone, parked, or waiting (due again as soon as its sender may send). `version` is the one
    that was read after the claim. `harmful_late`: the send carries content that may have overwritten a newer one.
    """

    target_id: int
    action: str
    version: int
    delay_ms: int = 0
    status: int = 0
    reason: str = ""
    harmful_late: bool = False


def settle(session: Session, claim: Claim, settlements: Sequence[Settlement], *, now_ms: int) -> set[int]:
    """Write a batch of outcomes, one statement for each kind of outcome.

    A row whose lease was lost is not acknowledged. If the send carried content, its version counts as unsent and
    whoever holds the row now must send again, because the late send may have overwritten a newer one.

    Returns: ids of the rows whose lease was lost.
    """
    leases = _locked_leases(session, [one.target_id for one in settlements])
    ours = [one for one in settlements if leases.get(one.target_id) == claim.lease]
    lost = [one for one in settlements if leases.get(one.target_id) != claim.lease]
    for action, values in _actions(claim.claimed_ms, now_ms).items():
        rows = [
            _row(one, claim.lease, now_ms)
            for one in sorted(ours, key=lambda one: one.target_id)
            if one.action == action
        ]
        _each(session, rows, values)
    _settle_late(session, [one for one in lost if one.harmful_late and one.target_id in leases], leases, now_ms)
    return {one.target_id for one in lost}


def _locked_leases(session: Session, ids: Sequence[int]) -> Mapping[int, str | None]:
    rows = select(Target.id, Target.lease).where(Target.id.in_(ids)).order_by(Target.id).with_for_update()
    return {row.id: row.lease for row in session.execute(rows)}


def _actions(claimed_ms: int, now_ms: int) -> dict[str, dict[str, Any]]:
    answered: dict[str, Any] = {
        "lease": None,
        "last_status": bindparam("v_status"),
        "last_reason": bindparam("v_reason"),
        "last_at": now_ms,
    }
    version: ColumnElement[int] = bindparam("v_version", type_=BigInteger)
    reached = case((version > Target.want, Target.want), (version < Target.done, Target.done), else_=version)
    due_again = case(
        *((Target.lane == int(lane), literal(now_ms + WINDOW_MS[lane], BigInteger)) for lane in Lane), else_=now_ms
    )
    done = {
        "done": reached,
        "attempts": 0,
        "told_at": now_ms,
        "not_before": due_again,
        # what is still wanted was asked for after the claim
        "dirty_since": case((Target.want > version, literal(claimed_ms, BigInteger)), else_=Target.dirty_since),
    }
    return {
        "done": answered | done,
        "later": answered | {"not_before": bindparam("v_at", type_=BigInteger)},
        "gone": answered | {"state": "gone"},
        "parked": answered | {"state": "parked", "not_before": now_ms},
        "waiting": answered | {"not_before": now_ms, "attempts": Target.attempts - 1},
    }


def _row(one: Settlement, lease: str, now_ms: int) -> dict[str, Any]:
    return {
        "k_id": one.target_id, "k_lease": lease, "v_version": one.version, "v_at": now_ms + one.delay_ms,
        "v_status": one.status, "v_reason": one.reason[:200],
    }  # fmt: skip


def _settle_late(session: Session, late: Sequence[Settlement], leases: Mapping[int, str | None], now_ms: int) -> None:
    held = [one for one in late if leases[one.target_id] not in (None, VOID)]
    free = [one for one in late if leases[one.target_id] in (None, VOID)]
    unsent = bindparam("v_version", type_=BigInteger) - 1
    lowered = case((Target.done > unsent, unsent), else_=Target.done)
    again = {"attempts": Target.attempts + 1}  # so that the next send is not taken for the first of a known state
    for group, values in ((held, {"lease": VOID}), (free, {"lease": None, "not_before": now_ms, **again})):
        rows = [{"k_id": one.target_id, "v_version": one.version} for one in sorted(group, key=lambda s: s.target_id)]
        _each(session, rows, {"done": lowered, **values}, leased=False)


def _each(session: Session, rows: Sequence[dict[str, Any]], values: dict[str, Any], *, leased: bool = True) -> None:
    """One prepared UPDATE for many rows."""
    if not rows:
        return
    where: list[ColumnElement[bool]] = [TARGETS.c.id == bindparam("k_id")]
    if leased:
        where.append(TARGETS.c.lease == bindparam("k_lease"))
    statement = update(TARGETS).where(*where).values(values)
    used = statement.compile().params.keys()
    session.connection().execute(statement, [{k: v for k, v in row.items() if k in used} for row in rows])


def _in_lane(channel: str, lane: Lane) -> ColumnElement[bool]:
    return and_(Target.channel == channel, Target.lane == lane, DUE)
