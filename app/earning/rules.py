"""A programme's rules of earning, as values: read from JSON once, and asked at every sale."""

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from fractions import Fraction
from functools import cached_property

from app.earning.windows import Window


class Stacking(Enum):
    """What several multipliers make together: the largest alone, their excesses added, or their product."""

    BEST = "best"
    ADD = "add"
    MULTIPLY = "multiply"


@dataclass(frozen=True, kw_only=True)
class Products:
    """Some products, by number or by category; everything if both are empty."""

    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    @property
    def is_all(self) -> bool:
        return not self.products and not self.categories

    def has(self, product: str, category: str) -> bool:
        return self.is_all or product in self.products or category in self.categories


@dataclass(frozen=True, kw_only=True)
class When:
    """Under which circumstances a rule holds; what is empty asks for nothing."""

    windows: tuple[Window, ...] = ()
    stores: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    occasions: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What all rules have: a name that cashiers and customers read, and when and for which products they hold."""

    name: str
    when: When = field(default_factory=When)
    only: Products = field(default_factory=Products)


@dataclass(frozen=True, kw_only=True)
class Amount(Rule):
    """`points` for every `per_minor` spent."""

    points: int
    per_minor: int


@dataclass(frozen=True, kw_only=True)
class Unit(Rule):
    """`points` for every `per` pieces."""

    points: int
    per: int = 1


@dataclass(frozen=True, kw_only=True)
class Visit(Rule):
    """`points` for a purchase, whatever it costs."""

    points: int


@dataclass(frozen=True, kw_only=True)
class Event(Rule):
    """`points` for something that is no purchase, such as a review; `event` is its name in the call."""

    event: str
    points: int


@dataclass(frozen=True, kw_only=True)
class Multiplier(Rule):
    """`factor` on the points of the lines that it holds for."""

    factor: Fraction


@dataclass(frozen=True, kw_only=True)
class Bonus(Rule):
    """`points` once, where the eligible part of the sale reaches `minimum_minor`."""

    points: int
    minimum_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class Exclusion(Rule):
    """Products that earn nothing."""


class Period(Enum):
    """What a cap counts over; `whole` is the life of the rule set, for a member; `budget` is that for all members."""

    SALE = "sale"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    WHOLE = "whole"
    BUDGET = "budget"


@dataclass(frozen=True, kw_only=True)
class Cap(Rule):
    """At most `points` in a period of the programme's calendar."""

    points: int
    period: Period


@dataclass(frozen=True, kw_only=True)
class Band:
    """From a cumulative spend on, this share is taken off."""

    from_minor: int
    rate: Fraction


@dataclass(frozen=True, kw_only=True)
class Discount(Rule):
    """Money off eligible lines, by the spend before this sale. One band from zero is a fixed discount."""

    bands: tuple[Band, ...]


@dataclass(frozen=True, kw_only=True)
class BonusMoney(Rule):
    """A share of the sale that becomes money to spend later; `max_share` of a basket can be paid with it."""

    rate: Fraction
    max_share: Fraction = Fraction(3, 10)
    expires_days: int | None = None


class Policy(Enum):
    """When points expire: each so long after it was earned, at the end of a month or year, all on one date, all after a
    time without a purchase, or never."""

    ROLLING = "rolling"
    CALENDAR = "calendar"
    FIXED = "fixed"
    INACTIVITY = "inactivity"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """`days`: of rolling and inactivity. `months`: of calendar, to the end of the month so many on. `on`: of fixed."""

    policy: Policy = Policy.NEVER
    days: int = 0
    months: int = 0
    on: date | None = None


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """All rules of a version. `pending_days`: how long points wait before they can be spent."""

    rules: tuple[Rule, ...]
    stacking: Stacking = Stacking.BEST
    carry: bool = False
    minimum_minor: int = 0
    by_points_earns: bool = False
    pending_days: int = 0
    expiry: Expiry = field(default_factory=Expiry)
    on_deficit: str = "allow_debt"

    @cached_property
    def periods(self) -> frozenset[Period]:
        """Over which periods its caps count."""
        return frozenset(rule.period for rule in self.rules if isinstance(rule, Cap))

    @cached_property
    def budget_names(self) -> tuple[str, ...]:
        """The caps that all members share, in a fixed order."""
        names = {rule.name for rule in self.rules if isinstance(rule, Cap) and rule.period is Period.BUDGET}
        return tuple(sorted(names))

    @cached_property
    def asks_who(self) -> bool:
        """Whether some rule asks who the buyer is, beyond the tier."""
        return any(rule.when.segments or rule.when.occasions for rule in self.rules)
