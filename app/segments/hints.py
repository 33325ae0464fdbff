"""Rules that nobody can fit, told before anybody is looked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from app.errors import Sentence
from app.segments.rules import Group, Leaf, Not, Rule

_OPPOSITE = {"yes": "no", "no": "yes", "is": "is_not", "is_not": "is", "from": "before", "before": "from"}
_HIGHEST = 10**12


def impossible(rule: Rule) -> Sentence | None:
    """Why nobody can fit, or None if somebody might."""
    if isinstance(rule, Not):
        return impossible(_opposite(rule.part)) if not isinstance(rule.part, Leaf) else None
    if isinstance(rule, Leaf):
        return None
    if rule.how == "any":
        found = [impossible(part) for part in rule.parts]
        return found[0] if found and all(one is not None for one in found) else None
    parts = list(_all(rule))
    for part in parts:
        inside = None if isinstance(part, Leaf) else impossible(part)
        if inside is not None:
            return inside
    return _contradiction([part for part in parts if isinstance(part, Leaf)])


def _all(rule: Rule) -> Iterator[Rule]:
    """What must hold at once, with groups inside groups and "not" before one question opened."""
    if isinstance(rule, Group) and rule.how == "all":
        for part in rule.parts:
            yield from _all(part)
    elif isinstance(rule, Not):
        turned = _opposite(rule.part)
        if isinstance(turned, Not):
            yield turned
        else:
            yield from _all(turned)
    else:
        yield rule


def _opposite(rule: Rule) -> Rule:
    if isinstance(rule, Not):
        return rule.part
    if isinstance(rule, Group):
        how = "any" if rule.how == "all" else "all"
        return Group(how=how, parts=tuple(_opposite(part) for part in rule.parts))
    if rule.op in _OPPOSITE and rule.fact not in _MAY_LACK:
        return replace(rule, op=_OPPOSITE[rule.op])
    if rule.op == "at_least" and rule.fact not in _MAY_LACK:
        return replace(rule, op="at_most", number=rule.number - 1)
    if rule.op == "at_most" and rule.fact not in _MAY_LACK:
        return replace(rule, op="at_least", number=rule.number + 1)
    return Not(part=rule)


_MAY_LACK = ("last_visit", "first_purchase", "recency", "frequency", "monetary")
"""Numbers that not everybody has: the opposite of "3 or more" is not "2 or fewer" then."""
_GROWING = ("visits", "spend", "points_expiring")
"""Numbers that can only be the same or more over more days."""


def _contradiction(leaves: Sequence[Leaf]) -> Sentence | None:
    by_fact: dict[tuple[str, str], list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        by_fact[leaf.fact, leaf.name].append(leaf)
    for (fact, _name), asked in by_fact.items():
        if _numbers_clash(fact, asked) or _choices_clash(fact, asked) or _flags_clash(asked) or _dates_clash(asked):
            return Sentence("These rules contradict each other, so nobody can fit them all: %(facts)s.", facts=fact)
    return None


def _numbers_clash(fact: str, asked: Sequence[Leaf]) -> bool:
    spans = [(_days(leaf), *_span(leaf)) for leaf in asked if leaf.op in {"at_least", "at_most", "is"}]
    for days, low, _high in spans:
        for other_days, _low, high in spans:
            comparable = days == other_days or (fact in _GROWING and days <= other_days)
            if comparable and low > high:
                return True
    wanted = {(_days(leaf), leaf.number) for leaf in asked if leaf.op == "is" and not leaf.values}
    return any((_days(leaf), leaf.number) in wanted for leaf in asked if leaf.op == "is_not" and not leaf.values)


def _days(leaf: Leaf) -> int:
    return leaf.days or _HIGHEST


def _span(leaf: Leaf) -> tuple[int, int]:
    if leaf.op == "at_least":
        return leaf.number, _HIGHEST
    return (0, leaf.number) if leaf.op == "at_most" else _exactly(leaf)


def _exactly(leaf: Leaf) -> tuple[int, int]:
    is_choice = bool(leaf.values) and not leaf.number and leaf.fact != "spend"
    return (0, _HIGHEST) if is_choice else (leaf.number, leaf.number)


def _choices_clash(fact: str, asked: Sequence[Leaf]) -> bool:
    if fact in {"spend", "joined"}:
        return False
    allowed: set[str] | None = None
    if fact == "wallet":
        return False  # a card may be in both
    for leaf in asked:
        if leaf.op == "is" and leaf.values:
            allowed = set(leaf.values) if allowed is None else allowed & set(leaf.values)
    if allowed is None:
        return False
    barred = _joined(leaf.values for leaf in asked if leaf.op == "is_not")
    return not allowed - barred


def _joined(found: Iterable[Sequence[str]]) -> set[str]:
    return {value for values in found for value in values}


def _flags_clash(asked: Sequence[Leaf]) -> bool:
    said = {(leaf.values, leaf.days) for leaf in asked if leaf.op == "yes"}
    return any((leaf.values, leaf.days) in said for leaf in asked if leaf.op == "no")


def _dates_clash(asked: Sequence[Leaf]) -> bool:
    starts = [leaf.value for leaf in asked if leaf.op == "from"]
    ends = [leaf.value for leaf in asked if leaf.op == "before"]
    return bool(starts and ends) and max(starts) >= min(ends)
