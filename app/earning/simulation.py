"""Trying rules out: what they would have given on receipts of the past, what that costs, and which rule gave it.

It asks the engine that every sale asks. What a receipt does not tell, nobody guesses: segments and occasions are
unknown, and the rules that ask for them are named in the answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from app import localtime
from app.earning import engine, rules
from app.earning.receipts import Receipt
from app.earning.rules import Period, Rule, RuleSet
from app.earning.sale import Buyer, Place
from app.earning.sums import half_up

SUBSETS_KEPT = 2_000
_NOBODY = Buyer()
# in which order rules are said to add to what a sale earns
_ORDER: tuple[type[Rule], ...] = (
    rules.Amount, rules.Unit, rules.Exclusion, rules.Discount, rules.Multiplier, rules.Visit, rules.Bonus, rules.Cap,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one rule added: points (below zero for what takes away), and at how many sales. A tier is a `tier`."""

    name: str
    is_tier: bool
    points: int
    sales: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a set of rules would have given. The shares sum to `points`.

    `cost_minor` is what the points are worth, with the discounts and the money for later; None without a value.
    """

    points: int
    earning_sales: int
    discount_minor: int
    bonus_minor: int
    shares: tuple[Share, ...]
    cost_minor: int | None
    give_back: Fraction | None


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """New rules beside present ones, on the same receipts. `unjudged`: rules that ask what receipts do not tell."""

    receipts: int
    cards: int
    spend_minor: int
    first_at: datetime | None
    last_at: datetime | None
    draft: Outcome
    current: Outcome
    unjudged: tuple[str, ...]


def simulate(
    receipts: Iterable[Receipt], draft: RuleSet, current: RuleSet, *, zone: str, point_value: Fraction | None
) -> Simulated:
    """Run both sets over receipts, in the order of their time.

    Args:
        zone: the programme's: its calendar counts the days of caps.
        point_value: what a point is worth, in minor units of money.
    """
    runs = (_Run(draft, zone), _Run(current, zone))
    seen: set[str] = set()
    count = spend_minor = 0
    first_at = last_at = None
    for receipt in receipts:
        count += 1
        spend_minor += receipt.basket.amount_minor
        first_at, last_at = first_at or receipt.at, receipt.at
        if receipt.card is not None:
            seen.add(receipt.card)
        for run in runs:
            run.add(receipt)
    new, old = (run.outcome(spend_minor, point_value) for run in runs)
    return Simulated(
        receipts=count,
        cards=len(seen),
        spend_minor=spend_minor,
        first_at=first_at,
        last_at=last_at,
        draft=new,
        current=old,
        unjudged=tuple(rule.name for rule in draft.rules if rule.when.segments or rule.when.occasions),
    )


def point_value_of(text: str, exponent: int) -> Fraction:
    """What a point is worth in minor units, from a decimal string of money such as "0.10"; it may be less than one.

    Raises: ValueError.
    """
    if not text.isascii() or not set(text) <= set("0123456789.") or not 0 < len(text) <= 12:
        raise ValueError
    value = Fraction(text) * int(10**exponent)
    if not 0 < value <= 10**9:
        raise ValueError
    return value


@dataclass(slots=True)
class _Member:
    """What is remembered of a card between its sales: points by period, with the first day of the period."""

    carry: Fraction = Fraction(0)
    spent_minor: int = 0
    earned: dict[Period, tuple[date, int]] = field(default_factory=dict)


class _Run:
    """One set of rules on its way through the receipts."""

    def __init__(self, ruleset: RuleSet, zone: str) -> None:
        self.ruleset, self.zone = ruleset, zone
        self.members: dict[str, _Member] = {}
        self.given: dict[str, int] = dict.fromkeys(ruleset.budget_names, 0)
        self.points = self.earning_sales = self.discount_minor = self.bonus_minor = 0
        self.added: dict[tuple[str, bool], list[int]] = {}
        self.subsets: dict[tuple[int, ...], RuleSet] = {}
        self.base = [at for at, rule in enumerate(ruleset.rules) if isinstance(rule, rules.Amount | rules.Unit)]
        self.places = {rule.name: at for at, rule in enumerate(ruleset.rules)}

    def add(self, receipt: Receipt) -> None:
        """Let one receipt earn."""
        member = self.members.setdefault(receipt.card, _Member()) if receipt.card is not None else _Member()
        place = Place(at=receipt.at, zone=receipt.zone, store=receipt.store)
        periods = self._periods(receipt.at)
        buyer = self._buyer(receipt, member, periods)
        found = engine.quote(self.ruleset, receipt.basket, buyer, place)
        self.points += found.points
        self.earning_sales += found.points > 0
        self.discount_minor += found.discount_minor
        self.bonus_minor += sum(bonus.amount_minor for bonus in found.bonuses)
        self._attribute(receipt, buyer, place, found)
        member.carry = found.carry_after
        member.spent_minor += receipt.basket.amount_minor - found.discount_minor
        for period, first in periods.items():
            since, points = member.earned.get(period, (first, 0))
            if first >= since:  # a sale that arrived late counts in a period that is over
                member.earned[period] = (first, (points if since == first else 0) + found.points)
        for cap in found.budgets:
            self.given[cap.name] += found.points

    def outcome(self, spend_minor: int, point_value: Fraction | None) -> Outcome:
        """What it came to."""
        cost_minor = None
        if point_value is not None:
            cost_minor = half_up(self.points * point_value) + self.discount_minor + self.bonus_minor
        shares = [Share(name=name, is_tier=is_tier, points=points, sales=sales)
                  for (name, is_tier), (points, sales) in self.added.items()]  # fmt: skip
        return Outcome(
            points=self.points,
            earning_sales=self.earning_sales,
            discount_minor=self.discount_minor,
            bonus_minor=self.bonus_minor,
            shares=tuple(sorted(shares, key=lambda one: -one.points)),
            cost_minor=cost_minor,
            give_back=Fraction(cost_minor, spend_minor) if cost_minor is not None and spend_minor else None,
        )

    def _buyer(self, receipt: Receipt, member: _Member, periods: dict[Period, date]) -> Buyer:
        level = receipt.level
        if level is None and receipt.card is None and not self.given:
            return _NOBODY
        earned = {
            period.value: points
            for period, (since, points) in member.earned.items()
            if since == periods.get(period, since)
        }
        return Buyer(
            tier=level.name if level else None,
            tier_id=level.id if level else None,
            tier_factor=level.factor if level else Fraction(1),
            spent_minor=member.spent_minor,
            carry=member.carry,
            earned=earned | {f"budget:{name}": points for name, points in self.given.items()},
        )

    def _periods(self, at: datetime) -> dict[Period, date]:
        """The first day of each period that a cap counts."""
        wanted = self.ruleset.periods - {Period.SALE, Period.BUDGET}
        if not wanted:
            return {}
        today = localtime.wall_clock(at, self.zone).date()
        first = {
            Period.DAY: today,
            Period.WEEK: today - timedelta(days=today.weekday()),
            Period.MONTH: today.replace(day=1),
            Period.WHOLE: date.min,
        }
        return {period: first[period] for period in wanted}

    def _attribute(self, receipt: Receipt, buyer: Buyer, place: Place, found: engine.Quote) -> None:
        """Say what each rule added, one after the other: what the sale earns with it, less what it earned before."""
        steps, by_tier = self._steps(buyer, found)
        before, plain = 0, replace(buyer, tier_factor=Fraction(1)) if by_tier else buyer
        included: list[int] = []
        for number, at in enumerate(steps, start=1):
            is_tier = at < 0
            if is_tier:
                plain = buyer
            else:
                included.append(at)
            if number == len(steps):
                points = found.points
            else:
                points = engine.quote(self._subset(included), receipt.basket, plain, place).points
            key = (buyer.tier or "", True) if is_tier else (self.ruleset.rules[at].name, False)
            share = self.added.setdefault(key, [0, 0])
            share[0] += points - before
            share[1] += 1
            before = points

    def _steps(self, buyer: Buyer, found: engine.Quote) -> tuple[list[int], bool]:
        """The places of the rules that had a say, in the order of the engine; -1 stands for the tier's own factor."""
        codes = {reason["code"] for reason in found.reasons}
        said = {reason["name"] for reason in found.reasons if "name" in reason}
        fired = [
            *(self.base if codes & {"base", "excluded"} else ()),
            *(self.places[name] for name in said if name in self.places),
        ]
        steps = sorted((at for at in set(fired) if _rank(self.ruleset.rules[at]) < len(_ORDER)), key=self._order)
        by_tier = buyer.tier_factor != 1 and buyer.tier in said
        if by_tier:
            after = [at for at in steps if _rank(self.ruleset.rules[at]) <= _ORDER.index(rules.Multiplier)]
            steps.insert(len(after), -1)
        return steps, by_tier

    def _order(self, at: int) -> tuple[int, int]:
        return _rank(self.ruleset.rules[at]), at

    def _subset(self, included: Sequence[int]) -> RuleSet:
        key = tuple(sorted(included))
        found = self.subsets.get(key)
        if found is None:
            if len(self.subsets) >= SUBSETS_KEPT:
                self.subsets.clear()
            found = self.subsets[key] = replace(self.ruleset, rules=tuple(self.ruleset.rules[at] for at in key))
        return found


def _rank(rule: Rule) -> int:
    return next((rank for rank, kind in enumerate(_ORDER) if isinstance(rule, kind)), len(_ORDER))
