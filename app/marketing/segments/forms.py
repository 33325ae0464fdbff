"""The builder's form: a tree of groups and questions as flat fields, and back.

A node's place is its path: `r` is the outermost group, `r.0` its first part. Every change of the tree is a button, so
that the builder works by keyboard and without a script.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from app.segments import shapes
from app.segments.rules import DEEPEST, MOST_PARTS
from app.segments.shapes import SHAPES, Shape

ROOT = "r"
HOW = ("all", "any", "none", "not_all")
LEAF, GROUP = "leaf", "group"
MOST_NODES = 200
Fields = MultiDict[str, str]
_NUMBER = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True, kw_only=True)
class Node:
    """A group (`how` and `parts`) or a question; values are as typed."""

    path: str
    kind: str
    how: str = "all"
    fact: str = ""
    op: str = ""
    values: tuple[str, ...] = ()
    days: str = ""
    name: str = ""
    parts: tuple["Node", ...] = ()

    @property
    def shape(self) -> Shape:
        return SHAPES[self.fact]

    @property
    def value(self) -> str:
        return self.values[0] if self.values else ""

    @property
    def depth(self) -> int:
        return self.path.count(".") + 1


@dataclass(frozen=True, kw_only=True)
class Builder:
    """The name and the tree as they stand, with what is wrong with them by the field's name."""

    name: str = ""
    root: Node = field(default_factory=lambda: Node(path=ROOT, kind=GROUP))
    errors: Mapping[str, str] = field(default_factory=dict)

    def wrong(self, errors: Mapping[str, str]) -> "Builder":
        """The same with a refusal's sentences beside the fields that they are about."""
        places = dict(_places(self.root, "rules"))
        return replace(self, errors={_field_of(path, places): text for path, text in errors.items()})


def parse(form: Fields) -> Builder:
    """What was sent; nodes that make no sense are left out."""
    left = [MOST_NODES]
    root = _node(form, ROOT, 1, left)
    if root is None or root.kind != GROUP:
        root = Node(path=ROOT, kind=GROUP)
    return Builder(name=form.get("name", ""), root=root)


def acted(builder: Builder, action: str, form: Fields) -> Builder:
    """The tree after a button: `add:r`, `group:r`, `remove:r.0`; any other action leaves it as it is."""
    verb, _, path = action.partition(":")
    if verb == "add":
        fact = form.get(f"{path}.new", "")
        if fact in SHAPES:
            shape = SHAPES[fact]
            days = str(shape.days[0]) if shape.days and shape.days[0] else ""
            made = Node(path="", kind=LEAF, fact=fact, op=shape.ops[0], days=days)
            return replace(builder, root=_numbered(_added(builder.root, path, made), ROOT))
    elif verb == "group":
        return replace(builder, root=_numbered(_added(builder.root, path, Node(path="", kind=GROUP, how="any")), ROOT))
    elif verb == "remove":
        return replace(builder, root=_numbered(_removed(builder.root, path), ROOT))
    return builder


def raw(builder: Builder) -> dict[str, Any]:
    """The tree as the rules' JSON; groups without a part are left out."""
    return _raw(builder.root, is_root=True)


def of_rules(name: str, rules: Mapping[str, Any]) -> Builder:
    """The builder of a saved segment."""
    made = _of_raw(rules)
    root = made if made.kind == GROUP else Node(path=ROOT, kind=GROUP, parts=(made,))
    return Builder(name=name, root=_numbered(root, ROOT))


def may_nest(node: Node) -> bool:
    """Whether another group fits into this one; "none of" takes two levels."""
    return node.depth < DEEPEST - 2


def _node(form: Fields, path: str, depth: int, left: list[int]) -> Node | None:
    kind = form.get(f"{path}.kind", "")
    left[0] -= 1
    if left[0] < 0 or depth > DEEPEST:
        return None
    if kind == LEAF:
        fact = form.get(f"{path}.fact", "")
        if fact not in SHAPES:
            return None
        values = tuple(value for value in form.getlist(f"{path}.value") if value.strip())
        return Node(
            path=path, kind=LEAF, fact=fact, op=form.get(f"{path}.op", ""), values=values,
            days=form.get(f"{path}.days", "").strip(), name=form.get(f"{path}.name", ""),
        )  # fmt: skip
    if kind != GROUP:
        return None
    parts = [_node(form, f"{path}.{number}", depth + 1, left) for number in range(MOST_PARTS + 1)]
    how = form.get(f"{path}.how", "all")
    return Node(
        path=path, kind=GROUP, how=how if how in HOW else "all", parts=tuple(one for one in parts if one is not None)
    )


def _added(node: Node, path: str, made: Node) -> Node:
    if node.path == path and node.kind == GROUP:
        return replace(node, parts=(*node.parts, made))
    return replace(node, parts=tuple(_added(part, path, made) for part in node.parts))


def _removed(node: Node, path: str) -> Node:
    return replace(node, parts=tuple(_removed(part, path) for part in node.parts if part.path != path))


def _numbered(node: Node, path: str) -> Node:
    parts = tuple(_numbered(part, f"{path}.{number}") for number, part in enumerate(node.parts))
    return replace(node, path=path, parts=parts)


def _is_empty(node: Node) -> bool:
    return node.kind == GROUP and all(_is_empty(part) for part in node.parts)


def _raw(node: Node, *, is_root: bool = False) -> dict[str, Any]:
    if node.kind == LEAF:
        return _raw_leaf(node)
    parts = [_raw(part) for part in node.parts if not _is_empty(part)]
    if is_root and not parts:
        return {"all": []}
    how = {"none": "any", "not_all": "all"}.get(node.how, node.how)
    return {"not": {how: parts}} if node.how in {"none", "not_all"} else {how: parts}


def _raw_leaf(node: Node) -> dict[str, Any]:
    shape = node.shape
    made: dict[str, Any] = {"fact": node.fact, "op": node.op or shape.ops[0]}
    if shape.kind == "number":
        made["value"] = int(node.value) if _NUMBER.fullmatch(node.value.strip()) else node.value
    elif shape.kind == "money":
        made["value"] = node.value.strip().replace(",", ".")
    elif shape.kind == "choice":
        made["value"] = _several(node) if not shape.values and not shape.source else list(node.values)
    elif shape.kind == "flag" and (shape.values is None or not node.value):
        made |= {} if shape.values is None or shape.value_may_lack else {"value": ""}
    else:
        made["value"] = node.value
    if shape.days and node.days:
        made["days"] = int(node.days) if _NUMBER.fullmatch(node.days) else node.days
    if shape.has_name:
        made["name"] = node.name
    return made


def _several(node: Node) -> list[str]:
    """Values that are typed, with commas between them."""
    return [part.strip() for part in node.value.split(",") if part.strip()]


def _places(node: Node, path: str) -> list[tuple[str, str]]:
    """The paths of refusals, and the fields' prefixes that they mean."""
    found = [(path, node.path)]
    if node.kind == LEAF:
        return found
    how = {"none": "any", "not_all": "all"}.get(node.how, node.how)
    inside = f"{path}.not.{how}" if node.how in {"none", "not_all"} else f"{path}.{how}"
    found += [(f"{path}.not", node.path), (inside, node.path)]
    kept = [part for part in node.parts if not _is_empty(part)]
    for number, part in enumerate(kept):
        found += _places(part, f"{inside}[{number}]")
    return found


def _field_of(path: str, places: Mapping[str, str]) -> str:
    """`rules.all[0].value` is the field `r.0.value`; what is about a group stands at its head."""
    if path in places:
        return f"{places[path]}.how"
    before, _, last = path.rpartition(".")
    return f"{places[before]}.{last}" if before in places else path


def _of_raw(rules: Mapping[str, Any]) -> Node:
    if "not" in rules:
        inside = _of_raw(rules["not"])
        if inside.kind == GROUP and inside.how in {"all", "any"}:
            return replace(inside, how="none" if inside.how == "any" else "not_all")
        return Node(path="", kind=GROUP, how="none", parts=(inside,))
    for how in ("all", "any"):
        if how in rules:
            return Node(path="", kind=GROUP, how=how, parts=tuple(_of_raw(part) for part in rules[how]))
    return _of_leaf(rules)


def _of_leaf(rules: Mapping[str, Any]) -> Node:
    shape = shapes.SHAPES[rules["fact"]]
    value = rules.get("value")
    given: Sequence[Any] = value if isinstance(value, list) else [] if value is None else [value]
    values = tuple(str(one) for one in given)
    if shape.kind == "choice" and not shape.values and not shape.source:
        values = (", ".join(values),)
    return Node(
        path="", kind=LEAF, fact=shape.name, op=rules.get("op", shape.ops[0]), values=values,
        days=str(rules.get("days") or ""), name=str(rules.get("name", "")),
    )  # fmt: skip
