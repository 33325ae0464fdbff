"""What two groups of people tell: differences with their limits, and whether the groups are what they should be.

Pure arithmetic. Shares, differences and limits are floats, because they are estimates; counts and money are whole
numbers and fractions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist, fmean, variance

from app.results import student

Z = 1.96  # of 95 %, as it is printed in every table; results can be reckoned by hand
ALARM_P = 0.001
POWER = 0.8
CAP = Fraction(99, 100)
FEWEST_STORES = 2
_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a value lies between, with 95 % confidence."""

    low: float
    high: float

    @property
    def has_zero(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True, kw_only=True)
class Estimate(Limits):
    """A value with its 95 % limits."""

    value: float

    def times(self, factor: float) -> "Estimate":
        low, high = sorted((self.low * factor, self.high * factor))
        return Estimate(value=self.value * factor, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Score:
    """How surprising it would be if nothing had happened. `statistic`: z, or χ²."""

    statistic: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many people are needed in each group."""

    treated: int
    held_back: int


@dataclass(frozen=True, kw_only=True)
class Net:
    """What a campaign brought or cost, in minor units."""

    value: int
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What a buyer brings and a campaign costs, in minor units. `redeemed_minor`: what all uses cost together."""

    margin_minor: int
    redeemed_minor: int
    sending_minor: int


def wilson(count: int, of: int) -> Limits:
    """Wilson's limits of a share; *of* is above zero."""
    share, zz = count / of, Z * Z
    middle = share + zz / (2 * of)
    reach = Z * math.sqrt(share * (1 - share) / of + zz / (4 * of * of))
    whole = 1 + zz / of
    return Limits(
        low=max(0.0, (middle - reach) / whole) if count else 0.0,
        high=min(1.0, (middle + reach) / whole) if count < of else 1.0,
    )


def difference(x1: int, n1: int, x0: int, n0: int) -> Estimate:
    """Treated minus held back, as shares, by Newcombe's method; both groups have people."""
    p1, p0 = x1 / n1, x0 / n0
    one, none = wilson(x1, n1), wilson(x0, n0)
    d = p1 - p0
    return Estimate(
        value=d,
        low=d - math.hypot(p1 - one.low, none.high - p0),
        high=d + math.hypot(one.high - p1, p0 - none.low),
    )


def relative_lift(x1: int, n1: int, x0: int, n0: int) -> Estimate | None:
    """How much more often the treated did it; None where a group has nobody who did: it cannot be computed then."""
    if not x1 or not x0:
        return None
    ratio = (x1 * n0) / (x0 * n1)
    reach = Z * math.sqrt(1 / x1 - 1 / n1 + 1 / x0 - 1 / n0)
    return Estimate(value=ratio - 1, low=ratio * math.exp(-reach) - 1, high=ratio * math.exp(reach) - 1)


def pooled(x1: int, n1: int, x0: int, n0: int) -> Score | None:
    """The z test of two shares; None where everybody did it, or nobody."""
    both = (x1 + x0) / (n1 + n0)
    if not 0 < both < 1:
        return None
    z = (x1 / n1 - x0 / n0) / math.sqrt(both * (1 - both) * (1 / n1 + 1 / n0))
    return Score(statistic=z, p=math.erfc(abs(z) / math.sqrt(2)))


def incremental(x1: int, n1: int, x0: int, n0: int) -> Estimate:
    """Buyers who would not have been ones: the difference, for all who were treated."""
    return difference(x1, n1, x0, n0).times(n1)


def net(buyers: Estimate, worth: Worth, *, exact: Fraction | None = None) -> Net:
    """What incremental buyers brought, less what it cost.

    Args:
        exact: the incremental buyers as a fraction, where it is known; the limits are estimates in any case.
    """
    cost = worth.redeemed_minor + worth.sending_minor
    first = Fraction(buyers.value) if exact is None else exact
    value, low, high = (
        round(Fraction(one) * worth.margin_minor) - cost for one in (first, Fraction(buyers.low), Fraction(buyers.high))
    )
    return Net(value=value, low=low, high=high)


def exact_incremental(x1: int, n1: int, x0: int, n0: int) -> Fraction:
    """As `incremental`, without limits and without rounding."""
    return Fraction(x1) - Fraction(x0 * n1, n0)


def split(treated: int, held_back: int, share: Fraction) -> Score | None:
    """Whether as many were held back as planned; None where nobody was to be, or there is nobody.

    Args:
        share: the part that was to be held back.
    """
    total = treated + held_back
    if not total or not 0 < share < 1:
        return None
    return chi_square([(treated, total * (1 - share)), (held_back, total * share)])


def chi_square(parts: Sequence[tuple[int, Fraction]]) -> Score:
    """χ² of two counts against what was expected of each, with one degree of freedom."""
    statistic = float(sum((Fraction(seen) - expected) ** 2 / expected for seen, expected in parts))
    return Score(statistic=statistic, p=math.erfc(math.sqrt(statistic / 2)))


def needed(before: Fraction, after: Fraction, held_share: Fraction, *, power: float = POWER) -> Size | None:
    """How many people it takes to see a share move so far; None where it does not move, or nobody is held back."""
    if before == after or not 0 < held_share < 1:
        return None
    p0, p1 = float(before), float(after)
    ratio = float((1 - held_share) / held_share)
    both = (p0 + ratio * p1) / (1 + ratio)
    chance = Z * math.sqrt((1 + 1 / ratio) * both * (1 - both))
    seen = _NORMAL.inv_cdf(power) * math.sqrt(p0 * (1 - p0) + p1 * (1 - p1) / ratio)
    held_back = ((chance + seen) / (p1 - p0)) ** 2
    return Size(treated=math.ceil(held_back * ratio), held_back=math.ceil(held_back))


def welch(one: "Sample", other: "Sample") -> Estimate | None:
    """The difference of two means with Welch's interval; None with fewer than two values in a group."""
    if one.count < 2 or other.count < 2:
        return None
    spread = [one.variance / one.count, other.variance / other.count]
    d, total = one.mean - other.mean, sum(spread)
    if not total:
        return Estimate(value=d, low=d, high=d)
    freedom = total**2 / (spread[0] ** 2 / (one.count - 1) + spread[1] ** 2 / (other.count - 1))
    reach = student.quantile(0.975, freedom) * math.sqrt(total)
    return Estimate(value=d, low=d - reach, high=d + reach)


def means(one: "Sample", other: "Sample") -> Estimate | None:
    """The difference of two means with the wider of Welch's and Student's intervals; None as for `welch`.

    For groups of whom few bought. Welch's takes a small group at its word: ten people of whom nobody happens to buy
    have no spread, and a third of such campaigns without any effect would look like a success.
    """
    found = welch(one, other)
    if found is None:
        return None
    freedom = one.count + other.count - 2
    spread = ((one.count - 1) * one.variance + (other.count - 1) * other.variance) / freedom
    reach = student.quantile(0.975, freedom) * math.sqrt(spread * (1 / one.count + 1 / other.count))
    low, high = min(found.low, found.value - reach), max(found.high, found.value + reach)
    return Estimate(value=found.value, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A group of values by what is needed of them."""

    count: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Sample":
        spread = variance(values) if len(values) > 1 else 0.0
        return cls(count=len(values), mean=fmean(values) if values else 0.0, variance=spread)

    @classmethod
    def of_sums(cls, count: int, total: int, squares: int) -> "Sample":
        """From whole numbers: how many, their sum, and the sum of their squares."""
        if count < 2:
            return cls(count=count, mean=float(total) if count else 0.0, variance=0.0)
        spread = Fraction(squares * count - total * total, count * (count - 1))
        return cls(count=count, mean=float(Fraction(total, count)), variance=float(spread))


def cap(values: Sequence[int]) -> int:
    """The 99th percentile of what is above zero, by nearest rank: single large baskets decide nothing beyond it."""
    spent = sorted(one for one in values if one > 0)
    return spent[math.ceil(CAP * len(spent)) - 1] if spent else 0


@dataclass(frozen=True, kw_only=True)
class Change:
    """How one store changed: a figure before and during a trial."""

    before: float
    during: float

    @property
    def by(self) -> float:
        return self.during - self.before


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a trial in some stores changed: `effect` beyond what changed elsewhere. Stores are what is counted.

    `limits` are None with fewer than two stores in an arm: one store's luck has no measure.
    """

    pilot: Change
    control: Change
    effect: float
    limits: Limits | None
    pilot_stores: int
    control_stores: int


def trial(pilot: Sequence[Change], control: Sequence[Change]) -> Trial | None:
    """Difference in differences, each store counting once; None where an arm has no store with figures."""
    if not pilot or not control:
        return None
    arms = [
        Change(before=fmean(one.before for one in arm), during=fmean(one.during for one in arm))
        for arm in (pilot, control)
    ]
    enough = min(len(pilot), len(control)) >= FEWEST_STORES
    found = welch(*(Sample.of([one.by for one in arm]) for arm in (pilot, control))) if enough else None
    return Trial(
        pilot=arms[0],
        control=arms[1],
        effect=arms[0].by - arms[1].by,
        limits=Limits(low=found.low, high=found.high) if found else None,
        pilot_stores=len(pilot),
        control_stores=len(control),
    )
