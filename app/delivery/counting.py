"""What a batch of answers adds to the tallies. Every push of a campaign passes here, so it counts in plain lists."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from app.delivery.deciding import UNCHANGED
from app.wallets.channel import Result
from passes.apple.push import MEANINGS
from passes.outcome import Outcome

LAG_BUCKETS_S = ("0.5", "1", "1.5", "2", "3", "5", "10", "30", "60", "300", "900", "3600", "+Inf")
TOOK_BUCKETS_S = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
LAG_EDGES_MS = [float(bound) * 1000 for bound in LAG_BUCKETS_S]
TOOK_EDGES_MS = [float(bound) * 1000 for bound in TOOK_BUCKETS_S]
# a label must have few values whatever a vendor answers: these words, else the status alone
REASONS = frozenset({reason for _, reason in MEANINGS} | {UNCHANGED, "ServerNotTrusted", "NoCredential"})

Counts = Counter[tuple[str, str, str]]


def of(results: Sequence[Result], *, now_ms: int, lost: int = 0) -> Counts:
    """Answers by outcome and reason, and how long they took; of one claim, *lost* of them without their lease."""
    counts: Counts = Counter()
    if not results:
        return counts
    claim = results[0].errand.claim
    lags, leaves, tooks = [0] * len(LAG_BUCKETS_S), [0] * len(LAG_BUCKETS_S), [0] * len(TOOK_BUCKETS_S)
    lag_sum = leave_sum = took_sum = 0
    answers: Counter[tuple[Outcome, str, int]] = Counter()
    for result in results:
        answers[result.outcome, result.reason, result.status] += 1
        if result.reason == UNCHANGED:
            continue
        took_ms = result.took_ms
        tooks[bisect_left(TOOK_EDGES_MS, took_ms)] += 1
        took_sum += took_ms
        if result.outcome is Outcome.DELIVERED:
            lag_ms = max(0, now_ms - result.errand.target.dirty_since)
            leave_ms = max(0, lag_ms - took_ms)
            lags[bisect_left(LAG_EDGES_MS, lag_ms)] += 1
            leaves[bisect_left(LAG_EDGES_MS, leave_ms)] += 1
            lag_sum += lag_ms
            leave_sum += leave_ms
    for (outcome, reason, status), count in answers.items():
        told = UNCHANGED if reason == UNCHANGED else outcome.value
        counts["push", claim.channel, told] += count
        counts["sends", claim.channel, f"{told}/{_label(reason, status)}"] += count
    lane = str(int(claim.lane))
    _spread(counts, "lag", lane, zip(LAG_BUCKETS_S, lags, strict=True), lag_sum)
    _spread(counts, "leave", lane, zip(LAG_BUCKETS_S, leaves, strict=True), leave_sum)
    _spread(counts, "took", claim.channel, zip(TOOK_BUCKETS_S, tooks, strict=True), took_sum)
    counts["duplicate", claim.channel, ""] += lost
    return +counts


def _spread(counts: Counts, name: str, label: str, buckets: "zip[tuple[str, int]]", sum_ms: int) -> None:
    for bound, count in buckets:
        counts[name, label, bound] += count
    counts[f"{name}_sum", label, ""] += sum_ms


def _label(reason: str, status: int) -> str:
    if reason in REASONS and reason:
        return reason
    return str(status) if 100 <= status <= 599 else "none"
