"""What was sent, written down: the send log for people, and the counts for metrics."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.db import insert_for
from app.delivery.deciding import UNCHANGED
from app.delivery.models import Tally
from app.outbox.models import SendLog
from app.outbox.rules import Lane
from app.wallets.channel import Result
from passes.outcome import Outcome

LAG_BUCKETS_S = ("0.5", "1", "1.5", "2", "3", "5", "10", "30", "60", "300", "900", "3600", "+Inf")


def write(session: Session, results: Sequence[Result], *, now_ms: int) -> None:
    """Log a batch and count it, in the transaction that settles it."""
    rows = [_log_row(one, now_ms) for one in results]
    if not rows:
        return
    session.execute(insert(SendLog), rows)
    counts: Counter[tuple[str, str, str]] = Counter()
    for result, row in zip(results, rows, strict=True):
        counts[
            ("push", result.errand.claim.channel, "unchanged" if row["reason"] == UNCHANGED else row["outcome"])
        ] += 1
        if result.outcome is Outcome.DELIVERED and row["reason"] != UNCHANGED:
            counts += _lag(result.errand.claim.lane, row["lag_ms"])
    add(session, counts)


def add(session: Session, counts: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the tallies; always in the same order, so that two workers cannot wait for each other in a ring."""
    rows = [{"name": k[0], "label": k[1], "detail": k[2], "value": counts[k]} for k in sorted(counts)]
    if not rows:
        return
    made = insert_for(session, Tally)
    grown = made.on_conflict_do_update(
        index_elements=["name", "label", "detail"], set_={"value": Tally.value + made.excluded.value}
    )
    session.connection().execute(grown, rows)


def _lag(lane: Lane, lag_ms: int) -> Counter[tuple[str, str, str]]:
    bucket = next(bound for bound in LAG_BUCKETS_S if lag_ms <= float(bound) * 1000)
    return Counter({("lag", str(int(lane)), bucket): 1, ("lag_sum", str(int(lane)), ""): lag_ms})


def _log_row(result: Result, now_ms: int) -> dict[str, Any]:
    claim, target = result.errand.claim, result.errand.target
    return {
        "target_id": target.id,
        "card_id": target.card_id,
        "channel": claim.channel,
        "version": result.errand.version,
        "outcome": result.outcome.value,
        "status": result.status,
        "reason": (result.breaker or result.reason)[:200],
        "took_ms": result.took_ms,
        "lag_ms": max(0, now_ms - target.dirty_since),
        "trace": target.trace,
        "at": now_ms,
    }
