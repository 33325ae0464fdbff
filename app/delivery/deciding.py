"""From a vendor's answer to what is written about the row. No database, no network, no clock."""

from collections.abc import Sequence

from app.outbox import rules
from app.outbox.claims import Claim, Settlement
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
    action = _action(result, now_ms)
    delay_ms = 0
    if action == "later":
        delay_ms = rules.backoff_ms(target.attempts, claim.lane, jitter=jitter, retry_after_s=result.retry_after_s)
    return Settlement(
        target_id=target.id,
        action=action,
        version=result.errand.version,
        delay_ms=delay_ms,
        asked_ms=rules.asked_ms(result.retry_after_s),
        status=result.status,
        reason=result.breaker or result.reason,
        maybe_sent=claim.channel in CONTENT_CHANNELS and result.outcome in (Outcome.DELIVERED, Outcome.TRY_AGAIN),
    )


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


def split(claim: Claim, results: Sequence[Result]) -> tuple[list[Result], list[Result]]:
    """Signals that were simply taken, of which only the version is worth noting; and every other answer."""
    if claim.channel in CONTENT_CHANNELS:
        return [], list(results)
    taken = Outcome.DELIVERED
    told = [one for one in results if one.outcome is taken]
    return told, [one for one in results if one.outcome is not taken] if len(told) < len(results) else []


def guarded(claim: Claim, failed: Sequence[Result], words: str) -> list[Result]:
    """The answers that were no plain yes, disbelieved where they say that suspiciously many phones are gone."""
    gone = sum(1 for one in failed if one.outcome is Outcome.GONE)
    if not rules.looks_like_wrong_credential(len(claim.rows), gone):
        return list(failed)
    return [
        one._replace(outcome=Outcome.REFUSED, breaker=words) if one.outcome is Outcome.GONE else one for one in failed
    ]
