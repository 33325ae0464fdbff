"""Every key that Wallet knows, and the type of its value."""

import difflib
from collections.abc import Iterator, Mapping
from decimal import Decimal

from passes.apple.findings import Finding, Rulebook
from passes.apple.lint.schema import FIELD, FOREIGN, NESTED, REQUIRED_KEYS, STYLE, TOP
from passes.apple.lint.subject import Json, Subject, place, shown

RULES = Rulebook()
UNKNOWN = RULES.warning(
    "key-unknown", "Wallet does not know this key and ignores it", "correct its spelling, or remove it"
)
NO_EFFECT = RULES.warning(
    "key-without-effect", "the key has no effect on a pass of this style", "remove it; it belongs to another style"
)
NULL = RULES.error("value-null", "null is not a value in a pass", "leave the key out")
TEXT_FOR_NUMBER = RULES.error(
    "text-for-number", "a number in quotes is refused or dropped", "remove the quotes around the number"
)
OBJECT_FOR_ARRAY = RULES.error(
    "object-for-array", "an array is needed, and a single object is refused or dropped", "put [ and ] around the object"
)
WRONG_TYPE = RULES.error(
    "value-type", "the value is of the wrong type", "write it as the documentation of the key says"
)
REQUIRED = RULES.error("key-required", "a required key is missing", "add it")
EMPTY = RULES.error("value-empty", "a required text is empty", "write what the holder should read or hear")
FORMAT_VERSION = RULES.error("format-version", "formatVersion must be the number 1", 'write "formatVersion": 1')


def check(subject: Subject) -> Iterator[Finding]:
    """Compare every key and its value's type with the closed list."""
    document = subject.document
    yield from _required(document)
    for key, value in document.items():
        if key in FOREIGN:
            if not {"eventTicket", "boardingPass"}.intersection(document):
                yield NO_EFFECT.found(place(key))
        else:
            yield from _key(place(key), key, value, TOP)
        if key in STYLE and isinstance(value, Mapping):
            yield from _keys(place(key), value, STYLE[key])
        elif key in NESTED:
            for where, item in _items(place(key), value):
                yield from _keys(where, item, NESTED[key])
    for _, where, field in subject.fields():
        yield from _keys(where, field, FIELD)


def _required(document: Json) -> Iterator[Finding]:
    if not document:
        return
    for key in REQUIRED_KEYS:
        value = document.get(key)
        if key not in document:
            yield REQUIRED.found(place(key))
        elif isinstance(value, str) and not value.strip():
            yield EMPTY.found(place(key))
    version = document.get("formatVersion", 1)
    if isinstance(version, int | Decimal) and (isinstance(version, bool) or version != 1):
        yield FORMAT_VERSION.found(place("formatVersion"), shown(version))


def _items(where: str, value: object) -> Iterator[tuple[str, Json]]:
    if isinstance(value, Mapping):
        yield where, value
    elif isinstance(value, list):
        for i, item in enumerate(value):
            if isinstance(item, Mapping):
                yield f"{where}[{i}]", item


def _keys(where: str, content: Json, known: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in content.items():
        yield from _key(f"{where}.{key[:80]}", key, value, known)


def _key(where: str, key: str, value: object, known: Mapping[str, str]) -> Iterator[Finding]:
    if key not in known:
        near = difflib.get_close_matches(key[:80], known, n=1, cutoff=0.7)
        yield UNKNOWN.found(where, hint=f"write {near[0]}" if near else "")
    elif value is None:
        yield NULL.found(where)
    else:
        yield from _type(where, value, known[key])


def _type(where: str, value: object, kind: str) -> Iterator[Finding]:
    if kind in {"objects", "texts", "numbers"}:
        if isinstance(value, list):
            for i, item in enumerate(value):
                yield from _type(f"{where}[{i}]", item, kind[:-1])
        elif isinstance(value, Mapping):
            yield OBJECT_FOR_ARRAY.found(where)
        else:
            yield WRONG_TYPE.found(where, "an array is needed")
    elif kind == "number" and isinstance(value, str):
        yield TEXT_FOR_NUMBER.found(where, shown(value))
    elif not _is(kind, value):
        yield WRONG_TYPE.found(where, f"{_WANTED[kind]} is needed, not {shown(value)}")


_WANTED = {
    "text": "a text",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "value": "a text or a number",
}


def _is(kind: str, value: object) -> bool:
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return {
        "text": isinstance(value, str),
        "number": number,
        "boolean": isinstance(value, bool),
        "object": isinstance(value, Mapping),
        "value": number or isinstance(value, str),
        "any": True,
    }[kind]
