"""What a batch of answers adds to the tallies: `push` (channel, outcome), `sends` (channel, outcome and reason),
`duplicate` (channel), and as histograms with their sums in milliseconds `took` (channel), `lag` and `leave` (lane).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from app.delivery.deciding import UNCHANGED
from app.outbox.claims import Claim
from app.wallets.channel import Result
from passes.apple.push import MEANINGS, Failure
from passes.outcome import Outcome

LAG_BUCKETS_S = ("0.5", "1", "1.5", "2", "3", "5", "10", "30", "60", "300", "900", "3600", "+Inf")
TOOK_BUCKETS_S = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
LAG_EDGES_MS = [float(bound) * 1000 for bound in LAG_BUCKETS_S]
TOOK_EDGES_MS = [float(bound) * 1000 for bound in TOOK_BUCKETS_S]
# a label must have few values whatever a vendor answers: these words, else the status alone
REASONS = frozenset({reason for _, reason in MEANINGS} | {UNCHANGED, "NoCredential", *(one.value for one in Failure)})

DELIVERED = Outcome.DELIVERED
Counts = Counter[tuple[str, str, str]]


def of(claim: Claim, told: Sequence[Result], others: Sequence[Result], *, now_ms: int, lost: int = 0) -> Counts:
    """Answers by outcome and reason, and how long they took; *lost* of the claim's rows had lost their lease.

    *told* are the plain successes. Rows of a campaign have few moments in common, so moments are counted first.
    """
    counts: Counts = Counter({("duplicate", claim.channel, ""): lost})
    if told:
        counts["push", claim.channel, DELIVERED.value] = len(told)
        counts["sends", claim.channel, f"{DELIVERED.value}/{_label('', told[0].status)}"] = len(told)
    for one in others:
        outcome = UNCHANGED if one.reason == UNCHANGED else one.outcome.value
        counts["push", claim.channel, outcome] += 1
        counts["sends", claim.channel, f"{outcome}/{_label(one.reason, one.status)}"] += 1
    lane = str(int(claim.lane))
    tried = [*told, *(one for one in others if one.reason != UNCHANGED)]
    moments = Counter([(one.took_ms, one.outcome is DELIVERED, one.errand.target.dirty_since) for one in tried])
    for (took_ms, arrived, since_ms), count in moments.items():
        _note(counts, ("took", claim.channel), TOOK_BUCKETS_S[bisect_left(TOOK_EDGES_MS, took_ms)], took_ms, count)
        if arrived:
            lag_ms = max(0, now_ms - since_ms)
            leave_ms = max(0, lag_ms - took_ms)
            _note(counts, ("lag", lane), LAG_BUCKETS_S[bisect_left(LAG_EDGES_MS, lag_ms)], lag_ms, count)
            _note(counts, ("leave", lane), LAG_BUCKETS_S[bisect_left(LAG_EDGES_MS, leave_ms)], leave_ms, count)
    return +counts


def _note(counts: Counts, what: tuple[str, str], bucket: str, ms: int, count: int) -> None:
    name, label = what
    counts[name, label, bucket] += count
    counts[f"{name}_sum", label, ""] += ms * count


def _label(reason: str, status: int) -> str:
    word = reason.partition(":")[0]
    if word and word in REASONS:
        return word
    return str(status) if 100 <= status <= 599 else "none"
