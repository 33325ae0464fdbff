"""How many points a sale earns: exact fractions, rounded once, downwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.ledger.held import Held, HeldTier


@dataclass(frozen=True, kw_only=True)
class Quote:
    """Points for a sale, and why."""

    points: int
    reasons: tuple[str, ...]


def quote(card: Held, amount_minor: int) -> Quote:
    """What a sale of *amount_minor* earns for a card of its tier before this sale."""
    exact = Fraction(amount_minor * card.earn_points, card.earn_per_minor)
    reasons = ["base"]
    tier = card.tier
    if tier is not None and tier.multiplier_num != tier.multiplier_den:
        factor = Fraction(tier.multiplier_num, tier.multiplier_den)
        exact *= factor
        reasons.append(f"x{float(factor):g} {tier.name}")
    return Quote(points=int(exact), reasons=tuple(reasons))


def tier_for(tiers: Sequence[HeldTier], qualifying_minor: int) -> HeldTier | None:
    """The highest tier whose threshold the qualifying spend has reached."""
    reached = [tier for tier in tiers if tier.threshold_minor <= qualifying_minor]
    return max(reached, key=lambda tier: tier.threshold_minor, default=None)
