"""How due rows are claimed, and how what happened to them is written down.

All functions work in the caller's transaction and touch rows in the order of their ids. Times are epoch milliseconds.
A campaign passes through here with every row twice, so both ways are one statement for a batch, built once.
"""

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, case, select, update
from sqlalchemy.orm import Session

from app.outbox import statements
from app.outbox.rules import LEASE_MS, REQUEST_DEADLINE_MS, Lane
from app.outbox.statements import TARGETS
from app.outbox.windows import windows_of

VOID = "void"


class SenderRef(NamedTuple):
    """Who sends: the vendor's name for one of our identities there."""

    id: int
    vendor: str
    name: str


class Claimed(NamedTuple):
    """A row under our lease, as it was when it was taken; this attempt is counted in `attempts`.

    `not_before` is when the lease runs out, by the clock that counts it. The fields are `statements.CLAIMED`.
    """

    id: int
    card_id: int | None
    address_id: int
    want: int
    done: int
    attempts: int
    dirty_since: int
    trace: str
    not_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Rows that were taken together: all of one sender, channel and lane, under one lease.

    Nothing more is sent after `send_until_ms`, by the clock of this node: the lease would run out before the answer
    comes.
    """

    channel: str
    sender: SenderRef
    lane: Lane
    lease: str
    claimed_ms: int
    send_until_ms: int
    rows: Sequence[Claimed]


class Settlement(NamedTuple):
    """What to write for one claimed row.

    `action`: done, later, gone, parked, or waiting (due again as soon as its sender may send; the attempt is not
    counted). `version` is the one that was read after the claim. `asked_ms`: for how long the vendor asked to be left
    alone. `maybe_sent`: it carried content that may have reached the vendor, whatever was answered.
    """

    target_id: int
    action: str
    version: int
    delay_ms: int = 0
    asked_ms: int = 0
    status: int = 0
    reason: str = ""
    maybe_sent: bool = False


def due_senders(session: Session, *, channel: str, lane: Lane, now_ms: int) -> list[SenderRef]:
    """Senders with rows to claim in this lane, those with an open breaker left out."""
    found = session.execute(statements.DUE_SENDERS, {"p_channel": channel, "p_lane": int(lane), "p_now": now_ms})
    return [SenderRef._make(row) for row in found]


def next_due(session: Session, *, channel: str, lanes: Sequence[Lane]) -> int | None:
    """When the next row of these lanes may be claimed; None if nothing waits. Open breakers count as their own end."""
    soonest: list[int] = []
    for lane in lanes:
        place = {"p_channel": channel, "p_lane": int(lane)}
        for not_before, breaker_until in session.execute(statements.NEXT_DUE, place):
            if not_before is not None:
                soonest.append(max(not_before, breaker_until))
    return min(soonest, default=None)


def due_count(session: Session, sender: SenderRef, *, channel: str, lane: Lane, limit: int, now_ms: int) -> int:
    """How many rows could be claimed now, counting no further than *limit*."""
    place = {"p_channel": channel, "p_sender": sender.id, "p_lane": int(lane), "p_now": now_ms, "p_limit": limit}
    return session.scalar(statements.DUE_COUNT, place) or 0


def claim(
    session: Session,
    sender: SenderRef,
    *,
    channel: str,
    lane: Lane,
    limit: int,
    now_ms: int,
    own_clock: bool = True,
    without: Collection[int] = (),
) -> Claim | None:
    """Take up to *limit* due rows under a lease; nobody else gets them until it runs out. None if nothing is due.

    The attempt is counted here, not at the answer: a row that kills its worker is slowed like one that fails.

    Args:
        own_clock: whether *now_ms* decides what is due and how long the lease lasts. If not, the database's clock
            does, within the statement, so that a node whose clock is wrong neither shortens leases nor takes rows
            early. `send_until_ms` is by this node's clock all the same: only how much time passes matters there.
        without: programmes whose rows are left alone.
    """
    lease = secrets.token_hex(8)
    given = {
        "p_channel": channel, "p_sender": sender.id, "p_lane": int(lane), "p_limit": limit, "p_token": lease,
        "p_lease_ms": LEASE_MS[lane], "p_now": now_ms,
    }  # fmt: skip
    statement = statements.claiming(own_clock=own_clock)
    if without:
        statement = statements.claiming(own_clock=own_clock, without_in=channel)
        given["p_without"] = list(without)
    taken = session.connection().execute(statement, given).all()
    if not taken:
        return None
    return Claim(
        channel=channel,
        sender=sender,
        lane=lane,
        lease=lease,
        claimed_ms=taken[0].not_before - LEASE_MS[lane],
        send_until_ms=now_ms + LEASE_MS[lane] - REQUEST_DEADLINE_MS,
        rows=sorted(map(Claimed._make, taken)),
    )


def settle(
    session: Session, claim: Claim, told: Sequence[tuple[int, int]], rest: Sequence[Settlement], *, now_ms: int
) -> int:
    """Write down what became of a claim's rows; how many of them had lost their lease.

    A row whose lease was lost is left alone: somebody else has it. Where its send carried content, its version counts
    as unsent and whoever has the row must send again, because the late send may have overwritten a newer one.

    Args:
        told: (target id, version) of every plain "yes", in a campaign nearly all: one statement for all of them.
        rest: everything else, one prepared statement for each kind.
    """
    maybe_sent = sorted(one for one in rest if one.maybe_sent)
    leases = _locked_leases(session, [one.target_id for one in maybe_sent]) if maybe_sent else {}
    written = _acknowledge(session, claim, told, now_ms)
    for action, values in statements.ACTIONS.items():
        rows = [_row(session, one, claim, now_ms) for one in sorted(rest) if one.action == action]
        written += _each(session, rows, values, leased=True)
    late = [one for one in maybe_sent if leases.get(one.target_id, claim.lease) != claim.lease]
    _settle_late(session, late, leases, now_ms)
    return len(told) + len(rest) - written


def _acknowledge(session: Session, claim: Claim, told: Sequence[tuple[int, int]], now_ms: int) -> int:
    if not told:
        return 0
    told, kind = sorted(told), session.get_bind().dialect.name
    rows: dict[str, Any] = (
        {"pairs": json.dumps(dict(told)), "k_lease": claim.lease}
        if kind == "sqlite"
        else {"ids": [id for id, _ in told], "versions": [one for _, one in told], "leases": [claim.lease] * len(told)}
    )
    paced = claim.lane is Lane.BULK and claim.channel == "apple"
    given = {**rows, **_moments(session, claim, now_ms), "v_status": 200, "v_reason": ""}
    return session.connection().execute(statements.acknowledging(kind, paced=paced), given).rowcount


def _moments(session: Session, claim: Claim, now_ms: int) -> dict[str, int]:
    again = {f"v_again_{int(lane)}": now_ms + window for lane, window in windows_of(session).items()}
    return {**again, "v_now": now_ms, "v_claimed": claim.claimed_ms}


def _locked_leases(session: Session, ids: Sequence[int]) -> Mapping[int, str | None]:
    rows = select(TARGETS.c.id, TARGETS.c.lease).where(TARGETS.c.id.in_(ids)).order_by(TARGETS.c.id).with_for_update()
    return {row.id: row.lease for row in session.execute(rows)}


def _row(session: Session, one: Settlement, claim: Claim, now_ms: int) -> dict[str, Any]:
    return {
        "k_id": one.target_id, "k_lease": claim.lease, "v_version": one.version, "v_at": now_ms + one.delay_ms,
        "v_asked": now_ms + one.asked_ms if one.asked_ms else 0, "v_status": one.status, "v_reason": one.reason[:200],
        **_moments(session, claim, now_ms),
    }  # fmt: skip


def _settle_late(session: Session, late: Sequence[Settlement], leases: Mapping[int, str | None], now_ms: int) -> None:
    unsent = bindparam("v_version", type_=BigInteger) - 1
    lowered = {"done": case((TARGETS.c.done > unsent, unsent), else_=TARGETS.c.done)}
    # the attempt counts, so that the next send is not taken for the first of a known state
    again = {"lease": None, "not_before": bindparam("v_now", type_=BigInteger), "attempts": TARGETS.c.attempts + 1}
    for is_held, values in ((True, {"lease": VOID}), (False, again)):
        some = [one for one in late if (leases[one.target_id] not in (None, VOID)) == is_held]
        rows = [{"k_id": one.target_id, "v_version": one.version, "v_now": now_ms} for one in some]
        _each(session, rows, lowered | values, leased=False)


def _each(session: Session, rows: Sequence[dict[str, Any]], values: Mapping[str, Any], *, leased: bool) -> int:
    """One prepared UPDATE for many rows; how many it changed."""
    if not rows:
        return 0
    statement = update(TARGETS).where(TARGETS.c.id == bindparam("k_id"))
    if leased:
        statement = statement.where(TARGETS.c.lease == bindparam("k_lease"))
    statement = statement.values(values)
    used = statement.compile().params.keys()
    given = [{name: value for name, value in row.items() if name in used} for row in rows]
    return session.connection().execute(statement, given).rowcount


def ids_given(kind: str, claim: Claim) -> dict[str, Any]:
    """What to run a statement with that uses `statements.claimed_ids`."""
    ids = [one.id for one in claim.rows]
    return {"claimed_ids": json.dumps(ids) if kind == "sqlite" else ids}
