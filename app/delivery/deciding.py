"""From a vendor's answer to what is written about the row. No database, no network, no clock."""

from collections.abc import Sequence
from dataclasses import replace

from app.outbox import rules
from app.outbox.claims import Settlement
from app.wallets.channel import Result
from passes.outcome import Outcome

UNCHANGED = "unchanged"
CONTENT_CHANNELS = ("google", "google_class")


def settlement(result: Result, *, now_ms: int, jitter: float) -> Settlement:
    """What to write for one answer.

    A fault of the sender (`result.breaker`) leaves the row waiting, without counting the attempt. A row that has failed
    for a day is parked, and tried once a day from then on: no row is ever dropped.
    """
    claim, target = result.errand.claim, result.errand.target
    one = Settlement(
        target_id=target.id,
        action=_action(result, now_ms),
        version=result.errand.version,
        status=result.status,
        reason=result.breaker or result.reason,
        harmful_late=claim.channel in CONTENT_CHANNELS and result.outcome in (Outcome.DELIVERED, Outcome.TRY_AGAIN),
    )
    if one.action != "later":
        return one
    delay = rules.backoff_ms(target.attempts, claim.lane, jitter=jitter, retry_after_s=result.retry_after_s)
    return replace(one, delay_ms=delay)


def _action(result: Result, now_ms: int) -> str:
    match result.outcome:
        case Outcome.DELIVERED:
            return "done"
        case Outcome.GONE:
            return "gone"
        case Outcome.REFUSED:
            return "waiting" if result.breaker else "parked"
        case Outcome.TRY_AGAIN:
            if result.breaker:
                return "waiting"
            return "parked" if now_ms - result.errand.target.dirty_since > rules.PARK_AFTER_MS else "later"


def guarded(results: Sequence[Result], words: str) -> list[Result]:
    """The same answers, disbelieved where they say that suspiciously many phones are gone."""
    gone = sum(1 for one in results if one.outcome is Outcome.GONE)
    if not rules.looks_like_wrong_credential(len(results), gone):
        return list(results)
    return [
        one._replace(outcome=Outcome.REFUSED, breaker=words) if one.outcome is Outcome.GONE else one for one in results
    ]
