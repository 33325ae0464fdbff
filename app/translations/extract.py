"""Finds the texts for people in Python files: what is marked for translation, and what refusals say.

Refusals are written in English where something is refused and translated where a page shows them, so their sentences
carry no mark. They are found by where they stand: in `AppError`s, in `errors`, and in tables of sentences by code.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

# name of the function: which argument is the message
MARKED = {"_": 0, "gettext": 0, "Sentence": 0, "text": 1, "everywhere": 0}
REFUSALS = {
    "AppError": 1, "BadRequest": 1, "Unauthorised": 1, "Forbidden": 1, "NotFound": 1, "Conflict": 1,
    "Unprocessable": 1, "TooManyRequests": 1, "Busy": 1, "_refused": 2, "_not_configured": 0, "fault": 1,
}  # fmt: skip
Message = tuple[int, str, str | tuple[str, str], list[str]]


def python(file: BinaryIO, _keywords: Any, _tags: Any, **_options: Any) -> Iterator[Message]:
    """A Babel extraction method: (line, function, message or its two forms, comments) for each text found."""
    tree = ast.parse(file.read())
    found: dict[tuple[str, ...], Message] = {}
    for message in _messages(tree):
        forms = message[2] if isinstance(message[2], tuple) else (message[2],)
        found.setdefault(forms, message)
    yield from sorted(found.values(), key=lambda one: one[0])


def _messages(tree: ast.Module) -> Iterator[Message]:
    constants = _constants(tree)
    for table in tree.body:
        if isinstance(table, ast.Assign) and isinstance(table.value, ast.Dict) and _is_constant(table.targets):
            yield from _sentences(table.value, constants)  # REFUSALS = {"ended": "…"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, constants)
        elif isinstance(node, ast.Assign):
            yield from _of_assignment(node, constants)


def _of_call(call: ast.Call, constants: Mapping[str, list[str]]) -> Iterator[Message]:
    name = _name(call.func)
    if name == "ngettext":
        one, many = (_string(argument) for argument in call.args[:2])
        if one and many:
            yield call.lineno, "ngettext", (one, many), []
    elif name in MARKED:
        place = MARKED[name]
        told = call.args[place] if len(call.args) > place else None
        named = constants.get(told.id, []) if isinstance(told, ast.Name) else []
        for text in (*named, _string(told)):
            if text:
                yield call.lineno, "gettext", text, []
    elif name in REFUSALS:
        place = REFUSALS[name]
        if len(call.args) > place:
            yield from _sentences(call.args[place], constants)
        for keyword in call.keywords:
            if keyword.arg == "errors" and isinstance(keyword.value, ast.Dict):
                yield from _sentences(keyword.value, constants)


def _of_assignment(node: ast.Assign, constants: Mapping[str, list[str]]) -> Iterator[Message]:
    """`errors["name"] = "Write a name."` and `errors = {"contact": too_long} if … else {}`."""
    for target in node.targets:
        inside = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(inside, ast.Name) and inside.id == "errors":
            yield from _sentences(node.value, constants)


def _sentences(value: ast.expr, constants: Mapping[str, list[str]]) -> Iterator[Message]:
    """The sentences that an expression may stand for; what is computed inside a call is not its business."""
    parts: list[ast.expr | None] = []
    if isinstance(value, ast.Dict):
        parts = list(value.values)
    elif isinstance(value, ast.Tuple):
        parts = list(value.elts)
    elif isinstance(value, ast.IfExp):
        parts = [value.body, value.orelse]
    for part in parts:
        yield from _sentences(part, constants) if part else ()
    names = constants.get(value.id, []) if isinstance(value, ast.Name) else []
    for text in (*names, _string(value)):
        if text[:1].isupper() and text.endswith("."):
            yield value.lineno, "gettext", text, []


def _constants(tree: ast.Module) -> dict[str, list[str]]:
    """What names of this file stand for, where it is one text: `text = "…"` before a refusal."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            text = _string(node.value)
            if text:
                found.setdefault(node.targets[0].id, []).append(text)
    return found


def _is_constant(targets: list[ast.expr]) -> bool:
    return all(isinstance(one, ast.Name) and one.id.isupper() for one in targets)


def _string(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""
