"""From counts in buckets to percentiles. No database, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Seconds below which half, 95 % and 99 % of *count* lay; at the last bucket's edge where they lay beyond it."""

    count: int
    p50: float
    p95: float
    p99: float


def between(earlier: Mapping[str, int], later: Mapping[str, int], prefix: str) -> dict[str, int]:
    """What was counted between two snapshots of tallies, by upper bound, of those whose names begin with *prefix*.

    Tallies only grow; where one shrank, the database was put back to an earlier day and counting began anew.
    """
    found: dict[str, int] = {}
    for name, value in later.items():
        if name.startswith(prefix):
            before = earlier.get(name, 0)
            found[name.removeprefix(prefix)] = value - before if value >= before else value
    return found


def percentiles(counts: Mapping[str, int], bounds: Sequence[str]) -> Percentiles | None:
    """Interpolated within the bucket, as if what lies in it were spread evenly; None if nothing was counted.

    Args:
        bounds: the upper bounds of all buckets, empty ones too: where a bucket begins is where the one before it ends.
    """
    ordered = sorted((float(bound), count) for bound, count in counts.items() if count > 0)
    total = sum(count for _, count in ordered)
    if not total:
        return None
    edges = sorted(float(bound) for bound in bounds)
    # a little less, so that 0.99 of 100 is not 99.00000000000001
    p50, p95, p99 = (_at(share * total - 1e-9, ordered, edges) for share in QUANTILES)
    return Percentiles(count=total, p50=p50, p95=p95, p99=p99)


def _at(rank: float, ordered: Sequence[tuple[float, int]], edges: Sequence[float]) -> float:
    seen = 0
    for bound, count in ordered:
        if seen + count >= rank:
            below = max((edge for edge in edges if edge < bound), default=0.0)
            return below if bound == float("inf") else below + (bound - below) * (rank - seen) / count
        seen += count
    return ordered[-1][0]
