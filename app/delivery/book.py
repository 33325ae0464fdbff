"""What was sent, written down: the send log for people, and the counts for metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.db import insert_for
from app.delivery import counting
from app.delivery.models import Tally
from app.outbox.models import SendLog
from app.wallets.channel import Result


def write(session: Session, results: Sequence[Result], *, now_ms: int, lost: int = 0) -> None:
    """Log a batch and count it, in the transaction that settles it; *lost* of its rows had lost their lease."""
    rows = [_log_row(one, now_ms) for one in results]
    if rows:
        session.execute(insert(SendLog), rows)
        add(session, counting.of(results, now_ms=now_ms, lost=lost))


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
