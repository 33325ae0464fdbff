"""What a sale earns, and why: exact fractions, rounded once, downwards, and shared out over the lines.

Quote and earn both ask here, so that a customer gets what the till has promised. No database, no clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar, cast

from app.earning import rules
from app.earning.rules import Amount, Bonus, Cap, Event, Exclusion, Multiplier, Rule, RuleSet, Stacking, Unit, Visit
from app.earning.sale import NEVER_EARN, Basket, Buyer, Line, Place
from app.earning.sums import half_up, shared

Reason = dict[str, Any]
"""What is said, by `code`: base, multiplier, bonus, bonus_money, excluded, minimum, cap, discount, discount_cap,
by_points, offer, time."""

R = TypeVar("R", bound=Rule)


@dataclass(frozen=True, kw_only=True)
class LineQuote:
    """What one line earns; `discount_minor` is what the rules take off it, besides what the till took."""

    number: int
    points: int
    discount_minor: int = 0


@dataclass(frozen=True, kw_only=True)
class BonusQuote:
    """Money that this sale gives, to be spent within so many days (None: for ever); `lines`: by line, if it has any."""

    name: str
    amount_minor: int
    expires_days: int | None
    lines: tuple[LineQuote, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Quote:
    """What a sale would earn: `base_points` without multipliers and bonuses.

    `bonuses` are sums of money to spend later; `budgets` the caps that all members share, of which these points are
    taken.
    """

    points: int
    base_points: int
    lines: tuple[LineQuote, ...]
    reasons: tuple[Reason, ...]
    eligible_minor: int
    discount_minor: int
    bonuses: tuple[BonusQuote, ...]
    carry_before: Fraction
    carry_after: Fraction
    budgets: tuple[Cap, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Part:
    """An eligible line on its way through the rules."""

    line: Line
    paid_minor: int
    discount_minor: int = 0
    exact: Fraction = Fraction(0)


def quote(ruleset: RuleSet, basket: Basket, buyer: Buyer, place: Place) -> Quote:
    """What this basket earns this buyer here and now."""
    return _Reckoning(ruleset, basket, buyer, place).quote()


def event(ruleset: RuleSet, name: str, buyer: Buyer, place: Place) -> tuple[int, tuple[Reason, ...]]:
    """What something that is no purchase earns, and why; 0 if no rule knows it."""
    reckoning = _Reckoning(ruleset, Basket(amount_minor=0), buyer, place)
    found = [rule for rule in reckoning.holding(Event) if rule.event == name]
    points, reasons = sum(rule.points for rule in found), [_said("bonus", rule, points=rule.points) for rule in found]
    return reckoning.capped(points, reasons), tuple(reasons)


class _Reckoning:
    """One quote, step by step in the order in which a shop would explain it."""

    def __init__(self, ruleset: RuleSet, basket: Basket, buyer: Buyer, place: Place) -> None:
        self.ruleset, self.basket, self.buyer, self.place = ruleset, basket, buyer, place
        self.reasons: list[Reason] = []
        self._holding: dict[type[Rule], Sequence[Rule]] = {}
        self.sold = basket.lines or (Line(number=1, amount_minor=basket.amount_minor),)

    def quote(self) -> Quote:
        parts = self._discounted(self._eligible())
        eligible = sum(part.paid_minor for part in parts)
        earns = bool(parts) and self._reaches_minimum(eligible)
        parts = [replace(part, exact=self._base(part)) for part in parts] if earns else []
        base_points = int(sum((part.exact for part in parts), Fraction(0)))
        parts = [replace(part, exact=part.exact * self._factor(part.line)) for part in parts]
        parts = self._with_extras(parts, eligible) if earns else []
        carry = self.buyer.carry if self.ruleset.carry else Fraction(0)
        exact = carry + sum((part.exact for part in parts), Fraction(0))
        whole = int(exact)
        points = self.capped(whole, self.reasons)
        bonuses = tuple(self._bonuses(parts)) if earns else ()
        return Quote(
            points=points,
            base_points=base_points,
            lines=self._shared(points, parts),
            reasons=tuple(self.reasons),
            eligible_minor=eligible,
            discount_minor=sum(part.discount_minor for part in parts),
            bonuses=bonuses,
            carry_before=self.buyer.carry,
            carry_after=exact - whole if self.ruleset.carry else self.buyer.carry,
            budgets=tuple(cap for cap in self.holding(Cap) if cap.period is rules.Period.BUDGET),
        )

    def holding(self, kind: type[R]) -> Sequence[R]:
        """The rules of a kind that hold for this buyer, here and now; looked up once, not for every line."""
        if kind not in self._holding:
            self._holding[kind] = [
                rule for rule in self.ruleset.rules if isinstance(rule, kind) and self._holds(rule.when)
            ]
        return cast("Sequence[R]", self._holding[kind])

    def capped(self, points: int, reasons: list[Reason]) -> int:
        """As many of the points as every cap leaves."""
        for cap in self.holding(Cap):
            so_far = 0 if cap.period is rules.Period.SALE else self.buyer.earned.get(period_key(cap), 0)
            left = max(0, cap.points - so_far)
            if points > left:
                points = left
                reasons.append(_said("cap", cap, points=cap.points, period=cap.period.value))
        return points

    def _holds(self, when: rules.When) -> bool:
        return (
            (not when.stores or self.place.store in when.stores)
            and (not when.tiers or bool(when.tiers & {self.buyer.tier, self.buyer.tier_id}))
            and (not when.segments or bool(when.segments & self.buyer.segments))
            and (not when.occasions or bool(when.occasions & self.buyer.occasions))
            and (not when.windows or any(one.holds(self.place.at, self.place.zone) for one in when.windows))
        )

    def _eligible(self) -> list[_Part]:
        """The lines that may earn, at the price that was paid for them in money."""
        excluded = self.holding(Exclusion)
        left = []
        for line in self.sold:
            by = next(
                (rule for rule in excluded if not rule.only.is_all and rule.only.has(line.product, line.category)), None
            )
            if by is not None:
                self.reasons.append(_said("excluded", by))
            elif line.kind not in NEVER_EARN and line.paid_minor > 0:
                left.append(_Part(line=line, paid_minor=line.paid_minor))
        return self._without_points_part(left)

    def _without_points_part(self, parts: list[_Part]) -> list[_Part]:
        """What was paid with points earns nothing, unless the rules say so; every line bears its share of it."""
        whole = sum(part.paid_minor for part in parts)
        if self.ruleset.by_points_earns or not self.basket.by_points_minor or not whole:
            return parts
        off = shared(min(self.basket.by_points_minor, whole), [Fraction(part.paid_minor) for part in parts])
        self.reasons.append({"code": "by_points"})
        return [replace(part, paid_minor=part.paid_minor - less) for part, less in zip(parts, off, strict=True)]

    def _discounted(self, parts: list[_Part]) -> list[_Part]:
        """The largest discount that holds, off the lines it is for; points are earned on what is left to pay."""
        best: list[int] = [0] * len(parts)
        said: Reason | None = None
        for rule in self.holding(rules.Discount):
            band = max((one for one in rule.bands if one.from_minor <= self.buyer.spent_minor), key=_from, default=None)
            if band is None or not band.rate:
                continue
            off = self._off(rule, band.rate, parts)
            if sum(off) > sum(best):
                best, said = off, _said("discount", rule, rate=_decimal(band.rate * 100))
        if said is not None:
            self.reasons.append(said)
        return [
            replace(part, paid_minor=part.paid_minor - less, discount_minor=less)
            for part, less in zip(parts, self._within_the_year(best), strict=True)
        ]

    def _within_the_year(self, off: list[int]) -> list[int]:
        """The same discount, or what is left of it for a card that may give only so much in a year."""
        left = self.buyer.discount_left_minor
        if left is None or sum(off) <= left:
            return off
        self.reasons.append({"code": "discount_cap"})
        return shared(left, [Fraction(less) for less in off])

    def _off(self, rule: rules.Discount, rate: Fraction, parts: Sequence[_Part]) -> list[int]:
        exact = [
            part.paid_minor * rate if rule.only.has(part.line.product, part.line.category) else Fraction(0)
            for part in parts
        ]
        eligible = sum(part.paid_minor for part, one in zip(parts, exact, strict=True) if one)
        return shared(min(half_up(sum(exact, Fraction(0))), eligible), exact)

    def _reaches_minimum(self, eligible_minor: int) -> bool:
        if eligible_minor >= self.ruleset.minimum_minor:
            return True
        self.reasons.append({"code": "minimum", "needs_minor": self.ruleset.minimum_minor, "has_minor": eligible_minor})
        return False

    def _base(self, part: _Part) -> Fraction:
        exact = Fraction(0)
        for amount in self.holding(Amount):
            if amount.only.has(part.line.product, part.line.category):
                exact += Fraction(part.paid_minor * amount.points, amount.per_minor)
                self._say_once("base")
        for unit in self.holding(Unit):
            if unit.only.has(part.line.product, part.line.category):
                exact += Fraction(part.line.quantity * unit.points, unit.per)
                self._say_once("base")
        return exact

    def _factor(self, line: Line) -> Fraction:
        """What the multipliers make together for a line; a tier's is one of them."""
        found = [rule for rule in self.holding(Multiplier) if rule.only.has(line.product, line.category)]
        factors = [(rule.factor, _said("multiplier", rule, factor=_decimal(rule.factor))) for rule in found]
        if self.buyer.tier_factor != 1:
            said = {"code": "multiplier", "name": self.buyer.tier, "factor": _decimal(self.buyer.tier_factor)}
            factors.append((self.buyer.tier_factor, said))
        if not factors:
            return Fraction(1)
        if self.ruleset.stacking is Stacking.BEST:
            factors = [max(factors, key=lambda one: one[0])]
        for _factor, said in factors:
            if said not in self.reasons:
                self.reasons.append(said)
        return stacked(self.ruleset.stacking, [factor for factor, _said in factors])

    def _with_extras(self, parts: list[_Part], eligible_minor: int) -> list[_Part]:
        """Points that are no share of a price: for the visit, and fixed bonuses. Lines bear them by what was paid."""
        for visit in self.holding(Visit):
            parts = _spread(parts, visit.points)
            self.reasons.append(_said("bonus", visit, points=visit.points))
        for bonus in self.holding(Bonus):
            of = [part for part in parts if bonus.only.has(part.line.product, part.line.category)]
            if not of or eligible_minor < bonus.minimum_minor:
                continue
            raised = {part.line.number: part for part in _spread(of, bonus.points)}
            parts = [raised.get(part.line.number, part) for part in parts]
            self.reasons.append(_said("bonus", bonus, points=bonus.points))
        return parts

    def _bonuses(self, parts: Sequence[_Part]) -> Iterator[BonusQuote]:
        """Shares of what is paid, each rounded down once; every line bears what it gave."""
        for rule in self.holding(rules.BonusMoney):
            exact = [
                part.paid_minor * rule.rate * rule.only.has(part.line.product, part.line.category) for part in parts
            ]
            amount_minor = int(sum(exact, Fraction(0)))
            if amount_minor:
                self.reasons.append(_said("bonus_money", rule, amount_minor=amount_minor))
                lines = self._shared(
                    amount_minor, [replace(one, exact=of) for one, of in zip(parts, exact, strict=True)]
                )
                yield BonusQuote(name=rule.name, amount_minor=amount_minor, expires_days=rule.expires_days, lines=lines)

    def _shared(self, points: int, parts: Sequence[_Part]) -> tuple[LineQuote, ...]:
        if not self.basket.lines:
            return ()
        got = dict(
            zip([part.line.number for part in parts], shared(points, [part.exact for part in parts]), strict=True)
        )
        off = {part.line.number: part.discount_minor for part in parts}
        return tuple(
            LineQuote(number=line.number, points=got.get(line.number, 0), discount_minor=off.get(line.number, 0))
            for line in self.sold
        )

    def _say_once(self, code: str) -> None:
        if not any(one["code"] == code for one in self.reasons):
            self.reasons.append({"code": code})


def period_key(cap: Cap) -> str:
    """The name under which `Buyer.earned` counts a cap's period."""
    return f"budget:{cap.name}" if cap.period is rules.Period.BUDGET else cap.period.value


def _spread(parts: Sequence[_Part], points: int) -> list[_Part]:
    whole = sum(part.paid_minor for part in parts)
    return [
        replace(
            part,
            exact=part.exact + (Fraction(points * part.paid_minor, whole) if whole else Fraction(points, len(parts))),
        )
        for part in parts
    ]


def stacked(stacking: Stacking, factors: Sequence[Fraction]) -> Fraction:
    """The product of factors, or their excesses added."""
    if stacking is Stacking.ADD:
        return 1 + sum((factor - 1 for factor in factors), Fraction(0))
    product = Fraction(1)
    for factor in factors:
        product *= factor
    return product


def _said(code: str, rule: Rule, **values: Any) -> Reason:
    return {"code": code, "name": rule.name, **values}


def _from(band: rules.Band) -> int:
    return band.from_minor


def _decimal(value: Fraction) -> str:
    return f"{float(value):g}"
