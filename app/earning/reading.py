"""A rule set from JSON, with a sentence for everything in it that cannot be meant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from app import money
from app.earning import rules, windows
from app.earning.rules import Expiry, Policy, Products, Rule, RuleSet, Stacking, When
from app.errors import AppError, Sentence, Unprocessable

RULES_MAX = 100
WINDOWS_MAX = 10
NAME_MAX = 60
POINTS_MAX = 10**6
FACTOR_MAX = 100
WHEN = ("windows", "stores", "tiers", "segments", "occasions")
COMMON = ("kind", "name", "only", "when", "no_end")
TOP = (
    "rules", "stacking", "carry", "minimum", "points_part_earns", "pending_days", "expiry", "returns",
)  # fmt: skip
RETURNS = ("allow_debt", "clamp", "refuse")


@dataclass
class Reader:
    """Reads values of one object; faults are collected under the names that the sender used."""

    raw: Mapping[str, Any]
    where: str
    currency: str
    errors: dict[str, str] = field(default_factory=dict)

    def fault(self, name: str, text: str) -> None:
        self.errors[f"{self.where}{name}"] = text

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        value = self.raw.get(name, default)
        if type(value) is not int or not least <= value <= most:
            self.fault(name, Sentence("This is a whole number from %(least)s to %(most)s.", least=least, most=most))
            return least
        return value

    def amount(self, name: str, default: str | None = None, *, above_zero: bool = False) -> int:
        value = self.raw.get(name, default)
        try:
            minor = money.minor_units(str(value), self.currency, field=name)
        except AppError as problem:
            self.fault(name, problem.public)
            return 1
        if above_zero and not minor:
            self.fault(name, "The amount is above zero.")
            return 1
        return minor

    def fraction(self, name: str, most: int, default: str | None = None) -> Fraction:
        """A decimal string above zero, such as "1.5"."""
        text = str(self.raw.get(name, default))
        try:
            value = Fraction(text) if set(text) <= set("0123456789.") else Fraction(0)
        except ValueError:
            value = Fraction(0)
        if not 0 < value <= most:
            self.fault(
                name, Sentence('This is a decimal string above zero, at most %(most)s, such as "1.5".', most=most)
            )
            return Fraction(1)
        return value

    def flag(self, name: str) -> bool:
        value = self.raw.get(name, False)
        if type(value) is not bool:
            self.fault(name, "This is true or false.")
        return value is True

    def texts(self, name: str) -> frozenset[str]:
        value = self.raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and 0 < len(one) <= 100 for one in value):
            self.fault(name, "This is a list of texts.")
            return frozenset()
        return frozenset(value)

    def inner(self, name: str) -> "Reader":
        value = self.raw.get(name, {})
        if not isinstance(value, Mapping):
            self.fault(name, "This is an object.")
            value = {}
        return Reader(value, f"{self.where}{name}.", self.currency, self.errors)

    def only_knows(self, *names: str) -> None:
        for name in self.raw:
            if name not in names:
                self.fault(str(name), Sentence("There is no %(name)s here; there is %(known)s.", name=str(name)[:40],
                                               known=", ".join(names)))  # fmt: skip


def read(raw: Any, currency: str) -> RuleSet:
    """The rules of a programme in *currency*, as values.

    Raises: Unprocessable `invalid_rules` with a sentence for each fault.
    """
    if not isinstance(raw, Mapping):
        raise Unprocessable(
            "invalid_rules", "Rules are an object with a list of rules.", errors={"rules": "An object."}
        )
    top = Reader(raw, "", currency)
    top.only_knows(*TOP)
    found = _rules(top)
    ruleset = RuleSet(
        rules=tuple(found),
        stacking=_choice(top, "stacking", Stacking, "best"),
        carry=top.flag("carry"),
        minimum_minor=top.amount("minimum", "0"),
        by_points_earns=top.flag("points_part_earns"),
        pending_days=top.whole("pending_days", 0, 365, 0),
        expiry=_expiry(top.inner("expiry")),
        on_deficit=_one_of(top, "returns", RETURNS, "allow_debt"),
    )
    if top.errors:
        raise Unprocessable("invalid_rules", " ".join(top.errors.values()), errors=top.errors)
    return ruleset


def _rules(top: Reader) -> list[Rule]:
    raw = top.raw.get("rules", [])
    if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) > RULES_MAX:
        top.fault("rules", Sentence("Rules are a list of at most %(most)s.", most=RULES_MAX))
        return []
    found = []
    for number, one in enumerate(raw):
        reader = Reader(one if isinstance(one, Mapping) else {}, f"rules.{number}.", top.currency, top.errors)
        kind = reader.raw.get("kind")
        make = _KINDS.get(kind) if isinstance(kind, str) else None
        if make is None:
            reader.fault("kind", Sentence("A rule's kind is one of %(kinds)s.", kinds=", ".join(_KINDS)))
            continue
        found.append(make(reader))
    names = [rule.name for rule in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            top.fault(
                f"rules.{number}.name", Sentence("Two rules are named %(name)s; give each its own name.", name=name)
            )
    return found


def _common(reader: Reader, *own: str, limited: bool = False) -> dict[str, Any]:
    reader.only_knows(*COMMON, *own)
    name = reader.raw.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_MAX or not name.isprintable():
        reader.fault("name", "A rule has a name that people read on their receipts, of 1 to 60 characters.")
        name = ""
    when = _when(reader.inner("when"))
    endless = not when.windows or any(window.last_on is None for window in when.windows)
    if limited and endless and not reader.flag("no_end"):
        reader.fault("no_end", "This rule has no last day. Give it one, or say no_end: true.")
    return {"name": name.strip(), "when": when, "only": _products(reader.inner("only"))}


def _products(reader: Reader) -> Products:
    reader.only_knows("products", "categories")
    return Products(products=reader.texts("products"), categories=reader.texts("categories"))


def _when(reader: Reader) -> When:
    reader.only_knows(*WHEN)
    raw = reader.raw.get("windows", [])
    if not isinstance(raw, list) or len(raw) > WINDOWS_MAX:
        reader.fault("windows", Sentence("This is a list of at most %(most)s windows.", most=WINDOWS_MAX))
        raw = []
    found = [windows.parse(one, f"{reader.where}windows.{at}", reader.errors) for at, one in enumerate(raw)]
    return When(
        windows=tuple(one for one in found if one is not None),
        stores=reader.texts("stores"),
        tiers=reader.texts("tiers"),
        segments=reader.texts("segments"),
        occasions=reader.texts("occasions"),
    )


def _amount(reader: Reader) -> Rule:
    common = _common(reader, "points", "per")
    return rules.Amount(
        **common, points=reader.whole("points", 0, POINTS_MAX), per_minor=reader.amount("per", above_zero=True)
    )


def _unit(reader: Reader) -> Rule:
    common = _common(reader, "points", "per")
    return rules.Unit(**common, points=reader.whole("points", 1, POINTS_MAX), per=reader.whole("per", 1, 1000, 1))


def _visit(reader: Reader) -> Rule:
    return rules.Visit(**_common(reader, "points"), points=reader.whole("points", 1, POINTS_MAX))


def _event(reader: Reader) -> Rule:
    common = _common(reader, "points", "event")
    event = reader.raw.get("event")
    if not isinstance(event, str) or not 0 < len(event) <= NAME_MAX:
        reader.fault("event", "An event has a name, such as review.")
        event = ""
    return rules.Event(**common, event=event, points=reader.whole("points", 1, POINTS_MAX))


def _multiplier(reader: Reader) -> Rule:
    return rules.Multiplier(**_common(reader, "factor", limited=True), factor=reader.fraction("factor", FACTOR_MAX))


def _bonus(reader: Reader) -> Rule:
    common = _common(reader, "points", "minimum", limited=True)
    return rules.Bonus(
        **common, points=reader.whole("points", 1, POINTS_MAX), minimum_minor=reader.amount("minimum", "0")
    )


def _exclusion(reader: Reader) -> Rule:
    common = _common(reader)
    if common["only"].is_all:
        reader.fault("only", "Say which products or categories earn nothing.")
    return rules.Exclusion(**common)


def _cap(reader: Reader) -> Rule:
    common = _common(reader, "points", "per")
    return rules.Cap(
        **common,
        points=reader.whole("points", 1, 10**9),
        period=_choice(reader, "per", rules.Period, None),
    )


def _discount(reader: Reader) -> Rule:
    common = _common(reader, "bands")
    raw = reader.raw.get("bands")
    bands: list[rules.Band] = []
    for number, one in enumerate(raw if isinstance(raw, list) else []):
        band = Reader(one if isinstance(one, Mapping) else {}, f"{reader.where}bands.{number}.", reader.currency,
                       reader.errors)  # fmt: skip
        band.only_knows("from", "percent")
        from_minor, percent = band.amount("from"), _percent(band, "percent", zero_too=True)
        if bands and from_minor <= bands[-1].from_minor:
            band.fault("from", "Bands rise: each begins above the one before it.")
        bands.append(rules.Band(from_minor=from_minor, rate=percent))
    if not bands:
        reader.fault("bands", 'Write the bands such as [{"from": "0", "percent": "3"}].')
    elif bands[0].from_minor:
        reader.fault("bands", "The first band begins at 0.")
    return rules.Discount(**common, bands=tuple(bands))


def _bonus_money(reader: Reader) -> Rule:
    common = _common(reader, "percent", "max_share", "expires_days")
    days = None if reader.raw.get("expires_days") is None else reader.whole("expires_days", 1, 3650)
    share = _percent(reader, "max_share", default="30")
    return rules.BonusMoney(**common, rate=_percent(reader, "percent"), max_share=share, expires_days=days)


def _percent(reader: Reader, name: str, *, default: str | None = None, zero_too: bool = False) -> Fraction:
    if zero_too and str(reader.raw.get(name)) in {"0", "0.0", "0.00"}:
        return Fraction(0)
    return reader.fraction(name, 100, default) / 100


_KINDS: dict[str, Callable[[Reader], Rule]] = {
    "amount": _amount,
    "unit": _unit,
    "visit": _visit,
    "event": _event,
    "multiplier": _multiplier,
    "bonus": _bonus,
    "exclusion": _exclusion,
    "cap": _cap,
    "discount": _discount,
    "bonus_money": _bonus_money,
}


def _expiry(reader: Reader) -> Expiry:
    reader.only_knows("policy", "days", "months", "on")
    policy = _choice(reader, "policy", Policy, "never")
    needs_days = policy in (Policy.ROLLING, Policy.INACTIVITY)
    days = reader.whole("days", 1, 3650) if needs_days else 0
    months = reader.whole("months", 0, 120, 0) if policy is Policy.CALENDAR else 0
    on: date | None = None
    if policy is Policy.FIXED:
        try:
            on = date.fromisoformat(str(reader.raw.get("on")))
        except ValueError:
            reader.fault("on", "Write the last day as a date, such as 2027-12-31.")
    return Expiry(policy=policy, days=days, months=months, on=on)


def _choice(reader: Reader, name: str, kind: Any, default: str | None) -> Any:
    value = reader.raw.get(name, default)
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(one.value for one in kind)
        reader.fault(name, Sentence("This is one of %(known)s.", known=known))
        return next(iter(kind))


def _one_of(reader: Reader, name: str, known: Sequence[str], default: str) -> str:
    value = reader.raw.get(name, default)
    if value not in known:
        reader.fault(name, Sentence("This is one of %(known)s.", known=", ".join(known)))
    return str(value)
