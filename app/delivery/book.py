"""What was sent, written down: the send log for people, and the counts for metrics."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Executable, insert
from sqlalchemy.orm import Session

from app.db import insert_into
from app.delivery import counting
from app.delivery.models import Tally
from app.outbox.claims import Claim
from app.outbox.models import SendLog
from app.outbox.rules import Lane
from app.wallets.channel import Result


def write(
    session: Session, claim: Claim, told: Sequence[Result], others: Sequence[Result], *, now_ms: int, lost: int
) -> None:
    """Log a claim's answers and count them, in the transaction that settles it; *told* are the plain successes.

    What a campaign delivered is not logged one by one, a million rows each time: its targets say it.
    """
    logged = others if claim.lane is Lane.BULK else [*told, *others]
    if logged:
        session.execute(insert(SendLog), [_log_row(one, now_ms) for one in logged])
    add(session, counting.of(claim, told, others, now_ms=now_ms, lost=lost))


def add(session: Session, counts: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the tallies; always in the same order, so that two workers cannot wait for each other in a ring."""
    rows = [{"name": k[0], "label": k[1], "detail": k[2], "value": counts[k]} for k in sorted(counts)]
    if not rows:
        return
    session.connection().execute(_growing(session.get_bind().dialect.name), rows)


@cache
def _growing(kind: str) -> Executable:
    made = insert_into(kind, Tally)
    return made.on_conflict_do_update(
        index_elements=["name", "label", "detail"], set_={"value": Tally.value + made.excluded.value}
    )


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
