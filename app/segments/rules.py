"""A segment's rules: a tree of "all of", "any of" and "not" over questions about a member, read from JSON.

{"all": [{"fact": "visits", "op": "at_least", "value": 3, "days": 30}, {"not": {"fact": "wallet", "value": "none"}}]}
Nothing in it is ever a part of a statement: names are looked up in the catalogue, values are bound.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.errors import Sentence, Unprocessable
from app.segments import shapes
from app.segments.shapes import Shape

DEEPEST = 6
MOST_LEAVES = 60
MOST_PARTS = 30
GROUPS = ("all", "any")


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One question. `values` holds one text or more for choices; `number` is what a number is compared with.

    `days`: the last so many days, 0: ever. `name`: of the attribute, question or stamp card that is asked for.
    """

    fact: str
    op: str
    values: tuple[str, ...] = ()
    number: int = 0
    days: int = 0
    name: str = ""

    @property
    def value(self) -> str:
        """The only value, or nothing."""
        return self.values[0] if self.values else ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """All of its parts, or any of them. All of nothing is everybody."""

    how: str
    parts: tuple["Rule", ...]


@dataclass(frozen=True, kw_only=True)
class Not:
    """The opposite of its part."""

    part: "Rule"


Rule: TypeAlias = Leaf | Group | Not
EVERYBODY = Group(how="all", parts=())


def read(raw: Any, currency: str) -> Rule:
    """Rules from their JSON; amounts of money are decimal strings in *currency*.

    Raises: Unprocessable `invalid_rules`, with a sentence for each fault by its path, such as `rules.all[0].value`.
    """
    reading = _Reading(currency=currency)
    found = reading.rule(raw, "rules", 1)
    if not reading.errors and reading.leaves > MOST_LEAVES:
        reading.fault("rules", Sentence("A segment asks at most %(most)s questions.", most=MOST_LEAVES))
    if reading.errors or found is None:
        first = next(iter(reading.errors.values()))
        raise Unprocessable("invalid_rules", first, errors=reading.errors)
    return found


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every question of a rule, in order."""
    if isinstance(rule, Leaf):
        yield rule
    elif isinstance(rule, Not):
        yield from leaves(rule.part)
    else:
        for part in rule.parts:
            yield from leaves(part)


class _Reading:
    """Reads one tree and notes what is wrong with it, by path."""

    def __init__(self, *, currency: str) -> None:
        self.currency = currency
        self.errors: dict[str, str] = {}
        self.leaves = 0

    def fault(self, path: str, text: str) -> None:
        self.errors.setdefault(path, text)

    def rule(self, raw: Any, path: str, depth: int) -> Rule | None:
        if not isinstance(raw, Mapping):
            text = 'Write an object with "all", "any", "not" or "fact".'
            self.fault(path, text)
            return None
        if depth > DEEPEST:
            self.fault(path, Sentence("Groups go at most %(most)s deep.", most=DEEPEST))
            return None
        for how in GROUPS:
            if how in raw:
                return self._group(raw, how, path, depth)
        if "not" in raw:
            if not self._only(raw, path, "not"):
                return None
            part = self.rule(raw["not"], f"{path}.not", depth + 1)
            return Not(part=part) if part is not None else None
        self.leaves += 1
        return self._leaf(raw, path)

    def _group(self, raw: Mapping[str, Any], how: str, path: str, depth: int) -> Group | None:
        parts, inside = raw[how], f"{path}.{how}"
        if not self._only(raw, path, how):
            return None
        if not isinstance(parts, list | tuple):
            self.fault(inside, "Write a list of rules.")
            return None
        if len(parts) > MOST_PARTS:
            self.fault(inside, Sentence("A group has at most %(most)s rules.", most=MOST_PARTS))
            return None
        if not parts and (how == "any" or depth > 1):
            self.fault(inside, "A group needs a rule; add one or take the group away.")
            return None
        read = [self.rule(part, f"{inside}[{number}]", depth + 1) for number, part in enumerate(parts)]
        return Group(how=how, parts=tuple(part for part in read if part is not None))

    def _leaf(self, raw: Mapping[str, Any], path: str) -> Leaf | None:
        name = raw.get("fact")
        shape = shapes.SHAPES.get(name) if isinstance(name, str) else None
        if shape is None:
            known = ", ".join(shapes.SHAPES)
            self.fault(f"{path}.fact", Sentence("There is no such question; there are: %(known)s.", known=known))
            return None
        allowed = {"fact", "op", "value", *(["days"] if shape.days else []), *(["name"] if shape.has_name else [])}
        if not self._only(raw, path, *sorted(allowed)):
            return None
        ops = shape.ops
        op = raw.get("op", ops[0])
        if op not in ops:
            self.fault(f"{path}.op", Sentence("Choose one of: %(known)s.", known=", ".join(ops)))
            return None
        before = len(self.errors)
        days = self._days(raw, shape, path)
        called = self._text(raw.get("name"), f"{path}.name", shapes.NAME) if shape.has_name else ""
        values, number = self._value(raw.get("value"), shape, f"{path}.value")
        if len(self.errors) > before:
            return None
        return Leaf(fact=shape.name, op=op, values=values, number=number, days=days, name=called)

    def _days(self, raw: Mapping[str, Any], shape: Shape, path: str) -> int:
        if shape.days is None or "days" not in raw:
            return shape.days[0] if shape.days else 0
        least, most = shape.days
        value = raw["days"]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            told = Sentence("Write a whole number of days from %(least)s to %(most)s.", least=least, most=most)
            self.fault(f"{path}.days", told)
            return 0
        return value

    def _value(self, value: Any, shape: Shape, path: str) -> tuple[tuple[str, ...], int]:
        if shape.kind == "number":
            return (), self._number(value, shape, path)
        if shape.kind == "money":
            return self._money(value, path)
        if shape.kind == "date":
            return self._date(value, path)
        if shape.kind == "flag":
            return self._of_flag(value, shape, path), 0
        given = value if isinstance(value, list | tuple) else [value]
        if not given or len(given) > shapes.MOST_VALUES:
            self.fault(path, Sentence("Choose 1 to %(most)s values.", most=shapes.MOST_VALUES))
            return (), 0
        return tuple(self._choice(one, shape, path) for one in given), 0

    def _of_flag(self, value: Any, shape: Shape, path: str) -> tuple[str, ...]:
        if shape.values is None:
            if value is not None:
                self.fault(path, "This question takes no value.")
            return ()
        if value in (None, "") and shape.value_may_lack:
            return ()
        return (self._choice(value, shape, path),)

    def _choice(self, value: Any, shape: Shape, path: str) -> str:
        if shape.values and value not in shape.values:
            self.fault(path, Sentence("Choose one of: %(known)s.", known=", ".join(shape.values)))
            return ""
        return self._text(value, path, shapes.VALUE)

    def _number(self, value: Any, shape: Shape, path: str) -> int:
        least, most = shape.bounds
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            told = Sentence("Write a whole number from %(least)s to %(most)s.", least=least, most=most)
            self.fault(path, told)
            return 0
        return value

    def _money(self, value: Any, path: str) -> tuple[tuple[str, ...], int]:
        try:
            minor = shapes.minor_units(value, self.currency)
        except Unprocessable as refusal:
            self.fault(path, refusal.public)
            return (), 0
        return (value,), minor

    def _date(self, value: Any, path: str) -> tuple[tuple[str, ...], int]:
        if not shapes.is_date(value):
            self.fault(path, 'Write a date such as "2026-12-24".')
            return (), 0
        return (value,), 0

    def _text(self, value: Any, path: str, form: str) -> str:
        if not isinstance(value, str) or not shapes.is_text(value, form):
            text = "Write a text of at most 200 characters that can be shown."
            if form == shapes.NAME:
                text = "Write a name of at most 60 letters, digits, dots, dashes, underscores or spaces."
            self.fault(path, text)
            return ""
        return value.strip()

    def _only(self, raw: Mapping[str, Any], path: str, *known: str) -> bool:
        for name in raw:
            if name not in known:
                told = Sentence("This is not known here; there may be: %(known)s.", known=", ".join(known))
                self.fault(f"{path}.{name}"[:200], told)
                return False
        return True
