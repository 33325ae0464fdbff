"""Google's types and our rules for them, compiled once from schema.json.

In that file `types` keeps the structure of Google's discovery document, and `rules` what only its prose and the
guides say. A newer revision is compared with it on purpose, never fetched at run time.
"""

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from importlib.resources import files
from typing import Any

RESOURCES = ("LoyaltyClass", "LoyaltyObject", "OfferClass", "OfferObject")
_PRIMITIVES = {
    ("string", None): "text",
    ("string", "int64"): "int64",
    ("integer", "int32"): "int32",
    ("number", "double"): "number",
    ("boolean", None): "boolean",
}


class Use(Enum):
    """What the body is for: everything required must be there, or nulls clear and the rest stays."""

    INSERT = "insert"
    PATCH = "patch"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of a type, with the rules that hold for its value.

    Attributes:
        form: "text", "int64", "int32", "number", "boolean", or the name of a type.
        today: old spelling of an enum's value -> today's.
        refused: why it is never sent; empty if it may be.
        advised: characters that Google shows before it cuts the text off.
        shown: items that Google shows before it hides the rest.
    """

    name: str
    form: str
    is_list: bool = False
    values: frozenset[str] = frozenset()
    today: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    pattern: re.Pattern[str] | None = None
    bounds: tuple[float, float] | None = None
    max_items: int | None = None
    max_characters: int | None = None
    advised: int | None = None
    shown: int | None = None


@dataclass(frozen=True, kw_only=True)
class Type:
    """One type of the schema."""

    name: str
    members: dict[str, Member]
    required: dict[Use, tuple[str, ...]]
    exactly_one: tuple[str, ...] = ()
    at_most_one: tuple[str, ...] = ()
    needs: dict[str, str] = field(default_factory=dict)


def _compile_type(name: str, members: dict[str, Any], rules: dict[str, Any]) -> Type:
    required = tuple(rules["required"].get(name, ()))
    on_patch = tuple(rules["requiredOnPatch"].get(name, ())) if name in RESOURCES else required
    return Type(
        name=name,
        members={member: _compile_member(name, member, spec, rules) for member, spec in members.items()},
        required={Use.INSERT: required, Use.PATCH: on_patch},
        exactly_one=tuple(rules["exactlyOne"].get(name, ())),
        at_most_one=tuple(rules["atMostOne"].get(name, ())),
        needs=rules["needs"].get(name, {}),
    )


def _compile_member(owner: str, name: str, spec: dict[str, Any], rules: dict[str, Any]) -> Member:
    def rule(key: str) -> Any:
        return rules[key].get(owner, {}).get(name)

    item = spec.get("items", spec)
    old = frozenset(item.get("enumDeprecatedValues", ()))
    named = frozenset(item.get("enum", ())) - old
    pattern, bounds = rule("patterns"), rule("ranges")
    return Member(
        name=name,
        form=item.get("$ref") or _PRIMITIVES[item["type"], item.get("format")],
        is_list="items" in spec,
        values=frozenset(rule("allowed") or named),
        today={spelling: today for spelling in old for today in named if _folded(today) == _folded(spelling)},
        refused=_refusal(owner, name, deprecated=spec.get("deprecated", False), rules=rules),
        pattern=re.compile(pattern) if pattern else None,
        bounds=(bounds[0], bounds[1]) if bounds else None,
        max_items=rule("maxItems"),
        max_characters=rule("maxCharacters"),
        advised=rule("advisedCharacters") or rules["advisedCharacters"].get(owner, {}).get(_plain_name(name)),
        shown=rule("shownItems"),
    )


def _folded(spelling: str) -> str:
    return spelling.replace("_", "").lower()


def _plain_name(name: str) -> str:
    """The plain twin of a localized member: localizedProgramName -> programName."""
    bare = name.removeprefix("localized")
    return bare[:1].lower() + bare[1:]


def _refusal(owner: str, name: str, *, deprecated: bool, rules: dict[str, Any]) -> str:
    if name in rules["neverSent"].get(owner, ()):
        return "only Google writes it"
    if deprecated or name in rules["deprecated"].get(owner, ()):
        return "Google no longer uses it"
    if name in rules["offersOnly"] and owner == "LoyaltyObject":
        return "it means something on offers only"
    return ""


_DOCUMENT: dict[str, Any] = json.loads(files("passes.google").joinpath("schema.json").read_bytes())

REVISION: str = _DOCUMENT["revision"]
TYPES: dict[str, Type] = {
    name: _compile_type(name, members, _DOCUMENT["rules"]) for name, members in _DOCUMENT["types"].items()
}
ALERTING: dict[str, tuple[str, ...]] = {name: tuple(paths) for name, paths in _DOCUMENT["rules"]["alerting"].items()}
