"""What a rule set is asked about: a basket, and the circumstances in which it was bought."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

NEVER_EARN = ("gift_card", "deposit", "tip", "discount", "reward")
LINE_KINDS = ("sale", *NEVER_EARN)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the receipt: its price for all pieces, in minor units, and what was taken off it already.

    `kind`: sale; or gift_card (a load), deposit, tip, discount, reward, none of which earn.
    """

    number: int
    amount_minor: int
    product: str = ""
    category: str = ""
    quantity: int = 1
    discount_minor: int = 0
    kind: str = "sale"

    @property
    def paid_minor(self) -> int:
        return self.amount_minor - self.discount_minor


@dataclass(frozen=True, kw_only=True)
class Basket:
    """A sale. Without lines, all of `amount_minor` is one sale of nothing in particular.

    `by_points_minor`: the part of it that was paid with points.
    """

    amount_minor: int
    lines: tuple[Line, ...] = ()
    by_points_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Buyer:
    """Who buys: what rules may ask for. `spent_minor` is all that was spent before this sale.

    `carry`: the fraction of a point left over from the last sale. `earned`: points earned so far, by
    `engine.period_key` of the caps. `discount_left_minor`: the most that rules may take off, None for any.
    """

    tier: str | None = None
    tier_id: str | None = None
    tier_factor: Fraction = Fraction(1)
    segments: frozenset[str] = frozenset()
    occasions: frozenset[str] = frozenset()
    spent_minor: int = 0
    carry: Fraction = Fraction(0)
    earned: Mapping[str, int] = field(default_factory=dict)
    discount_left_minor: int | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where and when: the store's own time decides."""

    at: datetime
    zone: str
    store: str | None = None
