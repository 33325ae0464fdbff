"""How many points a sale earns: exact fractions, rounded once, downwards."""

from dataclasses import dataclass
from fractions import Fraction

from app.cards.models import Programme, Tier


@dataclass(frozen=True, kw_only=True)
class Quote:
    """Points for a sale, and why."""

    points: int
    reasons: tuple[str, ...]


def quote(programme: Programme, tier: Tier | None, amount_minor: int) -> Quote:
    """What a sale of *amount_minor* earns for a member of *tier* (the tier before this sale)."""
    exact = Fraction(amount_minor * programme.earn_points, programme.earn_per_minor)
    reasons = ["base"]
    if tier is not None and tier.multiplier_num != tier.multiplier_den:
        factor = Fraction(tier.multiplier_num, tier.multiplier_den)
        exact *= factor
        reasons.append(f"x{float(factor):g} {tier.name}")
    return Quote(points=int(exact), reasons=tuple(reasons))


def tier_for(tiers: list[Tier], qualifying_minor: int) -> Tier | None:
    """The highest tier whose threshold the qualifying spend has reached."""
    reached = [tier for tier in tiers if tier.threshold_minor <= qualifying_minor]
    return max(reached, key=lambda tier: tier.threshold_minor, default=None)
