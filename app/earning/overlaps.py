"""Which rules of a set can hold for the same product at the same time, and what is made of it.

A set is judged without a sale: where two rules may meet, they are said to. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from itertools import chain, combinations, islice

from app import i18n
from app.earning import rules
from app.earning.engine import stacked
from app.earning.rules import Products, Rule, RuleSet, Stacking, When
from app.earning.sentences import Speaker
from app.earning.windows import Window

SHOWN_MAX = 100
_DAY = 86_400
_WEEKS = 15  # days that show every pair of weekdays, hours over midnight included
_ANY_DAY = date(2026, 1, 5)


class Outcome(Enum):
    """What comes of a meeting: one factor of two, both, the larger alone, or nothing because it is excluded."""

    STACKED = "stacked"
    BOTH = "both"
    LARGER = "larger"
    EXCLUDED = "excluded"


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two rules that meet. `windows`: when, empty for always; `factor`: what two multipliers make together."""

    names: tuple[str, str]
    outcome: Outcome
    windows: tuple[Window, ...] = ()
    factor: Fraction | None = None


def overlaps(ruleset: RuleSet, tiers: Mapping[str, Fraction] | None = None) -> list[Overlap]:
    """Every pair of rules that can meet, at most a hundred. *tiers*: their factors of points by name."""
    return list(islice(chain(_factors(ruleset, tiers or {}), _pairs(ruleset), _excluded(ruleset)), SHOWN_MAX))


def said(overlap: Overlap, stacking: Stacking, speaker: Speaker) -> str:
    """ "Tuesday and Gold meet on Tuesdays: best = 2×"."""
    one, two = overlap.names
    language = speaker.language
    if overlap.outcome is Outcome.EXCLUDED:
        return i18n.text(language, "%(one)s never holds: %(two)s takes its products out", one=one, two=two)
    windows = [speaker.window(window) for window in overlap.windows]
    when = "; ".join(windows) or i18n.text(language, "always")
    return i18n.text(
        language, "%(one)s and %(two)s meet %(when)s: %(outcome)s", one=one, two=two, when=when,
        outcome=_outcome(overlap, stacking, speaker),
    )  # fmt: skip


def meeting(one: Sequence[Window], two: Sequence[Window]) -> tuple[Window, ...] | None:
    """When windows of both are open, empty for always; None if never."""
    if not one or not two:
        return tuple(one or two)
    found = [shared for first in one for second in two for shared in _both(first, second)]
    return tuple(dict.fromkeys(found)) or None


def _outcome(overlap: Overlap, stacking: Stacking, speaker: Speaker) -> str:
    language = speaker.language
    if overlap.outcome is Outcome.BOTH:
        return i18n.text(language, "both count")
    if overlap.outcome is Outcome.LARGER or overlap.factor is None:
        return i18n.text(language, "the larger one counts")
    factor = speaker.factor(overlap.factor)
    return {
        Stacking.BEST: i18n.text(language, "best = %(factor)s", factor=factor),
        Stacking.ADD: i18n.text(language, "added = %(factor)s", factor=factor),
        Stacking.MULTIPLY: i18n.text(language, "multiplied = %(factor)s", factor=factor),
    }[stacking]


def _factors(ruleset: RuleSet, tiers: Mapping[str, Fraction]) -> Iterator[Overlap]:
    multipliers = [rule for rule in ruleset.rules if isinstance(rule, rules.Multiplier)]
    for one, two in combinations(multipliers, 2):
        windows = _meet(one, two)
        if windows is not None:
            yield _stacked(ruleset, (one.name, two.name), (one.factor, two.factor), windows)
    for rule in multipliers:
        for name, factor in tiers.items():
            if factor != 1 and (not rule.when.tiers or name in rule.when.tiers):
                yield _stacked(ruleset, (rule.name, name), (rule.factor, factor), rule.when.windows)


def _stacked(
    ruleset: RuleSet, names: tuple[str, str], factors: tuple[Fraction, Fraction], windows: tuple[Window, ...]
) -> Overlap:
    best = ruleset.stacking is Stacking.BEST
    factor = max(factors) if best else stacked(ruleset.stacking, factors)
    return Overlap(names=names, outcome=Outcome.STACKED, windows=windows, factor=factor)


def _pairs(ruleset: RuleSet) -> Iterator[Overlap]:
    kinds: tuple[tuple[type[Rule] | tuple[type[Rule], ...], Outcome], ...] = (
        ((rules.Amount, rules.Unit), Outcome.BOTH),
        (rules.Bonus, Outcome.BOTH),
        (rules.BonusMoney, Outcome.BOTH),
        (rules.Discount, Outcome.LARGER),
    )
    for kind, outcome in kinds:
        for one, two in combinations([rule for rule in ruleset.rules if isinstance(rule, kind)], 2):
            windows = _meet(one, two)
            if windows is not None:
                yield Overlap(names=(one.name, two.name), outcome=outcome, windows=windows)


def _excluded(ruleset: RuleSet) -> Iterator[Overlap]:
    """Rules for products that another one always takes out."""
    always = [rule for rule in ruleset.rules if isinstance(rule, rules.Exclusion) and rule.when == When()]
    for rule in ruleset.rules:
        if isinstance(rule, rules.Exclusion) or rule.only.is_all:
            continue
        for out in always:
            if rule.only.products <= out.only.products and rule.only.categories <= out.only.categories:
                yield Overlap(names=(rule.name, out.name), outcome=Outcome.EXCLUDED)


def _meet(one: Rule, two: Rule) -> tuple[Window, ...] | None:
    first, second = one.when, two.when
    apart = (
        not _share(one.only, two.only)
        or _disjoint(first.stores, second.stores)
        or (_disjoint(first.tiers, second.tiers) and _are_names(first.tiers) == _are_names(second.tiers))
    )
    return None if apart else meeting(first.windows, second.windows)


def _share(one: Products, two: Products) -> bool:
    """Whether a line can be of both. A product may be of any category, so that a list of each may meet."""
    if one.is_all or two.is_all or one.products & two.products or one.categories & two.categories:
        return True
    return bool((one.products and two.categories) or (one.categories and two.products))


def _disjoint(one: frozenset[str], two: frozenset[str]) -> bool:
    return bool(one) and bool(two) and not one & two


def _are_names(tiers: frozenset[str]) -> bool:
    """Tiers may be named by name or by id; a name and an id may be the same tier."""
    return not any(one.startswith("tier_") for one in tiers)


def _both(one: Window, two: Window) -> Iterator[Window]:
    """The hours in which both are open."""
    first_on = max(one.first_on or date.min, two.first_on or date.min)
    last_on = min(one.last_on or date.max, two.last_on or date.max)
    begin = _ANY_DAY if first_on == date.min else first_on
    if first_on == date.min and last_on != date.max:
        begin = last_on - timedelta(days=_WEEKS) if last_on.toordinal() > _WEEKS else last_on
    hours: dict[tuple[int, int], set[int]] = {}
    for start, end in _shared(_spans(one, begin), _spans(two, begin)):
        day = begin + timedelta(days=start // _DAY)
        hours.setdefault((start % _DAY, end % _DAY), set()).add(day.isoweekday())
    for (start, end), weekdays in sorted(hours.items()):
        yield Window(
            weekdays=frozenset(weekdays), start=_clock(start), end=_clock(end),
            first_on=None if first_on == date.min else first_on, last_on=None if last_on == date.max else last_on,
        )  # fmt: skip


@lru_cache(maxsize=2_000)
def _spans(window: Window, begin: date) -> tuple[tuple[int, int], ...]:
    """When a window is open, in seconds from the first instant of *begin*, for two weeks."""
    found = []
    for offset in range(-1, _WEEKS + 1):
        day = begin + timedelta(days=offset) if begin.toordinal() + offset > 0 else begin
        if window.opens_on(day):
            start, end = _seconds(window.start), _seconds(window.end)
            if start == end:  # the whole day, whatever the hour
                start = end = 0
            found.append((offset * _DAY + start, offset * _DAY + end + (0 if start < end else _DAY)))
    return tuple(found)


def _shared(one: Sequence[tuple[int, int]], two: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What two rising lists of spans have in common."""
    at = other = 0
    while at < len(one) and other < len(two):
        low, high = max(one[at][0], two[other][0], 0), min(one[at][1], two[other][1])
        if low < high:
            yield low, high
        if one[at][1] <= two[other][1]:
            at += 1
        else:
            other += 1


def _seconds(at: time) -> int:
    return (at.hour * 60 + at.minute) * 60 + at.second


def _clock(seconds: int) -> time:
    return time(seconds // 3600, seconds // 60 % 60)
